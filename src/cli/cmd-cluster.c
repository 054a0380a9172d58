/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-cluster.c - sojourn cluster: make one, let nodes in and out */
#include "ask.h"
#include "client.h"
#include "cmd.h"
#include "common/log.h"
#include "table.h"

#include <stdio.h>

#define JOIN_MS 60000
#define SILENT_MAX 30 /* seconds that a controller may be away: it may have been started again */
#define KEY_DIGITS 20

static int cluster_init(int argc, char **argv)
{
    g_autofree char *name = NULL, *address = NULL;
    const GOptionEntry options[] = {
        { "name", 0, 0, G_OPTION_ARG_STRING, &name, "This node's name", "NAME" },
        { "address", 0, 0, G_OPTION_ARG_STRING, &address, "What other nodes reach it by",
          "ADDRESS" },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    Json *params = json_object();
    int status;

    if (!client_words(&argc, &argv, options, 0, 0)) {
        json_unref(params);
        return 2;
    }
    if (name)
        json_set_string(params, "name", name);
    if (address)
        json_set_string(params, "address", address);
    result = client_call("cluster.init", params, JOIN_MS, &status);
    if (result)
        printf("%s is a cluster of one node; \"sojourn cluster token\" lets others in.\n",
               json_get_string(result, "name", "This"));
    return status;
}

static int cluster_token(int argc, char **argv)
{
    gboolean as_json = FALSE, single = FALSE;
    int valid = 0, status;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "valid", 0, 0, G_OPTION_ARG_INT, &valid, "How long it is good for (3600)", "SECONDS" },
        { "single", 0, 0, G_OPTION_ARG_NONE, &single, "Good for one node", NULL },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    Json *params = json_object();

    if (!client_words(&argc, &argv, options, 0, 0) || valid < 0) {
        json_unref(params);
        return 2;
    }
    json_set_int(params, "valid_s", valid);
    result = client_call("cluster.token", json_set_bool(params, "single", single), 30000, &status);
    if (result && as_json)
        client_print_json(result);
    else if (result)
        puts(json_get_string(result, "token", ""));
    return status;
}

/* The beginning of a fingerprint as people compare it: in fours (g_free). */
static char *short_print(const char *fingerprint)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; fingerprint[i] && i < KEY_DIGITS; i++)
        g_string_append_printf(text, i && i % 4 == 0 ? "-%c" : "%c", fingerprint[i]);
    return g_string_free(text, FALSE);
}

/* What came of it: a sentence, or "" while it goes on; NULL: the node is in the cluster (authority: digits, key: its own). */
static const char *waiting_outcome(Json *state, const char *authority, const char *key)
{
    const char *cluster = json_get_string(state, "cluster", NULL);

    if (cluster)
        return g_str_has_prefix(cluster, authority) ? NULL : "This node is in another cluster now: \"sojourn cluster members\" shows it";
    if (!json_get_string(state, "fingerprint", NULL))
        return "This node waits no more: another command has ended it (\"sojourn cluster leave\")";
    if (!g_str_equal(json_get_string(state, "authority", ""), authority))
        return "This node waits for another cluster now: another command has said so";
    return g_str_equal(json_get_string(state, "fingerprint", ""), key) ? "" : "This node waits with another key now: another command has ended "
                                                                             "this waiting and begun again";
}

static int wait_for_outcome(const char *authority, const char *key)
{
    const char *outcome = "";

    for (guint silent = 0; outcome && !*outcome;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Json) state = client_try("cluster.waiting", NULL, 5000, &error);

        if (state) {
            silent = 0;
            outcome = waiting_outcome(state, authority, key);
        } else if (++silent > SILENT_MAX) {
            log_error("This node's controller is not there (%s); when it is again, the node goes on waiting", error->message);
            return 1;
        }
        if (outcome && !*outcome)
            g_usleep(G_USEC_PER_SEC);
    }
    if (outcome)
        log_error("%s", outcome);
    else
        puts("This node is in the cluster; \"sojourn nodes\" shows it.");
    return outcome ? 1 : 0;
}

/* Waits to be let in; interrupted, the node goes on waiting. */
static int wait_to_be_let_in(const char *authority)
{
    int status;
    g_autoptr(Json) result = client_call("cluster.wait", json_set_string(json_object(), "authority", authority), 30000, &status);
    const char *key = json_get_string(result, "fingerprint", "");
    g_autofree char *print = short_print(key);

    if (!result)
        return status;
    printf("This node waits to be let in, also when this command is interrupted (\"sojourn cluster leave\" ends it).\n"
           "Its key is %s. At any node of the cluster:\n", print);
    if (json_get_bool(result, "published", FALSE))
        printf("    sojourn cluster admit %s %s\n", json_get_string(result, "name", ""), print);
    else
        printf("    sojourn cluster admit %s:%d %s\n", json_get_string(result, "address", ""),
               (int)json_get_int(result, "port", 0), key);
    fflush(stdout);
    return wait_for_outcome(json_get_string(result, "authority", ""), key);
}

static int cluster_join(int argc, char **argv)
{
    g_autofree char *authority = NULL;
    const GOptionEntry options[] = {
        { "wait", 0, 0, G_OPTION_ARG_STRING, &authority, "Wait to be let in by the cluster with this fingerprint",
          "FINGERPRINT" },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    int status;

    if (!client_words(&argc, &argv, options, 0, 1))
        return 2;
    if (!authority == (argc < 2)) {
        log_error("cluster join wants a token, or --wait and a fingerprint");
        return 2;
    }
    if (authority)
        return wait_to_be_let_in(authority);
    result = client_call("cluster.join", json_set_string(json_object(), "token", argv[1]), JOIN_MS,
                         &status);
    if (result)
        puts("This node is in the cluster; \"sojourn nodes\" shows it.");
    return status;
}

static int cluster_admit(int argc, char **argv)
{
    g_autoptr(Json) result = NULL;
    Json *params;
    int status;

    if (!client_words(&argc, &argv, NULL, 2, 2))
        return 2;
    params = json_set_string(json_object(), "node", argv[1]);
    result = client_call("cluster.admit", json_set_string(params, "key", argv[2]), JOIN_MS, &status);
    if (result)
        printf("%s is in the cluster.\n", argv[1]);
    return status;
}

static void show_fingerprint(Json *answer, char **words)
{
    puts(json_get_string(answer, "fingerprint", ""));
}

static int cluster_fingerprint(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "cluster.fingerprint", .show = show_fingerprint });
}

static void show_members(Json *members, char **words)
{
    Table *table = table_new("Name", "Address", "Port", "State", "Authority", "Let in at", NULL);

    for (guint i = 0; i < json_length(members); i++) {
        Json *member = json_at(members, i);

        table_take(table, g_strconcat(json_get_string(member, "name", "?"),
                                      json_get_bool(member, "self", FALSE) ? " *" : "", NULL));
        table_cell(table, json_get_string(member, "address", NULL));
        table_take(table, g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(member, "port", 0)));
        table_cell(table, json_get_string(member, "state", NULL));
        table_cell(table, json_get_bool(member, "authority", FALSE) ? "yes" : NULL);
        table_cell(table, json_get_string(member, "sponsor", NULL));
    }
    table_print(table);
}

static int cluster_members(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "cluster.members", .show = show_members });
}

static void say_thrown_out(const char *node, Json *sponsored)
{
    g_auto(GStrv) others = json_to_strv(sponsored);
    g_autofree char *names = others ? g_strjoinv(", ", others) : NULL;

    printf("%s is no member any more: its certificate is refused everywhere.\n", node);
    if (names && *names)
        printf("If it is not trusted any more: administrators at %s had let in %s.\n", node, names);
}

static int cluster_leave(int argc, char **argv)
{
    g_autofree char *node = NULL;
    const GOptionEntry options[] = {
        { "force", 0, 0, G_OPTION_ARG_STRING, &node, "Throw this node out", "NODE" },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    if (node)
        result = client_call("cluster.remove", json_set_string(json_object(), "node", node), 30000, &status);
    else
        result = client_call("cluster.leave", NULL, 30000, &status);
    if (result && node)
        say_thrown_out(node, json_get(result, "sponsored"));
    else if (result)
        puts("This node is in no cluster any more.");
    return result ? 0 : status;
}

static const Command verbs[] = {
    { "init", "[--name NAME] [--address ADDRESS]", "make a cluster of this node", cluster_init },
    { "token", "[--json] [--valid SECONDS] [--single]", "print what another node joins with",
      cluster_token },
    { "join", "TOKEN | --wait FINGERPRINT", "join the cluster that the token is from, or wait to be let in", cluster_join },
    { "admit", "NODE KEY", "let a node in that waits", cluster_admit },
    { "fingerprint", "[--json]", "print what a node that waits must be told", cluster_fingerprint },
    { "members", "[--json]", "show who is in the cluster", cluster_members },
    { "leave", "[--force NODE]", "leave the cluster, or throw a node out", cluster_leave },
};

int cmd_cluster(int argc, char **argv)
{
    for (guint i = 0; argc > 1 && i < G_N_ELEMENTS(verbs); i++)
        if (g_str_equal(verbs[i].name, argv[1])) {
            argv[1] = argv[0];
            return verbs[i].run(argc - 1, argv + 1);
        }
    if (argc > 1 && !g_str_equal(argv[1], "--help"))
        log_error("There is no command \"cluster %s\"", argv[1]);
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++)
        fprintf(stderr, "%s sojourn cluster %s %s\n", i ? "      " : "usage:", verbs[i].name,
                verbs[i].args);
    return argc > 1 && g_str_equal(argv[1], "--help") ? 0 : 2;
}
