/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tally.c - what this controller has counted since it began (see tally.h) */
#include "tally.h"

const double tally_total_bounds[TALLY_BOUNDS] = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300};
const double tally_downtime_bounds[TALLY_BOUNDS] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

static void histogram_add(TallyHistogram *histogram, const double *bounds, double seconds)
{
    guint place = 0;

    while (place < TALLY_BOUNDS && seconds > bounds[place])
        place++;
    histogram->counts[place]++;
    histogram->sum += seconds;
}

guint64 tally_count(const TallyHistogram *histogram)
{
    guint64 count = 0;

    for (guint i = 0; i <= TALLY_BOUNDS; i++)
        count += histogram->counts[i];
    return count;
}

void tally_job(Tally *tally, const char *kind)
{
    tally->started += g_str_equal(kind, "started");
    tally->ended += g_str_equal(kind, "ended");
    tally->lost += g_str_equal(kind, "lost");
}

void tally_moved(Tally *tally, guint64 total_ms, gint64 downtime_ms, guint64 bytes)
{
    tally->moved++;
    tally->bytes += bytes;
    histogram_add(&tally->total, tally_total_bounds, total_ms / 1000.0);
    if (downtime_ms >= 0)
        histogram_add(&tally->downtime, tally_downtime_bounds, downtime_ms / 1000.0);
}

void tally_failed(Tally *tally, gboolean begun)
{
    tally->failed += begun;
    tally->refused += !begun;
}
