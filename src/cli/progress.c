/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.c - a bar on a terminal, for what takes long; nothing at all elsewhere */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30

static gboolean shown;

void progress_show(const char *what, gint64 done, gint64 total)
{
    char bar[BAR_WIDTH + 1];
    int part = total > 0 ? (int) (CLAMP(done, 0, total) * BAR_WIDTH / total) : 0;

    if (!isatty(STDERR_FILENO) || !isatty(STDOUT_FILENO))
        return;
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '#', part);
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r%-10.10s [%s] %3d %%\033[K", what, bar, part * 100 / BAR_WIDTH);
    fflush(stderr);
    shown = TRUE;
}

void progress_clear(void)
{
    if (shown)
        fprintf(stderr, "\r\033[K");
    shown = FALSE;
}
