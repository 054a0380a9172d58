/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.h - the figures of docs/balancing.md, made anew */
#pragma once

#include <glib.h>

/* The patterns at all sizes, that of 10,000 nodes only if the largest is wanted, and how far other worlds (seeds) are from
 * them: printed line by line as they come. Returns the text (g_free). */
char *report_table(guint parallel, gboolean largest);

/* Puts text, indented, between the two lines of a Markdown file that say so. */
gboolean report_put(const char *path, const char *text, GError **error);
