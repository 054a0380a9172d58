/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrivals.c - who comes when, and how fast it could be done at best (see arrivals.h) */
#include "arrivals.h"

#include <math.h>
#include <stdlib.h>

#define MIB (1ull << 20)

static double normal(GRand *rand)
{
    return sqrt(-2 * log(1 - g_rand_double(rand))) * cos(2 * G_PI * g_rand_double(rand));
}

static double exponential(GRand *rand, double mean)
{
    return -mean * log(1 - g_rand_double(rand));
}

/* Nodes as they gather over the years. */
static void make_nodes(Plan *plan, gboolean equal, GRand *rand)
{
    static const double cpus[] = {1, 1, 2, 2, 2, 4}, speeds[] = {0.6, 0.8, 1, 1, 1.2, 1.5};

    for (guint i = 0; i < plan->n_nodes; i++) {
        NodePlan *node = &plan->nodes[i];

        node->cpus = equal ? 2 : cpus[g_rand_int_range(rand, 0, G_N_ELEMENTS(cpus))];
        node->speed = equal ? 1 : speeds[g_rand_int_range(rand, 0, G_N_ELEMENTS(speeds))];
        node->memory = node->cpus * (equal ? 4096 : g_rand_int_range(rand, 2, 5) * 1024) * MIB;
    }
}

/* Rank k of n with probability ~ 1/k. */
static guint zipf(GRand *rand, guint n)
{
    guint rank = exp(g_rand_double(rand) * log(n + 1));

    return MIN(rank, n) - 1;
}

static double lognormal(GRand *rand, double median, double sigma)
{
    return CLAMP(exp(log(median) + sigma * normal(rand)), median / 20, median * 5);
}

static double unix_length(GRand *rand)
{
    return MIN(1 / (1 - g_rand_double(rand)), 1800) * 5;
}

static void make_body(JobPlan *job, GRand *rand, double length)
{
    job->wants = g_rand_double(rand) < 0.9 ? 1 : g_rand_double_range(rand, 0.1, 0.6);
    job->work = length * job->wants;
    job->bytes = CLAMP(exp(log(48) + 0.8 * normal(rand)), 16, 1024) * MIB;
}

static void batches(Plan *plan, GRand *rand, double spread, double within)
{
    guint i = 0;

    while (i < plan->n_jobs) {
        guint size = 1 + exponential(rand, MAX(10, plan->n_jobs / 400.0)), home = zipf(rand, plan->n_nodes);
        double at = g_rand_double(rand) * 300, length = lognormal(rand, 200, spread);

        for (guint k = 0; k < size && i < plan->n_jobs; k++, i++) {
            plan->jobs[i].arrival_s = at + k * 0.05;
            plan->jobs[i].home = (home * 7919 + 13) % plan->n_nodes;
            make_body(&plan->jobs[i], rand, lognormal(rand, length, within));
        }
    }
}

static void make_batches(Plan *plan, GRand *rand)
{
    batches(plan, rand, 0.4, 0.2);
}

static void make_sweeps(Plan *plan, GRand *rand)
{
    batches(plan, rand, 0.05, 0.05);
}

/* The nodes' islands, and what follows from them for the jobs. */
static void make_islands(Plan *plan, GRand *rand)
{
    const double slower = 0.1;

    plan->islands = 2;
    for (guint i = 0; i < plan->n_nodes; i++) {
        plan->nodes[i].island = g_rand_double(rand) < 0.3;
        plan->nodes[i].speed *= plan->nodes[i].island ? slower : 1;
    }
    batches(plan, rand, 0.05, 0.05);
    for (guint i = 0; i < plan->n_jobs; i++) {
        plan->jobs[i].island = plan->nodes[plan->jobs[i].home].island;
        plan->jobs[i].work *= plan->jobs[i].island ? slower : 1;
    }
}

static void make_day(Plan *plan, GRand *rand)
{
    for (guint i = 0; i < plan->n_jobs; i++) {
        double t;

        do
            t = g_rand_double(rand) * 3600;
        while (g_rand_double(rand) > 0.5 - 0.5 * cos(t / 3600 * 4 * G_PI));
        plan->jobs[i].arrival_s = t;
        plan->jobs[i].home = (zipf(rand, plan->n_nodes) * 7919 + 13) % plan->n_nodes;
        make_body(&plan->jobs[i], rand, unix_length(rand));
    }
}

static void make_even(Plan *plan, GRand *rand)
{
    for (guint i = 0; i < plan->n_jobs; i++) {
        plan->jobs[i].arrival_s = g_rand_double(rand) * 600;
        plan->jobs[i].home = g_rand_int_range(rand, 0, plan->n_nodes);
        make_body(&plan->jobs[i], rand, lognormal(rand, 200, 0.4));
    }
}

/* One node with memory for all of them. */
static void make_hotspot(Plan *plan, GRand *rand)
{
    guint64 bytes = 0;

    for (guint i = 0; i < plan->n_jobs; i++) {
        plan->jobs[i].arrival_s = 0;
        plan->jobs[i].home = 0;
        make_body(&plan->jobs[i], rand, lognormal(rand, 1800, 0.4));
        bytes += plan->jobs[i].bytes;
    }
    plan->nodes[0].memory = MAX(plan->nodes[0].memory, bytes * 5 / 4);
}

static int compare_arrival(const void *a, const void *b)
{
    const JobPlan *first = a, *second = b;

    return (first->arrival_s > second->arrival_s) - (first->arrival_s < second->arrival_s);
}

Plan *plan_new(const char *pattern, guint n_nodes, guint n_jobs, gboolean equal, guint32 seed)
{
    static const struct {
        const char *name;
        void (*make)(Plan *plan, GRand *rand);
    } patterns[] = {{"batches", make_batches}, {"day", make_day}, {"even", make_even}, {"hotspot", make_hotspot},
                  {"islands", make_islands}, {"sweeps", make_sweeps}};
    GRand *rand = g_rand_new_with_seed(seed);
    Plan *plan = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(patterns) && !plan; i++) {
        if (!g_str_equal(patterns[i].name, pattern))
            continue;
        plan = g_new0(Plan, 1);
        plan->n_nodes = n_nodes;
        plan->n_jobs = n_jobs;
        plan->islands = 1;
        plan->nodes = g_new0(NodePlan, n_nodes);
        plan->jobs = g_new0(JobPlan, n_jobs);
        make_nodes(plan, equal, rand);
        patterns[i].make(plan, rand);
        qsort(plan->jobs, n_jobs, sizeof *plan->jobs, compare_arrival);
    }
    g_rand_free(rand);
    return plan;
}

void plan_free(Plan *plan)
{
    g_free(plan->nodes);
    g_free(plan->jobs);
    g_free(plan);
}

/* Bounds */

static double island_bound(const Plan *plan, guint island)
{
    double fastest = 0, bound = 0, work = 0, capacity = 0;

    for (guint i = 0; i < plan->n_nodes; i++) {
        const NodePlan *node = &plan->nodes[i];

        if (node->island != island)
            continue;
        fastest = MAX(fastest, node->speed);
        capacity += node->cpus * node->speed;
    }
    for (guint i = plan->n_jobs; i-- > 0;) {
        const JobPlan *job = &plan->jobs[i];

        if (job->island != island)
            continue;
        work += job->work;
        bound = MAX(bound, job->arrival_s + work / capacity);
        bound = MAX(bound, job->arrival_s + job->work / (job->wants * fastest));
    }
    return bound;
}

double plan_bound(const Plan *plan)
{
    double bound = 0;

    for (guint i = 0; i < plan->islands; i++)
        bound = MAX(bound, island_bound(plan, i));
    return bound;
}

static int compare_falling(const void *a, const void *b)
{
    double first = *(const double *)a, second = *(const double *)b;

    return (first < second) - (first > second);
}

/* The speed of the k fastest CPUs of an island together, for every k up to their number. */
static double *fastest_cpus(const Plan *plan, guint island, guint *ret_count)
{
    GArray *cpus = g_array_new(FALSE, FALSE, sizeof(double));
    double sum = 0;

    for (guint i = 0; i < plan->n_nodes; i++)
        for (guint k = 0; plan->nodes[i].island == island && k < plan->nodes[i].cpus; k++)
            g_array_append_val(cpus, plan->nodes[i].speed);
    qsort(cpus->data, cpus->len, sizeof(double), compare_falling);
    for (guint i = 0; i < cpus->len; i++)
        g_array_index(cpus, double, i) = sum += g_array_index(cpus, double, i);
    *ret_count = cpus->len;
    return (double *)(void *)g_array_free(cpus, FALSE);
}

/* In steps: exact enough, and the same kind of time as the simulation's. */
static double island_ideal(const Plan *plan, guint island)
{
    const double step = 0.25;
    guint n_cpus, next = 0, active = 0;
    g_autofree double *cpus = fastest_cpus(plan, island, &n_cpus);
    g_autofree double *left = g_new(double, plan->n_jobs);
    g_autofree double *wants = g_new(double, plan->n_jobs);
    double t = 0, end = 0;

    while (next < plan->n_jobs || active) {
        double wanted = 0, rate;

        for (; next < plan->n_jobs && plan->jobs[next].arrival_s <= t; next++) {
            if (plan->jobs[next].island != island)
                continue;
            left[active] = plan->jobs[next].work;
            wants[active++] = plan->jobs[next].wants;
        }
        for (guint i = 0; i < active; i++)
            wanted += wants[i];
        rate = !active ? 0 : wanted < 1 ? cpus[0] : wanted >= n_cpus ? cpus[n_cpus - 1] / wanted : cpus[(guint)wanted - 1] / (guint)wanted;
        t += step;
        for (guint i = active; i-- > 0;) {
            left[i] -= rate * wants[i] * step;
            if (left[i] > 0)
                continue;
            left[i] = left[--active];
            wants[i] = wants[active];
            end = t;
        }
    }
    return end;
}

double plan_ideal(const Plan *plan)
{
    double ideal = 0;

    for (guint i = 0; i < plan->islands; i++)
        ideal = MAX(ideal, island_ideal(plan, i));
    return ideal;
}

/* Jobs of one node share its CPUs in proportion to what they want: in the node's own time, which passes by speed * min(1, CPUs /
 * wanted), each needs work / wants. So the next one to end is the one that ends first in that time. */
typedef struct {
    double ends, wants;
} Resident;

static int compare_ends(gconstpointer a, gconstpointer b, gpointer user)
{
    const Resident *first = a, *second = b;

    return (first->ends > second->ends) - (first->ends < second->ends);
}

typedef struct {
    const NodePlan *node;
    GSequence *residents;
    double now_s, passed, wanted;
} Alone;

/* Lets time pass on one node until the moment, or until it is empty. */
static void alone_until(Alone *alone, double until_s)
{
    GSequenceIter *first;

    while (alone->now_s < until_s && !g_sequence_iter_is_end(first = g_sequence_get_begin_iter(alone->residents))) {
        const Resident *next = g_sequence_get(first);
        double rate = alone->node->speed * MIN(1, alone->node->cpus / alone->wanted);
        double end_s = alone->now_s + (next->ends - alone->passed) / rate;

        if (end_s > until_s) {
            alone->passed += (until_s - alone->now_s) * rate;
            alone->now_s = until_s;
            return;
        }
        alone->passed = next->ends;
        alone->now_s = end_s;
        alone->wanted -= next->wants;
        g_sequence_remove(first);
    }
}

double plan_stay(const Plan *plan)
{
    g_autofree Alone *nodes = g_new0(Alone, plan->n_nodes);
    double makespan = 0;

    for (guint i = 0; i < plan->n_nodes; i++)
        nodes[i] = (Alone){&plan->nodes[i], g_sequence_new(g_free), 0, 0, 0};
    for (guint i = 0; i < plan->n_jobs; i++) {
        const JobPlan *job = &plan->jobs[i];
        Alone *home = &nodes[job->home];
        Resident *resident = g_new(Resident, 1);

        alone_until(home, job->arrival_s);
        home->now_s = job->arrival_s;
        *resident = (Resident){home->passed + job->work / job->wants, job->wants};
        home->wanted += job->wants;
        g_sequence_insert_sorted(home->residents, resident, compare_ends, NULL);
    }
    for (guint i = 0; i < plan->n_nodes; i++) {
        alone_until(&nodes[i], G_MAXDOUBLE);
        makespan = MAX(makespan, nodes[i].now_s);
        g_sequence_free(nodes[i].residents);
    }
    return makespan;
}

double plan_outflow(const Plan *plan)
{
    double bytes = 0;

    for (guint i = 0; i < plan->n_jobs; i++)
        bytes += plan->jobs[i].bytes;
    return bytes * (plan->n_nodes - 1) / plan->n_nodes / 110e6;
}
