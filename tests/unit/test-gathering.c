/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gathering.c - where a torn group is to be together, and who leaves for it */
#include "balance/gathering.h"

#define MIB (1ull << 20)

static const BalanceRules rules = BALANCE_RULES;

static BalanceNode node(double cpus, double demand)
{
    return (BalanceNode){.cpus = cpus, .speed = 1, .demand = demand, .memory_total = 4096 * MIB, .memory_free = 3000 * MIB,
                         .takes = TRUE};
}

static GatheringMember member(guint where)
{
    return (GatheringMember){.node = where, .demand = 1, .bytes = 32 * MIB};
}

static int place(const GatheringMember *members, guint n_members, const BalanceNode *nodes, guint n_nodes, BalanceMay may)
{
    return gathering_place(&rules, members, n_members, nodes, n_nodes, may, NULL);
}

static void test_most(void)
{
    BalanceNode nodes[3] = {node(4, 0), node(4, 3), node(4, 1)};
    GatheringMember members[4] = {member(0), member(1), member(1), member(1)};

    g_assert_cmpint(place(members, 4, nodes, 3, NULL), ==, 1); /* where most are, though others are idle */
    members[1] = member(0);
    g_assert_cmpint(place(members, 4, nodes, 3, NULL), ==, 0); /* two each: where they run faster */
    nodes[0].speed = 0.1;
    g_assert_cmpint(place(members, 4, nodes, 3, NULL), ==, 1);
    members[0] = members[1] = member(1);
    g_assert_cmpint(place(members, 4, nodes, 3, NULL), ==, -1); /* together */
    g_assert_cmpint(place(members, 1, nodes, 3, NULL), ==, -1);
    g_assert_cmpint(place(members, 0, nodes, 3, NULL), ==, -1);
}

static void test_memory(void)
{
    BalanceNode nodes[2] = {node(4, 1), node(4, 3)};
    GatheringMember members[4] = {member(0), member(1), member(1), member(1)};

    nodes[1].memory_free = 210 * MIB; /* its own reserve is 204.8 */
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, 0); /* so the others come */
    nodes[0].memory_free = 305 * MIB; /* just enough for three */
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, 0);
    nodes[0].memory_free = 290 * MIB;
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, -1); /* two of three do not go */
    nodes[1] = node(4, 3);
    nodes[1].takes = FALSE;
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, -1);
}

static gboolean not_the_first(guint index, guint where, gpointer user)
{
    return index != 0;
}

static void test_held(void)
{
    BalanceNode nodes[2] = {node(4, 1), node(4, 3)};
    GatheringMember members[5] = {member(0), member(1), member(1), member(1), member(0)};

    g_assert_cmpint(place(members, 4, nodes, 2, not_the_first), ==, 0); /* it may not: they come to it */
    members[0].fixed = TRUE;
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, -1); /* the others need not follow who is held alone */
    g_assert_cmpint(place(members, 5, nodes, 2, NULL), ==, -1); /* nor leave who is beside it */
    g_assert_true(gathering_is_held(members, 5, 0));
    g_assert_false(gathering_is_held(members, 5, 1));
    members[0].fixed = FALSE;
    members[1].fixed = TRUE;
    g_assert_cmpint(place(members, 4, nodes, 2, NULL), ==, 1); /* one that is held where most are holds nobody else */
}

/* At the host: who leaves for it, and when. */
static guint leave(BalanceJob *jobs, guint n, BalanceNode *others, guint n_others, BalanceMove *moves)
{
    BalanceNode self = node(8, n);
    guint32 seed = 7;

    return balance_decide(&rules, &self, jobs, n, others, n_others, NULL, NULL, &seed, moves, 4);
}

static void test_leave(void)
{
    BalanceNode others[2] = {node(8, 0), node(1, 6)};
    BalanceJob jobs[3] = {{.demand = 1, .bytes = 32 * MIB, .age_s = 60, .here_s = 60, .movable = TRUE}};
    BalanceMove moves[4];

    jobs[1] = jobs[2] = jobs[0];
    jobs[0].group = jobs[1].group = 3;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0); /* they are well here */
    jobs[0].gather = jobs[1].gather = 2;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 2); /* to the rest, though it is busy there */
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpuint(moves[i].job, ==, i);
        g_assert_cmpuint(moves[i].node, ==, 1);
        g_assert_cmpint(moves[i].reason, ==, BALANCE_FOR_GROUP);
    }
    g_assert_cmpfloat(others[1].promised, ==, 2);
    jobs[1].gather = 0; /* not both have heard of it yet */
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0);
    jobs[1].gather = 2;
    jobs[1].here_s = 1;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0);
    jobs[1].here_s = 60;
    jobs[1].movable = FALSE;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0);
    jobs[1].movable = TRUE;
    jobs[1].settled = TRUE;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0);
    jobs[1].settled = FALSE;
    others[1] = node(1, 6);
    others[1].memory_free = 220 * MIB;
    g_assert_cmpuint(leave(jobs, 3, others, 2, moves), ==, 0);
    g_assert_cmpuint(leave(jobs, 3, others, 1, moves), ==, 0); /* not a node that is known */
}

/* Torn by chance, they are together again after one round of moves, and then nobody moves. */
static void test_settles(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);

    for (guint round = 0; round < 500; round++) {
        guint n_nodes = g_rand_int_range(rand, 1, 6), n = g_rand_int_range(rand, 1, 12);
        BalanceNode nodes[6];
        GatheringMember members[12];
        int found;

        for (guint i = 0; i < n_nodes; i++)
            nodes[i] = node(g_rand_int_range(rand, 1, 5), g_rand_int_range(rand, 0, 9));
        for (guint i = 0; i < n; i++)
            members[i] = member(g_rand_int_range(rand, 0, n_nodes));
        found = place(members, n, nodes, n_nodes, NULL);
        for (guint i = 0; found >= 0 && i < n; i++) {
            gboolean comes = members[i].node != (guint)found;

            members[i].node = found;
            if (comes && place(members, n, nodes, n_nodes, NULL) >= 0) /* who has come makes it firmer */
                g_assert_cmpint(place(members, n, nodes, n_nodes, NULL), ==, found);
        }
        for (guint i = 1; i < n; i++)
            g_assert_cmpuint(members[i].node, ==, members[0].node);
        g_assert_cmpint(place(members, n, nodes, n_nodes, NULL), ==, -1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gathering/most", test_most);
    g_test_add_func("/gathering/memory", test_memory);
    g_test_add_func("/gathering/held", test_held);
    g_test_add_func("/gathering/leave", test_leave);
    g_test_add_func("/gathering/settles", test_settles);
    return g_test_run();
}
