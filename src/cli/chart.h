/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chart.h - upright bars side by side, as text: openMosix's mon; no terminal yet */
#pragma once

#include <glib.h>

typedef enum { CHART_ROWS, CHART_AUTO, CHART_WIDE, CHART_UPRIGHT, CHART_TIGHT } ChartLayout;

typedef struct {
    const char *label;      /* below it: the node's number */
    double value;           /* 0 to 1: solid; more is shown as full */
    double rest;            /* 0 to 1: above that, in '+' */
    gboolean dead;          /* no bar, the word DEAD or a cross */
} ChartBar;

/* What a layout is for so many bars: CHART_AUTO becomes the widest one that fits. */
ChartLayout chart_layout(ChartLayout layout, const ChartBar *bars, guint n, guint width);

/* How many bars fit. */
guint chart_fits(ChartLayout layout, const ChartBar *bars, guint n, guint width);

/* Lines from above to below, at most `height` of them, none longer than width: the bars, an axis, and the labels, which stand
 * beside one another (wide) or are written downwards (upright, tight). `top` stands at the axis' upper end. Free with
 * g_ptr_array_unref. */
GPtrArray *chart_lines(ChartLayout layout, const ChartBar *bars, guint n, guint width, guint height, const char *top);
