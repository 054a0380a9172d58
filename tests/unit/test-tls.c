/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-tls.c - connections between nodes: who is let in, how bytes and ends travel, how fast */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/tls.h"
#include "cluster/x509.h"
#include "common/error.h"
#include "wait-until.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BULK_MB = 64 };
#else
enum { BULK_MB = 1024 };
#endif
#define BLOCK (1 << 20)

/* A cluster's authority. */
typedef struct {
    char *key, *certificate;
} Authority;

static Authority authority_new(void)
{
    g_autoptr(GError) error = NULL;
    Authority ca = {.key = x509_key_new(&error)};

    g_assert_no_error(error);
    ca.certificate = x509_authority_new(ca.key, 10, &error);
    g_assert_no_error(error);
    return ca;
}

static void authority_clear(Authority *ca)
{
    g_free(ca->key);
    g_free(ca->certificate);
}

/* An identity for node; ret_serial (may be NULL) for revoking it. */
static TlsIdentity *identity_new(Authority *ca, const char *node, guint days, char **ret_serial)
{
    g_autofree char *key = x509_key_new(NULL);
    g_autofree char *request = x509_request_new(key, node, NULL);
    g_autofree char *certificate = x509_sign(ca->key, ca->certificate, request, node, days, NULL);
    g_autoptr(X509Info) info = x509_info_new(certificate, NULL);
    TlsIdentity *identity = tls_identity_new();
    g_autoptr(GError) error = NULL;

    if (ret_serial)
        *ret_serial = g_strdup(info->serial);
    tls_identity_load(identity, key, certificate, ca->certificate, NULL, &error);
    g_assert_no_error(error);
    return identity;
}

/* Two nodes of one cluster; 'b' listens and accepts what is not to be refused. */
typedef struct {
    Authority ca;
    TlsIdentity *a, *b;
    TlsListener *listener;
    guint came;
    char *node;       /* of the last connection that came */
    char *word;       /* from its preamble */
    int accepted;     /* its plain end */
    gboolean late;    /* accept after the dialler has given up */
    TlsAccept *kept;
} World;

static void came(TlsListener *listener, const char *node, Json *preamble, TlsAccept *accept,
                 gpointer user)
{
    World *world = user;
    const char *purpose = json_get_string(preamble, "purpose", "");

    world->came++;
    g_free(world->node);
    world->node = g_strdup(node);
    g_free(world->word);
    world->word = g_strdup(json_get_string(preamble, "word", NULL));
    g_assert_cmpstr(tls_accept_address(accept), ==, "127.0.0.1");
    if (world->late)
        world->kept = accept;
    else if (!node && !g_str_equal(purpose, "call"))
        tls_refuse(accept, "only members may do that");
    else if (g_str_equal(purpose, "gate"))
        tls_refuse(accept, "no migration is expected here");
    else
        world->accepted = tls_accept(accept, NULL);
}

static void world_open(World *world)
{
    g_autoptr(GError) error = NULL;

    *world = (World){.ca = authority_new(), .accepted = -1};
    world->a = identity_new(&world->ca, "a", 5, NULL);
    world->b = identity_new(&world->ca, "b", 5, NULL);
    world->listener = tls_listen(world->b, "127.0.0.1", 0, came, world, &error);
    g_assert_no_error(error);
}

static void world_close(World *world)
{
    tls_listener_free(world->listener);
    if (world->accepted >= 0)
        close(world->accepted);
    WAIT_UNTIL(tls_identity_open(world->a, NULL) == 0);
    WAIT_UNTIL(tls_identity_open(world->b, NULL) == 0);
    tls_identity_unref(world->a);
    tls_identity_unref(world->b);
    authority_clear(&world->ca);
    g_free(world->node);
    g_free(world->word);
}

typedef struct {
    gboolean done;
    int fd;
    char *node;
    GError *error;
} Outcome;

static void dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    Outcome *outcome = user;

    outcome->fd = tls_dial_finish(result, &outcome->node, &outcome->error);
    outcome->done = TRUE;
}

/* Dials b as identity; the descriptor or -1 with an error. */
static int dial(World *world, TlsIdentity *identity, const char *expected, const char *purpose,
                guint timeout_ms, GError **error)
{
    Json *preamble = json_set_string(json_object(), "purpose", purpose);
    Outcome outcome = {.fd = -1};

    json_set_string(preamble, "word", "hello");
    tls_dial(identity, "127.0.0.1", tls_listener_port(world->listener), expected, preamble,
             timeout_ms, dialled, &outcome);
    WAIT_UNTIL(outcome.done);
    if (outcome.error)
        g_propagate_error(error, outcome.error);
    else
        g_assert_cmpstr(outcome.node, ==, "b");
    g_free(outcome.node);
    return outcome.fd;
}

/* Dials and also waits for the other plain end. */
static int dial_both(World *world, const char *purpose)
{
    g_autoptr(GError) error = NULL;
    int fd;

    world->accepted = -1;
    fd = dial(world, world->a, "b", purpose, 5000, &error);
    g_assert_no_error(error);
    g_assert_cmpint(world->accepted, >=, 0);
    return fd;
}

static void assert_reads(int fd, const char *text)
{
    char read_text[64] = "";
    gsize length = strlen(text);

    g_assert_cmpint(recv(fd, read_text, length, MSG_WAITALL), ==, (gssize)length);
    g_assert_cmpstr(read_text, ==, text);
}

static void assert_end(int fd)
{
    char byte;

    g_assert_cmpint(read(fd, &byte, 1), ==, 0);
}

static void test_stream(void)
{
    World world;
    int fd;
    g_autoptr(Json) counters = NULL;

    world_open(&world);
    fd = dial_both(&world, "link");
    g_assert_cmpstr(world.node, ==, "a");
    g_assert_cmpstr(world.word, ==, "hello");
    g_assert_cmpint(write(fd, "there", 5), ==, 5);
    assert_reads(world.accepted, "there");
    g_assert_cmpint(write(world.accepted, "and back", 8), ==, 8);
    assert_reads(fd, "and back");
    counters = tls_identity_counters(world.a);
    g_assert_cmpint(json_get_int(json_get(counters, "link"), "bytes_out", -1), ==, 5);
    g_assert_cmpint(json_get_int(json_get(counters, "link"), "bytes_in", -1), ==, 8);
    g_assert_cmpint(json_get_int(json_get(counters, "link"), "open", -1), ==, 1);
    g_assert_cmpuint(tls_identity_open(world.b, "a"), ==, 1);
    close(fd);
    assert_end(world.accepted);
    world_close(&world);
}

/* One direction ends, the other goes on; both ways round. */
static void test_half_close(void)
{
    World world;

    world_open(&world);
    for (int turn = 0; turn < 2; turn++) {
        int fd = dial_both(&world, "link");
        int first = turn ? world.accepted : fd, second = turn ? fd : world.accepted;
        g_assert_cmpint(write(first, "last words", 10), ==, 10);
        shutdown(first, SHUT_WR);
        assert_reads(second, "last words");
        assert_end(second);
        g_usleep(50000);
        for (int i = 0; i < 3; i++) {
            g_assert_cmpint(write(second, "still here", 10), ==, 10);
            assert_reads(first, "still here");
        }
        shutdown(second, SHUT_WR);
        assert_end(first);
        close(first);
        close(second);
    }
    world.accepted = -1;
    world_close(&world);
}

/* A user writes a lot and closes at once: all of it arrives, and the other's writing fails. */
static void test_full_close(void)
{
    World world;
    g_autofree char *much = g_malloc0(100000);
    gsize got = 0;
    gssize part;
    int fd;

    world_open(&world);
    fd = dial_both(&world, "link");
    g_assert_cmpint(write(world.accepted, "unread", 6), ==, 6); /* nobody reads this */
    g_assert_cmpint(write(fd, much, 100000), ==, 100000);
    close(fd);
    while ((part = read(world.accepted, much, 100000)) > 0)
        got += part;
    g_assert_cmpint(part, ==, 0);
    g_assert_cmpuint(got, ==, 100000);
    WAIT_UNTIL(send(world.accepted, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
    world_close(&world);
}

static void test_cut(void)
{
    World world;
    int fd;

    world_open(&world);
    fd = dial_both(&world, "call");
    tls_identity_cut(world.b, "nobody");
    g_assert_cmpint(write(fd, "on", 2), ==, 2);
    assert_reads(world.accepted, "on");
    tls_identity_cut(world.b, "a");
    assert_end(fd);
    assert_end(world.accepted);
    g_assert_cmpint(send(fd, "x", 1, MSG_NOSIGNAL), ==, -1);
    close(fd);
    world_close(&world);
}

static void assert_refused(World *world, TlsIdentity *identity, const char *expected,
                           const char *purpose, int code, const char *part)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(dial(world, identity, expected, purpose, 5000, &error), ==, -1);
    g_test_message("%s", error->message);
    g_assert_error(error, SJ_ERROR, code);
    g_assert_nonnull(strstr(error->message, part));
}

static void test_refused(void)
{
    World world;
    Authority other = authority_new();
    g_autoptr(TlsIdentity) stranger = identity_new(&other, "a", 5, NULL);
    g_autoptr(TlsIdentity) expired = NULL, nobody = tls_identity_new();

    world_open(&world);
    expired = identity_new(&world.ca, "a", 0, NULL);
    g_usleep(1100000);
    assert_refused(&world, world.a, "b", "gate", SJ_ERROR_DENIED, "no migration is expected here");
    assert_refused(&world, world.a, "c", "link", SJ_ERROR_DENIED, "the node there is 'b'");
    assert_refused(&world, nobody, "b", "link", SJ_ERROR_DENIED, "belongs to no cluster");
    g_assert_cmpuint(world.came, ==, 1);
    /* A stranger does not believe b; that b does not believe a stranger is tried below. */
    assert_refused(&world, stranger, "b", "link", SJ_ERROR_DENIED, "not good in this cluster");
    assert_refused(&world, expired, "b", "link", SJ_ERROR_DENIED, "it refused: ");
    g_assert_cmpuint(world.came, ==, 1);
    world_close(&world);
    authority_clear(&other);
}

/* A client that believes anything by the pin, with or without a foreign certificate. */
static void test_no_certificate(void)
{
    World world;
    g_autoptr(X509Info) info = NULL;
    g_autoptr(TlsIdentity) newcomer = tls_identity_new(), misled = tls_identity_new();
    g_autoptr(GError) error = NULL;
    int fd;

    world_open(&world);
    info = x509_info_new(world.ca.certificate, NULL);
    g_assert_true(tls_identity_pin(newcomer, info->fingerprint, NULL));
    info->fingerprint[0] = info->fingerprint[0] == '0' ? '1' : '0';
    g_assert_true(tls_identity_pin(misled, info->fingerprint, NULL));
    assert_refused(&world, newcomer, NULL, "link", SJ_ERROR_DENIED, "only members may do that");
    g_assert_null(world.node);
    assert_refused(&world, misled, NULL, "call", SJ_ERROR_DENIED, "fingerprint");
    fd = dial(&world, newcomer, NULL, "call", 5000, &error);
    g_assert_no_error(error);
    g_assert_null(world.node);
    g_assert_cmpint(write(fd, "join", 4), ==, 4);
    assert_reads(world.accepted, "join");
    close(fd);
    world_close(&world);
}

/* The listener's side of a foreign certificate: a client of another cluster that would take any
 * server. Built from both clusters: the stranger's key, the true authority. */
static void test_foreign_certificate(void)
{
    World world;
    Authority other = authority_new();
    g_autofree char *key = x509_key_new(NULL);
    g_autofree char *request = x509_request_new(key, "a", NULL);
    g_autofree char *forged = x509_sign(other.key, other.certificate, request, "a", 5, NULL);
    g_autoptr(TlsIdentity) forger = tls_identity_new();

    world_open(&world);
    g_assert_true(tls_identity_load(forger, key, forged, world.ca.certificate, NULL, NULL));
    g_assert_false(x509_check(forged, world.ca.certificate, key, NULL));
    assert_refused(&world, forger, "b", "link", SJ_ERROR_DENIED, "it refused: ");
    g_assert_cmpuint(world.came, ==, 0);
    world_close(&world);
    authority_clear(&other);
}

static void test_revoked(void)
{
    World world;
    g_autofree char *serial = NULL, *key = NULL, *request = NULL, *certificate = NULL;
    g_autofree char *empty = NULL, *list = NULL;
    g_autoptr(TlsIdentity) c = NULL;
    g_autoptr(GError) error = NULL;
    int fd;

    world_open(&world);
    c = identity_new(&world.ca, "c", 5, &serial);
    fd = dial(&world, c, "b", "link", 5000, &error);
    g_assert_no_error(error);
    close(fd);
    assert_end(world.accepted);
    close(world.accepted);
    world.accepted = -1;
    empty = x509_revoke(world.ca.key, world.ca.certificate, NULL, NULL, &error);
    g_assert_no_error(error);
    list = x509_revoke(world.ca.key, world.ca.certificate, empty, serial, &error);
    g_assert_no_error(error);
    g_assert_cmpint(x509_crl_number(list, world.ca.certificate, NULL), ==,
                    x509_crl_number(empty, world.ca.certificate, NULL) + 1);
    key = x509_key_new(NULL);
    request = x509_request_new(key, "b", NULL);
    certificate = x509_sign(world.ca.key, world.ca.certificate, request, "b", 5, NULL);
    tls_identity_load(world.b, key, certificate, world.ca.certificate, list, &error);
    g_assert_no_error(error);
    assert_refused(&world, c, "b", "link", SJ_ERROR_DENIED, "it refused: ");
    close(dial_both(&world, "link")); /* others are let in as before */
    world_close(&world);
}

/* Nobody decides in time: the dialler gives up by itself, and the late answer is harmless. */
static void test_timeouts(void)
{
    World world;
    g_autoptr(GError) error = NULL;
    int fd;

    world_open(&world);
    world.late = TRUE;
    g_assert_cmpint(dial(&world, world.a, "b", "link", 300, &error), ==, -1);
    g_assert_error(error, SJ_ERROR, SJ_ERROR_TIMEOUT);
    WAIT_UNTIL(world.kept);
    fd = tls_accept(world.kept, NULL);
    if (fd >= 0) {
        assert_end(fd);
        close(fd);
    }
    world_close(&world);
}

/* Connections that say nothing do not keep others out, and vanish with their time. */
static void test_silent(void)
{
    World world;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int silent[20], fd;

    world_open(&world);
    to.sin_port = htons(tls_listener_port(world.listener));
    for (guint i = 0; i < G_N_ELEMENTS(silent); i++) {
        silent[i] = socket(AF_INET, SOCK_STREAM, 0);
        g_assert_cmpint(connect(silent[i], (struct sockaddr *)&to, sizeof to), ==, 0);
        if (i % 2)
            g_assert_cmpint(write(silent[i], "GET / HTTP/1.1\r\n\r\n", 18), ==, 18);
    }
    fd = dial_both(&world, "link");
    close(fd);
    for (guint i = 0; i < G_N_ELEMENTS(silent); i++)
        close(silent[i]);
    world_close(&world);
}

static void test_preamble(void)
{
    static const char *const bad[] = {"", "{", "[]", "{}", "{\"purpose\":1}", "\"purpose\"",
                                      "{\"purpose\":\"link\"} x"};
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) good = tls_preamble_parse("{\"purpose\":\"link\"}", 18, &error);
    g_autofree char *huge = g_strnfill(5000, ' ');

    g_assert_no_error(error);
    g_assert_cmpstr(json_get_string(good, "purpose", ""), ==, "link");
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_null(tls_preamble_parse(bad[i], strlen(bad[i]), NULL));
    memcpy(huge, "{\"purpose\":\"link\"}", 18);
    g_assert_null(tls_preamble_parse(huge, 5000, NULL));
    g_assert_true(tls_answer_check("{}", 2, "b", NULL));
    g_assert_false(tls_answer_check("{\"error\":\"busy\"}", 16, "b", &error));
    g_assert_cmpstr(error->message, ==, "b refused: busy");
    g_assert_false(tls_answer_check("{\"error\":1}", 11, "b", NULL));
    g_assert_false(tls_answer_check("yes", 3, "b", NULL));
}

/* gnutls-cli with these versions; whether its handshake was completed. */
static gboolean client_with(World *world, const char *priority)
{
    g_autofree char *port = g_strdup_printf("%u", tls_listener_port(world->listener));
    const char *argv[] = {"gnutls-cli", "--insecure", "--priority", priority, "-p", port,
                          "127.0.0.1", NULL};
    g_autoptr(GSubprocess) client = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;

    client = g_subprocess_newv(argv, G_SUBPROCESS_FLAGS_STDIN_PIPE |
                               G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                               &error);
    g_assert_no_error(error);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    /* The connection sits in the backlog until the main context runs: let it run meanwhile. */
    for (int i = 0; i < 300; i++) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
    g_assert_true(g_subprocess_communicate_utf8(client, "", NULL, &output, NULL, &error));
    g_test_message("%s", output);
    return strstr(output, "Handshake was completed") != NULL;
}

static void test_old_tls(void)
{
    World world;
    g_autofree char *found = g_find_program_in_path("gnutls-cli");

    if (!found) {
        g_test_skip("gnutls-cli is not installed (package gnutls-bin)");
        return;
    }
    world_open(&world);
    g_assert_false(client_with(&world, "NORMAL:-VERS-ALL:+VERS-TLS1.2"));
    g_assert_true(client_with(&world, "NORMAL:-VERS-ALL:+VERS-TLS1.3"));
    g_assert_cmpuint(world.came, ==, 0);
    world_close(&world);
}

static guint64 fold(guint64 sum, const void *data, gsize length)
{
    const guint64 *words = data;

    for (gsize i = 0; i < length / 8; i++)
        sum = (sum ^ words[i]) * 0x9e3779b97f4a7c15u + 1;
    return sum;
}

typedef struct {
    int fd;
    guint64 sum;
} Sender;

/* Sends BULK_MB of numbers that never repeat, then ends its direction. */
static gpointer send_bulk(gpointer data)
{
    Sender *sender = data;
    g_autofree guint64 *block = g_malloc(BLOCK);
    guint64 number = 88172645463325252u;

    for (int i = 0; i < BLOCK / 8; i++) {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        block[i] = number;
    }
    for (int m = 0; m < BULK_MB; m++) {
        gsize done = 0;
        block[m % (BLOCK / 8)] += m + 1;
        sender->sum = fold(sender->sum, block, BLOCK);
        while (done < BLOCK) {
            gssize part = write(sender->fd, (char *)block + done, BLOCK - done);
            g_assert_cmpint(part, >, 0);
            done += part;
        }
    }
    shutdown(sender->fd, SHUT_WR);
    return NULL;
}

/* MB/s from one descriptor to the other, everything checked. */
static double measure(int from, int to)
{
    Sender sender = {from, 0};
    g_autofree char *block = g_malloc(BLOCK);
    gint64 begin = g_get_monotonic_time();
    GThread *thread = g_thread_new("sender", send_bulk, &sender);
    guint64 sum = 0, total = 0;
    gsize filled = 0;
    gssize part;

    while ((part = read(to, block + filled, BLOCK - filled)) > 0) {
        total += part;
        filled += part;
        if (filled == BLOCK) {
            sum = fold(sum, block, BLOCK);
            filled = 0;
        }
    }
    g_assert_cmpint(part, ==, 0);
    g_thread_join(thread);
    g_assert_cmpuint(total, ==, (guint64)BULK_MB << 20);
    g_assert_cmphex(sum, ==, sender.sum);
    return total / 1e6 / ((g_get_monotonic_time() - begin) / 1e6);
}

static void test_bulk(void)
{
    World world;
    int fd, pair[2];
    double tls, back, plain;
    g_autoptr(Json) counters = NULL;

    world_open(&world);
    fd = dial_both(&world, "migration");
    tls = measure(fd, world.accepted);
    back = measure(world.accepted, fd); /* its direction is open still */
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
    plain = measure(pair[0], pair[1]);
    close(pair[0]);
    close(pair[1]);
    counters = tls_identity_counters(world.b);
    g_assert_cmpint(json_get_int(json_get(counters, "migration"), "bytes_in", -1), ==,
                    (gint64)BULK_MB << 20);
    g_assert_cmpint(json_get_int(json_get(counters, "migration"), "bytes_out", -1), ==,
                    (gint64)BULK_MB << 20);
    g_print("# %d MiB: TLS there %.0f MB/s, back %.0f MB/s; plain socket pair %.0f MB/s\n",
            BULK_MB, tls, back, plain);
    close(fd);
    world_close(&world);
}

static gpointer echo(gpointer data)
{
    int fd = GPOINTER_TO_INT(data);
    char text[64];
    gssize length;

    while ((length = read(fd, text, sizeof text)) > 0)
        g_assert_cmpint(write(fd, text, length), ==, length);
    return NULL;
}

static void test_latency(void)
{
    enum { ROUNDS = 2000 };
    World world;
    GThread *thread;
    gint64 begin;
    int fd;

    world_open(&world);
    fd = dial_both(&world, "link");
    thread = g_thread_new("echo", echo, GINT_TO_POINTER(world.accepted));
    begin = g_get_monotonic_time();
    for (int i = 0; i < ROUNDS; i++) {
        char text[64] = "ping";
        g_assert_cmpint(write(fd, text, sizeof text), ==, sizeof text);
        g_assert_cmpint(recv(fd, text, sizeof text, MSG_WAITALL), ==, sizeof text);
    }
    g_print("# a round trip of 64 bytes: %.0f us\n",
            (g_get_monotonic_time() - begin) / (double)ROUNDS);
    close(fd);
    g_thread_join(thread);
    world_close(&world);
}

/* Many connections at once, opened, used and closed in disorder. */
static void test_many(void)
{
    enum { MANY = 40 };
    World world;
    int fds[MANY], others[MANY];

    world_open(&world);
    for (int i = 0; i < MANY; i++) {
        fds[i] = dial_both(&world, i % 2 ? "link" : "migration");
        others[i] = world.accepted;
    }
    for (int i = 0; i < MANY; i++)
        g_assert_cmpint(write(fds[(i * 7) % MANY], &i, sizeof i), ==, sizeof i);
    for (int i = 0; i < MANY; i++) {
        int number = -1;
        g_assert_cmpint(recv(others[(i * 7) % MANY], &number, sizeof number, MSG_WAITALL), ==,
                        sizeof number);
        g_assert_cmpint(number, ==, i);
        close(i % 3 ? fds[(i * 7) % MANY] : others[(i * 7) % MANY]);
    }
    for (int i = 0; i < MANY; i++)
        close(i % 3 ? others[(i * 7) % MANY] : fds[(i * 7) % MANY]);
    world.accepted = -1;
    world_close(&world);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tls/stream", test_stream);
    g_test_add_func("/tls/half-close", test_half_close);
    g_test_add_func("/tls/full-close", test_full_close);
    g_test_add_func("/tls/cut", test_cut);
    g_test_add_func("/tls/refused", test_refused);
    g_test_add_func("/tls/no-certificate", test_no_certificate);
    g_test_add_func("/tls/foreign-certificate", test_foreign_certificate);
    g_test_add_func("/tls/revoked", test_revoked);
    g_test_add_func("/tls/timeouts", test_timeouts);
    g_test_add_func("/tls/silent", test_silent);
    g_test_add_func("/tls/preamble", test_preamble);
    g_test_add_func("/tls/old-tls", test_old_tls);
    g_test_add_func("/tls/many", test_many);
    g_test_add_func("/tls/latency", test_latency);
    g_test_add_func("/tls/bulk", test_bulk);
    return g_test_run();
}
