/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gossip.c - serf's words, the gossip's key, a node's own lag, and whom a node asks when gossip tells it of others */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "cluster/lag.h"
#include "cluster/members-private.h"
#include "cluster/serf.h"
#include "common/error.h"

/* ---- serf's words ---- */

static void answered(SerfRequest request, const char *error, gpointer user)
{
    g_string_append_printf(user, "%d:%s ", request, error);
}

static void member(const char *name, const char *status, gpointer user)
{
    g_string_append_printf(user, "%s=%s ", name, status);
}

static const SerfEvents words = {answered, member};

/* What is understood of one of the fuzz target's seeds, which are serf's own words. */
static char *understood(const char *seed)
{
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "tests/fuzz/seeds/serf", seed, NULL);
    g_autofree char *bytes = NULL;
    GString *text = g_string_new(NULL);
    g_autoptr(SerfReader) reader = serf_reader_new(&words, text);
    g_autoptr(GError) error = NULL;
    gsize length;

    g_assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    if (!serf_reader_take(reader, (guint8 *)bytes, length, &error))
        g_string_append(text, "refused");
    return g_strchomp(g_string_free(text, FALSE));
}

static void test_words(void)
{
    static const char *const expected[][2] = {
        {"members", "1: 2: 3: 4: node1@127.0.62.1=alive node2@127.0.62.2=alive"},
        {"cut", "1: 2: 3: 4:"},
        {"events", "1: 2: 3: node2@127.0.62.2=failed node2@127.0.62.2=alive"},
        {"empty-members", "4: 3: a@10.0.0.1=failed"},
        {"deep", "refused"},
        {"huge", "4: refused"},
        {"nonsense", "refused"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        g_autofree char *text = understood(expected[i][0]);
        g_assert_cmpstr(text, ==, expected[i][1]);
    }
    g_autofree char *denied = understood("denied");
    g_assert_nonnull(strstr(denied, "2:Invalid authentication token"));
}

static void test_requests(void)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    static const char auth[] = "\x82\xa7" "Command\xa4" "auth\xa3Seq\x02\x81\xa7" "AuthKey\xa3key";

    serf_request(bytes, SERF_AUTH, "key");
    g_assert_cmpmem(bytes->data, bytes->len, auth, sizeof auth - 1);
}

/* ---- The key ---- */

static void test_key(void)
{
    g_autofree char *first = gossip_key_next(NULL, NULL), *second = gossip_key_next(first, NULL);

    g_assert_cmpint(gossip_key_number(first), ==, 1);
    g_assert_cmpint(gossip_key_number(second), ==, 2);
    g_assert_cmpstr(strchr(first, ' '), !=, strchr(second, ' '));
    g_assert_cmpint(gossip_key_number(NULL), ==, -1);
    g_assert_cmpint(gossip_key_number(""), ==, -1);
    g_assert_cmpint(gossip_key_number("1"), ==, -1);
    g_assert_cmpint(gossip_key_number("1 AAAA"), ==, -1);
    g_assert_cmpint(gossip_key_number("-1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), ==, -1);
    g_assert_cmpint(gossip_key_number("7 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), ==, 7);
    g_assert_cmpint(gossip_key_number("7 \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), ==, -1);
}

/* ---- Lag ---- */

static void test_lag(void)
{
    Lag lag = {0};
    guint rounds = 0;

    g_assert_true(lag_round(&lag, 1000, 1003));
    g_assert_cmpuint(lag_patience(&lag, 1000, 3), ==, 3);
    g_assert_false(lag_round(&lag, 1000, 1800)); /* late: nobody's fault but ours */
    g_assert_cmpuint(lag_patience(&lag, 1000, 3), ==, 5);
    g_assert_true(lag_round(&lag, 1000, 1000));
    for (int i = 0; i < 20; i++)
        lag_round(&lag, 1000, 1000);
    g_assert_cmpuint(lag_patience(&lag, 1000, 3), ==, 3); /* forgotten */
    for (guint missed = 0; missed < lag_patience(&lag, 1000, 3); rounds++)
        missed += lag_round(&lag, 1000, 3000); /* a machine that is always late notices a failure too */
    g_assert_cmpuint(rounds, <=, 15);
}

/* ---- Whom a node asks ---- */

enum { MANY = 60, PERIOD_MS = 40 };

static guint asked[MANY];
static gboolean answers[MANY];

/* A node that is told by gossip, whose peers are this test. */
typedef struct {
    Members *members;
    char *folder, *file;
    guint met;
} World;

static World world;

static guint number_of(const char *node)
{
    return atoi(node + 1);
}

static char *name_of(guint number)
{
    return g_strdup_printf("n%u", number);
}

typedef struct {
    char *node;
    PeerAnswer answer;
    gpointer user;
} Question;

static gboolean answer_later(gpointer user)
{
    g_autofree Question *question = user;
    g_autofree char *node = question->node;
    g_autoptr(GError) silent = g_error_new(SJ_ERROR, SJ_ERROR_TIMEOUT, "no answer");
    g_autoptr(Json) info = json_object();
    gboolean good = answers[number_of(node)];

    question->answer(node, good ? info : NULL, good ? NULL : silent, question->user);
    return G_SOURCE_REMOVE;
}

/* These stand for peer.c and the gossip's engine. */

void peers_call(Peers *peers, const char *node, const char *method, Json *params, guint timeout_ms,
                PeerAnswer answer, gpointer user)
{
    Question *question = g_new(Question, 1);

    g_assert_cmpstr(method, ==, "node.info");
    asked[number_of(node)]++;
    *question = (Question){g_strdup(node), answer, user};
    g_timeout_add(answers[number_of(node)] ? 1 : timeout_ms, answer_later, question);
}

void peers_set(Peers *peers, const char *node, const char *address, guint port)
{
}

void peers_remove(Peers *peers, const char *node)
{
}

gboolean gossip_is_ready(Gossip *gossip)
{
    return TRUE;
}

void gossip_meet(Gossip *gossip, const char *address, guint port)
{
    world.met++;
}

static void run(guint rounds)
{
    gint64 until = g_get_monotonic_time() + rounds * PERIOD_MS * 1000;

    while (g_get_monotonic_time() < until) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(500);
    }
}

static gboolean is_alive(guint number)
{
    g_autofree char *name = name_of(number);

    return members_is_alive(world.members, name);
}

/* Rounds until the state is this; 100 at most. */
static guint rounds_until(guint number, gboolean alive)
{
    guint rounds = 0;

    for (; is_alive(number) != alive && rounds < 100; rounds++)
        run(1);
    return rounds;
}

static void hear(guint number, GossipNews news)
{
    g_autofree char *name = name_of(number), *address = g_strdup_printf("10.0.0.%u", number);

    members_heard(world.members, name, address, news);
}

static guint asked_in_all(void)
{
    guint sum = 0;

    for (guint i = 0; i < MANY; i++) {
        sum += asked[i];
        asked[i] = 0;
    }
    return sum;
}

static void world_open(void)
{
    world = (World){.folder = g_dir_make_tmp("sojourn-gossip-XXXXXX", NULL)};
    world.file = g_build_filename(world.folder, "members.json", NULL);
    world.members = members_new(world.file, NULL, NULL);
    members_set_self(world.members, "n0", FALSE);
    for (guint i = 0; i < MANY; i++) {
        g_autofree char *name = name_of(i), *address = g_strdup_printf("10.0.0.%u", i);
        members_add(world.members, name, address, 7227, "1");
        answers[i] = TRUE;
    }
    members_start(world.members, (Peers *)&world, (Gossip *)&world, PERIOD_MS);
}

static void world_close(void)
{
    members_free(world.members);
    run(10); /* questions that are open */
    g_unlink(world.file);
    g_rmdir(world.folder);
    g_free(world.file);
    g_free(world.folder);
}

static void test_watch(void)
{
    guint all, some, silent;

    world_open();
    run(8);
    all = asked_in_all();
    run(20);
    all = asked_in_all();
    g_assert_cmpuint(all, >, 10 * (MANY - 1)); /* nobody vouches for anybody: everyone is asked */
    g_assert_cmpuint(world.met, >, 0);
    for (guint i = 0; i < MANY; i++)
        hear(i, GOSSIP_ALIVE);
    g_assert_cmpuint(members_heard_alive(world.members), ==, MANY - 1);
    world.met = 0;
    run(2);
    asked_in_all();
    run(20);
    some = asked_in_all();
    g_test_message("questions in 20 rounds: %u without gossip, %u with it", all, some);
    g_assert_cmpuint(some, <, all / 2);
    g_assert_cmpuint(world.met, ==, 0);

    /* One fails, and gossip says so: it is noticed in as few rounds as in a small cluster. */
    answers[31] = FALSE;
    hear(31, GOSSIP_FAILED);
    silent = rounds_until(31, FALSE);
    g_test_message("failed after %u rounds", silent);
    g_assert_cmpuint(silent, <=, 12);
    answers[31] = TRUE;
    hear(31, GOSSIP_ALIVE);
    g_assert_cmpuint(rounds_until(31, TRUE), <=, 3);

    /* What gossip says is not believed without a look. */
    hear(32, GOSSIP_FAILED);
    run(15);
    g_assert_true(is_alive(32));
    g_assert_cmpuint(asked[32], >=, 6);
    hear(32, GOSSIP_ALIVE);

    /* One fails, and gossip never hears of it: the sample comes round to it. */
    answers[33] = FALSE;
    g_assert_cmpuint(rounds_until(33, FALSE), <, 40);

    /* A node that is somewhere else now is not meant. */
    members_heard(world.members, "n34", "10.9.9.9", GOSSIP_FAILED);
    g_assert_cmpuint(members_heard_alive(world.members), ==, MANY - 1);

    members_gossip(world.members, FALSE);
    g_assert_cmpuint(members_heard_alive(world.members), ==, 0);
    world_close();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/gossip/words", test_words);
    g_test_add_func("/gossip/requests", test_requests);
    g_test_add_func("/gossip/key", test_key);
    g_test_add_func("/gossip/lag", test_lag);
    g_test_add_func("/gossip/watch", test_watch);
    return g_test_run();
}
