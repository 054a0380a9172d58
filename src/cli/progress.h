/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - a bar on a terminal, for what takes long; nothing at all elsewhere */
#pragma once

#include <glib.h>

/* Draws over the line; total 0: not known yet. */
void progress_show(const char *what, gint64 done, gint64 total);

/* Takes the bar away. */
void progress_clear(void);
