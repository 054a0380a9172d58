/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast.c - what a migration of a job will take (see forecast.h)
 *
 * How long it takes follows the guest's memory and the cluster's pace. How long it stands still follows what the program writes
 * to meanwhile, which nobody can measure beforehand without slowing it down (under emulation: without breaking it); but a program
 * mostly does what it did the last time.
 */
#include "forecast.h"

#define FOLLOW 0.3

void forecast_init(Forecast *forecast)
{
    *forecast = (Forecast){.pace = EXODUS_PACE};
}

void forecast_learn(Forecast *forecast, guint64 bytes, gint64 total_ms, gint64 downtime_ms)
{
    exodus_learn(&forecast->pace, bytes, total_ms / 1e3);
    if (downtime_ms < 0)
        return;
    forecast->still_ms += (downtime_ms - forecast->still_ms) * (forecast->moves ? FOLLOW : 1);
    forecast->moves++;
}

Json *forecast_of(const Forecast *forecast, guint64 bytes, double own_ms)
{
    Json *json;

    if (own_ms < 0 && !forecast->moves)
        return NULL;
    json = json_set_int(json_object(), "total_ms", exodus_predict(&forecast->pace, bytes) * 1000 + 0.5);
    return json_set_int(json, "downtime_ms", (own_ms >= 0 ? own_ms : forecast->still_ms) + 0.5);
}
