/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lag.c - how far behind its own time this node is, and what that excuses in others */
#include "lag.h"

enum { EXCUSED_MAX = 2, PATIENCE_MAX = 2 };

gboolean lag_round(Lag *lag, guint period_ms, guint elapsed_ms)
{
    guint late = elapsed_ms > period_ms ? elapsed_ms - period_ms : 0;

    lag->ms = MAX(late, lag->ms * 3 / 4);
    if (late <= period_ms / 2 || lag->excused >= EXCUSED_MAX) {
        lag->excused = 0;
        return TRUE;
    }
    lag->excused++;
    return FALSE;
}

guint lag_patience(const Lag *lag, guint period_ms, guint usual)
{
    return usual + MIN(lag->ms * 4 / period_ms, PATIENCE_MAX);
}
