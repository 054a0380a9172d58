/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-members.c - whole clusters in one process: joining, calls, connections, failure, removal */
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <unistd.h>

#include "cluster/cluster-private.h"
#include "cluster/gossip.h"
#include "cluster/keyring.h"
#include "cluster/members.h"
#include "cluster/token.h"
#include "cluster/x509.h"
#include "common/error.h"
#include "wait-until.h"

enum { PORT = 7227 };

typedef struct {
    Conf *conf;
    Cluster *cluster;
    guint notified; /* "progress" notifications that came */
    int opened;     /* plain end of the last connection that came */
    char *opener;
    guint left;     /* how often this node has entered or left a cluster */
    RpcCall *kept;  /* of "keep" */
} Node;

/* ---- A local network in this process: stands for discovery.c ---- */

struct Discovery {
    DiscoveryEvents events;
    gpointer user;
    gboolean looks;
    char *name, *fingerprint;
    guint port;
};

static Discovery *network[16];

/* What one publishes, or does no more, as another sees it. */
static void show(Discovery *to, Discovery *from)
{
    g_autofree char *service = g_strdup_printf("%p", (void *)from);

    if (!to || !from || !to->looks)
        return;
    if (from->name)
        to->events.found(service, &(DiscoveryNode){from->name, "127.0.0.1", from->fingerprint, from->port}, to->user);
    else
        to->events.lost(service, to->user);
}

Discovery *discovery_new(const DiscoveryEvents *their_events, gpointer user)
{
    guint i = 0;

    while (network[i])
        i++;
    network[i] = g_new0(Discovery, 1);
    *network[i] = (Discovery){.events = *their_events, .user = user};
    return network[i];
}

void discovery_publish(Discovery *discovery, const char *name, guint port, const char *fingerprint)
{
    g_free(discovery->name);
    g_free(discovery->fingerprint);
    discovery->name = g_strdup(name);
    discovery->fingerprint = g_strdup(fingerprint);
    discovery->port = port;
    for (guint i = 0; i < G_N_ELEMENTS(network); i++)
        show(network[i], discovery);
}

void discovery_look(Discovery *discovery, gboolean look)
{
    discovery->looks = look;
    for (guint i = 0; i < G_N_ELEMENTS(network); i++)
        show(discovery, network[i]);
}

void discovery_free(Discovery *discovery)
{
    for (guint i = 0; i < G_N_ELEMENTS(network); i++)
        if (network[i] == discovery)
            network[i] = NULL;
    discovery_publish(discovery, NULL, 0, NULL);
    g_free(discovery);
}

gboolean discovery_is_ready(Discovery *discovery)
{
    return TRUE;
}

char *discovery_state(Discovery *discovery, const char **ret_remedy)
{
    return g_strdup("");
}

/* ---- Nodes ---- */

static void called(Cluster *cluster, const char *from, Rpc *rpc, RpcCall *call, const char *method,
                   Json *params, gpointer user)
{
    Node *node = user;
    Json *answer;

    if (g_str_equal(method, "node.info")) {
        answer = json_set_string(json_object(), "accel", "tcg");
        rpc_reply(call, json_set_string(answer, "name", "a lie"));
    } else if (g_str_equal(method, "who")) {
        answer = json_set_string(json_object(), "from", from);
        json_set_string(answer, "at", cluster_self(cluster));
        rpc_notify(rpc, "progress", NULL);
        rpc_reply(call, json_set_int(answer, "number", json_get_int(params, "number", 0) + 1));
    } else if (g_str_equal(method, "progress")) {
        node->notified++;
        rpc_reply(call, NULL);
    } else if (g_str_equal(method, "keep"))
        node->kept = call;
    else
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "no method %s", method);
}

static void opened(Cluster *cluster, const char *from, Json *preamble, TlsAccept *accept,
                   gpointer user)
{
    Node *node = user;

    if (!g_str_equal(json_get_string(preamble, "purpose", ""), "link")) {
        tls_refuse(accept, "only links here");
        return;
    }
    node->opened = tls_accept(accept, NULL);
    g_free(node->opener);
    node->opener = g_strdup(from);
}

static void changed(Cluster *cluster, const char *which, gpointer user)
{
    Node *node = user;

    if (!which)
        node->left++;
}

static const ClusterEvents events = {called, opened, changed};

/* Addresses of this test's own, so that tests can run side by side. */
static char *address_of(int number)
{
    return g_strdup_printf("127.%d.%d.%d", 1 + (getpid() >> 8) % 200, getpid() % 256, number);
}

static void node_start(Node *node)
{
    g_autoptr(GError) error = NULL;

    node->cluster = cluster_new(node->conf, &events, node);
    cluster_start(node->cluster, &error);
    g_assert_no_error(error);
}

static void node_open(Node *node, const char *name, int number)
{
    *node = (Node){.conf = g_new0(Conf, 1), .opened = -1};
    node->conf->name = g_strdup(name);
    node->conf->state_dir = g_dir_make_tmp("sojourn-members-XXXXXX", NULL);
    node->conf->listen = address_of(number);
    node->conf->address = address_of(number);
    node->conf->port = PORT;
    node_start(node);
}

static void node_stop(Node *node)
{
    cluster_free(node->cluster);
    node->cluster = NULL;
}

static void node_close(Node *node)
{
    g_autofree char *folder = g_build_filename(node->conf->state_dir, "cluster", NULL);

    if (node->cluster)
        node_stop(node);
    if (node->opened >= 0)
        close(node->opened);
    keyring_remove(folder);
    g_rmdir(folder);
    g_assert_cmpint(g_rmdir(node->conf->state_dir), ==, 0);
    g_free(node->opener);
    conf_free(node->conf);
}

/* Lets what has ended end: threads, closed connections. */
static void settle(void)
{
    for (int i = 0; i < 100; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
}

typedef struct {
    gboolean done;
    GError *error;
    Json *result;
    int fd;
} Outcome;

static void joined(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    cluster_join_finish(result, &outcome->error);
    outcome->done = TRUE;
}

static gboolean join(Node *node, const char *token, GError **error)
{
    Outcome outcome = {0};

    cluster_join(node->cluster, token, joined, &outcome);
    WAIT_UNTIL(outcome.done);
    if (!outcome.error)
        return TRUE;
    g_test_message("%s", outcome.error->message);
    g_propagate_error(error, outcome.error);
    return FALSE;
}

static void join_well(Node *node, Node *authority)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *token = cluster_token(authority->cluster, 0, TRUE, &error);

    g_assert_no_error(error);
    join(node, token, &error);
    g_assert_no_error(error);
}

static void answered(const char *node, Json *result, const GError *error, gpointer user)
{
    Outcome *outcome = user;

    outcome->done = TRUE;
    outcome->result = result ? json_ref(result) : NULL;
    outcome->error = error ? g_error_copy(error) : NULL;
}

/* Calls and waits; the result (json_unref) or NULL with an error. */
static Json *call(Node *from, const char *to, const char *method, guint timeout_ms, GError **error)
{
    Outcome outcome = {0};

    cluster_call(from->cluster, to, method, json_set_int(json_object(), "number", 41), timeout_ms,
                 answered, &outcome);
    g_assert_false(outcome.done);
    WAIT_UNTIL(outcome.done);
    if (outcome.error)
        g_propagate_error(error, outcome.error);
    return outcome.result;
}

static void assert_calls(Node *from, Node *to)
{
    g_autoptr(GError) error = NULL;
    guint before = from->notified;
    g_autoptr(Json) result = call(from, cluster_self(to->cluster), "who", 5000, &error);

    g_assert_no_error(error);
    g_assert_cmpstr(json_get_string(result, "from", ""), ==, cluster_self(from->cluster));
    g_assert_cmpstr(json_get_string(result, "at", ""), ==, cluster_self(to->cluster));
    g_assert_cmpint(json_get_int(result, "number", 0), ==, 42);
    g_assert_cmpuint(from->notified, ==, before + 1);
}

static void dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    outcome->fd = cluster_dial_finish(result, &outcome->error);
    outcome->done = TRUE;
}

static int dial(Node *from, const char *to, const char *purpose, GError **error)
{
    Outcome outcome = {0};

    cluster_dial(from->cluster, to, json_set_string(json_object(), "purpose", purpose), 5000,
                 dialled, &outcome);
    WAIT_UNTIL(outcome.done);
    if (outcome.error)
        g_propagate_error(error, outcome.error);
    return outcome.fd;
}

static void assert_dials(Node *from, Node *to)
{
    g_autoptr(GError) error = NULL;
    char text[5] = "";
    int fd = dial(from, cluster_self(to->cluster), "link", &error);

    g_assert_no_error(error);
    g_assert_cmpstr(to->opener, ==, cluster_self(from->cluster));
    g_assert_cmpint(write(fd, "link", 4), ==, 4);
    g_assert_cmpint(recv(to->opened, text, 4, MSG_WAITALL), ==, 4);
    g_assert_cmpstr(text, ==, "link");
    close(fd);
    close(to->opened);
    to->opened = -1;
}

/* The state in which node sees another; "" if it does not know it. */
static const char *state_of(Node *node, Node *other)
{
    static const char *const states[] = {"pending", "alive", "failed", "left"};
    g_autoptr(Json) row = cluster_row(node->cluster, other->conf->name);
    const char *state = json_get_string(row, "state", "");

    for (guint i = 0; i < G_N_ELEMENTS(states); i++)
        if (g_str_equal(state, states[i]))
            return states[i];
    return "";
}

static gboolean is_alive(Node *node, Node *other)
{
    return g_str_equal(state_of(node, other), "alive");
}

static gboolean port_is_open(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    gboolean open;

    inet_pton(AF_INET, address, &to.sin_addr);
    open = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return open;
}

static void test_alone(void)
{
    Node node;
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) rows = NULL, members = NULL;

    node_open(&node, "lonely", 1);
    g_assert_false(cluster_exists(node.cluster));
    g_assert_false(port_is_open(node.conf->address));
    assert_calls(&node, &node);
    g_assert_null(call(&node, "other", "who", 500, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_cmpint(dial(&node, "other", "link", &error), ==, -1);
    g_assert_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND);
    g_clear_error(&error);
    g_assert_null(cluster_token(node.cluster, 0, TRUE, &error));
    g_assert_nonnull(strstr(error->message, "cluster init"));
    rows = cluster_rows(node.cluster);
    members = cluster_members(node.cluster);
    g_assert_cmpuint(json_length(rows) + json_length(members), ==, 0);
    node_close(&node);
    settle();
}

static void test_three(void)
{
    Node a, b, c;
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) rows = NULL, members = NULL, row = NULL, counters = NULL;
    Node *nodes[] = {&a, &b, &c};

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    node_open(&c, "c", 3);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, &error));
    g_assert_cmpuint(a.left, ==, 1);
    g_assert_true(cluster_is_authority(a.cluster));
    g_assert_false(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    join_well(&c, &a);
    g_assert_null(cluster_token(b.cluster, 0, TRUE, &error));
    g_assert_nonnull(strstr(error->message, "'a'"));
    g_clear_error(&error);
    for (int i = 0; i < 9; i++)
        if (i / 3 != i % 3)
            WAIT_UNTIL(is_alive(nodes[i / 3], nodes[i % 3]));
    for (int i = 0; i < 9; i++) {
        assert_calls(nodes[i / 3], nodes[i % 3]);
        assert_dials(nodes[i / 3], nodes[i % 3]);
    }
    g_assert_cmpint(dial(&a, "b", "gate", &error), ==, -1);
    g_assert_nonnull(strstr(error->message, "only links here"));
    g_clear_error(&error);
    g_assert_null(call(&a, "b", "nonsense", 5000, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND);
    rows = cluster_rows(c.cluster);
    g_assert_cmpuint(json_length(rows), ==, 2);
    row = cluster_row(c.cluster, "b");
    g_assert_cmpstr(json_get_string(row, "name", ""), ==, "b"); /* not what it says of itself */
    g_assert_cmpstr(json_get_string(row, "accel", ""), ==, "tcg");
    g_assert_cmpstr(json_get_string(row, "address", ""), ==, b.conf->address);
    g_assert_null(cluster_row(c.cluster, "c"));
    members = cluster_members(c.cluster);
    g_assert_cmpuint(json_length(members), ==, 3);
    g_assert_true(json_get_bool(json_at(members, 0), "self", FALSE));
    g_assert_cmpstr(json_get_string(json_at(members, 0), "name", ""), ==, "c");
    counters = cluster_counters(c.cluster);
    g_assert_cmpint(json_get_int(json_get(counters, "call"), "bytes_out", 0), >, 0);
    g_assert_cmpint(json_get_int(json_get(counters, "link"), "bytes_out", 0), >=, 8);
    node_close(&a);
    node_close(&b);
    node_close(&c);
    settle();
}

/* The token with one thing changed. */
static char *token_with(const char *text, const char *fingerprint, const char *secret)
{
    g_autoptr(Token) token = token_parse(text, NULL);

    g_assert_nonnull(token);
    if (fingerprint) {
        g_free(token->fingerprint);
        token->fingerprint = g_strdup(fingerprint);
    }
    if (secret) {
        g_free(token->secret);
        token->secret = g_strdup(secret);
    }
    return token_print(token);
}

static void assert_cannot_join(Node *node, const char *token, const char *part)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_build_filename(node->conf->state_dir, "cluster", "node.key", NULL);

    g_assert_false(join(node, token, &error));
    g_assert_nonnull(strstr(error->message, part));
    g_assert_false(cluster_exists(node->cluster));
    g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
}

static void test_refused(void)
{
    Node a, b, c, twin, squatter;
    g_autofree char *token = NULL, *often = NULL, *forged = NULL, *brief = NULL, *misled = NULL;
    g_autofree char *digits = g_strnfill(64, '5');
    g_autoptr(GError) error = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    node_open(&c, "c", 3);
    node_open(&twin, "b", 4);
    node_open(&squatter, "squatter", 2);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    token = cluster_token(a.cluster, 0, TRUE, NULL);
    brief = cluster_token(a.cluster, 1, FALSE, NULL);
    often = cluster_token(a.cluster, 0, FALSE, NULL);
    forged = token_with(token, NULL, digits);
    misled = token_with(token, digits, NULL);
    g_usleep(1500000);
    assert_cannot_join(&b, "sojourn1:rubbish", "not a token");
    assert_cannot_join(&b, forged, "not known here");
    assert_cannot_join(&b, misled, "fingerprint");
    assert_cannot_join(&b, brief, "expired");
    g_assert_true(join(&b, token, NULL));
    assert_cannot_join(&c, token, "used already");
    WAIT_UNTIL(is_alive(&a, &b));
    assert_cannot_join(&twin, often, "there is a node 'b'");
    assert_cannot_join(&squatter, often, "an address or a port of its own");
    g_assert_false(join(&b, often, &error)); /* belongs to one already */
    g_assert_true(cluster_exists(b.cluster));
    g_assert_true(join(&c, often, NULL));
    node_close(&a);
    node_close(&b);
    node_close(&c);
    node_close(&twin);
    node_close(&squatter);
    settle();
}

static void rpc_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    answered(NULL, result, error, user);
}

static void pinned(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    outcome->fd = tls_dial_finish(result, NULL, &outcome->error);
    outcome->done = TRUE;
}

/* Who has no certificate can ask for nothing but to join; who has one, not for everything. */
static void test_rights(void)
{
    Node a, b;
    g_autofree char *text = NULL;
    g_autoptr(Token) token = NULL;
    g_autoptr(TlsIdentity) newcomer = tls_identity_new();
    g_autoptr(GError) error = NULL;
    Outcome outcome = {0}, answer = {0};
    Rpc *rpc;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    text = cluster_token(a.cluster, 0, FALSE, NULL);
    token = token_parse(text, NULL);
    tls_identity_pin(newcomer, token->fingerprint, NULL);
    tls_dial(newcomer, token->address, token->port, NULL,
             json_set_string(json_object(), "purpose", "link"), 5000, pinned, &outcome);
    WAIT_UNTIL(outcome.done);
    g_assert_error(outcome.error, SJ_ERROR, SJ_ERROR_DENIED);
    g_clear_error(&outcome.error);
    outcome.done = FALSE;
    tls_dial(newcomer, token->address, token->port, "a",
             json_set_string(json_object(), "purpose", "call"), 5000, pinned, &outcome);
    WAIT_UNTIL(outcome.done);
    g_assert_no_error(outcome.error);
    rpc = rpc_new(outcome.fd, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        static const char *const methods[] = {"node.info", "cluster.update", "cluster.renew"};
        answer = (Outcome){0};
        rpc_call(rpc, methods[i], NULL, -1, 5000, rpc_answered, &answer);
        WAIT_UNTIL(answer.done);
        g_assert_error(answer.error, SJ_ERROR, SJ_ERROR_DENIED);
        g_clear_error(&answer.error);
    }
    rpc_close(rpc);
    rpc_unref(rpc);
    g_assert_true(join(&b, text, NULL));
    WAIT_UNTIL(is_alive(&b, &a));
    g_assert_null(call(&b, "a", "cluster.update", 5000, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_null(call(&b, "a", "cluster.removed", 5000, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
    g_clear_error(&error);
    g_assert_null(call(&b, "a", "cluster.join", 5000, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
    g_assert_true(cluster_exists(a.cluster));
    node_close(&a);
    node_close(&b);
    settle();
}

/* A node goes down and comes back, with calls under way, waiting, and in vain. */
static void test_down(void)
{
    Node a, b;
    g_autoptr(GError) error = NULL;
    Outcome kept = {0}, waiting = {0};

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    cluster_call(a.cluster, "b", "keep", NULL, 15000, answered, &kept);
    WAIT_UNTIL(b.kept);
    node_stop(&b);
    WAIT_UNTIL(kept.done);
    g_assert_error(kept.error, SJ_ERROR, SJ_ERROR_CUT);
    g_test_message("%s", kept.error->message);
    g_clear_error(&kept.error);
    rpc_reply(g_steal_pointer(&b.kept), NULL);
    g_assert_null(call(&a, "b", "who", 1500, &error));
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, "'b'"));
    g_clear_error(&error);
    WAIT_UNTIL(g_str_equal(state_of(&a, &b), "failed"));
    g_assert_false(cluster_is_alive(a.cluster, "b"));
    g_assert_cmpint(dial(&a, "b", "link", &error), ==, -1);
    g_test_message("%s", error->message);

    cluster_call(a.cluster, "b", "who", NULL, 15000, answered, &waiting);
    node_start(&b);
    WAIT_UNTIL(waiting.done);
    g_assert_no_error(waiting.error);
    json_unref(waiting.result);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    assert_calls(&a, &b);
    assert_calls(&b, &a);

    /* The authority too can go and come. */
    node_stop(&a);
    WAIT_UNTIL(g_str_equal(state_of(&b, &a), "failed"));
    node_start(&a);
    g_assert_true(cluster_is_authority(a.cluster));
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    assert_calls(&b, &a);
    node_close(&a);
    node_close(&b);
    settle();
}

/* A node comes back at another address. */
static void test_moved(void)
{
    Node a, b;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    node_stop(&b);
    g_free(b.conf->address);
    g_free(b.conf->listen);
    b.conf->address = address_of(7);
    b.conf->listen = address_of(7);
    node_start(&b);
    WAIT_UNTIL(is_alive(&b, &a));
    assert_calls(&b, &a);
    assert_calls(&a, &b);
    assert_dials(&a, &b);
    node_close(&a);
    node_close(&b);
    settle();
}

static void test_removed(void)
{
    Node a, b, c;
    g_autoptr(GError) error = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    node_open(&c, "c", 3);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    join_well(&c, &a);
    WAIT_UNTIL(is_alive(&b, &c) && is_alive(&c, &b) && is_alive(&a, &b) && is_alive(&a, &c));
    g_assert_false(cluster_remove(b.cluster, "c", &error));
    g_clear_error(&error);
    g_assert_false(cluster_remove(a.cluster, "a", &error));
    g_clear_error(&error);
    g_assert_false(cluster_remove(a.cluster, "x", &error));
    g_clear_error(&error);

    /* One that hears of it. */
    g_assert_true(cluster_remove(a.cluster, "c", &error));
    WAIT_UNTIL(!cluster_exists(c.cluster));
    g_assert_cmpuint(c.left, ==, 2);
    g_assert_false(port_is_open(c.conf->address));
    WAIT_UNTIL(g_str_equal(state_of(&b, &c), "left"));
    g_assert_null(call(&b, "c", "who", 5000, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND);
    g_clear_error(&error);
    join_well(&c, &a); /* and may come back with a token */
    WAIT_UNTIL(is_alive(&b, &c) && is_alive(&c, &b));
    assert_calls(&b, &c);

    /* One that was down, and still has its certificate. */
    WAIT_UNTIL(is_alive(&a, &c));
    node_stop(&c);
    g_assert_true(cluster_remove(a.cluster, "c", &error));
    WAIT_UNTIL(g_str_equal(state_of(&b, &c), "left"));
    settle();
    node_start(&c);
    g_assert_cmpint(dial(&c, "a", "link", &error), ==, -1);
    g_test_message("%s", error->message);
    g_clear_error(&error);
    g_assert_cmpint(dial(&c, "b", "link", &error), ==, -1);
    g_clear_error(&error);
    g_assert_null(call(&c, "b", "who", 1000, &error));
    node_close(&a);
    node_close(&b);
    node_close(&c);
    settle();
}

static void gone(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    cluster_leave_finish(result, &outcome->error);
    outcome->done = TRUE;
}

static void leave(Node *node, GError **error)
{
    Outcome outcome = {0};

    cluster_leave(node->cluster, gone, &outcome);
    WAIT_UNTIL(outcome.done);
    if (outcome.error)
        g_propagate_error(error, outcome.error);
}

/* The number of the gossip's key that a node has on disk. */
static gint64 gossip_number(Node *node)
{
    g_autofree char *folder = g_build_filename(node->conf->state_dir, "cluster", NULL);
    g_autoptr(Keyring) keyring = keyring_load(folder, NULL);

    return gossip_key_number(keyring->gossip);
}

/* A node that was away while another was thrown out hears it from any member: the authority's is not there. */
static void test_hearsay(void)
{
    Node a, b, c, d;
    g_autoptr(GError) error = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    node_open(&c, "c", 3);
    node_open(&d, "d", 4);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    join_well(&c, &a);
    join_well(&d, &a);
    WAIT_UNTIL(is_alive(&a, &c) && is_alive(&b, &c) && is_alive(&d, &c));
    g_assert_cmpint(gossip_number(&b), ==, 1);
    node_stop(&b);
    node_stop(&c);
    g_assert_true(cluster_remove(a.cluster, "c", &error));
    g_assert_no_error(error);
    WAIT_UNTIL(g_str_equal(state_of(&d, &c), "left") && gossip_number(&d) == 2);
    node_stop(&a);
    node_start(&b);
    WAIT_UNTIL(g_str_equal(state_of(&b, &c), "left"));
    node_start(&c); /* with all that it had, and the wish to go on */
    g_assert_cmpint(dial(&c, "b", "link", &error), ==, -1);
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_null(call(&c, "b", "who", 1500, &error));
    g_clear_error(&error);
    leave(&c, &error); /* nobody listens to it; but it can give up */
    g_assert_nonnull(strstr(error->message, "leave --force c"));
    g_clear_error(&error);
    g_assert_true(cluster_remove(c.cluster, "c", NULL));
    g_assert_false(cluster_exists(c.cluster));
    g_assert_cmpint(gossip_number(&b), ==, 1); /* that is for the authority alone to hand out */
    node_stop(&b);
    node_start(&b);
    g_assert_cmpstr(state_of(&b, &c), ==, "left");
    node_start(&a);
    WAIT_UNTIL(gossip_number(&b) == 2);
    node_close(&a);
    node_close(&b);
    node_close(&c);
    node_close(&d);
    settle();
}

/* Nodes leave by themselves; the authority's as the last. */
static void test_leave(void)
{
    Node a, b;
    g_autoptr(GError) error = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    leave(&a, &error);
    g_assert_nonnull(strstr(error->message, "in no cluster"));
    g_clear_error(&error);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    leave(&a, &error);
    g_assert_nonnull(strstr(error->message, "--force"));
    g_clear_error(&error);
    leave(&b, &error);
    g_assert_no_error(error);
    g_assert_false(cluster_exists(b.cluster));
    g_assert_cmpstr(state_of(&a, &b), ==, "left");
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&a, &b));
    leave(&b, &error);
    leave(&a, &error);
    g_assert_no_error(error);
    g_assert_false(cluster_exists(a.cluster));
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL)); /* another one */
    node_close(&a);
    node_close(&b);
    settle();
}

static void let_in(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    g_autoptr(Json) answer = cluster_order_finish(result, &outcome->error);

    g_assert_true(!answer == !!outcome->error);
    outcome->done = TRUE;
}

/* Lets a node in; the sentence that says why not has part in it (NULL: it is let in). */
static void admit(Node *authority, const char *node, const char *key, const char *part)
{
    Outcome outcome = {0};

    cluster_order(authority->cluster, "admit", node, key, "root", let_in, &outcome);
    WAIT_UNTIL(outcome.done);
    if (!part)
        g_assert_no_error(outcome.error);
    else
        g_assert_nonnull(strstr(outcome.error->message, part));
    g_clear_error(&outcome.error);
}

static guint pending(Node *node)
{
    g_autoptr(Json) rows = cluster_pending(node->cluster);

    return json_length(rows);
}

/* A node waits to be let in: nobody can make it join but the cluster it waits for, and nobody else is let in for it. */
static void test_waiting(void)
{
    Node a, b;
    g_autoptr(GError) error = NULL;
    g_autofree char *of_a = NULL, *of_b = NULL, *digits = g_strnfill(64, '5'), *begin = NULL, *place = NULL;
    g_autofree char *token = NULL;
    g_autoptr(TlsIdentity) anybody = tls_identity_new();
    Outcome outcome = {0}, answer = {0};
    Rpc *rpc;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    a.conf->discovery = g_strdup("on");
    b.conf->discovery = g_strdup("on");
    node_stop(&a);
    node_stop(&b);
    node_start(&a);
    node_start(&b);
    g_assert_false(cluster_wait(b.cluster, "not a print", &error));
    g_clear_error(&error);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    g_assert_null(cluster_waits(b.cluster));
    of_a = cluster_fingerprint(a.cluster);

    /* It waits for somebody else. */
    g_assert_true(cluster_wait(b.cluster, digits, &error));
    g_assert_no_error(error);
    of_b = g_strdup(cluster_waits(b.cluster));
    begin = g_strndup(of_b, 24);
    g_assert_cmpuint(pending(&a), ==, 1);
    g_assert_false(cluster_init(b.cluster, NULL, NULL, NULL));
    place = g_strdup_printf("%s:%d", b.conf->address, PORT);
    admit(&a, place, of_b, "another cluster");
    admit(&a, place, digits, "fingerprint");
    admit(&a, place, begin, "all 64 digits");
    admit(&a, "b", digits, "another key");
    admit(&a, "x", of_b, "no node 'x'");
    admit(&a, "b", "12ab", "no fingerprint");
    admit(&b, "a", of_b, "in no cluster");

    /* Whoever comes gets no answer, but that to a token of the right cluster, and that must be one of its own node. */
    tls_identity_pin(anybody, of_b, NULL);
    tls_dial(anybody, b.conf->address, PORT, "b", json_set_string(json_object(), "purpose", "call"), 5000, pinned, &outcome);
    WAIT_UNTIL(outcome.done);
    g_assert_no_error(outcome.error);
    rpc = rpc_new(outcome.fd, NULL, NULL);
    for (int i = 0; i < 5; i++) {
        static const char *const methods[] = {"node.info", "cluster.join", "cluster.update", "job.start", "cluster.admitted"};
        answer = (Outcome){0};
        rpc_call(rpc, methods[i], json_set_string(json_object(), "token", "sojourn1:rubbish"), -1, 5000, rpc_answered, &answer);
        WAIT_UNTIL(answer.done);
        g_assert_nonnull(answer.error);
        g_clear_error(&answer.error);
    }
    rpc_close(rpc);
    rpc_unref(rpc);
    g_assert_false(cluster_exists(b.cluster));

    /* It waits for us, as before after a restart; what the token says must be true. */
    g_assert_true(cluster_wait(b.cluster, of_a, NULL));
    g_assert_cmpstr(cluster_waits(b.cluster), ==, of_b);
    node_stop(&b);
    g_assert_cmpuint(pending(&a), ==, 0);
    node_start(&b);
    g_assert_cmpstr(cluster_waits(b.cluster), ==, of_b);
    g_assert_cmpuint(pending(&a), ==, 1);
    admit(&a, place, of_b, NULL);
    g_assert_null(cluster_waits(b.cluster));
    g_assert_cmpuint(pending(&a), ==, 0);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    assert_calls(&a, &b);
    admit(&b, place, of_b, "fingerprint");

    /* One can stop waiting. */
    leave(&b, &error);
    g_assert_no_error(error);
    g_assert_true(cluster_wait(b.cluster, of_a, NULL));
    g_assert_cmpstr(cluster_waits(b.cluster), !=, of_b);
    g_assert_cmpuint(pending(&a), ==, 1);
    leave(&b, &error);
    g_assert_no_error(error);
    g_assert_false(port_is_open(b.conf->address));
    g_assert_cmpuint(pending(&a), ==, 0);
    token = cluster_token(a.cluster, 0, TRUE, NULL);
    g_assert_true(join(&b, token, NULL));
    node_close(&a);
    node_close(&b);
    settle();
}

static void ordered(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;
    g_autoptr(Json) answer = cluster_order_finish(result, &outcome->error);

    outcome->fd = json_length(json_get(answer, "sponsored"));
    outcome->done = TRUE;
}

/* Throws a node out; how many others its administrators had let in, or -1 and the sentence has part in it. */
static int throw_out(Node *from, const char *node, const char *part)
{
    Outcome outcome = {0};

    cluster_order(from->cluster, "remove", node, NULL, "root", ordered, &outcome);
    WAIT_UNTIL(outcome.done);
    if (outcome.error && !part)
        g_error("%s", outcome.error->message);
    if (part && !(outcome.error && strstr(outcome.error->message, part)))
        g_error("%s", outcome.error ? outcome.error->message : "no error");
    g_clear_error(&outcome.error);
    return part ? -1 : outcome.fd;
}

/* Who had this node let in, as another one knows it (g_free). */
static char *sponsor_of(Node *node, const char *name)
{
    g_autoptr(Json) list = cluster_members(node->cluster);

    for (guint i = 0; i < json_length(list); i++)
        if (g_str_equal(json_get_string(json_at(list, i), "name", ""), name))
            return g_strdup(json_get_string(json_at(list, i), "sponsor", ""));
    return NULL;
}

/* A member orders of the authority what its own administrator wants; and what comes of it is known. */
static void test_orders(void)
{
    Node a, b, c, d;
    g_autofree char *of_a = NULL, *of_c = NULL, *place = NULL, *sponsor = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    node_open(&c, "c", 3);
    node_open(&d, "d", 4);
    throw_out(&b, "c", "in no cluster");
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&a, &b) && is_alive(&b, &a));
    of_a = cluster_fingerprint(a.cluster);
    g_assert_true(cluster_wait(c.cluster, of_a, NULL));
    of_c = g_strdup(cluster_waits(c.cluster));
    place = g_strdup_printf("%s:%d", c.conf->address, PORT);
    admit(&b, place, "12ab", "no fingerprint");
    admit(&b, "x", of_c, "no node 'x'");
    admit(&b, place, of_a, "fingerprint");
    admit(&b, place, of_c, NULL);
    WAIT_UNTIL(is_alive(&b, &c) && is_alive(&a, &c));
    sponsor = sponsor_of(&c, "c");
    g_assert_cmpstr(sponsor, ==, "b");
    throw_out(&b, "a", "cannot be without it");
    throw_out(&b, "x", "no node 'x'");
    throw_out(&d, "c", "in no cluster");

    /* What lets nodes in is thrown out: one is told who came by it. */
    node_stop(&a);
    WAIT_UNTIL(g_str_equal(state_of(&b, &a), "failed"));
    throw_out(&b, "c", "is not reachable");
    node_start(&a);
    WAIT_UNTIL(is_alive(&b, &a) && is_alive(&a, &b) && is_alive(&a, &c));
    g_assert_cmpint(throw_out(&c, "b", NULL), ==, 1);
    WAIT_UNTIL(!cluster_exists(b.cluster));
    join_well(&b, &a);
    WAIT_UNTIL(is_alive(&b, &a));
    g_assert_cmpint(throw_out(&b, "c", NULL), ==, 0);
    WAIT_UNTIL(!cluster_exists(c.cluster));

    /* The authority's administrator can keep that for himself. */
    node_stop(&a);
    a.conf->orders = g_strdup("here");
    node_start(&a);
    join_well(&c, &a);
    WAIT_UNTIL(is_alive(&b, &a) && is_alive(&b, &c));
    throw_out(&b, "c", "at its own administrators");
    g_assert_cmpint(throw_out(&a, "c", NULL), ==, 0);
    node_close(&a);
    node_close(&b);
    node_close(&c);
    node_close(&d);
    settle();
}

/* What a service says is looked at. */
static void test_service(void)
{
    g_autofree char *digits = g_strnfill(64, 'a'), *name = g_strnfill(64, 'n');

    g_assert_true(pending_check(&(DiscoveryNode){"node1", "10.0.0.1", digits, 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){"", "10.0.0.1", digits, 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){name, "10.0.0.1", digits, 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){"a\033[2J", "10.0.0.1", digits, 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){"node1", "somewhere", digits, 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){"node1", "10.0.0.1", "aaaa", 7227}));
    g_assert_false(pending_check(&(DiscoveryNode){"node1", "10.0.0.1", digits, 0}));
}

/* The serial number of a node's own certificate (g_free). */
static char *serial_of(Node *node)
{
    g_autofree char *folder = g_build_filename(node->conf->state_dir, "cluster", NULL);
    g_autoptr(Keyring) keyring = keyring_load(folder, NULL);
    g_autoptr(X509Info) info = x509_info_new(keyring->certificate, NULL);

    return g_strdup(info->serial);
}

static gboolean has_serial(Node *node, const char *serial)
{
    g_autofree char *now = serial_of(node);

    return g_str_equal(now, serial);
}

static void test_renewed(void)
{
    Node a, b;
    g_autofree char *a_serial = NULL, *b_serial = NULL, *new_serial = NULL, *crl = NULL, *folder = NULL;
    g_auto(GStrv) serials = NULL;

    node_open(&a, "a", 1);
    node_open(&b, "b", 2);
    folder = g_build_filename(a.conf->state_dir, "cluster", NULL);
    g_assert_true(cluster_init(a.cluster, NULL, NULL, NULL));
    join_well(&b, &a);
    a_serial = serial_of(&a);
    b_serial = serial_of(&b);
    cluster_renew(a.cluster);
    cluster_renew(b.cluster);
    WAIT_UNTIL(!has_serial(&a, a_serial) && !has_serial(&b, b_serial));
    assert_dials(&a, &b);
    assert_dials(&b, &a);

    /* Who is thrown out is so with all certificates that are still good. */
    new_serial = serial_of(&b);
    WAIT_UNTIL(is_alive(&a, &b));
    g_assert_true(cluster_remove(a.cluster, "b", NULL));
    crl = keyring_read(folder, "crl.pem", NULL);
    serials = x509_crl_serials(crl, NULL);
    g_assert_cmpuint(g_strv_length(serials), ==, 2);
    g_assert_true(g_strv_contains((const char *const *)serials, b_serial));
    g_assert_true(g_strv_contains((const char *const *)serials, new_serial));
    WAIT_UNTIL(!cluster_exists(b.cluster));
    node_close(&a);
    node_close(&b);
    settle();
}

/* Names, addresses and ports that cannot be. */
static void test_bad_init(void)
{
    static const char *const names[] = {"home", "best", "-x", "a b", "ü", "", "x/y"};
    Node node, other;
    g_autoptr(GError) error = NULL;
    int fd, on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};

    node_open(&node, "fine", 1);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!*names[i])
            continue;
        g_assert_false(cluster_init(node.cluster, names[i], NULL, &error));
        g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
        g_clear_error(&error);
    }
    g_assert_false(cluster_init(node.cluster, NULL, "0.0.0.0", NULL));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, node.conf->address, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    g_assert_false(cluster_init(node.cluster, NULL, NULL, &error));
    g_test_message("%s", error->message);
    g_clear_error(&error);
    g_assert_false(cluster_exists(node.cluster));
    close(fd);
    g_assert_true(cluster_init(node.cluster, "renamed", node.conf->address, &error));
    g_assert_cmpstr(cluster_self(node.cluster), ==, "renamed");
    assert_calls(&node, &node);
    node_stop(&node);
    node_start(&node);
    g_assert_cmpstr(cluster_self(node.cluster), ==, "renamed");
    g_assert_true(port_is_open(node.conf->address));

    /* At a later start the port may be taken for a while: it is tried again. */
    node_open(&other, "other", 2);
    join_well(&other, &node);
    node_stop(&other);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, other.conf->address, &at.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    g_assert_cmpint(listen(fd, 1), ==, 0);
    other.cluster = cluster_new(other.conf, &events, &other);
    g_assert_false(cluster_start(other.cluster, &error));
    g_assert_true(cluster_exists(other.cluster));
    assert_calls(&other, &node);
    close(fd);
    WAIT_UNTIL(cluster_is_alive(node.cluster, "other"));
    assert_calls(&node, &other);
    node_close(&node);
    node_close(&other);
    settle();
}

/* Lists of members from elsewhere: what cannot be one changes nothing, an old one neither. */
static void test_documents(void)
{
    static const char *const bad[] = {
        "{\"version\":9,\"members\":[1]}", "{\"version\":9,\"members\":[{}]}",
        "{\"version\":9,\"members\":[{\"name\":\"x\",\"address\":\"1.2.3.4\",\"port\":70000}]}",
        "{\"version\":9,\"members\":[{\"name\":\"\",\"address\":\"1.2.3.4\",\"port\":7}]}",
        "{\"version\":9,\"members\":[{\"name\":\"x\",\"address\":\"\",\"port\":7}]}",
    };
    g_autofree char *folder = g_dir_make_tmp("sojourn-members-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(folder, "members.json", NULL);
    g_autoptr(Members) members = members_new(file, NULL, NULL);
    g_autoptr(Json) first = NULL, second = NULL;

    members_set_self(members, "a", FALSE);
    members_set_authority(members, "a");
    members_add(members, "a", "10.0.0.1", 7227, "1");
    members_add(members, "b", "10.0.0.2", 7227, "2");
    first = members_document(members);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(Json) document = json_parse(bad[i], -1, NULL);
        g_autoptr(GError) error = NULL;
        g_assert_nonnull(document);
        g_assert_false(members_replace(members, document, &error));
        g_assert_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL);
        g_assert_true(members_has(members, "b"));
    }
    members_remove(members, "b");
    g_assert_true(members_replace(members, first, NULL)); /* is older */
    g_assert_true(members_has_left(members, "b"));
    second = json_copy(first);
    json_set_int(second, "version", 99);
    g_assert_true(members_replace(members, second, NULL));
    g_assert_true(members_has(members, "b"));
    g_assert_true(members_check(members, "c", "10.0.0.3", 7227, NULL));
    g_assert_true(members_check(members, "b", "10.0.0.3", 7227, NULL)); /* never came */
    g_assert_false(members_check(members, "a", "10.0.0.3", 7227, NULL));
    g_assert_false(members_check(members, "c", "10.0.0.2", 7227, NULL));
    g_assert_true(members_check(members, "c", "10.0.0.2", 7228, NULL));
    g_assert_cmpint(g_unlink(file), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/members/documents", test_documents);
    g_test_add_func("/members/alone", test_alone);
    g_test_add_func("/members/three", test_three);
    g_test_add_func("/members/refused", test_refused);
    g_test_add_func("/members/rights", test_rights);
    g_test_add_func("/members/down", test_down);
    g_test_add_func("/members/moved", test_moved);
    g_test_add_func("/members/removed", test_removed);
    g_test_add_func("/members/hearsay", test_hearsay);
    g_test_add_func("/members/leave", test_leave);
    g_test_add_func("/members/waiting", test_waiting);
    g_test_add_func("/members/orders", test_orders);
    g_test_add_func("/members/service", test_service);
    g_test_add_func("/members/renewed", test_renewed);
    g_test_add_func("/members/bad-init", test_bad_init);
    return g_test_run();
}
