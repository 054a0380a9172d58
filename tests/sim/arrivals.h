/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrivals.h - who comes when: machines and jobs for the simulator, as clusters and their users are */
#pragma once

#include <glib.h>

typedef struct {
    double arrival_s, work;   /* work: seconds of a reference CPU */
    double wants;             /* CPUs: 1, or less for a job that waits for other things too */
    guint64 bytes;            /* that move with it */
    guint home;
    guint island;             /* its home's: it cannot leave it */
} JobPlan;

typedef struct {
    double cpus, speed;
    guint64 memory;
    guint island;             /* 0: KVM, 1: TCG */
} NodePlan;

typedef struct {
    guint n_nodes, n_jobs;
    NodePlan *nodes;
    JobPlan *jobs;            /* by arrival */
    guint islands;            /* 1, or 2 */
} Plan;

/* Patterns:
 *   batches  users at a few nodes (Zipf) send off batches (geometric sizes) during five minutes; lengths are log-normal, those
 *            of one batch alike
 *   sweeps   the same, with jobs that are all about as long: what is lost is the balancer's fault alone
 *   day      a rate that swells and ebbs over an hour (Poisson), lengths by the law of UNIX processes, P(T > t) = 1/t,
 *            bounded; homes by Zipf
 *   even     the same rate everywhere (Poisson), the same lengths as batches: little is to be gained
 *   islands  sweeps in a cluster where three nodes in ten have no KVM: they are ten times slower, the jobs of their users,
 *   which are as
 *            much shorter, can go to their like alone
 *   hotspot  all jobs start on one node at once
 * equal makes all nodes alike (2 CPUs, speed 1). NULL for an unknown pattern. */
Plan *plan_new(const char *pattern, guint n_nodes, guint n_jobs, gboolean equal, guint32 seed);
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

/* No schedule ends earlier, even one that knows all to come: the longest way of a single job, and of all work that comes after
 * any moment. */
double plan_bound(const Plan *plan);

/* Of a hot spot: the time in which what must leave can pass through a gigabit link. */
double plan_outflow(const Plan *plan);

/* When all is done if every job stays at home. */
double plan_stay(const Plan *plan);

/* When a perfect balancer would be done that knows nothing of the future: every moment all CPUs are shared fairly by all jobs,
 * the fastest first; moving costs nothing. */
double plan_ideal(const Plan *plan);
