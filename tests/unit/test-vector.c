/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-vector.c - what is kept of the load of others, what is passed on, and what is refused */
#include "balance/vector.h"

static VectorEntry entry(guint32 id, guint64 stamp, double at_s)
{
    return (VectorEntry){.id = id, .stamp = stamp, .at_us = at_s * G_USEC_PER_SEC,
                         .node = {.cpus = 2, .speed = 1, .demand = id, .memory_total = 100, .memory_free = 50, .takes = TRUE}};
}

static void take(Vector *vector, guint32 id, guint64 stamp, double at_s)
{
    VectorEntry news = entry(id, stamp, at_s);

    vector_take(vector, &news);
}

static void test_newest(void)
{
    Vector vector;

    vector_init(&vector, 1);
    take(&vector, 1, 1, 1); /* oneself */
    take(&vector, 0, 1, 1);
    g_assert_cmpuint(vector.count, ==, 0);
    take(&vector, 2, 5, 10);
    take(&vector, 2, 4, 11); /* older, by its own node's count */
    g_assert_cmpuint(vector_find(&vector, 2)->stamp, ==, 5);
    take(&vector, 2, 6, 9);
    g_assert_cmpuint(vector_find(&vector, 2)->stamp, ==, 6);
    g_assert_cmpuint(vector.count, ==, 1);
    vector_age(&vector, (9 + VECTOR_AGE_S + 1) * G_USEC_PER_SEC);
    g_assert_cmpuint(vector.count, ==, 0);
    take(&vector, 3, 1, 5); /* what was there before does not matter */
    g_assert_cmpuint(vector.count, ==, 1);
    g_assert_nonnull(vector_find(&vector, 3));
}

/* A message: the youngest first, until one is older than all that is known. */
static void test_message(void)
{
    VectorEntry news[5];
    Vector vector;

    vector_init(&vector, 1);
    for (guint i = 0; i < VECTOR_WINDOW; i++)
        take(&vector, 2 + i, 1, 100 + i);
    for (guint i = 0; i < 5; i++)
        news[i] = entry(500 + i, 1, 103 - i);
    vector_take_all(&vector, news, 5);
    g_assert_nonnull(vector_find(&vector, 500));
    g_assert_nonnull(vector_find(&vector, 501)); /* 102: by then 101 is the oldest */
    g_assert_null(vector_find(&vector, 502));    /* as old as that, or older */
    g_assert_cmpuint(vector.count, ==, VECTOR_WINDOW);
    vector_init(&vector, 1);
    vector_take_all(&vector, news, 5); /* there is room for all */
    g_assert_cmpuint(vector.count, ==, 5);
}

static void test_window(void)
{
    const VectorEntry *picked[VECTOR_WINDOW];
    Vector vector;
    guint count;

    vector_init(&vector, 1);
    for (guint i = 0; i < 1000; i++)
        take(&vector, 2 + i, 1, 100 + i);
    g_assert_cmpuint(vector.count, ==, VECTOR_WINDOW);
    g_assert_null(vector_find(&vector, 2));
    take(&vector, 5000, 1, 50); /* older than all that is known */
    g_assert_null(vector_find(&vector, 5000));
    count = vector_pick(&vector, picked);
    g_assert_cmpuint(count, ==, VECTOR_WINDOW / 2);
    for (guint i = 0; i < count; i++)
        g_assert_cmpuint(picked[i]->id, ==, 1001 - i);
    vector_forget(&vector, 1001);
    g_assert_null(vector_find(&vector, 1001));
    g_assert_cmpuint(vector.count, ==, VECTOR_WINDOW - 1);
}

static void test_promise(void)
{
    const BalanceJob job = {.demand = 1, .bytes = 7};
    Vector vector;

    vector_init(&vector, 1);
    take(&vector, 2, 1, 10);
    vector_promise(&vector, 2, &job, 10 * G_USEC_PER_SEC);
    vector_promise(&vector, 3, &job, 10 * G_USEC_PER_SEC); /* nothing is known of it */
    take(&vector, 2, 2, 11); /* too early to count it */
    g_assert_cmpfloat(vector_find(&vector, 2)->node.promised, ==, 1);
    g_assert_cmpuint(vector_find(&vector, 2)->node.promised_bytes, ==, 7);
    take(&vector, 2, 3, 12.5);
    g_assert_cmpfloat(vector_find(&vector, 2)->node.promised, ==, 0);
}

static void test_json(void)
{
    static const char *const bad[] = {
        "{}", "[]", "1",
        "{\"age_ms\":-1,\"stamp\":1,\"cpus\":1,\"speed\":1,\"demand\":1,\"memory_total\":1,\"memory_free\":1}",
        "{\"age_ms\":1,\"stamp\":1,\"cpus\":0,\"speed\":1,\"demand\":1,\"memory_total\":1,\"memory_free\":1}",
        "{\"age_ms\":1,\"stamp\":1,\"cpus\":1,\"speed\":-1,\"demand\":1,\"memory_total\":1,\"memory_free\":1}",
        "{\"age_ms\":1,\"stamp\":1,\"cpus\":1,\"speed\":1,\"demand\":1e99,\"memory_total\":1,\"memory_free\":1}",
        "{\"age_ms\":1,\"stamp\":1,\"cpus\":1,\"speed\":1,\"demand\":1,\"memory_total\":1,\"memory_free\":2}",
        "{\"age_ms\":1,\"stamp\":1,\"cpus\":\"1\",\"speed\":1,\"demand\":1,\"memory_total\":1,\"memory_free\":1}",
    };
    VectorEntry before = entry(7, 9, 10), after = {0};
    g_autoptr(Json) json = vector_entry_json(&before, "node7", 12 * G_USEC_PER_SEC);

    g_assert_cmpstr(json_get_string(json, "name", ""), ==, "node7");
    g_assert_true(vector_entry_parse(json, 102 * G_USEC_PER_SEC, &after)); /* another clock: the age counts */
    g_assert_cmpint(after.at_us, ==, 100 * G_USEC_PER_SEC);
    g_assert_cmpuint(after.stamp, ==, 9);
    g_assert_cmpfloat(after.node.demand, ==, 7);
    g_assert_cmpuint(after.node.memory_free, ==, 50);
    g_assert_true(after.node.takes);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Json) wrong = json_parse(bad[i], -1, NULL);

        g_assert_nonnull(wrong);
        g_assert_false(vector_entry_parse(wrong, 0, &after));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vector/newest", test_newest);
    g_test_add_func("/vector/window", test_window);
    g_test_add_func("/vector/message", test_message);
    g_test_add_func("/vector/promise", test_promise);
    g_test_add_func("/vector/json", test_json);
    return g_test_run();
}
