/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.h - a cluster in the simulator: nodes that share their CPUs fairly, gossip, decide, consent and move jobs
 *
 * Time goes in steps of a quarter second. Each node has its own second: then it measures (with noise), gossips by the real vector
 * of src/balance/vector.c, and decides by the real src/balance/balance.c. A move takes a moment and the time its memory needs on
 * the source's link; the job runs on at the source meanwhile, as a live migration has it, and stands still for a moment at its
 * end. The destination is asked first and may refuse, as in the daemon.
 */
#pragma once

#include "arrivals.h"

typedef struct {
    gboolean best;          /* jobs start where it is best (run --best), else at home */
    double noise;           /* of a measured demand, as a share */
    guint parallel;         /* moves into a node, and out of it, at a time */
    double settle_s;        /* end then, whatever is left; 0: when all jobs are done */
    guint32 seed;
} WorldOptions;

typedef struct {
    double makespan_s, mean_slowdown; /* slowdown: time in the cluster against that alone on a reference CPU */
    guint64 migrations, refused;
    double per_job;
    guint most_moves;       /* of one job */
    double bytes_sent;      /* of gossip, a node and second */
    double bytes_most;      /* the same, of the node that got most */
    double even_s;     /* when first, after the last arrival, no job could have gained a quarter by moving; -1: never */
    guint64 overrun;        /* requests to a node for which it had not the memory, by its true state */
    GArray *curve;          /* double: each second, the greatest slowness over the mean of all jobs */
} WorldResult;

WorldResult world_run(const Plan *plan, const WorldOptions *options);
