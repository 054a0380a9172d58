/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exodus.c - in which order jobs leave a node that is to be empty in time (see exodus.h) */
#include "exodus.h"

#include <math.h>
#include <stdlib.h>

#define UNIT_BYTES (512 << 20)   /* the unit of size: the move of a guest of so much tells as much of the rate as of the base */
#define FOLLOW_UP 0.3     /* what took longer counts more: what was said to be in time is to be in time */
#define FOLLOW_DOWN 0.1

static int compare(const void *a, const void *b)
{
    const ExodusJob *first = *(ExodusJob *const *)a, *second = *(ExodusJob *const *)b;

    if (first->stuck != second->stuck)
        return first->stuck ? 1 : -1;
    if (first->seconds != second->seconds)
        return first->seconds > second->seconds ? 1 : -1;
    return (first > second) - (first < second);
}

guint exodus_plan(ExodusJob *jobs, guint n_jobs, guint slots, double deadline_s)
{
    g_autofree ExodusJob **sorted = g_new(ExodusJob *, n_jobs + 1);
    g_autofree double *free_s = NULL;
    guint in_time = 0;

    slots = MAX(slots, 1);
    free_s = g_new0(double, slots);
    for (guint i = 0; i < n_jobs; i++)
        sorted[i] = &jobs[i];
    qsort(sorted, n_jobs, sizeof *sorted, compare);
    for (guint i = 0; i < n_jobs; i++) {
        ExodusJob *job = sorted[i];
        guint slot = 0;

        job->order = i;
        job->done_s = G_MAXDOUBLE;
        job->late = job->stuck;
        if (job->stuck)
            continue;
        for (guint k = 1; k < slots; k++)
            if (free_s[k] < free_s[slot])
                slot = k;
        job->done_s = free_s[slot] + job->seconds;
        job->late = deadline_s > 0 && job->done_s > deadline_s;
        if (job->late)
            continue; /* it is not begun, so the slot stays free for one that is shorter: there is none */
        free_s[slot] = job->done_s;
        in_time++;
    }
    return in_time;
}

/* What was mispredicted is put right a part at a time, in the base and in the rate by how much each went into it: small guests
 * tell of the base, large ones of the rate, and any mixture finds both. */
void exodus_learn(ExodusPace *pace, guint64 bytes, double seconds)
{
    double size = (double)bytes / UNIT_BYTES, pace_s = UNIT_BYTES / pace->bytes_per_s;
    double error = seconds - pace->base_s - pace_s * size, wanted = error * (error > 0 ? FOLLOW_UP : FOLLOW_DOWN);
    double base_s = CLAMP(pace->base_s + wanted / (1 + size * size), 0.05, 60);

    pace->spread_s += FOLLOW_UP * (MIN(fabs(error), 60) - pace->spread_s);
    if (size > 0.05)
        pace_s += (wanted - (base_s - pace->base_s)) / size;
    pace->base_s = base_s;
    pace->bytes_per_s = UNIT_BYTES / CLAMP(pace_s, UNIT_BYTES / 1e11, UNIT_BYTES / 1e5);
}

double exodus_predict(const ExodusPace *pace, guint64 bytes)
{
    return pace->base_s + bytes / pace->bytes_per_s;
}

double exodus_promise(const ExodusPace *pace, guint64 bytes)
{
    return exodus_predict(pace, bytes) + pace->spread_s;
}
