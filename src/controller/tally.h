/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.h - what this controller has counted since it began: jobs, migrations and how long they took */
#pragma once

#include <glib.h>

#define TALLY_BOUNDS 10

/* How often a duration was at most bounds[i] seconds and more than the one before; the last place: longer. */
typedef struct {
    guint64 counts[TALLY_BOUNDS + 1];
    double sum;  /* s */
} TallyHistogram;

typedef struct {
    guint64 started, ended, lost;      /* jobs at home here */
    guint64 moved, failed, refused;    /* migrations ordered here; refused: nothing had begun yet */
    guint64 bytes;                     /* on the wire, of those that moved */
    TallyHistogram total, downtime;    /* of those that moved */
} Tally;

/* Upper bounds in seconds, ascending. */
extern const double tally_total_bounds[TALLY_BOUNDS], tally_downtime_bounds[TALLY_BOUNDS];

/* Something happened to a job, by the kind of its event: "started", "ended", "lost"; others are not counted. */
void tally_job(Tally *tally, const char *kind);

/* A migration is over; downtime_ms -1: not known, counted in no place. */
void tally_moved(Tally *tally, guint64 total_ms, gint64 downtime_ms, guint64 bytes);
void tally_failed(Tally *tally, gboolean begun);

/* How many durations are in it. */
guint64 tally_count(const TallyHistogram *histogram);
