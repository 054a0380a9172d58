/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-deputy.c - parts of the deputy that need neither guest nor controller */
#include "deputy/home-network.h"
#include "deputy/pair.h"
#include "deputy/sandbox.h"
#include "deputy/signals.h"
#include "deputy/start.h"
#include "deputy/streams.h"
#include "deputy/syscalls.h"
#include "deputy/timings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_below(void)
{
    g_assert_cmpstr(start_below("/home/u/x", NULL), ==, "/home/u/x");
    g_assert_cmpstr(start_below("/home/u/x", "/"), ==, "/home/u/x");
    g_assert_cmpstr(start_below("/home/u/x", "/home/u"), ==, "/x");
    g_assert_cmpstr(start_below("/home/u", "/home/u"), ==, "/");
    g_assert_cmpstr(start_below("/home/user", "/home/u"), ==, "/");
    g_assert_cmpstr(start_below("/etc", "/home/u"), ==, "/");
}

/* The first executable file of that name in a folder of PATH; folders that are not absolute end the search. */
static void test_program(void)
{
    g_autofree char *folder = g_dir_make_tmp("sj-XXXXXX", NULL);
    g_autofree char *plain = g_build_filename(folder, "plain", NULL);
    g_autofree char *good = g_build_filename(folder, "good", NULL);
    g_autofree char *sub = g_build_filename(folder, "sub", NULL);
    g_autofree char *path = g_strdup_printf("%s:/nonexistent:%s", sub, folder);
    g_autofree char *relative = g_strdup_printf("%s:.:%s", sub, folder);
    static const struct {
        const char *name;
        gboolean relative, found;
    } cases[] = {
        { "good", FALSE, TRUE }, { "plain", FALSE, FALSE }, { "sub", FALSE, FALSE }, { "none", FALSE, FALSE },
        { "./good", FALSE, FALSE }, { "", FALSE, FALSE }, { "good", TRUE, FALSE },
    };

    g_assert_true(g_file_set_contents(plain, "x", 1, NULL) && g_file_set_contents(good, "x", 1, NULL));
    g_assert_cmpint(chmod(good, 0755) | mkdir(sub, 0755), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *found = start_program(cases[i].name, cases[i].relative ? relative : path);
        g_assert_cmpstr(found, ==, cases[i].found ? good : "");
    }
    g_autofree char *nowhere = start_program("good", NULL);
    g_assert_cmpstr(nowhere, ==, "");
    unlink(plain);
    unlink(good);
    rmdir(sub);
    rmdir(folder);
}

static void test_start(void)
{
    char *command[] = { (char *) "a", (char *) "b c", NULL };
    const RunOptions options = { .command = command, .linger = TRUE, .memory_bytes = 64 << 20 };
    const guint8 kinds[3] = { WIRE_NULL, WIRE_PIPE, WIRE_PIPE };
    Terminal terminal = { .fd = -1 };
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = start_new(&options, &terminal, kinds, &error);
    WireMessage message;

    g_assert_no_error(error);
    g_assert_cmpint(wire_decode(&message, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)),
                    ==, 0);
    g_assert_cmpint(message.type, ==, WIRE_START);
    g_assert_cmpstr(message.start.argv.items[1], ==, "b c");
    g_assert_cmpint(message.start.pid, ==, getpid());
    g_assert_cmpuint(message.start.uid, ==, getuid());
    g_assert_cmpuint(message.start.flags, ==, WIRE_LINGER | WIRE_SOCKETS);
    g_assert_cmpuint(message.start.memory_bytes, ==, 64 << 20);
    g_assert_cmpuint(message.start.env.count, ==, g_strv_length(environ));
    wire_clear(&message);
}

static void test_too_long(void)
{
    g_autofree char *word = g_strnfill(6 << 20, 'x');
    char *command[] = { (char *) "a", word, NULL };
    const RunOptions options = { .command = command };
    const guint8 kinds[3] = { 0 };
    Terminal terminal = { .fd = -1 };
    g_autoptr(GError) error = NULL;

    g_assert_null(start_new(&options, &terminal, kinds, &error));
    g_assert_nonnull(error);
}

static void test_pair(void)
{
    WireMessage message = { .type = WIRE_STOPPED, .stop_signal = SIGTSTP };
    guint8 packet[64];
    int ends[2];
    Timings timings = { { 0 } };

    g_assert_true(pair_new(ends, NULL));
    g_assert_true(pair_send_message(ends[0], &message));
    timings_send(ends[0], PAIR_READY);
    gssize size = recv(ends[1], packet, sizeof packet, 0);
    g_assert_cmpint(wire_decode(&message, packet, (gsize) size), ==, 0);
    g_assert_cmpint(message.stop_signal, ==, SIGTSTP);
    size = recv(ends[1], packet, sizeof packet, 0);
    g_assert_cmpint(packet[0], ==, PAIR_MARK);
    timings_take(&timings, packet + 1, (gsize) size - 1);
    g_assert_cmpuint(timings.us[PAIR_READY], >, 0);
    packet[1] = 200;
    timings_take(&timings, packet + 1, (gsize) size - 1);
    close(ends[0]);
    close(ends[1]);
}

/* A pipe that is full takes what it can, keeps the rest, and the shared description stays blocking.
 */
static void test_full_pipe(void)
{
    g_autofree char *bytes = g_strnfill(100000, 'y');
    StreamOutput output;
    int ends[2];
    gsize written = 0, got = 0;
    char buffer[32768];

    g_assert_cmpint(pipe(ends), ==, 0);
    stream_output_init(&output, ends[1], FALSE);
    stream_output_add(&output, bytes, 100000);
    g_assert_true(stream_output_flush(&output));
    g_assert_true(stream_output_pending(&output));
    written = stream_output_report(&output);
    g_assert_cmpuint(written, >=, 4096);
    g_assert_cmpuint(written, <, 100000);
    g_assert_cmpint(fcntl(ends[1], F_GETFL) & O_NONBLOCK, ==, 0);
    while (got < 100000) {
        got += (gsize) read(ends[0], buffer, sizeof buffer);
        g_assert_true(stream_output_flush(&output));
    }
    g_assert_false(stream_output_pending(&output));
    g_assert_cmpuint(written + stream_output_report(&output), ==, 100000);
    close(ends[0]);
    stream_output_add(&output, "z", 1);
    g_assert_false(stream_output_flush(&output));
    g_assert_cmpint(output.failed, ==, EPIPE);
    g_assert_cmpuint(stream_output_report(&output), >=, 1);
    close(ends[1]);
}

static void test_input(void)
{
    StreamInput input;
    int ends[2];
    char buffer[16];

    g_assert_cmpint(pipe(ends), ==, 0);
    stream_input_init(&input, ends[0], FALSE);
    g_assert_cmpint(stream_input_read(&input, buffer, sizeof buffer), ==, -1);
    g_assert_cmpint(errno, ==, EAGAIN);
    g_assert_cmpint(write(ends[1], "abc", 3), ==, 3);
    input.window = 2;
    g_assert_cmpint(stream_input_read(&input, buffer, sizeof buffer), ==, 2);
    g_assert_false(stream_input_wanted(&input));
    input.window = 9;
    g_assert_cmpint(stream_input_read(&input, buffer, sizeof buffer), ==, 1);
    close(ends[1]);
    g_assert_cmpint(stream_input_read(&input, buffer, sizeof buffer), ==, 0);
    stream_input_close(&input);
    close(ends[0]);
}

static void test_signals(void)
{
    g_assert_true(signals_kill(SIGTERM));
    g_assert_true(signals_kill(SIGRTMIN));
    g_assert_false(signals_kill(SIGCHLD));
    g_assert_false(signals_kill(SIGTSTP));
    g_assert_true(signals_stop(SIGTTIN));
    if (g_test_subprocess())
        signals_die(SIGUSR1, FALSE);
    g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
    g_test_trap_assert_failed();
}

static void test_syscalls_sorted(void)
{
    for (const char *const *name = syscalls_allowed; name[1]; name++)
        g_assert_cmpstr(name[0], <, name[1]);
}

static gpointer nothing(gpointer data)
{
    return data;
}

/* What a locked process can do no more; its exit status says how far it came. */
static int locked(void)
{
    GError *error = NULL;

    if (!sandbox_process(-1, SANDBOX_NO_NETWORK, &error))
        return 100;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        return 1;
    if (syscall(SYS_kill, getppid(), 0) == 0 || errno != EPERM)
        return 2;
    if (execl("/bin/true", "true", NULL) == 0 || errno != EPERM)
        return 3;
    if (open("/etc/passwd", O_RDONLY) < 0)
        return 4;
    int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
    if (unix_socket < 0)
        return 5;
    g_thread_join(g_thread_new("t", nothing, NULL));
    return 0;
}

static void test_locked(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(locked());
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

/* Of several default routes the one of least metric; what is rejected, or leads somewhere only, is none. */
static void test_default_routes(void)
{
    g_autofree char *four = home_network_route(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "none0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        "none1\t00000000\tFE0200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "none1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n", FALSE);
    g_autofree char *six = home_network_route(
        "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 "
        "00000100 00000001 00000000 00000001    none2\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 "
        "00000400 00000003 00000000 00000003    none2\n"
        "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 "
        "ffffffff 00000001 00000000 00200200       lo\n", TRUE);

    g_assert_cmpstr(four, ==, "none1 0 via 192.0.2.254");
    g_assert_cmpstr(six, ==, "none2 0 via fd00::1");
    g_assert_null(home_network_route("", FALSE));
    g_assert_null(home_network_route("nonsense\n\n", TRUE));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN); /* as blocked as in the front */
    g_test_add_func("/deputy/start/below", test_below);
    g_test_add_func("/deputy/start/program", test_program);
    g_test_add_func("/deputy/start/message", test_start);
    g_test_add_func("/deputy/start/too-long", test_too_long);
    g_test_add_func("/deputy/pair", test_pair);
    g_test_add_func("/deputy/streams/full-pipe", test_full_pipe);
    g_test_add_func("/deputy/streams/input", test_input);
    g_test_add_func("/deputy/signals", test_signals);
    g_test_add_func("/deputy/sandbox/sorted", test_syscalls_sorted);
    g_test_add_func("/deputy/sandbox/locked", test_locked);
    g_test_add_func("/deputy/default-routes", test_default_routes);
    return g_test_run();
}
