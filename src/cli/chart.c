/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chart.c - upright bars side by side, as text: openMosix's mon */
#include "chart.h"

#include <string.h>

#define AXIS 6      /* columns left of the bars */

static guint longest(const ChartBar *bars, guint n)
{
    guint most = 1;

    for (guint i = 0; i < n; i++)
        most = MAX(most, strlen(bars[i].label));
    return most;
}

/* Columns of a bar, the space beside it included. */
static guint pitch(ChartLayout layout, const ChartBar *bars, guint n)
{
    return layout == CHART_WIDE ? MAX(longest(bars, n), 4) + 1 : layout == CHART_UPRIGHT ? 3 : 1;
}

guint chart_fits(ChartLayout layout, const ChartBar *bars, guint n, guint width)
{
    return width > AXIS ? MIN(n, (width - AXIS) / pitch(layout, bars, n)) : 0;
}

ChartLayout chart_layout(ChartLayout layout, const ChartBar *bars, guint n, guint width)
{
    if (layout != CHART_AUTO)
        return layout;
    for (layout = CHART_WIDE; layout < CHART_TIGHT; layout++)
        if (chart_fits(layout, bars, n, width) == n)
            break;
    return layout;
}

/* What a bar shows at a height: level 0 is the lowest of `levels`. */
static char cell(const ChartBar *bar, guint level, guint levels, guint column)
{
    double middle = (level + 0.5) / levels;

    if (bar->dead)
        return level == 0 ? "DEAD"[column % 4] : ' ';
    return middle <= bar->value ? '#' : middle <= bar->value + bar->rest ? '+' : ' ';
}

static char *bar_line(ChartLayout layout, const ChartBar *bars, guint n, guint level, guint levels, const char *top)
{
    GString *line = g_string_new(NULL);
    guint step = pitch(layout, bars, n), wide = layout == CHART_WIDE ? step - 1 : layout == CHART_UPRIGHT ? 2 : 1;

    g_string_append_printf(line, "%*.*s|", AXIS - 1, AXIS - 1, level == levels - 1 ? top : level == 0 ? "0" : "");
    for (guint i = 0; i < n; i++)
        for (guint column = 0; column < step; column++) {
            gboolean part = column < wide && !(bars[i].dead && (layout != CHART_WIDE ? column : column >= 4));

            g_string_append_c(line, part ? cell(&bars[i], level, levels, column) : ' ');
        }
    return g_string_free(line, FALSE);
}

/* The labels beside one another, or the character of each at a depth. */
static char *label_line(ChartLayout layout, const ChartBar *bars, guint n, guint depth)
{
    GString *line = g_string_new(NULL);
    int step = pitch(layout, bars, n);

    g_string_append_printf(line, "%*s", AXIS, "");
    for (guint i = 0; i < n; i++) {
        const char *label = bars[i].label;

        if (layout == CHART_WIDE)
            g_string_append_printf(line, "%-*.*s", step, step - 1, label);
        else
            g_string_append_printf(line, "%-*c", step, depth < strlen(label) ? label[depth] : ' ');
    }
    return g_string_free(line, FALSE);
}

static char *axis_line(ChartLayout layout, const ChartBar *bars, guint n)
{
    GString *line = g_string_new(NULL);

    g_string_append_printf(line, "%*s+", AXIS - 1, "");
    for (guint i = 0; i < n * pitch(layout, bars, n); i++)
        g_string_append_c(line, '-');
    return g_string_free(line, FALSE);
}

GPtrArray *chart_lines(ChartLayout layout, const ChartBar *bars, guint n, guint width, guint height, const char *top)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    guint labels, levels;

    layout = chart_layout(layout, bars, n, width);
    n = chart_fits(layout, bars, n, width);
    labels = layout == CHART_WIDE ? 1 : longest(bars, n);
    if (!n || height < labels + 3)
        return lines;
    levels = height - labels - 1;
    for (guint level = levels; level-- > 0;)
        g_ptr_array_add(lines, bar_line(layout, bars, n, level, levels, top));
    g_ptr_array_add(lines, axis_line(layout, bars, n));
    for (guint depth = 0; depth < labels; depth++)
        g_ptr_array_add(lines, label_line(layout, bars, n, depth));
    return lines;
}
