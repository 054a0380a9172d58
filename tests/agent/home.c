/* SPDX-License-Identifier: GPL-2.0-or-later */
/* home.c - plays a job's home for one bare QEMU: tries agent, link and files without controllers or libvirt
 *
 * Starts QEMU with a guest image, answers its agent over link.c, wire.c and the deputy's files, gives it its own standard
 * streams and ends as the program did. What it can do beyond that is for tests: break the link again and again, send
 * signals at given times, use a pseudo-terminal, tell the times of each step.
 */
#include "common/link.h"
#include "common/wire.h"
#include "deputy/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    int fd;             /* ours; -1: closed */
    guint source;
    GByteArray *waiting;    /* output not yet written */
    guint32 under_way, taken;
    gboolean ended;
} Stream;

typedef struct {
    GMainLoop *loop;
    Link *link;
    Files *files;
    GAsyncQueue *replies;
    GQueue *late;           /* replies that the link had no credit for */
    int wake;
    char *path;
    int socket;         /* -1: away */
    guint socket_in, socket_out, timer;
    guint64 epoch;
    GPid qemu;
    Stream streams[WIRE_STREAMS];
    char **argv;
    gint64 began_us;
    gint64 next_break_us;
    guint breaks;
    gboolean over;
    int status;
    int pid;
} Home;

static char *image, *append, *qemu_path, *directory, *root;
static char **qemu_more, **signals;
static int memory = 128, cpus = 1, break_ms, away_ms;
static gboolean terminal, merged, timings, trace, linger, nothing, trial, end_at_once;

static const GOptionEntry options[] = {
    { "image", 0, 0, G_OPTION_ARG_FILENAME, &image, "the guest's vmlinux, initramfs.cpio and cmdline", "DIR" },
    { "append", 0, 0, G_OPTION_ARG_STRING, &append, "more for the kernel's command line", "TEXT" },
    { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &qemu_path, "QEMU", "FILE" },
    { "qemu-option", 0, 0, G_OPTION_ARG_STRING_ARRAY, &qemu_more, "one more argument of QEMU", "ARG" },
    { "memory", 0, 0, G_OPTION_ARG_INT, &memory, "of the guest", "MIB" },
    { "cpus", 0, 0, G_OPTION_ARG_INT, &cpus, "of the guest", "N" },
    { "directory", 0, 0, G_OPTION_ARG_FILENAME, &directory, "where the program starts", "DIR" },
    { "root", 0, 0, G_OPTION_ARG_FILENAME, &root, "serve this folder as /", "DIR" },
    { "terminal", 0, 0, G_OPTION_ARG_NONE, &terminal, "the program gets a terminal", NULL },
    { "merged", 0, 0, G_OPTION_ARG_NONE, &merged, "standard error is standard output", NULL },
    { "null", 0, 0, G_OPTION_ARG_NONE, &nothing, "standard input is /dev/null", NULL },
    { "linger", 0, 0, G_OPTION_ARG_NONE, &linger, "wait for the last process", NULL },
    { "signal", 0, 0, G_OPTION_ARG_STRING_ARRAY, &signals, "send a signal (0: CONTINUE) to process or group", "SIG@MS[g]" },
    { "break", 0, 0, G_OPTION_ARG_INT, &break_ms, "break the link so often", "MS" },
    { "away", 0, 0, G_OPTION_ARG_INT, &away_ms, "a second after the start be away so long", "MS" },
    { "end", 0, 0, G_OPTION_ARG_NONE, &end_at_once, "wait until the guest has powered itself off", NULL },
    { "trial", 0, 0, G_OPTION_ARG_NONE, &trial, "only see that the guest boots and ends", NULL },
    { "timings", 0, 0, G_OPTION_ARG_NONE, &timings, "tell the time of each step on standard error", NULL },
    { "trace", 0, 0, G_OPTION_ARG_NONE, &trace, "tell each file request and reply", NULL },
    { NULL },
};

static void step(const Home *home, const char *what)
{
    if (timings)
        g_printerr("%8.1f ms  %s\n", (double)(g_get_monotonic_time() - home->began_us) / 1000, what);
}

/* The beginning of a request or reply: length, opcode or error, number, and the inode of a request. */
static void trace_file(const Home *home, const char *what, const void *data, size_t size)
{
    guint32 numbers[6] = { 0 };
    const char *name = "";

    if (!trace)
        return;
    memcpy(numbers, data, MIN(size, sizeof numbers));
    if (*what == '>' && size > 40 && (numbers[1] == 1 || numbers[1] == 22))
        name = (const char *)data + (numbers[1] == 1 ? 40 : 48);
    g_printerr("%8.2f ms %s %u: %d, %u bytes, inode %u %.40s\n",
        (double)(g_get_monotonic_time() - home->began_us) / 1000, what, numbers[2], (int)numbers[1], numbers[0],
        *what == '>' ? numbers[4] : 0, name);
}

static void finish(Home *home, int status)
{
    home->over = TRUE;
    home->status = status;
    g_main_loop_quit(home->loop);
}

static void pump(Home *home);

static void send_message(Home *home, LinkChannel channel, const WireMessage *message)
{
    size_t size;
    g_autofree void *bytes = wire_encode_new(message, &size);
    int error = link_send(home->link, channel, bytes, size);

    if (error)
        g_error("%s could not be sent: %s", wire_name(message->type), strerror(-error));
}

/* The connection */

static gboolean on_timer(gpointer user)
{
    Home *home = user;

    home->timer = 0;
    link_tick(home->link, (guint64)g_get_monotonic_time() / 1000);
    pump(home);
    return G_SOURCE_REMOVE;
}

static gboolean on_writable(int fd, GIOCondition condition, gpointer user)
{
    Home *home = user;

    home->socket_out = 0;
    pump(home);
    return G_SOURCE_REMOVE;
}

static void pump(Home *home)
{
    size_t size;
    const void *bytes;
    int timeout;

    while (home->socket >= 0 && !home->socket_out && (bytes = link_output(home->link, &size)) && size) {
        ssize_t written = write(home->socket, bytes, size);

        if (written > 0)
            link_output_done(home->link, (size_t)written);
        else if (errno == EAGAIN)
            home->socket_out = g_unix_fd_add(home->socket, G_IO_OUT, on_writable, home);
        else
            return;
    }
    timeout = link_timeout(home->link, (guint64)g_get_monotonic_time() / 1000);
    if (home->timer)
        g_source_remove(home->timer);
    home->timer = timeout >= 0 ? g_timeout_add((guint)timeout, on_timer, home) : 0;
}

/* As after a migration: what is on its way is lost, at any byte. */
static void break_link(Home *home)
{
    char bytes[65536];

    link_detach(home->link);
    if (recv(home->socket, bytes, (size_t)g_random_int_range(1, sizeof bytes), MSG_DONTWAIT) < 0 && errno != EAGAIN)
        g_error("recv: %s", strerror(errno));
    home->breaks++;
    link_attach(home->link, ++home->epoch);
    home->next_break_us = g_get_monotonic_time() + break_ms * 1000;
}

static gboolean on_socket(int fd, GIOCondition condition, gpointer user)
{
    Home *home = user;
    char bytes[131072];
    ssize_t size = read(fd, bytes, sizeof bytes);

    if (size == 0 || (size < 0 && errno != EAGAIN)) {
        home->socket_in = 0;
        step(home, "QEMU has closed the link");
        finish(home, home->over ? home->status : 1 << 8);
        return G_SOURCE_REMOVE;
    }
    if (break_ms && home->next_break_us && g_get_monotonic_time() >= home->next_break_us)
        break_link(home);
    else if (size > 0 && link_input(home->link, bytes, (size_t)size) < 0)
        g_error("the link is damaged");
    pump(home);
    return G_SOURCE_CONTINUE;
}

/* Files: replies come from other threads */

static void on_reply(const struct iovec *iov, int count, void *user)
{
    Home *home = user;
    GByteArray *reply = g_byte_array_new();
    guint64 one = 1;

    for (int i = 0; i < count; i++)
        g_byte_array_append(reply, iov[i].iov_base, (guint)iov[i].iov_len);
    g_async_queue_push(home->replies, reply);
    if (write(home->wake, &one, sizeof one) < 0)
        g_error("eventfd: %s", strerror(errno));
}

static gboolean send_reply(Home *home, GByteArray *reply)
{
    LinkChannel channel = reply->len <= LINK_SMALL ? LINK_FILES : LINK_BULK;

    if (link_send(home->link, channel, reply->data, reply->len) < 0)
        return FALSE;
    trace_file(home, "<", reply->data, reply->len);
    g_byte_array_unref(reply);
    return TRUE;
}

static gboolean on_replies(int fd, GIOCondition condition, gpointer user)
{
    Home *home = user;
    GByteArray *reply;
    guint64 count;

    if (read(fd, &count, sizeof count) < 0)
        return G_SOURCE_CONTINUE;
    while ((reply = g_async_queue_try_pop(home->replies)))
        if (!g_queue_is_empty(home->late) || !send_reply(home, reply))
            g_queue_push_tail(home->late, reply);
    pump(home);
    return G_SOURCE_CONTINUE;
}

/* Streams */

static void stream_end(Home *home, WireStream which)
{
    Stream *stream = &home->streams[which];

    g_clear_handle_id(&stream->source, g_source_remove);
    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
}

static gboolean on_input(int fd, GIOCondition condition, gpointer user)
{
    Home *home = user;
    WireStream which = terminal ? WIRE_TTY : WIRE_STDIN;
    Stream *stream = &home->streams[which];
    char bytes[32768];
    guint room = WIRE_WINDOW - stream->under_way;
    ssize_t size = room ? read(fd, bytes, MIN(room, sizeof bytes)) : 0;

    if (!room) {
        stream->source = 0;
        return G_SOURCE_REMOVE;
    }
    if (size > 0) {
        stream->under_way += (guint)size;
        send_message(home, LINK_STREAM, &(WireMessage) { .type = WIRE_INPUT, .data = { which, bytes, (size_t)size } });
        pump(home);
        return G_SOURCE_CONTINUE;
    }
    if (!terminal)
        send_message(home, LINK_STREAM, &(WireMessage) { .type = WIRE_INPUT_END, .stream = which });
    pump(home);
    stream->source = 0;
    return G_SOURCE_REMOVE;
}

static void take_output(Home *home, WireStream which, const char *data, size_t size)
{
    Stream *stream = &home->streams[which];
    int fd = which == WIRE_STDERR ? 2 : 1;

    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, data + done, size - done);

        if (written < 0) {
            if (errno == EPIPE && !stream->ended) {
                stream->ended = TRUE;
                send_message(home, LINK_CONTROL, &(WireMessage) { .type = WIRE_OUTPUT_BROKEN, .stream = which });
            }
            break;
        }
        done += (size_t)written;
    }
    stream->taken += (guint)size;
    if (stream->taken >= WIRE_WINDOW / 4) {
        send_message(home, LINK_CONTROL, &(WireMessage) { .type = WIRE_TAKEN, .taken = { which, stream->taken } });
        stream->taken = 0;
    }
}

/* START: what this process has, as the front would */

static void fill_limits(WireStart *start)
{
    for (unsigned i = 0; i < WIRE_RLIMITS; i++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)i, &limit) < 0)
            g_error("getrlimit: %s", strerror(errno));
        start->rlimits[i].current = limit.rlim_cur;
        start->rlimits[i].maximum = limit.rlim_max;
    }
}

static void fill_modes(WireStart *start)
{
    static const guint8 keys[] = { 3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22 };

    start->modes = (WireModes) {
        .iflag = 02402, .oflag = 05, .cflag = 0277, .lflag = 0105073, .ispeed = 38400, .ospeed = 38400,
    };
    memcpy(start->modes.cc, keys, sizeof keys);
    start->winsize = (WireWinsize) { 24, 80, 0, 0 };
}

/* As the kernel's new_encode_dev does. */
static guint32 encoded_device(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        g_error("%s: %s", path, strerror(errno));
    return (minor(status.st_dev) & 0xff) | major(status.st_dev) << 8 | (minor(status.st_dev) & ~0xffu) << 12;
}

static void send_start(Home *home)
{
    g_auto(GStrv) environment = g_get_environ();
    g_autofree char *here = g_get_current_dir();
    gid_t groups[NGROUPS_MAX];
    guint32 wide[NGROUPS_MAX];
    mode_t mask = umask(0);
    WireMessage message = { .type = WIRE_START };
    WireStart *start = &message.start;
    guint8 kind = terminal ? WIRE_TERMINAL : WIRE_PIPE;

    umask(mask);
    start->version = WIRE_VERSION;
    start->argv = (WireStrings) { g_strv_length(home->argv), home->argv };
    start->env = (WireStrings) { g_strv_length(environment), environment };
    start->cwd = directory ? directory : here;
    start->hostname = g_get_host_name();
    start->domainname = "(none)";
    start->uid = getuid();
    start->gid = getgid();
    start->group_count = (guint32)MAX(getgroups(NGROUPS_MAX, groups), 0);
    for (guint i = 0; i < start->group_count; i++)
        wide[i] = groups[i];
    start->groups = wide;
    start->umask = mask;
    fill_limits(start);
    fill_modes(start);
    start->pid = getpid();
    start->ppid = getppid();
    start->pgid = getpgrp();
    start->sid = getsid(0);
    start->stdio[0] = nothing ? WIRE_NULL : kind;
    start->stdio[1] = start->stdio[2] = kind;
    start->merged = merged;
    start->realtime_ns = (guint64)g_get_real_time() * 1000;
    start->program = "";
    start->root_dev = encoded_device(root ? root : "/");
    start->flags = linger ? WIRE_LINGER : 0;
    send_message(home, LINK_BULK, &message);
    step(home, "START");
}

/* "15@500g" */
static gboolean on_signal_time(gpointer user)
{
    Home *home = ((gpointer *)user)[0];
    const char *spec = ((gpointer *)user)[1];
    int sig = atoi(spec);
    WireMessage message = { .type = WIRE_SIGNAL };

    message.signal.sig = sig;
    message.signal.scope = g_str_has_suffix(spec, "g") ? WIRE_GROUP : WIRE_PROCESS;
    if (!sig)
        message.type = WIRE_CONTINUE;
    send_message(home, LINK_CONTROL, &message);
    pump(home);
    g_free(user);
    return G_SOURCE_REMOVE;
}

static gboolean go_away(gpointer user);

static void started(Home *home, const WireMessage *message)
{
    home->pid = message->pid;
    if (timings)
        g_printerr("%8.1f ms  STARTED %d\n", (double)(g_get_monotonic_time() - home->began_us) / 1000, message->pid);
    for (guint i = 0; signals && signals[i]; i++) {
        gpointer *pair = g_new(gpointer, 2);
        const char *at = strchr(signals[i], '@');

        pair[0] = home;
        pair[1] = signals[i];
        g_timeout_add(at ? (guint)atoi(at + 1) : 0, on_signal_time, pair);
    }
    if (!nothing)
        home->streams[terminal ? WIRE_TTY : WIRE_STDIN].source = g_unix_fd_add(0, G_IO_IN | G_IO_HUP, on_input, home);
    if (away_ms)
        g_timeout_add(1000, go_away, home);
    if (break_ms)
        home->next_break_us = g_get_monotonic_time() + break_ms * 1000;
}

static void exited(Home *home, int status)
{
    step(home, "EXITED");
    home->over = TRUE;
    home->status = status;
    if (end_at_once)
        send_message(home, LINK_CONTROL, &(WireMessage) { .type = WIRE_END });
    else
        g_main_loop_quit(home->loop);
}

static void taken(Home *home, const WireMessage *message)
{
    Stream *stream = &home->streams[message->taken.stream];

    g_assert_cmpuint(message->taken.bytes, <=, stream->under_way);
    stream->under_way -= message->taken.bytes;
    if (!stream->source && !nothing)
        stream->source = g_unix_fd_add(0, G_IO_IN | G_IO_HUP, on_input, home);
}

static void on_wire(Home *home, const WireMessage *message)
{
    switch (message->type) {
    case WIRE_READY:
        step(home, "READY");
        if (timings)
            g_printerr("             guest says %" G_GUINT64_FORMAT " ms\n", message->ready.boot_ms);
        send_start(home);
        break;
    case WIRE_STARTED:
        started(home, message);
        break;
    case WIRE_FAILED:
        g_printerr("home: stage %d: %s\n", message->failed.stage, message->failed.text);
        finish(home, (message->failed.error == ENOENT ? 127 : 126) << 8);
        break;
    case WIRE_OUTPUT:
        take_output(home, message->data.stream, message->data.data, message->data.size);
        break;
    case WIRE_STOPPED:
        g_printerr("home: stopped by %d\n", message->stop_signal);
        break;
    case WIRE_CONTINUED:
        g_printerr("home: continued\n");
        break;
    case WIRE_MODES:
        g_printerr("home: modes %x\n", message->modes.lflag);
        break;
    case WIRE_EXITED:
        exited(home, message->exited.status);
        break;
    case WIRE_TAKEN:
        taken(home, message);
        break;
    case WIRE_INPUT_BROKEN:
        stream_end(home, message->stream);
        break;
    default:
        break;
    }
}

static void on_message(void *user, LinkChannel channel, const void *data, size_t size)
{
    Home *home = user;
    WireMessage message;

    if (channel == LINK_FILES || channel == LINK_BULK) {
        trace_file(home, ">", data, size);
        files_request(home->files, data, size);
    } else if (wire_decode(&message, data, size) == 0) {
        on_wire(home, &message);
        wire_clear(&message);
    } else {
        g_error("a message of %zu bytes is wrong", size);
    }
    link_consumed(home->link, channel, size);
}

static void on_credit(void *user, LinkChannel channel)
{
    Home *home = user;

    while (!g_queue_is_empty(home->late) && send_reply(home, g_queue_peek_head(home->late)))
        g_queue_pop_head(home->late);
}

static void on_established(void *user, uint64_t epoch)
{
    Home *home = user;

    if (epoch == 1)
        step(home, "link established");
}

static void on_refused(void *user, const char *why)
{
    g_error("refused: %s", why);
}

static const LinkEvents events = { on_message, on_credit, on_established, on_refused };

/* QEMU */

static void start_qemu(Home *home, const char *socket_path)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *line_file = g_build_filename(image, "cmdline", NULL);
    g_autofree char *line = NULL;
    g_autoptr(GError) error = NULL;
    const char *fixed[] = {
        qemu_path ? qemu_path : "qemu-system-x86_64", "-M", "microvm,accel=tcg,x-option-roms=off,isa-serial=on",
        "-no-acpi", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-global", "virtio-device.event_idx=off",
        "-device", "virtio-serial-device", "-device", "virtserialport,chardev=link,name=sojourn.link",
        "-device", "virtio-rng-device",
    };

    if (!g_file_get_contents(line_file, &line, NULL, &error))
        g_error("%s", error->message);
    for (guint i = 0; i < G_N_ELEMENTS(fixed); i++)
        g_ptr_array_add(words, g_strdup(fixed[i]));
    g_ptr_array_add(words, g_strdup("-kernel"));
    g_ptr_array_add(words, g_build_filename(image, "vmlinux", NULL));
    g_ptr_array_add(words, g_strdup("-initrd"));
    g_ptr_array_add(words, g_build_filename(image, "initramfs.cpio", NULL));
    g_ptr_array_add(words, g_strdup("-chardev"));
    g_ptr_array_add(words, g_strdup_printf("socket,id=link,path=%s,server=on,wait=off", socket_path));
    g_ptr_array_add(words, g_strdup("-m"));
    g_ptr_array_add(words, g_strdup_printf("%d", memory));
    g_ptr_array_add(words, g_strdup("-smp"));
    g_ptr_array_add(words, g_strdup_printf("%d", cpus));
    g_ptr_array_add(words, g_strdup("-append"));
    g_ptr_array_add(words, g_strdup_printf("%s %s %s", g_strstrip(line), trial ? "sojourn.trial" : "",
            append ? append : ""));
    for (guint i = 0; qemu_more && qemu_more[i]; i++)
        g_ptr_array_add(words, g_strdup(qemu_more[i]));
    g_ptr_array_add(words, NULL);
    if (!g_spawn_async_with_fds(NULL, (char **)words->pdata, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
            NULL, &home->qemu, -1, 2, 2, &error))
        g_error("%s", error->message);
}

/* QEMU listens at once; what it cannot take yet it leaves in the socket. */
static gboolean connect_link(gpointer user)
{
    Home *home = user;
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, home->path, sizeof address.sun_path);
    home->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(home->socket, (struct sockaddr *)&address, sizeof address) < 0) {
        close(home->socket);
        return G_SOURCE_CONTINUE;
    }
    g_unix_set_fd_nonblocking(home->socket, TRUE, NULL);
    step(home, "connected to QEMU");
    home->socket_in = g_unix_fd_add(home->socket, G_IO_IN | G_IO_HUP, on_socket, home);
    link_attach(home->link, ++home->epoch);
    pump(home);
    return G_SOURCE_REMOVE;
}

static gboolean go_away(gpointer user)
{
    Home *home = user;

    link_detach(home->link);
    g_clear_handle_id(&home->socket_in, g_source_remove);
    g_clear_handle_id(&home->socket_out, g_source_remove);
    close(home->socket);
    home->socket = -1;
    step(home, "away");
    g_timeout_add((guint)away_ms, connect_link, home);
    return G_SOURCE_REMOVE;
}

static void run(Home *home)
{
    g_autofree char *folder = g_dir_make_tmp("sojourn-home-XXXXXX", NULL);
    int status;

    for (WireStream which = 0; which < WIRE_STREAMS; which++)
        home->streams[which].fd = -1;
    home->path = g_build_filename(folder, "link", NULL);
    g_unix_fd_add(home->wake, G_IO_IN, on_replies, home);
    home->began_us = g_get_monotonic_time();
    start_qemu(home, home->path);
    g_timeout_add(2, connect_link, home);
    g_main_loop_run(home->loop);
    if (!end_at_once && !trial)
        kill(home->qemu, SIGKILL);
    waitpid(home->qemu, &status, 0);
    step(home, "QEMU has ended");
    if (trial)
        home->status = status;
    unlink(home->path);
    g_free(home->path);
    rmdir(folder);
    if (break_ms)
        g_printerr("home: %u breaks\n", home->breaks);
}

/* Ends as the program did. */
static int end_as(int status)
{
    static const struct rlimit none = { 0, 0 };

    if (!WIFSIGNALED(status))
        return WEXITSTATUS(status);
    setrlimit(RLIMIT_CORE, &none);
    signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("PROGRAM [ARG]... - play home for one guest");
    g_autoptr(GError) error = NULL;
    FilesOptions files = { .root = "/", .cache = FILES_CACHE_THROUGH, .switch_ids = getuid() == 0 };
    static Home home;

    setlocale(LC_ALL, "");
    g_option_context_add_main_entries(context, options, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, &error) || !image || (argc < 2 && !trial)) {
        g_printerr("home: %s\n", error ? error->message : "--image and a program are needed");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (root)
        files.root = root;
    home.argv = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        home.argv++;
    home.loop = g_main_loop_new(NULL, FALSE);
    home.link = link_new(LINK_HOME, &events, &home);
    home.replies = g_async_queue_new();
    home.late = g_queue_new();
    home.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    home.files = files_new(&files, on_reply, &home, &error);
    if (!home.files)
        g_error("%s", error->message);
    run(&home);
    return end_as(home.status);
}
