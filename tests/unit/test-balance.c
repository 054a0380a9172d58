/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-balance.c - who moves where, and who does not; in which order jobs leave */
#include "balance/balance.h"
#include "balance/exodus.h"

#define MIB (1ull << 20)
#define MAX_MOVES 16

static const BalanceRules rules = BALANCE_RULES;

static BalanceNode node(double cpus, double demand)
{
    return (BalanceNode){.cpus = cpus, .speed = 1, .demand = demand, .memory_total = 4096 * MIB, .memory_free = 3000 * MIB,
                         .takes = TRUE};
}

static BalanceJob busy_job(void)
{
    return (BalanceJob){.demand = 1, .bytes = 32 * MIB, .age_s = 60, .here_s = 60, .movable = TRUE};
}

static guint decide(const BalanceNode *self, const BalanceJob *jobs, guint n_jobs, BalanceNode *nodes, guint n_nodes,
                    BalanceMove *moves, guint max)
{
    guint32 seed = 7;

    return balance_decide(&rules, self, jobs, n_jobs, nodes, n_nodes, NULL, NULL, &seed, moves, max);
}

/* How many of n equal jobs leave a node of `here` demand for one of `there`. */
static guint leave(BalanceNode self, BalanceNode other, BalanceJob job, guint n)
{
    BalanceJob jobs[32];
    BalanceMove moves[MAX_MOVES];

    g_assert_cmpuint(n, <=, G_N_ELEMENTS(jobs));
    for (guint i = 0; i < n; i++)
        jobs[i] = job;
    return decide(&self, jobs, n, &other, 1, moves, MAX_MOVES);
}

static void test_speed(void)
{
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), busy_job(), 2), ==, 1);
    g_assert_cmpuint(leave(node(1, 1), node(1, 0), busy_job(), 1), ==, 0); /* it is as fast here */
    g_assert_cmpuint(leave(node(2, 2), node(8, 0), busy_job(), 2), ==, 0);
    g_assert_cmpuint(leave(node(1, 6), node(1, 0), busy_job(), 6), ==, 3);
    g_assert_cmpuint(leave(node(2, 12), node(2, 0), busy_job(), 12), ==, 6);
}

/* Equal nodes that are all busy: nothing moves, nor where they differ by one job. */
static void test_hysteresis(void)
{
    for (int n = 1; n < 20; n++) {
        g_assert_cmpuint(leave(node(1, n), node(1, n), busy_job(), n), ==, 0);
        g_assert_cmpuint(leave(node(1, n + 1), node(1, n), busy_job(), n + 1), ==, 0);
        g_assert_cmpuint(leave(node(2, n + 1.05), node(2, n - 0.05), busy_job(), n + 1), ==, 0); /* with some noise */
    }
}

static void test_spread(void)
{
    BalanceNode self = node(2, 12), nodes[3] = {node(2, 0), node(2, 0), node(2, 0)};
    BalanceJob jobs[12];
    BalanceMove moves[MAX_MOVES];
    guint there[3] = {0};

    for (guint i = 0; i < 12; i++)
        jobs[i] = busy_job();
    g_assert_cmpuint(decide(&self, jobs, 12, nodes, 3, moves, MAX_MOVES), ==, 9);
    for (guint i = 0; i < 9; i++) {
        there[moves[i].node]++;
        for (guint k = 0; k < i; k++)
            g_assert_cmpuint(moves[i].job, !=, moves[k].job);
    }
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(there[i], ==, 3);
    nodes[0] = nodes[1] = nodes[2] = node(2, 0);
    g_assert_cmpuint(decide(&self, jobs, 12, nodes, 3, moves, 4), ==, 4); /* no more than there is room for */
}

static void test_stay(void)
{
    BalanceJob job = busy_job();

    job.here_s = rules.stay_s - 1;
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job = busy_job();
    job.age_s = 1; /* nothing is won if it runs for another second only */
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job = busy_job();
    job.movable = FALSE;
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job = busy_job();
    job.settled = TRUE;
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job = busy_job();
    job.demand = 0.01; /* it waits */
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job = busy_job();
    job.moves = 3;
    job.here_s = rules.stay_s * 8 - 1;
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 0);
    job.here_s++;
    g_assert_cmpuint(leave(node(1, 2), node(1, 0), job, 2), ==, 1);
}

static void test_speeds(void)
{
    BalanceNode slow = node(1, 1), fast = node(1, 0);

    fast.speed = 2;
    g_assert_cmpuint(leave(slow, fast, busy_job(), 1), ==, 1);
    fast.demand = 1; /* two share it: no gain */
    g_assert_cmpuint(leave(slow, fast, busy_job(), 1), ==, 0);
    slow.speed = 0.001; /* a node that wants to be rid of all */
    g_assert_cmpuint(leave(slow, node(4, 3), busy_job(), 1), ==, 1);
}

static void test_memory(void)
{
    BalanceNode self = node(4, 3), nodes[2] = {node(4, 0), node(4, 3)};
    BalanceJob jobs[3] = {busy_job(), busy_job(), busy_job()};
    BalanceMove moves[MAX_MOVES];

    /* short of memory: the smallest that is large enough goes, however new, though it runs as well here */
    jobs[0].bytes = 50 * MIB;
    jobs[1].bytes = 400 * MIB;
    jobs[2].bytes = 2000 * MIB;
    jobs[1].settled = TRUE;
    for (guint i = 0; i < 3; i++)
        jobs[i].here_s = jobs[i].age_s = 0.5;
    self.memory_free = 20 * MIB;
    g_assert_cmpuint(decide(&self, jobs, 3, nodes, 2, moves, MAX_MOVES), ==, 1);
    g_assert_cmpuint(moves[0].job, ==, 1);
    g_assert_cmpuint(moves[0].node, ==, 0);
    g_assert_cmpint(moves[0].reason, ==, BALANCE_FOR_MEMORY);
    /* where there is none the CPUs do not count */
    nodes[0] = node(4, 0);
    nodes[0].memory_free = 500 * MIB;
    nodes[1] = node(4, 30);
    g_assert_cmpuint(decide(&self, jobs, 3, nodes, 2, moves, MAX_MOVES), ==, 1);
    nodes[0] = node(4, 0);
    nodes[0].memory_free = 450 * MIB; /* it would go below its own reserve */
    nodes[1] = node(4, 30);
    g_assert_cmpuint(decide(&self, jobs, 3, nodes, 2, moves, MAX_MOVES), ==, 1);
    g_assert_cmpuint(moves[0].node, ==, 1);
    /* nobody has any */
    nodes[0].memory_free = nodes[1].memory_free = 100 * MIB;
    g_assert_cmpuint(decide(&self, jobs, 3, nodes, 2, moves, MAX_MOVES), ==, 0);
    /* for speed, memory is a condition */
    self = node(1, 3);
    jobs[0] = jobs[1] = jobs[2] = busy_job();
    nodes[0].memory_free = nodes[1].memory_free = 210 * MIB;
    g_assert_cmpuint(decide(&self, jobs, 3, nodes, 2, moves, MAX_MOVES), ==, 0);
}

static gboolean only_second(guint job, guint where, gpointer user)
{
    return where == 1;
}

static void test_may(void)
{
    BalanceNode self = node(1, 4), nodes[2] = {node(4, 0), node(2, 0)};
    BalanceJob jobs[4] = {busy_job(), busy_job(), busy_job(), busy_job()};
    BalanceMove moves[MAX_MOVES];
    guint32 seed = 1;
    guint count = balance_decide(&rules, &self, jobs, 4, nodes, 2, only_second, NULL, &seed, moves, MAX_MOVES);

    g_assert_cmpuint(count, >, 0);
    for (guint i = 0; i < count; i++)
        g_assert_cmpuint(moves[i].node, ==, 1);
    nodes[1].takes = FALSE; /* blocked */
    g_assert_cmpuint(balance_decide(&rules, &self, jobs, 4, nodes, 2, only_second, NULL, &seed, moves, MAX_MOVES), ==, 0);
    g_assert_cmpint(balance_refuge(&rules, &jobs[0], nodes, 2, only_second, NULL, &seed), ==, -1);
    g_assert_cmpint(balance_refuge(&rules, &jobs[0], nodes, 2, NULL, NULL, &seed), ==, 0);
}

static void test_consent(void)
{
    BalanceNode self = node(1, 1);

    g_assert_true(balance_consents(&rules, &self, 1, 32 * MIB, 3, BALANCE_FOR_SPEED));
    g_assert_false(balance_consents(&rules, &self, 1, 32 * MIB, 2, BALANCE_FOR_SPEED)); /* others were faster */
    g_assert_true(balance_consents(&rules, &self, 1, 32 * MIB, 1, BALANCE_FOR_MEMORY));
    g_assert_false(balance_consents(&rules, &self, 1, 2900 * MIB, 9, BALANCE_FOR_MEMORY));
    self.takes = FALSE;
    g_assert_false(balance_consents(&rules, &self, 1, 32 * MIB, 3, BALANCE_FOR_SPEED));
}

static void test_place(void)
{
    BalanceNode self = node(2, 0), nodes[2] = {node(2, 0), node(2, 1)};
    BalanceJob job = busy_job();
    guint32 seed = 1;

    g_assert_cmpint(balance_place(&rules, &self, &job, nodes, 2, NULL, NULL, &seed), ==, -1); /* as good at home */
    self.demand = 2;
    g_assert_cmpint(balance_place(&rules, &self, &job, nodes, 2, NULL, NULL, &seed), ==, 0);
    self = node(2, 0);
    self.memory_free = 10 * MIB;
    g_assert_cmpint(balance_place(&rules, &self, &job, nodes, 2, NULL, NULL, &seed), >=, 0);
}

/* Clusters by chance, run until nothing moves: it ends, soon, and no node was charged beyond its memory. */
static void test_settles(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (int round = 0; round < 200; round++) {
        guint n_nodes = g_rand_int_range(rand, 2, 8), n_jobs = g_rand_int_range(rand, 1, 30), where[30], moved = 0, last = 1;
        BalanceNode nodes[8];
        BalanceJob jobs[30];
        guint32 seed = round;

        for (guint i = 0; i < n_nodes; i++) {
            nodes[i] = node(g_rand_int_range(rand, 1, 5), 0);
            nodes[i].speed = g_rand_double_range(rand, 0.5, 2);
        }
        for (guint i = 0; i < n_jobs; i++) {
            jobs[i] = busy_job();
            jobs[i].bytes = g_rand_int_range(rand, 8, 100) * MIB;
            where[i] = g_rand_int_range(rand, 0, n_nodes);
            nodes[where[i]].demand += jobs[i].demand;
            nodes[where[i]].memory_free -= jobs[i].bytes;
        }
        for (guint pass = 0; last; pass++) {
            last = 0;
            g_assert_cmpuint(pass, <, 50);
            for (guint i = 0; i < n_nodes; i++) {
                BalanceNode others[8];
                BalanceJob mine[30];
                BalanceMove moves[4];
                guint ids[30], of[8], n_mine = 0, n_others = 0, count;

                for (guint k = 0; k < n_nodes; k++) {
                    if (k == i)
                        continue;
                    of[n_others] = k;
                    others[n_others++] = nodes[k];
                }
                for (guint k = 0; k < n_jobs; k++) {
                    if (where[k] != i)
                        continue;
                    ids[n_mine] = k;
                    mine[n_mine++] = jobs[k];
                }
                count = balance_decide(&rules, &nodes[i], mine, n_mine, others, n_others, NULL, NULL, &seed, moves, 4);
                for (guint k = 0; k < count; k++) {
                    guint job = ids[moves[k].job], to = of[moves[k].node];

                    g_assert_true(balance_consents(&rules, &nodes[to], jobs[job].demand, jobs[job].bytes, moves[k].slowness,
                                                   moves[k].reason) || k > 0);
                    nodes[i].demand -= jobs[job].demand;
                    nodes[i].memory_free += jobs[job].bytes;
                    nodes[to].demand += jobs[job].demand;
                    g_assert_cmpuint(nodes[to].memory_free, >, jobs[job].bytes);
                    nodes[to].memory_free -= jobs[job].bytes;
                    where[job] = to;
                }
                last += count;
                moved += count;
            }
        }
        g_assert_cmpuint(moved, <=, n_jobs * 3);
    }
}

static void test_exodus(void)
{
    ExodusJob jobs[] = {{.seconds = 5}, {.seconds = 1}, {.seconds = 2}, {.stuck = TRUE}, {.seconds = 30}};
    ExodusPace pace = EXODUS_PACE;

    g_assert_cmpuint(exodus_plan(jobs, 5, 2, 10), ==, 3);
    g_assert_cmpuint(jobs[1].order, ==, 0);
    g_assert_cmpuint(jobs[2].order, ==, 1);
    g_assert_cmpfloat_with_epsilon(jobs[0].done_s, 6, 1e-9);
    g_assert_false(jobs[0].late);
    g_assert_true(jobs[3].late);
    g_assert_true(jobs[4].late);
    g_assert_cmpuint(exodus_plan(jobs, 5, 1, 0), ==, 4);
    g_assert_cmpuint(exodus_plan(jobs, 0, 1, 1), ==, 0);
    for (int i = 0; i < 60; i++) { /* two seconds and 10 MB/s */
        exodus_learn(&pace, 10 << 20, 2 + (10 << 20) / 1e7);
        exodus_learn(&pace, 1000 << 20, 2 + (1000 << 20) / 1e7);
    }
    g_assert_cmpfloat_with_epsilon(exodus_predict(&pace, 500 << 20), 2 + (500 << 20) / 1e7, 5);
    pace = EXODUS_PACE;
    for (int i = 0; i < 60; i++) /* small guests alone, quicker than their size would let expect */
        exodus_learn(&pace, 63 << 20, 0.5);
    g_assert_cmpfloat_with_epsilon(exodus_predict(&pace, 63 << 20), 0.5, 0.01);
    for (int i = 0; i < 200; i++) /* half of them take three times as long: that is what to reckon with */
        exodus_learn(&pace, 63 << 20, i % 2 ? 0.4 : 1.2);
    g_assert_cmpfloat(exodus_predict(&pace, 63 << 20), >, 0.8);
    g_assert_cmpfloat(exodus_predict(&pace, 63 << 20), <, 1.2);
    g_assert_cmpfloat(exodus_promise(&pace, 63 << 20), >, 1.15); /* who is promised so much is seldom late */
    g_assert_cmpfloat(exodus_promise(&pace, 63 << 20), <, 1.8);
    exodus_learn(&pace, 0, 0.01);
    exodus_learn(&pace, G_MAXUINT64, 1e9);
    g_assert_true(exodus_predict(&pace, 0) >= 0.05 && exodus_predict(&pace, 1 << 20) < 1e9);
}

/* Six of a group on four CPUs beside six single jobs. */
static guint grouped(guint members, BalanceNode self, BalanceNode *nodes, guint n_nodes, BalanceMove *moves, guint max)
{
    BalanceJob jobs[12];

    for (guint i = 0; i < 12; i++) {
        jobs[i] = busy_job();
        jobs[i].group = i % 2 == 0 && i / 2 < members ? 5 : 0;
    }
    return decide(&self, jobs, 12, nodes, n_nodes, moves, max);
}

static void test_groups(void)
{
    BalanceNode nodes[2];
    BalanceMove moves[12];
    guint there[2] = {0}, count, together = 0;

    /* all of it, to one place, which is charged with all of it */
    nodes[0] = nodes[1] = node(4, 0);
    count = grouped(4, node(4, 12), nodes, 2, moves, 12);
    g_assert_cmpuint(count, ==, 8);
    for (guint i = 0; i < count; i++) {
        gboolean member = moves[i].job % 2 == 0 && moves[i].job < 8;

        there[moves[i].node]++;
        if (member && together++)
            g_assert_cmpuint(moves[i].node, ==, moves[i - 1].node);
    }
    g_assert_cmpuint(together, ==, 4);
    g_assert_cmpuint(there[0], ==, 4);
    g_assert_cmpuint(there[1], ==, 4);

    /* none, where not all of it has a place: the others go */
    nodes[0] = node(2, 0);
    count = grouped(6, node(4, 12), nodes, 1, moves, 12);
    g_assert_cmpuint(count, >, 0);
    for (guint i = 0; i < count; i++)
        g_assert_true(moves[i].job % 2 != 0);

    /* what is begun is completed, though there is room for less */
    nodes[0] = node(12, 0);
    count = grouped(6, node(4, 12), nodes, 1, moves, 2);
    for (guint i = together = 0; i < count; i++)
        together += moves[i].job % 2 == 0;
    g_assert_true(together == 0 || together == 6);
    g_assert_cmpuint(count, <=, 7);
}

static gboolean not_the_third(guint job, guint node, gpointer user)
{
    return job != 2;
}

/* One that may not go, is locked, or has just come holds the others. */
static void test_held(void)
{
    BalanceNode self = node(1, 4), other;
    BalanceJob jobs[4], one;
    BalanceMove moves[4];
    guint32 seed = 7;

    for (guint kind = 0; kind < 4; kind++) {
        for (guint i = 0; i < 4; i++)
            jobs[i] = busy_job();
        jobs[0].group = jobs[1].group = jobs[2].group = 9;
        one = jobs[1];
        one.movable = kind != 1;
        one.here_s = kind == 2 ? 1 : 60;
        jobs[1] = one;
        other = node(4, 0);
        g_assert_cmpuint(balance_decide(&rules, &self, jobs, 4, &other, 1, kind == 3 ? not_the_third : NULL, NULL, &seed, moves, 4), ==,
                         kind ? 1 : 3); /* the fourth is well where it is then */
        if (kind)
            g_assert_cmpuint(moves[0].job, ==, 3);
    }

    /* short of memory: the group that is large enough goes, not half of it */
    self = node(4, 1);
    self.memory_free = 150 * MIB;
    other = node(4, 0);
    for (guint i = 0; i < 4; i++) {
        jobs[i] = busy_job();
        jobs[i].bytes = 60 * MIB;
        jobs[i].group = i < 3 ? 1 : 0;
    }
    jobs[3].bytes = 20 * MIB;
    g_assert_cmpuint(decide(&self, jobs, 4, &other, 1, moves, 4), ==, 3);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpuint(moves[i].job, ==, i);
        g_assert_true(moves[i].reason == BALANCE_FOR_MEMORY);
    }
    g_assert_cmpuint(other.promised_bytes, ==, 180 * MIB);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/balance/speed", test_speed);
    g_test_add_func("/balance/hysteresis", test_hysteresis);
    g_test_add_func("/balance/spread", test_spread);
    g_test_add_func("/balance/stay", test_stay);
    g_test_add_func("/balance/speeds", test_speeds);
    g_test_add_func("/balance/memory", test_memory);
    g_test_add_func("/balance/may", test_may);
    g_test_add_func("/balance/consent", test_consent);
    g_test_add_func("/balance/place", test_place);
    g_test_add_func("/balance/settles", test_settles);
    g_test_add_func("/balance/groups", test_groups);
    g_test_add_func("/balance/held", test_held);
    g_test_add_func("/balance/exodus", test_exodus);
    return g_test_run();
}
