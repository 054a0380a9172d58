/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lag.h - how far behind its own time this node is, and what that excuses in others
 *
 * A node that gets no processor sees answers late. What it takes for another's silence may be its
 * own deafness: a round that began late does not count against anybody, and after one more is
 * needed before a node has failed. Both have a limit, so that failure is noticed on the busiest
 * machine.
 */
#pragma once

#include <glib.h>

typedef struct {
    guint ms;      /* decaying: the last rounds' lateness */
    guint excused; /* rounds in a row that did not count */
} Lag;

/* A round of period_ms began elapsed_ms after the one before; whether answers that are missing in
 * it count. */
gboolean lag_round(Lag *lag, guint period_ms, guint elapsed_ms);

/* Rounds without an answer after which a node has failed, of which usual would do at best. */
guint lag_patience(const Lag *lag, guint period_ms, guint usual);
