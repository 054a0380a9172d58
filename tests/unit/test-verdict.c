/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-verdict.c - each decision of a controller in doubt, as a table */
#include "controller/verdict.h"

static void test_host(void)
{
    static const struct {
        const char *what;
        VerdictHere here;
        VerdictTruth truth;
        Verdict verdict;
    } rows[] = {
        { "no guest",
          { "me", GUEST_ENDED, FALSE, FALSE, 2 },
          { VERDICT_HOME_SILENT, NULL, 0, 0 },
          VERDICT_LEAVE },
        { "busy",
          { "me", GUEST_PAUSED, TRUE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "you", 3, 0 },
          VERDICT_LEAVE },
        { "libvirtd away",
          { "me", GUEST_UNKNOWN, FALSE, FALSE, 2 },
          { VERDICT_HOME_NO_JOB, NULL, 0, 0 },
          VERDICT_ASK },
        { "home silent",
          { "me", GUEST_PAUSED, FALSE, FALSE, 2 },
          { VERDICT_HOME_SILENT, "me", 2, 0 },
          VERDICT_ASK },
        { "deputy dead",
          { "me", GUEST_RUNNING, FALSE, FALSE, 2 },
          { VERDICT_HOME_NO_JOB, NULL, 0, 0 },
          VERDICT_DESTROY },
        { "runs as it should",
          { "me", GUEST_RUNNING, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "me", 2, 0 },
          VERDICT_LEAVE },
        { "about to leave",
          { "me", GUEST_RUNNING, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "me", 2, 3 },
          VERDICT_LEAVE },
        { "left paused",
          { "me", GUEST_PAUSED, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "me", 2, 0 },
          VERDICT_RESUME },
        { "paused by the user",
          { "me", GUEST_PAUSED, FALSE, TRUE, 2 },
          { VERDICT_HOME_KNOWS, "me", 2, 0 },
          VERDICT_LEAVE },
        { "paused, undecided",
          { "me", GUEST_PAUSED, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "me", 2, 3 },
          VERDICT_SETTLE },
        { "arrived, undecided",
          { "me", GUEST_PAUSED, FALSE, FALSE, 3 },
          { VERDICT_HOME_KNOWS, "you", 2, 3 },
          VERDICT_SETTLE },
        { "fenced",
          { "me", GUEST_RUNNING, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "you", 3, 0 },
          VERDICT_DESTROY },
        { "fenced, the next one is on",
          { "me", GUEST_PAUSED, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "you", 3, 4 },
          VERDICT_DESTROY },
        { "abandoned",
          { "me", GUEST_PAUSED, FALSE, FALSE, 3 },
          { VERDICT_HOME_KNOWS, "you", 2, 0 },
          VERDICT_DESTROY },
        { "same epoch elsewhere",
          { "me", GUEST_RUNNING, FALSE, FALSE, 2 },
          { VERDICT_HOME_KNOWS, "you", 2, 0 },
          VERDICT_DESTROY },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", rows[i].what);
        g_assert_cmpstr(verdict_name(verdict_host(&rows[i].here, &rows[i].truth)), ==,
                        verdict_name(rows[i].verdict));
    }
}

static void test_source(void)
{
    VerdictHere here = { "me", GUEST_PAUSED, TRUE, FALSE, 2 };
    VerdictTruth silent = { VERDICT_HOME_SILENT, "me", 2, 0 },
                 gone = { VERDICT_HOME_NO_JOB, NULL, 0, 0 };
    VerdictTruth ours = { VERDICT_HOME_KNOWS, "me", 2, 0 },
                 undecided = { VERDICT_HOME_KNOWS, "me", 2, 3 };
    VerdictTruth theirs = { VERDICT_HOME_KNOWS, "you", 3, 0 };

    g_assert_cmpint(verdict_source(&here, &silent), ==, VERDICT_ASK);
    g_assert_cmpint(verdict_source(&here, &undecided), ==, VERDICT_ASK);
    g_assert_cmpint(verdict_source(&here, &gone), ==, VERDICT_DESTROY);
    g_assert_cmpint(verdict_source(&here, &ours), ==, VERDICT_RESUME);
    g_assert_cmpint(verdict_source(&here, &theirs), ==, VERDICT_DESTROY);
}

static void test_destination(void)
{
    g_assert_cmpint(verdict_destination(VERDICT_COMMIT_TAKEN), ==, VERDICT_RESUME);
    g_assert_cmpint(verdict_destination(VERDICT_COMMIT_REFUSED), ==, VERDICT_DESTROY);
    g_assert_cmpint(verdict_destination(VERDICT_COMMIT_SILENT), ==, VERDICT_ASK);
}

static void test_abandon(void)
{
    g_assert_true(verdict_abandon(TRUE, FALSE));
    g_assert_false(verdict_abandon(TRUE, TRUE));
    g_assert_false(verdict_abandon(FALSE, FALSE));
}

static void test_orphan(void)
{
    g_assert_cmpint(verdict_orphan(599, 600, 86400, FALSE), ==, VERDICT_LEAVE);
    g_assert_cmpint(verdict_orphan(600, 600, 86400, FALSE), ==, VERDICT_SUSPEND);
    g_assert_cmpint(verdict_orphan(601, 600, 86400, TRUE), ==, VERDICT_LEAVE);
    g_assert_cmpint(verdict_orphan(86400, 600, 86400, TRUE), ==, VERDICT_DESTROY);
    g_assert_cmpint(verdict_orphan(90000, 0, 86400, FALSE), ==, VERDICT_DESTROY);
    g_assert_cmpint(verdict_orphan(G_MAXUINT64, 0, 0, FALSE), ==, VERDICT_LEAVE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/verdict/host", test_host);
    g_test_add_func("/verdict/source", test_source);
    g_test_add_func("/verdict/destination", test_destination);
    g_test_add_func("/verdict/abandon", test_abandon);
    g_test_add_func("/verdict/orphan", test_orphan);
    return g_test_run();
}
