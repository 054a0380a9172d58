/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.c - which job should go where (see balance.h for the theory) */
#include "balance.h"

#include <math.h>

#define BASE 16.0
#define IDLE_DEMAND 0.05   /* a job that wants less gains nothing by moving */
#define TIE 0.001

/* What a search goes over, and whom it asks. */
typedef struct {
    const BalanceRules *rules;
    BalanceNode *nodes;
    guint n_nodes;
    BalanceMay may;
    gpointer user;
    guint32 *seed;
} Search;

double balance_slowness(const BalanceNode *node, double more)
{
    double wanted = (node->demand + node->promised + more) / MAX(node->cpus, 0.01);

    return MAX(1, wanted) / MAX(node->speed, 0.0001);
}

static guint64 reserve_of(const BalanceRules *rules, const BalanceNode *node)
{
    return rules->reserve * node->memory_total;
}

static gboolean has_memory(const BalanceRules *rules, const BalanceNode *node, guint64 bytes)
{
    return node->memory_free >= node->promised_bytes + bytes + reserve_of(rules, node);
}

/* The cost of a place with the job in it. */
static double cost(const BalanceNode *node, const BalanceJob *job, double greatest)
{
    double total = MAX(node->memory_total, 1), spoken_for = total - node->memory_free + node->promised_bytes + job->bytes;

    return pow(BASE, balance_slowness(node, job->demand) / greatest) + pow(BASE, spoken_for / total);
}

static double greatest_slowness(const BalanceNode *self, const BalanceNode *nodes, guint n_nodes, double more)
{
    double greatest = self ? balance_slowness(self, more) : 0.0001;

    for (guint i = 0; i < n_nodes; i++)
        greatest = MAX(greatest, balance_slowness(&nodes[i], more));
    return greatest;
}

static double least_slowness(const Search *search)
{
    double least = G_MAXDOUBLE;

    for (guint i = 0; i < search->n_nodes; i++)
        least = MIN(least, balance_slowness(&search->nodes[i], 0));
    return least;
}

static guint32 next_random(guint32 *seed)
{
    *seed = *seed ? *seed : 2463534242u;
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* The cheapest node for a job whose slowness there is at most limit; -1. */
static int cheapest(const Search *search, const BalanceJob *job, guint index, double limit, double greatest)
{
    double least = G_MAXDOUBLE;
    guint ties = 0;
    int best = -1;

    for (guint i = 0; i < search->n_nodes; i++) {
        const BalanceNode *node = &search->nodes[i];
        double price;

        if (!node->takes || !has_memory(search->rules, node, job->bytes) || balance_slowness(node, job->demand) > limit)
            continue;
        price = cost(node, job, greatest);
        if (price > least + TIE || (search->may && !search->may(index, i, search->user)))
            continue;
        ties = price < least - TIE ? 1 : ties + 1;
        if (ties == 1 || next_random(search->seed) % ties == 0)
            best = i;
        least = MIN(least, price);
    }
    return best;
}

static void charge(BalanceNode *node, const BalanceJob *job)
{
    node->promised += job->demand;
    node->promised_bytes += job->bytes;
}

/* A job goes: reckoned at both ends. */
static void leave(BalanceNode *self, BalanceNode *node, const BalanceJob *job)
{
    charge(node, job);
    self->demand -= MIN(self->demand, job->demand);
    self->memory_free += job->bytes;
}

static gboolean is_chosen(const BalanceMove *moves, guint count, guint job)
{
    for (guint i = 0; i < count; i++)
        if (moves[i].job == job)
            return TRUE;
    return FALSE;
}

/* Memory */

/* The smallest job that frees enough, else the largest there is; -1. */
static int job_for_memory(const BalanceJob *jobs, guint n_jobs, guint64 needed, const BalanceMove *moves, guint count,
                          const gboolean *hopeless)
{
    int best = -1;

    for (guint i = 0; i < n_jobs; i++) {
        gboolean enough = jobs[i].bytes >= needed, best_enough = best >= 0 && jobs[best].bytes >= needed;

        if (!jobs[i].movable || !jobs[i].bytes || hopeless[i] || is_chosen(moves, count, i))
            continue;
        if (best < 0 || (enough && (!best_enough || jobs[i].bytes < jobs[best].bytes)) ||
            (!best_enough && jobs[i].bytes > jobs[best].bytes))
            best = i;
    }
    return best;
}

static guint decide_memory(const Search *search, BalanceNode *self, const BalanceJob *jobs, guint n_jobs,
                           BalanceMove *ret_moves, guint max)
{
    guint64 reserve = reserve_of(search->rules, self), wanted = reserve + reserve / 2;
    g_autofree gboolean *hopeless = NULL;
    guint count = 0;
    int job, node;

    if (self->memory_free >= reserve)
        return 0;
    hopeless = g_new0(gboolean, n_jobs);
    while (count < max && self->memory_free < wanted &&
           (job = job_for_memory(jobs, n_jobs, wanted - self->memory_free, ret_moves, count, hopeless)) >= 0) {
        double greatest = greatest_slowness(self, search->nodes, search->n_nodes, jobs[job].demand);

        node = cheapest(search, &jobs[job], job, G_MAXDOUBLE, greatest);
        if (node < 0) {
            hopeless[job] = TRUE;
            continue;
        }
        ret_moves[count++] = (BalanceMove){job, node, BALANCE_FOR_MEMORY, balance_slowness(self, 0)};
        leave(self, &search->nodes[node], &jobs[job]);
    }
    return count;
}

/* Speed */

/* How much moving a job that gains so much is worth: the time won if it runs as long again as it has, less what moving takes. One
 * that has moved already is left in peace if another will do. */
static double worth(const BalanceRules *rules, const BalanceJob *job, double gain)
{
    return (job->age_s * (1 - 1 / gain) - rules->move_s) / (1 + 3 * job->moves);
}

static gboolean may_leave(const BalanceRules *rules, const BalanceJob *job)
{
    return job->movable && !job->settled && job->demand >= IDLE_DEMAND && job->here_s >= ldexp(rules->stay_s, MIN(job->moves, 12));
}

/* Of the jobs whose move would be worth most, the first that has a place; FALSE: none has. */
static gboolean decide_one(const Search *search, const BalanceNode *self, const BalanceJob *jobs, guint n_jobs,
                           const BalanceMove *moves, guint count, BalanceMove *ret_move)
{
    double here = balance_slowness(self, 0), limit = here / search->rules->hysteresis, most = 0;
    double greatest = greatest_slowness(self, search->nodes, search->n_nodes, 0);
    double gain = here / least_slowness(search); /* no job gains more */
    gboolean found = FALSE;

    for (guint i = 0; i < n_jobs; i++) {
        double value;
        int node;

        if (!may_leave(search->rules, &jobs[i]) || is_chosen(moves, count, i) || worth(search->rules, &jobs[i], gain) <= most)
            continue;
        node = cheapest(search, &jobs[i], i, limit, greatest);
        if (node < 0)
            continue;
        value = worth(search->rules, &jobs[i], here / balance_slowness(&search->nodes[node], jobs[i].demand));
        if (value <= most)
            continue;
        most = value;
        *ret_move = (BalanceMove){i, node, BALANCE_FOR_SPEED, here};
        found = TRUE;
    }
    return found;
}

/* Torn groups: to the rest of them. */
static guint decide_gathering(const Search *search, BalanceNode *self, const BalanceJob *jobs, guint n_jobs, BalanceMove *ret_moves,
                              guint count, guint max)
{
    for (guint i = 0; i < n_jobs && count < max; i++) {
        const BalanceJob *job = &jobs[i];
        guint node = job->gather - 1;

        if (!job->gather || node >= search->n_nodes || !job->movable || job->settled || job->here_s < search->rules->stay_s ||
            is_chosen(ret_moves, count, i) ||
            !balance_consents(search->rules, &search->nodes[node], job->demand, job->bytes, 0, BALANCE_FOR_GROUP) ||
            (search->may && !search->may(i, node, search->user)))
            continue;
        ret_moves[count++] = (BalanceMove){i, node, BALANCE_FOR_GROUP, balance_slowness(self, 0)};
        leave(self, &search->nodes[node], job);
    }
    return count;
}

static guint decide(const Search *search, const BalanceNode *self, const BalanceJob *jobs, guint n_jobs, BalanceMove *ret_moves,
                    guint max)
{
    BalanceNode here = *self;
    guint count = decide_memory(search, &here, jobs, n_jobs, ret_moves, max);

    count = decide_gathering(search, &here, jobs, n_jobs, ret_moves, count, max);
    while (count < max && decide_one(search, &here, jobs, n_jobs, ret_moves, count, &ret_moves[count])) {
        leave(&here, &search->nodes[ret_moves[count].node], &jobs[ret_moves[count].job]);
        count++;
    }
    return count;
}

/* Groups: what is decided about are units, a group or a single job each. */

typedef struct {
    const guint *unit_of;   /* of each job */
    guint n_jobs;
    BalanceMay may;
    gpointer user;
} Units;

static void join(BalanceJob *unit, const BalanceJob *job)
{
    unit->demand += job->demand;
    unit->bytes += job->bytes;
    unit->age_s = MAX(unit->age_s, job->age_s);
    unit->here_s = MIN(unit->here_s, job->here_s);
    unit->moves = MAX(unit->moves, job->moves);
    unit->movable = unit->movable && job->movable;
    unit->settled = unit->settled || job->settled;
    unit->gather = unit->gather == job->gather ? unit->gather : 0;
}

/* Returns how many units there are. */
static guint make_units(const BalanceJob *jobs, guint n_jobs, BalanceJob *ret_units, guint *ret_unit_of)
{
    g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL); /* group → unit + 1 */
    guint n = 0;

    for (guint i = 0; i < n_jobs; i++) {
        guint seen = jobs[i].group ? GPOINTER_TO_UINT(g_hash_table_lookup(known, GUINT_TO_POINTER(jobs[i].group))) : 0;

        ret_unit_of[i] = seen ? seen - 1 : n;
        if (seen) {
            join(&ret_units[seen - 1], &jobs[i]);
            continue;
        }
        ret_units[n++] = jobs[i];
        if (jobs[i].group)
            g_hash_table_insert(known, GUINT_TO_POINTER(jobs[i].group), GUINT_TO_POINTER(n));
    }
    return n;
}

static gboolean may_all(guint unit, guint node, gpointer user)
{
    const Units *units = user;

    for (guint i = 0; i < units->n_jobs; i++)
        if (units->unit_of[i] == unit && !units->may(i, node, units->user))
            return FALSE;
    return TRUE;
}

static guint decide_units(const Search *search, const BalanceNode *self, const BalanceJob *jobs, guint n_jobs, BalanceMove *ret_moves,
                          guint max)
{
    g_autofree BalanceJob *units = g_new(BalanceJob, n_jobs);
    g_autofree guint *unit_of = g_new(guint, n_jobs);
    g_autofree BalanceMove *moves = g_new(BalanceMove, max + 1);
    Units all = {unit_of, n_jobs, search->may, search->user};
    Search by_unit = *search;
    guint n_units = make_units(jobs, n_jobs, units, unit_of), n_moves, count = 0;

    by_unit.may = search->may ? may_all : NULL;
    by_unit.user = &all;
    n_moves = decide(&by_unit, self, units, n_units, moves, max);
    for (guint k = 0; k < n_moves && count < max; k++) {
        for (guint i = 0; i < n_jobs; i++) {
            if (unit_of[i] != moves[k].job)
                continue;
            ret_moves[count] = moves[k];
            ret_moves[count++].job = i;
        }
    }
    return count;
}

guint balance_decide(const BalanceRules *rules, const BalanceNode *self, const BalanceJob *jobs, guint n_jobs,
                     BalanceNode *nodes, guint n_nodes, BalanceMay may, gpointer user, guint32 *seed,
                     BalanceMove *ret_moves, guint max)
{
    const Search search = {rules, nodes, n_nodes, may, user, seed};

    if (!n_jobs || !n_nodes)
        return 0;
    for (guint i = 0; i < n_jobs; i++)
        if (jobs[i].group)
            return decide_units(&search, self, jobs, n_jobs, ret_moves, max);
    return decide(&search, self, jobs, n_jobs, ret_moves, max);
}

/* Elsewhere */

gboolean balance_consents(const BalanceRules *rules, const BalanceNode *self, double demand, guint64 bytes, double slowness,
                          BalanceReason reason)
{
    return self->takes && has_memory(rules, self, bytes) &&
           (reason != BALANCE_FOR_SPEED || balance_slowness(self, demand) * rules->hysteresis <= slowness * 1.0001);
}

int balance_place(const BalanceRules *rules, const BalanceNode *self, const BalanceJob *job, BalanceNode *nodes,
                  guint n_nodes, BalanceMay may, gpointer user, guint32 *seed)
{
    const Search search = {rules, nodes, n_nodes, may, user, seed};
    double here = balance_slowness(self, job->demand);
    gboolean fits = has_memory(rules, self, job->bytes);
    int node;

    node = cheapest(&search, job, 0, fits ? here / rules->hysteresis : G_MAXDOUBLE,
                    greatest_slowness(self, nodes, n_nodes, job->demand));
    if (node >= 0)
        charge(&nodes[node], job);
    return node;
}

int balance_refuge(const BalanceRules *rules, const BalanceJob *job, BalanceNode *nodes, guint n_nodes, BalanceMay may,
                   gpointer user, guint32 *seed)
{
    const Search search = {rules, nodes, n_nodes, may, user, seed};
    int node = cheapest(&search, job, 0, G_MAXDOUBLE, greatest_slowness(NULL, nodes, n_nodes, job->demand));

    if (node >= 0)
        charge(&nodes[node], job);
    return node;
}
