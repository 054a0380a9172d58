/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-arbiter.c - what the arbiter takes and refuses, each rule of its header by itself */
#include "deputy/arbiter.h"

#include <string.h>

static Arbiter at_home(void)
{
    Arbiter arbiter;

    g_assert_true(arbiter_init(&arbiter, 1, "home"));
    return arbiter;
}

static void test_init(void)
{
    Arbiter arbiter;
    g_autofree char *longest = g_strnfill(ARBITER_NAME - 1, 'n');
    g_autofree char *too_long = g_strnfill(ARBITER_NAME, 'n');

    g_assert_false(arbiter_init(&arbiter, 0, "home"));
    g_assert_false(arbiter_init(&arbiter, 1, ""));
    g_assert_false(arbiter_init(&arbiter, 1, NULL));
    g_assert_false(arbiter_init(&arbiter, 1, too_long));
    g_assert_true(arbiter_init(&arbiter, 1, longest));
    g_assert_true(arbiter_effective(&arbiter, 1, longest));
    g_assert_false(arbiter_effective(&arbiter, 2, longest));
    g_assert_false(arbiter_effective(&arbiter, 1, "home"));
    g_assert_false(arbiter_effective(&arbiter, 1, NULL));
}

static void test_commit(void)
{
    Arbiter arbiter = at_home(), before;

    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "away"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "away"), ==, ARBITER_ALREADY);
    g_assert_true(arbiter_effective(&arbiter, 1, "home"));

    before = arbiter;
    g_assert_cmpint(arbiter_commit(&arbiter, "m2", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 3, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "other"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_commit(&arbiter, "", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_commit(&arbiter, NULL, 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpmem(&before, sizeof(before), &arbiter, sizeof(arbiter));

    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_OK);
    g_assert_true(arbiter_effective(&arbiter, 2, "away"));
    g_assert_false(arbiter_effective(&arbiter, 1, "home"));
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_ALREADY);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 3, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_abort(&arbiter, "m1"), ==, ARBITER_COMMITTED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 3, "away"), ==, ARBITER_REFUSED);
}

static void test_abort(void)
{
    Arbiter arbiter = at_home();

    g_assert_cmpint(arbiter_abort(&arbiter, "m1"), ==, ARBITER_ALREADY);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "away"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_abort(&arbiter, "m1"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_abort(&arbiter, "m1"), ==, ARBITER_ALREADY);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_true(arbiter_effective(&arbiter, 1, "home"));
}

/* An abandoned epoch is burnt: neither the repeated EXPECT nor another migration can have it. */
static void test_burnt_epoch(void)
{
    Arbiter arbiter = at_home();

    arbiter_expect(&arbiter, "m1", 2, "away");
    arbiter_abort(&arbiter, "m1");
    g_assert_cmpuint(arbiter_next_epoch(&arbiter), ==, 3);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m2", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m2", 4, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m2", 3, "away"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_commit(&arbiter, "m2", 3, "away"), ==, ARBITER_OK);
}

static void test_one_at_a_time(void)
{
    Arbiter arbiter = at_home();

    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "away"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_expect(&arbiter, "m2", 3, "other"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_expect(&arbiter, "m1", 2, "other"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_abort(&arbiter, "m2"), ==, ARBITER_ALREADY);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_expect(&arbiter, "m2", 3, "other"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_commit(&arbiter, "m2", 3, "other"), ==, ARBITER_OK);
    g_assert_cmpint(arbiter_commit(&arbiter, "m1", 2, "away"), ==, ARBITER_REFUSED);
    g_assert_cmpint(arbiter_abort(&arbiter, "m1"), ==, ARBITER_ALREADY);
    g_assert_true(arbiter_effective(&arbiter, 3, "other"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/arbiter/init", test_init);
    g_test_add_func("/arbiter/commit", test_commit);
    g_test_add_func("/arbiter/abort", test_abort);
    g_test_add_func("/arbiter/burnt-epoch", test_burnt_epoch);
    g_test_add_func("/arbiter/one-at-a-time", test_one_at_a_time);
    return g_test_run();
}
