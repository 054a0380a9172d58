/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timings.h - the time line of a job's start and end, for --timings */
#pragma once

#include "pair.h"

typedef struct {
    guint64 us[PAIR_MARKS];     /* CLOCK_MONOTONIC; 0: not yet */
} Timings;

/* "agent ready" */
const char *timings_name(PairMark mark);

/* It is happening now; only the first time counts. */
void timings_mark(Timings *timings, PairMark mark);

/* From the other process: what follows the type byte of PAIR_MARK. */
void timings_take(Timings *timings, const guint8 *bytes, gsize size);

/* Tells the other process: now. */
void timings_send(int pair, PairMark mark);

/* To stderr, milliseconds since the first. */
void timings_print(const Timings *timings);
