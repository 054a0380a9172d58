/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plot.h - curves as a picture (SVG) for the documentation */
#pragma once

#include <glib.h>

typedef struct Plot Plot;

Plot *plot_new(const char *title, const char *x, const char *y);

/* A curve of one value a second; copied. */
void plot_add(Plot *plot, const char *label, const double *values, guint count);

/* Writes the picture and frees the plot. */
gboolean plot_write(Plot *plot, const char *path, GError **error);
