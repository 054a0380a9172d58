/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plot.c - curves as a picture (see plot.h); the upright axis is logarithmic */
#include "plot.h"

#include <math.h>

#define WIDTH 760
#define HEIGHT 380
#define LEFT 60
#define RIGHT 20
#define TOP 40
#define BOTTOM 50
#define CURVES 6

struct Plot {
    char *title, *x, *y;
    guint curves, longest;
    double highest;
    char *labels[CURVES];
    GArray *values[CURVES];
};

Plot *plot_new(const char *title, const char *x, const char *y)
{
    Plot *plot = g_new0(Plot, 1);

    plot->title = g_strdup(title);
    plot->x = g_strdup(x);
    plot->y = g_strdup(y);
    plot->highest = 2;
    return plot;
}

void plot_add(Plot *plot, const char *label, const double *values, guint count)
{
    g_return_if_fail(plot->curves < CURVES);
    plot->labels[plot->curves] = g_strdup(label);
    plot->values[plot->curves] = g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(double)), values, count);
    plot->longest = MAX(plot->longest, count);
    for (guint i = 0; i < count; i++)
        plot->highest = MAX(plot->highest, values[i]);
    plot->curves++;
}

static double at_x(const Plot *plot, double value)
{
    return LEFT + value * (WIDTH - LEFT - RIGHT) / MAX(plot->longest, 1);
}

static double at_y(const Plot *plot, double value)
{
    return HEIGHT - BOTTOM - log(MAX(value, 1)) / log(plot->highest) * (HEIGHT - TOP - BOTTOM);
}

static void draw_axes(const Plot *plot, GString *svg)
{
    guint step = MAX(plot->longest / 6 / 50 * 50, 10);

    g_string_append_printf(svg, "<text x='%d' y='20' font-size='15'>%s</text>\n", LEFT, plot->title);
    for (guint x = 0; x <= plot->longest; x += step)
        g_string_append_printf(svg, "<text x='%.0f' y='%d' text-anchor='middle'>%u</text>\n", at_x(plot, x),
                               HEIGHT - BOTTOM + 18, x);
    for (double y = 1; y <= plot->highest; y *= plot->highest > 50 ? 10 : 2)
        g_string_append_printf(svg,
                               "<line x1='%d' x2='%d' y1='%.1f' y2='%.1f' stroke='#ddd'/>\n"
                               "<text x='%d' y='%.1f' text-anchor='end'>%g</text>\n",
                               LEFT, WIDTH - RIGHT, at_y(plot, y), at_y(plot, y), LEFT - 6, at_y(plot, y) + 4, y);
    g_string_append_printf(svg, "<text x='%d' y='%d' text-anchor='middle'>%s</text>\n", WIDTH / 2, HEIGHT - 12, plot->x);
    g_string_append_printf(svg, "<text transform='translate(16 %d) rotate(-90)' text-anchor='middle'>%s</text>\n",
                           HEIGHT / 2, plot->y);
}

static void draw_curve(const Plot *plot, guint index, GString *svg)
{
    static const char *const colours[CURVES] = {"#1b6ca8", "#c8553d", "#4b7f52", "#7b4b94", "#a0750f", "#333333"};
    const GArray *values = plot->values[index];

    g_string_append_printf(svg, "<polyline fill='none' stroke='%s' stroke-width='1.6' points='", colours[index]);
    for (guint i = 0; i < values->len; i++)
        g_string_append_printf(svg, "%.1f,%.1f ", at_x(plot, i), at_y(plot, g_array_index(values, double, i)));
    g_string_append_printf(svg, "'/>\n<text x='%d' y='%d' text-anchor='end' fill='%s'>%s</text>\n", WIDTH - RIGHT,
                           TOP + 16 * (index + 1), colours[index], plot->labels[index]);
}

gboolean plot_write(Plot *plot, const char *path, GError **error)
{
    GString *svg = g_string_new(NULL);
    gboolean done;

    g_string_append_printf(svg, "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
                                "font-size='12'>\n<rect width='100%%' height='100%%' fill='white'/>\n",
                           WIDTH, HEIGHT);
    draw_axes(plot, svg);
    for (guint i = 0; i < plot->curves; i++) {
        draw_curve(plot, i, svg);
        g_free(plot->labels[i]);
        g_array_unref(plot->values[i]);
    }
    g_string_append(svg, "</svg>\n");
    done = g_file_set_contents(path, svg->str, svg->len, error);
    g_string_free(svg, TRUE);
    g_free(plot->title);
    g_free(plot->x);
    g_free(plot->y);
    g_free(plot);
    return done;
}
