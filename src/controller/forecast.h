/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forecast.h - what a migration of a job will take, by what those before it took */
#pragma once

#include "balance/exodus.h"
#include "common/json.h"

typedef struct {
    ExodusPace pace;   /* of moves that this home ordered: how long they take by the guest's memory */
    double still_ms;   /* how long their guests stood still, the latest counting most */
    guint moves;       /* how many it has learned from */
} Forecast;

void forecast_init(Forecast *forecast);

/* A guest of so many bytes has moved; downtime_ms -1: not known. */
void forecast_learn(Forecast *forecast, guint64 bytes, gint64 total_ms, gint64 downtime_ms);

/* {total_ms,downtime_ms} for a guest of so many bytes; own_ms: how long this very job stood still on average lately, -1: it has
 * not moved, and others' moves are what counts. NULL when nothing has moved yet. */
Json *forecast_of(const Forecast *forecast, guint64 bytes, double own_ms);
