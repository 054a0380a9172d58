/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back.c - the process behind the front: the job's files, link and arbiter
 *
 * It is forked from the front before anything else, has a session of its own (a terminal's signals
 * are for the front) and none of the user's descriptors, so that it keeps no pipe open. The guest's
 * boot takes longest, so deputy.create goes out first and everything else is set up while the guest
 * starts. Then it locks itself down (sandbox.c).
 *
 * It lives as long as the front. It survives its controller: the link is its own, and a new
 * controller is told the job again (deputy.register). It never waits: all is driven by one GLib
 * main loop; files are served by worker threads.
 */
#include "back-private.h"

#include "common/error.h"
#include "common/log.h"
#include "sandbox.h"
#include "timings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_PATIENCE_S 5    /* for the controller's answer to deputy.end */
#define LINGER_S 600        /* for peers that do not read what was sent to them */
#define LINGER_LOOK_MS 20

void back_mark(Back *back, PairMark mark)
{
    log_debug("%s", timings_name(mark));
    if (back->setup->options->timings && !back->front_gone)
        timings_send(back->setup->pair, mark);
}

void back_set_state(Back *back, BackState state)
{
    if (back->state == state || back->state == BACK_ENDED)
        return;
    back->state = state;
    if (back->rpc && back->created)
        rpc_notify(back->rpc, "deputy.state",
                   json_set_string(json_object(), "state", back_state_name(state)));
}

static gboolean lingers(const Back *back)
{
    return (back->sockets && sockets_linger(back->sockets)) || (back->nat && nat_linger(back->nat));
}

void back_set_front(Back *back, pid_t pid)
{
    back->front = pid;
    if (back->rpc && back->created)
        rpc_notify(back->rpc, "deputy.state",
                   json_set_int(json_set_string(json_object(), "state", back_state_name(back->state)), "pid", pid));
}

/* What the program sent before it ended is on its way as if the kernel had it: it does not depend on
 * the front any more. */
static gboolean linger(gpointer user)
{
    Back *back = user;

    if (lingers(back) && g_get_monotonic_time() < back->linger_until)
        return G_SOURCE_CONTINUE;
    g_main_loop_quit(back->loop);
    return G_SOURCE_REMOVE;
}

void back_leave(Back *back)
{
    back->told = TRUE;
    if (back->to_front.length > 0 || back->linger_until)
        return;
    if (!lingers(back)) {
        g_main_loop_quit(back->loop);
        return;
    }
    back->linger_until = g_get_monotonic_time() + LINGER_S * G_USEC_PER_SEC;
    g_timeout_add(LINGER_LOOK_MS, linger, back);
}

static gboolean quit(gpointer user)
{
    back_leave(user);
    return G_SOURCE_REMOVE;
}

static void ended(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    if (fd >= 0)
        close(fd);
    quit(user);
}

void back_tell_end(Back *back)
{
    rpc_call(back->rpc, "deputy.end", json_set_int(json_object(), "status", back->status), -1, 0,
             ended, back);
}

/* The guest is destroyed by the controller; the agent is told as well, in case there is no
 * controller at the moment. */
void back_end(Back *back, int status)
{
    if (back->ending)
        return;
    back->ending = TRUE;
    back->status = status;
    back_set_state(back, BACK_ENDED);
    if (back->sockets)
        sockets_close(back->sockets);
    if (back->nat)
        nat_close(back->nat);
    if (!back->rpc || !back->created)
        back_message_to_guest(back, LINK_CONTROL, &(WireMessage) { .type = WIRE_END });
    if (back->rpc)
        back_tell_end(back);
    g_timeout_add_seconds(END_PATIENCE_S, quit, back);
}

void back_fail(Back *back, int status, const char *format, ...)
{
    va_list args;
    guint8 head[2] = { PAIR_FAIL, (guint8) status };

    if (back->ending)
        return;
    va_start(args, format);
    g_autofree char *sentence = g_strdup_vprintf(format, args);
    va_end(args);
    back_to_front(back, head, sizeof head, sentence, strlen(sentence));
    back_end(back, W_EXITCODE(status, 0));
}

/* The user's limits are the program's, in the guest, where they were sent; serving it must not meet
 * them first. */
static void lift_limits(void)
{
    struct rlimit limit;

    for (int i = 0; i < (int) RLIM_NLIMITS; i++)
        if (getrlimit((__rlimit_resource_t) i, &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            setrlimit((__rlimit_resource_t) i, &limit);
        }
    signal(SIGXCPU, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Nothing of the front's but the pair and the terminal (to put its modes right if the front is
 * killed). */
static void leave_the_front(const BackSetup *setup)
{
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    for (int fd = 0; fd <= (g_getenv("SOJOURN_DEBUG") ? 1 : 2); fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    int low = MIN(setup->pair, setup->terminal >= 0 ? setup->terminal : setup->pair);
    int high = MAX(setup->pair, setup->terminal);
    if (low > 3)
        close_range(3, (unsigned) low - 1, 0);
    if (high > low + 1)
        close_range((unsigned) low + 1, (unsigned) high - 1, 0);
    close_range((unsigned) high + 1, ~0u, 0);
}

static void open_front(Back *back)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int) back->setup->front);

    back->front_pidfd = (int) syscall(SYS_pidfd_open, back->setup->front, 0);
    back->front_stat = open(path, O_RDONLY | O_CLOEXEC);
}

/* The order matters: Landlock binds the threads that are started after it, seccomp all there are.
 */
static gboolean set_up(Back *back, GError **error)
{
    const RunOptions *options = back->setup->options;
    SandboxNetwork network = options->network == NETWORK_HOME ? SANDBOX_NETWORK
                             : options->network == NETWORK_NAT ? SANDBOX_CONNECT : SANDBOX_NO_NETWORK;
    g_autoptr(GError) reason = NULL;

    if (!sandbox_files(options->root, options->read_only, network, &reason))
        log_debug("%s", reason->message); /* files.c keeps to root and read_only by itself */
    if (!back_link_open(back, error) || !sandbox_process(back->front_pidfd, network, error))
        return FALSE;
    back_mark(back, PAIR_LOCKED);
    return TRUE;
}

int back_run(const BackSetup *setup)
{
    g_autoptr(GError) error = NULL;
    Back back = { .setup = setup, .status = -1, .front = setup->front };

    lift_limits();
    leave_the_front(setup); /* before GLib opens descriptors of its own */
    back.loop = g_main_loop_new(NULL, FALSE);
    open_front(&back);
    for (int channel = 0; channel < LINK_CHANNELS; channel++)
        g_queue_init(&back.to_guest[channel]);
    g_queue_init(&back.to_front);
    back_front_watch(&back);
    if (!back_connect(&back, &error)) {
        back_fail(&back, 1, "%s", error->message);
        return 1;
    }
    back_create(&back);
    if (!set_up(&back, &error))
        back_fail(&back, 1, "%s", error->message);
    g_main_loop_run(back.loop);
    return 0; /* to _exit: a worker may hang in a system call of a dead NFS server, nobody waits for
                 it */
}
