/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-gate-live.c - both gates between two real libvirtds and a genuine libvirt client
 *
 * Two private libvirtds of an ordinary user (root becomes nobody first), a guest that is a PC
 * without a disk, and in between what a node has: a socket for the client, the gate at the source,
 * a socket pair in place of the TLS connection, the gate at the destination. With
 * SOJOURN_GATE_ROUNDS=N the times with and without the gates are measured over N rounds.
 */
#include <errno.h>
#include <glib-unix.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hypervisor/gate.h"
#include "hypervisor/gate-source.h"

#define UUID "0c7b4a5e-8f0e-4ad1-9c0e-52e5a7f0b8d1"
#define NAME "sojourn-" UUID
#define WAIT_S 60

typedef struct {
    char *dir, *socket, *incoming, *channel;
    pid_t pid;
    virConnectPtr conn;
} Node;

/* What the destination says when FINISH3 is done there. */
typedef enum { COMMIT, REFUSE, LOSE_OURS, LOSE_THEIRS, VANISH } Ending;

static Node nodes[2];
static char *base;

/* Nodes */

static void reap(void)
{
    for (int i = 0; i < 64; i++) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);

        if (pid <= 0)
            break;
        for (guint n = 0; n < G_N_ELEMENTS(nodes); n++)
            if (nodes[n].pid == pid)
                nodes[n].pid = 0;
    }
}

/* Dead QEMUs must be reaped at once, also while the main loop is not running. */
static gpointer reaper(gpointer user)
{
    for (;;) {
        reap();
        g_usleep(5000);
    }
    return NULL;
}

static void write_file(const char *dir, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(dir, name, NULL), *parent = g_path_get_dirname(path);

    g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void node_exec(const Node *node)
{
    g_autofree char *conf = g_build_filename(node->dir, "libvirtd.conf", NULL);
    g_autofree char *log = g_build_filename(node->dir, "log", NULL);
    g_autofree char *config = g_build_filename(node->dir, "config", NULL);

    setenv("XDG_RUNTIME_DIR", node->dir, 1);
    setenv("XDG_CONFIG_HOME", config, 1);
    setenv("XDG_CACHE_HOME", base, 1); /* shared, so that QEMU is asked for its capabilities once */
    setenv("HOME", node->dir, 1);
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 1);
    setenv("DBUS_SYSTEM_BUS_ADDRESS", "disabled:", 1);
    if (!freopen(log, "w", stderr) || !freopen("/dev/null", "r", stdin) || dup2(2, 1) < 0)
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    execl(LIBVIRTD_PATH, "libvirtd", "-f", conf, NULL);
    _exit(127);
}

static virConnectPtr node_connect(const char *socket)
{
    g_autofree char *uri = g_strdup_printf("qemu+unix:///session?socket=%s", socket);

    return virConnectOpen(uri);
}

static void node_start(Node *node, const char *name, guint number)
{
    g_autofree char *conf =
        g_strdup_printf("host_uuid = \"0c7b4a5e-8f0e-4ad1-9c0e-52e5a7f0b%03u\"\n"
                        "auth_unix_rw = \"none\"\n",
                        number);

    node->dir = g_build_filename(base, name, NULL);
    node->socket = g_build_filename(node->dir, "libvirt", "libvirt-sock", NULL);
    node->incoming = g_build_filename(node->dir, "in", NULL);
    node->channel = g_build_filename(node->dir, "ch", NULL);
    write_file(node->dir, "libvirtd.conf", conf);
    write_file(node->dir, "config/libvirt/qemu.conf",
               "security_driver = \"none\"\nstdio_handler = \"file\"\nseccomp_sandbox = 1\n");
    node->pid = fork();
    if (node->pid == 0)
        node_exec(node);
    for (gint64 end = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC; !node->conn;
         g_usleep(50000)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        node->conn = node_connect(node->socket);
    }
}

static void node_stop(Node *node)
{
    if (node->conn)
        virConnectClose(node->conn);
    if (node->pid > 0)
        kill(node->pid, SIGTERM);
    for (int i = 0; i < 200 && node->pid > 0; i++)
        g_usleep(50000);
    g_free(node->dir);
    g_free(node->socket);
    g_free(node->incoming);
    g_free(node->channel);
}

/* -1: no guest */
static int guest_state(const Node *node)
{
    virDomainPtr domain = virDomainLookupByUUIDString(node->conn, UUID);
    int state = -1;

    if (domain) {
        virDomainGetState(domain, &state, NULL, 0);
        virDomainFree(domain);
    }
    return state;
}

static void assert_state_soon(const Node *node, int state)
{
    for (int i = 0; i < 100 && guest_state(node) != state; i++)
        g_usleep(50000);
    g_assert_cmpint(guest_state(node), ==, state);
}

static void guest_do(const Node *node, int (*what)(virDomainPtr))
{
    virDomainPtr domain = virDomainLookupByUUIDString(node->conn, UUID);

    g_assert_nonnull(domain);
    g_assert_cmpint(what(domain), ==, 0);
    virDomainFree(domain);
}

static char *guest_xml_for(const Node *node)
{
    return g_strdup_printf(
        "<domain type='qemu'><name>" NAME "</name><uuid>" UUID
        "</uuid><memory unit='MiB'>64</memory>"
        "<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>"
        "<cpu mode='custom' match='exact' check='none'><model "
        "fallback='forbid'>qemu64</model></cpu>"
        "<on_crash>destroy</on_crash><devices><emulator>%s</emulator>"
        "<controller type='usb' model='none'/><memballoon model='none'/>"
        "<channel type='unix'><source mode='bind' path='%s'/>"
        "<target type='virtio' name='sojourn.link'/></channel></devices></domain>",
        QEMU_PATH, node->channel);
}

static void guest_start(const Node *node)
{
    g_autofree char *xml = guest_xml_for(node);
    virDomainPtr domain = virDomainCreateXML(node->conn, xml, 0);

    g_assert_nonnull(domain);
    virDomainFree(domain);
}

/* Plumbing */

static int unix_socket(const char *path, struct sockaddr_un *ret_address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    g_strlcpy(ret_address->sun_path, path, sizeof(ret_address->sun_path));
    return fd;
}

static int unix_listen(const char *path)
{
    struct sockaddr_un address;
    int fd = unix_socket(path, &address);

    unlink(path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(fd, 4), ==, 0);
    return fd;
}

typedef struct {
    int listener;
    const char *target;
    gsize bytes;
} Stream;

/* QEMU's stream, which in a node goes through TLS. It has a way back. */
static gpointer stream_pump(gpointer user)
{
    Stream *stream = user;
    struct sockaddr_un address;
    struct pollfd ends[2] = { { accept(stream->listener, NULL, NULL), POLLIN, 0 },
                              { -1, POLLIN, 0 } };
    char buffer[65536];
    gssize got = 1;

    if (ends[0].fd < 0)
        return NULL;
    ends[1].fd = unix_socket(stream->target, &address);
    if (connect(ends[1].fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        got = 0;
    while (got > 0 && poll(ends, 2, -1) > 0) {
        for (int i = 0; i < 2 && got > 0; i++) {
            if (!ends[i].revents)
                continue;
            got = read(ends[i].fd, buffer, sizeof(buffer));
            if (got > 0 && send(ends[1 - i].fd, buffer, got, MSG_NOSIGNAL) != got)
                got = 0;
            stream->bytes += MAX(got, 0);
        }
    }
    close(ends[0].fd);
    close(ends[1].fd);
    return NULL;
}

/* One migration through both gates */

typedef struct {
    Node *from, *to;
    Ending ending;
    GMainLoop *loop;
    Gate *gate;
    GateSource *source;
    char *socket, *uri;
    gboolean direct;

    gboolean prepared, present, finished, unsure, source_over, call_over;
    char *gate_reason, *source_reason;
    gboolean gate_ended, violation;
    gboolean migrated;
    char *error;
    gint64 started, ended, decided;
} Run;

static void run_quit_if_over(Run *run)
{
    if (run->call_over && (run->direct || (!run->gate && !run->source)))
        g_main_loop_quit(run->loop);
}

static void on_prepared(Gate *gate, gpointer user)
{
    Run *run = user;
    g_assert_true(g_file_test(run->to->incoming, G_FILE_TEST_EXISTS));
    g_assert_true(g_file_test(run->to->channel, G_FILE_TEST_EXISTS));
    run->prepared = TRUE;
    if (run->ending == VANISH)
        g_clear_pointer(&run->gate, gate_free);
}

static void on_finished(Gate *gate, gboolean present, gpointer user)
{
    Run *run = user;

    run->finished = TRUE;
    run->present = present;
    run->decided = g_get_monotonic_time();
    if (!present)
        return;
    g_assert_cmpint(guest_state(run->to), ==, VIR_DOMAIN_PAUSED);
    g_assert_cmpint(guest_state(run->from), ==, VIR_DOMAIN_PAUSED);
    if (run->ending == COMMIT) {
        guest_do(run->to, virDomainResume);
        gate_commit(gate);
    } else if (run->ending == REFUSE) {
        guest_do(run->to, virDomainDestroy);
        gate_refuse(gate, "the deputy has another one");
    } else {
        g_clear_pointer(&run->gate, gate_free);
    }
}

static void on_gate_ended(Gate *gate, const char *reason, gboolean violation, gpointer user)
{
    Run *run = user;

    run->gate_ended = TRUE;
    run->gate_reason = g_strdup(reason);
    run->violation |= violation;
    g_clear_pointer(&run->gate, gate_free);
    run_quit_if_over(run);
}

static void on_unsure(GateSource *source, const char *text, gpointer user)
{
    Run *run = user;

    run->unsure = TRUE;
    g_usleep(300000);  /* libvirt has the time to do something rash */
    g_assert_cmpint(guest_state(run->from), ==, VIR_DOMAIN_PAUSED);
    if (run->ending == LOSE_THEIRS)
        guest_do(run->to, virDomainResume);
    else if (run->ending == LOSE_OURS)
        guest_do(run->to, virDomainDestroy);
    gate_source_settle(source, run->ending != LOSE_THEIRS);
}

static void on_source_ended(GateSource *source, const char *reason, gboolean violation,
                            gpointer user)
{
    Run *run = user;

    run->source_over = TRUE;
    run->source_reason = g_strdup(reason);
    g_clear_pointer(&run->source, gate_source_free);
    run_quit_if_over(run);
}

static const GateEvents gate_events = { on_prepared, on_finished, on_gate_ended };
static const GateSourceEvents source_events = { .unsure = on_unsure, .ended = on_source_ended };

static Gate *make_gate(Run *run, int fd)
{
    g_autofree char *xml = guest_xml_for(run->to);
    GateConfig config = { run->to->socket, NAME, UUID, xml, run->to->incoming, 10, 60 };

    return gate_new(fd, &config, &gate_events, run);
}

static gboolean on_client(int listener, GIOCondition condition, gpointer user)
{
    Run *run = user;
    GateSourceConfig config = { NAME, UUID };
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    run->source =
        gate_source_new(accept(listener, NULL, NULL), pair[0], &config, &source_events, run);
    run->gate = make_gate(run, pair[1]);
    return G_SOURCE_REMOVE;
}

static gboolean on_call_over(gpointer user)
{
    Run *run = user;

    run->call_over = TRUE;
    run_quit_if_over(run);
    return G_SOURCE_REMOVE;
}

static gpointer migrate_thread(gpointer user)
{
    Run *run = user;
    virConnectPtr source = node_connect(run->from->socket), target;
    virDomainPtr domain = virDomainLookupByUUIDString(source, UUID), moved;
    virTypedParameterPtr params = NULL;
    int count = 0, max = 0;

    run->started = g_get_monotonic_time();
    target = node_connect(run->socket);
    if (target) {
        virTypedParamsAddString(&params, &count, &max, VIR_MIGRATE_PARAM_URI, run->uri);
        moved =
            virDomainMigrate3(domain, target, params, count, VIR_MIGRATE_LIVE | VIR_MIGRATE_PAUSED);
        run->migrated = moved != NULL;
        if (moved)
            virDomainFree(moved);
        virTypedParamsFree(params, count);
    }
    if (!run->migrated)
        run->error = g_strdup(virGetLastErrorMessage());
    run->ended = g_get_monotonic_time();
    if (target)
        virConnectClose(target);
    virDomainFree(domain);
    virConnectClose(source);
    g_idle_add(on_call_over, run);
    return NULL;
}

static gboolean on_watchdog(gpointer user)
{
    g_error("a migration did not end");
    return G_SOURCE_REMOVE;
}

static void run_clear(Run *run)
{
    gate_source_free(run->source);
    gate_free(run->gate);
    g_main_loop_unref(run->loop);
    g_free(run->socket);
    g_free(run->uri);
    g_free(run->gate_reason);
    g_free(run->source_reason);
    g_free(run->error);
}

static void migrate(Run *run, Node *from, Node *to, Ending ending, gboolean direct)
{
    g_autofree char *stream_path = g_build_filename(from->dir, "st", NULL);
    GThread *worker, *pump = NULL;
    Stream stream = { -1, to->incoming, 0 };
    guint watch = 0, dog = g_timeout_add_seconds(WAIT_S, on_watchdog, NULL);
    int listener = -1;

    *run = (Run){ .from = from, .to = to, .ending = ending, .direct = direct };
    run->loop = g_main_loop_new(NULL, FALSE);
    run->socket = direct ? g_strdup(to->socket) : g_build_filename(from->dir, "gs", NULL);
    run->uri = g_strconcat("unix://", direct ? to->incoming : stream_path, NULL);
    if (!direct) {
        listener = unix_listen(run->socket);
        watch = g_unix_fd_add(listener, G_IO_IN, on_client, run);
        stream.listener = unix_listen(stream_path);
        pump = g_thread_new("stream", stream_pump, &stream);
    }
    worker = g_thread_new("migrate", migrate_thread, run);
    g_main_loop_run(run->loop);
    g_thread_join(worker);
    if (!direct) {
        shutdown(stream.listener, SHUT_RDWR);
        g_thread_join(pump);
        close(stream.listener);
        close(listener);
        if (run->migrated)
            g_assert_cmpuint(stream.bytes, >, 256 << 10);
    } else if (run->migrated) {
        guest_do(to, virDomainResume);
    }
    if (watch && !run->prepared)
        g_test_message("the gate never prepared");
    g_source_remove(dog);
}

/* Tests */

static void test_commit(void)
{
    Run run;

    guest_start(&nodes[0]);
    for (guint i = 0; i < 4; i++) {
        Node *from = &nodes[i % 2], *to = &nodes[1 - i % 2];

        migrate(&run, from, to, COMMIT, FALSE);
        g_test_message("call %" G_GINT64_FORMAT " ms, gate: %s, source: %s, error: %s",
                       (run.ended - run.started) / 1000, run.gate_reason, run.source_reason,
                       run.error);
        g_assert_true(run.migrated && run.prepared && run.present && !run.unsure && !run.violation);
        g_assert_null(run.gate_reason);
        g_assert_null(run.source_reason);
        g_assert_cmpint(guest_state(from), ==, -1);
        g_assert_cmpint(guest_state(to), ==, VIR_DOMAIN_RUNNING);
        run_clear(&run);
    }
    guest_do(&nodes[0], virDomainDestroy);
}

static void check_stays(Ending ending, gboolean unsure)
{
    Run run;

    guest_start(&nodes[0]);
    migrate(&run, &nodes[0], &nodes[1], ending, FALSE);
    g_test_message("gate: %s, source: %s, error: %s", run.gate_reason, run.source_reason,
                   run.error);
    g_assert_false(run.migrated);
    g_assert_cmpint(run.unsure, ==, unsure);
    g_assert_false(run.violation);
    g_assert_cmpint(guest_state(&nodes[0]), ==, VIR_DOMAIN_RUNNING);
    assert_state_soon(&nodes[1], -1);
    run_clear(&run);

    migrate(&run, &nodes[0], &nodes[1], COMMIT, FALSE);  /* and it can go all the same */
    g_assert_true(run.migrated);
    run_clear(&run);
    guest_do(&nodes[1], virDomainDestroy);
}

static void test_refuse(void)
{
    check_stays(REFUSE, TRUE);
}

static void test_lost_ours(void)
{
    check_stays(LOSE_OURS, TRUE);
}

/* The gate goes away after PREPARE3: libvirtd destroys what had come. */
static void test_vanish(void)
{
    check_stays(VANISH, FALSE);
}

static void test_lost_theirs(void)
{
    Run run;

    guest_start(&nodes[0]);
    migrate(&run, &nodes[0], &nodes[1], LOSE_THEIRS, FALSE);
    g_assert_true(run.migrated && run.unsure);
    g_assert_cmpint(guest_state(&nodes[0]), ==, -1);
    g_assert_cmpint(guest_state(&nodes[1]), ==, VIR_DOMAIN_RUNNING);
    guest_do(&nodes[1], virDomainDestroy);
    run_clear(&run);
}

/* A genuine client that wants something else. */

typedef struct {
    const char *what;
    gboolean (*attempt)(virConnectPtr conn);
    gboolean succeeded, opened;
    char *socket;
} Attempt;

static gboolean try_capabilities(virConnectPtr conn)
{
    return virConnectGetCapabilities(conn) != NULL;
}

static gboolean try_emulator(virConnectPtr conn)
{
    return virConnectGetDomainCapabilities(conn, "/tmp/script", "x86_64", "pc", "qemu", 0) != NULL;
}

static gboolean try_create(virConnectPtr conn)
{
    g_autofree char *xml = guest_xml_for(&nodes[1]);

    return virDomainCreateXML(conn, xml, 0) != NULL;
}

static gboolean try_list(virConnectPtr conn)
{
    return virConnectNumOfDomains(conn) >= 0;
}

static gboolean try_pool(virConnectPtr conn)
{
    static const char xml[] =
        "<pool type='dir'><name>p</name><target><path>/tmp</path></target></pool>";

    return virStoragePoolCreateXML(conn, xml, 0) != NULL;
}

static gpointer attempt_thread(gpointer user)
{
    Attempt *attempt = user;
    virConnectPtr conn = node_connect(attempt->socket);

    attempt->opened = conn != NULL;
    if (conn) {
        attempt->succeeded = attempt->attempt(conn);
        virConnectClose(conn);
    }
    return NULL;
}

static gboolean on_attacker(int listener, GIOCondition condition, gpointer user)
{
    Run *run = user;

    run->gate = make_gate(run, accept(listener, NULL, NULL));
    return G_SOURCE_REMOVE;
}

static void test_other_calls(void)
{
    Attempt attempts[] = {
        { "capabilities", try_capabilities },
        { "emulator", try_emulator },
        { "create", try_create },
        { "list", try_list },
        { "pool", try_pool },
    };

    for (guint i = 0; i < G_N_ELEMENTS(attempts); i++) {
        Run run = { .from = &nodes[0],
                    .to = &nodes[1],
                    .loop = g_main_loop_new(NULL, FALSE),
                    .call_over = TRUE };
        GThread *thread;
        int listener;

        attempts[i].socket = run.socket = g_build_filename(nodes[0].dir, "at", NULL);
        listener = unix_listen(run.socket);
        g_unix_fd_add(listener, G_IO_IN, on_attacker, &run);
        thread = g_thread_new("attempt", attempt_thread, &attempts[i]);
        g_main_loop_run(run.loop);
        g_thread_join(thread);
        g_test_message("%s: %s", attempts[i].what, run.gate_reason);
        g_assert_true(attempts[i].opened && !attempts[i].succeeded && run.violation);
        g_assert_cmpint(guest_state(&nodes[1]), ==, -1);
        close(listener);
        run_clear(&run);
    }
}

static int compare(const void *a, const void *b)
{
    const gint64 *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* CPU time of this thread, which runs the gates and nothing else that is worth mentioning. */
static gint64 own_cpu_us(void)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static void test_times(void)
{
    const char *rounds = g_getenv("SOJOURN_GATE_ROUNDS");
    guint count = rounds ? (atoi(rounds) + 1) / 2 * 2 : 0; /* there and back */
    g_autofree gint64 *direct_times = g_new0(gint64, count + 1);
    g_autofree gint64 *gate_times = g_new0(gint64, count + 1);
    gint64 *times[2] = { gate_times, direct_times };
    gint64 cpu[2] = { 0, 0 }, before;
    Run run;

    if (count == 0) {
        g_test_skip("set SOJOURN_GATE_ROUNDS to measure");
        return;
    }
    guest_start(&nodes[0]);
    for (guint i = 0; i < 2 * count; i++) {
        gboolean direct = i / 2 % 2;

        before = own_cpu_us();
        migrate(&run, &nodes[i % 2], &nodes[1 - i % 2], COMMIT, direct);
        cpu[direct] += own_cpu_us() - before;
        g_assert_true(run.migrated);
        times[direct][i / 4 * 2 + i % 2] = run.ended - run.started;
        run_clear(&run);
    }
    guest_do(&nodes[0], virDomainDestroy);
    for (guint direct = 0; direct < 2; direct++)
        qsort(times[direct], count, sizeof(gint64), compare);
    g_test_message("median call of %u: direct %.1f ms, through the gates %.1f ms; fastest %.1f and "
                   "%.1f ms; CPU of this "
                   "thread %.2f and %.2f ms",
                   count, times[1][count / 2] / 1000.0, times[0][count / 2] / 1000.0,
                   times[1][0] / 1000.0, times[0][0] / 1000.0, cpu[1] / 1000.0 / count,
                   cpu[0] / 1000.0 / count);
}

static void ignore_errors(void *user, virErrorPtr error)
{
}

/* However the tests end, nothing is left: the guardian is the ancestor of all and ends what is
 * still there. */
static int guard(pid_t tests)
{
    int status = 1;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    waitpid(tests, &status, 0);
    for (int i = 0; i < 500; i++) {
        g_autofree char *children = NULL;

        if (!g_file_get_contents("/proc/thread-self/children", &children, NULL, NULL))
            break;
        if (i > 40)
            for (char *at = children; *at; at++)
                kill(strtol(at, &at, 10), SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (!*children)
            break;
        g_usleep(10000);
    }
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    execlp("sh", "sh", "-c", "rm -rf \"$0\"; exit \"$1\"", base,
           status == 77 ? "77"
           : status     ? "1"
                        : "0",
           NULL);
    return 1;
}

int main(int argc, char **argv)
{
    pid_t pid;
    int status;

    g_test_init(&argc, &argv, NULL);
    if (access(QEMU_PATH, X_OK) != 0 || access(LIBVIRTD_PATH, X_OK) != 0) {
        g_print("1..0 # SKIP needs %s and %s\n", QEMU_PATH, LIBVIRTD_PATH);
        return 0;
    }
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) {
        g_print("1..0 # SKIP cannot become an ordinary user\n");
        return 0;
    }
    base = g_strdup("/tmp/gate-XXXXXX");
    g_assert_nonnull(g_mkdtemp(base));
    pid = fork();
    if (pid != 0)
        return guard(pid);

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    virSetErrorFunc(NULL, ignore_errors);
    g_thread_unref(g_thread_new("reaper", reaper, NULL));
    node_start(&nodes[0], "a", 1);
    node_start(&nodes[1], "b", 2);

    g_test_add_func("/gate-live/commit", test_commit);
    g_test_add_func("/gate-live/refuse", test_refuse);
    g_test_add_func("/gate-live/answer-lost-ours", test_lost_ours);
    g_test_add_func("/gate-live/answer-lost-theirs", test_lost_theirs);
    g_test_add_func("/gate-live/gate-vanishes", test_vanish);
    g_test_add_func("/gate-live/other-calls", test_other_calls);
    g_test_add_func("/gate-live/times", test_times);
    status = g_test_run();

    node_stop(&nodes[0]);
    node_stop(&nodes[1]);
    return status;
}
