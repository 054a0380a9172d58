/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-wire.c - every message there and back, its bytes, and what is refused */
#include "common/wire.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static uint32_t groups[] = { 1000, 27, 4000000000u };
static char *argv[] = { (char *)"/bin/echo", (char *)"", (char *)"caf\xc3\xa9 \xff", NULL };
static char *addresses[] = { (char *)"eth0 2 192.0.2.1/24", (char *)"eth0 2 2001:db8::1/64", NULL };
static char *env[] = { (char *)"PATH=/usr/bin:/bin", (char *)"EMPTY=", NULL };

static WireMessage start_message(void)
{
    WireMessage message = {
        .type = WIRE_START,
        .start = {
            .version = WIRE_VERSION,
            .argv = { 3, argv },
            .env = { 2, env },
            .cwd = "/home/a b",
            .hostname = "node1",
            .domainname = "(none)",
            .uid = 1000,
            .gid = 1001,
            .group_count = 3,
            .groups = groups,
            .umask = 022,
            .pid = 4194303,
            .ppid = 4711,
            .pgid = 4194303,
            .sid = 4000,
            .stdio = { WIRE_TERMINAL, WIRE_PIPE, WIRE_NULL },
            .merged = true,
            .winsize = { 24, 80, 640, 480 },
            .modes = { .iflag = 1, .oflag = 5, .cflag = 0xbf, .lflag = 0x8a3b, .line = 0, .ispeed = 38400,
                .ospeed = 38400 },
            .realtime_ns = 1700000000123456789u,
            .flags = WIRE_LINGER,
            .nice = -5,
            .ignored = 1ull << (SIGPIPE - 1),
            .blocked = 1ull << 63,
            .memory_bytes = 256ull << 20,
            .program = "/usr/bin/true",
            .addresses = { 2, addresses },
            .root_dev = 0x801,
            .seed = { 1, UINT64_MAX, 0x0123456789abcdef, 0 },
        },
    };

    for (unsigned i = 0; i < WIRE_RLIMITS; i++) {
        message.start.rlimits[i].current = i;
        message.start.rlimits[i].maximum = UINT64_MAX;
    }
    message.start.modes.cc[0] = 3;
    message.start.modes.cc[31] = 0xff;
    return message;
}

/* One of each; the order is that of the types. */
static const WireMessage others[] = {
    { .type = WIRE_SIGNAL, .signal = { SIGTERM, WIRE_PROCESS, false, 0 } },
    { .type = WIRE_WINSIZE, .winsize = { 50, 132, 0, 65535 } },
    { .type = WIRE_INPUT, .data = { WIRE_TTY, "ls\n", 3 } },
    { .type = WIRE_INPUT_END, .stream = WIRE_STDIN },
    { .type = WIRE_OUTPUT_BROKEN, .stream = WIRE_STDOUT },
    { .type = WIRE_CONTINUE },
    { .type = WIRE_CLOCK, .realtime_ns = 1 },
    { .type = WIRE_END, .grace_ms = 2000 },
    { .type = WIRE_READY, .ready = { WIRE_VERSION, "6.1.0-sojourn", "x86_64", 312 } },
    { .type = WIRE_STARTED, .pid = 4711 },
    { .type = WIRE_FAILED, .failed = { ENOENT, WIRE_STAGE_EXECUTE, "nosuch: No such file or directory" } },
    { .type = WIRE_OUTPUT, .data = { WIRE_STDERR, "\0\1", 2 } },
    { .type = WIRE_OUTPUT_END, .stream = WIRE_STDERR },
    { .type = WIRE_INPUT_BROKEN, .stream = WIRE_STDIN },
    { .type = WIRE_STOPPED, .stop_signal = SIGTSTP },
    { .type = WIRE_CONTINUED },
    { .type = WIRE_MODES, .modes = { .lflag = 7, .cc = { 1, 2, 3 } } },
    { .type = WIRE_EXITED, .exited = { 7 << 8, { 1, 2, 3, 4, 5, 6, 7, 8, UINT64_MAX } } },
    { .type = WIRE_USAGE, .usage = { 1000000000u, 64u << 20 } },
    { .type = WIRE_TAKEN, .taken = { WIRE_STDOUT, 131072 } },
    { .type = WIRE_ASK, .ask = { 7, true, "pms/where", "node2" } },
    { .type = WIRE_ANSWER, .answer = { 7, EBUSY, "" } },
    { .type = WIRE_DEPART },
    { .type = WIRE_DEPARTED },
    { .type = WIRE_LEFT, .left_status = 3 << 8 },
};
G_STATIC_ASSERT(G_N_ELEMENTS(others) == WIRE_TYPES - 2);

static GBytes *encode(const WireMessage *message)
{
    size_t size;
    void *bytes = wire_encode_new(message, &size);

    g_assert_nonnull(bytes);
    return g_bytes_new_with_free_func(bytes, size, free, bytes);
}

/* There and back gives the same bytes, a shorter or longer message is none, a small buffer is not overrun. */
static void check_message(const WireMessage *message)
{
    g_autoptr(GBytes) bytes = encode(message);
    g_autoptr(GBytes) again = NULL;
    g_autofree uint8_t *longer = NULL;
    size_t size;
    const uint8_t *data = g_bytes_get_data(bytes, &size);
    bool open_ended = message->type == WIRE_INPUT || message->type == WIRE_OUTPUT;
    WireMessage decoded;

    g_assert_cmpuint(data[0], ==, message->type);
    g_assert_cmpint(wire_decode(&decoded, data, size), ==, 0);
    again = encode(&decoded);
    g_assert_cmpmem(data, size, g_bytes_get_data(again, NULL), g_bytes_get_size(again));
    wire_clear(&decoded);

    for (size_t cut = 0; cut < size; cut++) {
        g_autofree uint8_t *part = g_malloc(cut + 1);

        memcpy(part, data, cut);
        part[cut] = 0xa5;
        if (!open_ended || cut <= WIRE_DATA_HEAD)
            g_assert_cmpint(wire_decode(&decoded, part, cut), ==, -EPROTO);
        g_assert_cmpuint(wire_encode(message, part, cut), ==, size);
        g_assert_cmpuint(part[cut], ==, 0xa5);
    }
    longer = g_malloc0(size + 1);
    memcpy(longer, data, size);
    if (!open_ended)
        g_assert_cmpint(wire_decode(&decoded, longer, size + 1), ==, -EPROTO);
}

static void test_round_trip(void)
{
    WireMessage start = start_message();

    check_message(&start);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_cmpint(others[i].type, ==, i + 2);
        check_message(&others[i]);
    }
}

static void test_start_fields(void)
{
    WireMessage start = start_message(), back;
    g_autoptr(GBytes) bytes = encode(&start);
    size_t size;
    const void *data = g_bytes_get_data(bytes, &size);

    g_assert_cmpint(wire_decode(&back, data, size), ==, 0);
    g_assert_true(g_strv_equal((const char *const *)back.start.argv.items, (const char *const *)argv));
    g_assert_true(g_strv_equal((const char *const *)back.start.env.items, (const char *const *)env));
    g_assert_cmpstr(back.start.cwd, ==, "/home/a b");
    g_assert_cmpstr(back.start.domainname, ==, "(none)");
    g_assert_cmpmem(back.start.groups, back.start.group_count * 4, groups, sizeof groups);
    g_assert_cmpuint(back.start.rlimits[15].current, ==, 15);
    g_assert_cmpuint(back.start.rlimits[15].maximum, ==, UINT64_MAX);
    g_assert_cmpint(back.start.pid, ==, 4194303);
    g_assert_cmpint(back.start.nice, ==, -5);
    g_assert_cmpint(back.start.stdio[1], ==, WIRE_PIPE);
    g_assert_cmpuint(back.start.modes.cc[31], ==, 0xff);
    g_assert_cmpuint(back.start.blocked, ==, 1ull << 63);
    wire_clear(&back);
}

/* The bytes that docs/protocol.md promises. */
static void test_bytes(void)
{
    static const uint8_t taken[] = { WIRE_TAKEN, 1, 0, 0, 2, 0 };
    static const uint8_t failed[] = { WIRE_FAILED, 2, 0, 0, 0, 3, 2, 0, 0, 0, 'n', 'o', 0 };
    WireMessage no = { .type = WIRE_FAILED, .failed = { ENOENT, WIRE_STAGE_EXECUTE, "no" } };
    WireMessage some = { .type = WIRE_TAKEN, .taken = { WIRE_STDOUT, 131072 } };
    g_autoptr(GBytes) taken_bytes = encode(&some);
    g_autoptr(GBytes) failed_bytes = encode(&no);
    uint8_t head[WIRE_DATA_HEAD];

    g_assert_cmpmem(taken, sizeof taken, g_bytes_get_data(taken_bytes, NULL), g_bytes_get_size(taken_bytes));
    g_assert_cmpmem(failed, sizeof failed, g_bytes_get_data(failed_bytes, NULL), g_bytes_get_size(failed_bytes));
    wire_data_head(head, WIRE_OUTPUT, WIRE_TTY);
    g_assert_cmpint(head[0], ==, WIRE_OUTPUT);
    g_assert_cmpint(head[1], ==, WIRE_TTY);
}

static void test_refused(void)
{
    static const struct {
        size_t size;
        uint8_t bytes[14];
    } bad[] = {
        { 1, { 0 } },                                               /* no such type */
        { 1, { WIRE_TYPES } },
        { 2, { WIRE_INPUT_END, 4 } },                               /* no such stream */
        { 3, { WIRE_INPUT, WIRE_STDOUT, 'a' } },                    /* the wrong way */
        { 3, { WIRE_OUTPUT, WIRE_STDIN, 'a' } },
        { 2, { WIRE_OUTPUT, WIRE_STDOUT } },                        /* no data */
        { 5, { WIRE_STOPPED, 0, 0, 0, 0 } },                        /* no signal */
        { 5, { WIRE_STOPPED, 65, 0, 0, 0 } },
        { 13, { WIRE_FAILED, 2, 0, 0, 0, 3, 2, 0, 0, 0, 'n', 0, 0 } },   /* a zero inside */
        { 13, { WIRE_FAILED, 2, 0, 0, 0, 3, 2, 0, 0, 0, 'n', 'o', '!' } },  /* none at the end */
        { 13, { WIRE_FAILED, 2, 0, 0, 0, 3, 255, 255, 255, 255, 'n', 'o', 0 } },
        { 9, { WIRE_START, 1, 0, 0, 0, 255, 255, 255, 255 } },      /* more strings than bytes */
        { 9, { WIRE_START, 1, 0, 0, 0, 0, 0, 0, 0 } },              /* no program */
        { 14, { WIRE_ASK, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0 } },  /* neither read nor written */
        { 14, { WIRE_ANSWER, 1, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0 } },  /* no errno */
    };
    WireMessage message;

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpint(wire_decode(&message, bad[i].bytes, bad[i].size), ==, -EPROTO);
}

/* Each message is found by its name in the protocol's description. */
static void test_documented(void)
{
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "docs", "protocol.md", NULL);
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (WireType type = WIRE_START; type < WIRE_TYPES; type++) {
        g_autofree char *row = g_strdup_printf("| %d | %s |", type, wire_name(type));

        if (!strstr(text, row))
            g_error("docs/protocol.md has no row '%s'", row);
    }
    g_assert_cmpstr(wire_name(WIRE_TYPES), ==, "?");
}

/* Writes the seeds of fuzz-wire. */
static int write_seeds(const char *folder)
{
    WireMessage start = start_message();

    for (size_t i = 0; i <= G_N_ELEMENTS(others); i++) {
        const WireMessage *message = i ? &others[i - 1] : &start;
        g_autoptr(GBytes) bytes = encode(message);
        g_autofree char *name = g_ascii_strdown(wire_name(message->type), -1);
        g_autofree char *path = g_build_filename(folder, name, NULL);

        if (!g_file_set_contents(path, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL))
            return 1;
    }
    return 0;
}

int main(int argc, char **words)
{
    if (argc == 3 && strcmp(words[1], "--write-seeds") == 0)
        return write_seeds(words[2]);
    g_test_init(&argc, &words, NULL);
    g_test_add_func("/wire/round-trip", test_round_trip);
    g_test_add_func("/wire/start-fields", test_start_fields);
    g_test_add_func("/wire/bytes", test_bytes);
    g_test_add_func("/wire/refused", test_refused);
    g_test_add_func("/wire/documented", test_documented);
    return g_test_run();
}
