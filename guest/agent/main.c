/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - process 1 of the guest: runs one program of another machine, its home, and forwards for it
 *
 * There are two processes. The *agent*, this one, moves bytes between the port that leads home and /dev/fuse, the
 * program's pipes and its terminal, and never waits for anything but its loop. The *warden* (warden.c), its child, does
 * what may have to wait for the home's files.
 *
 * The agent must be able to go on when the guest is short of memory while home cannot be reached: what frees memory may
 * be a write that only the agent can forward. So it locks what it has, takes what it will need before the program runs,
 * and tells the kernel that it stands below a file system (PR_SET_IO_FLUSHER).
 */
#include "common/link.h"
#include "common/wire.h"
#include "console.h"
#include "job.h"
#include "kernel.h"
#include "loop.h"
#include "mounts.h"
#include "port.h"
#include "rehearse.h"
#include "warden.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PORT_NAME "sojourn.link"
#define PROVIDE_AFTER_MS 200
#define PROGRAM_NS 100000       /* that bulk waits for a program that has got something by a socket, and may answer */
#define HEAP_BYTES (2304u << 10) /* the link's buffers: a long file request as it is kept, a long reply, and small ones */

typedef struct {
    Link *link;
    Port port;
    Job job;
    bool ready, started;
    bool rehearses;         /* it was told to before it was ready */
    uint64_t hold_until_ns; /* bulk waits; 0: it does not */
    uint64_t provide_ms;    /* when to take memory; 0: not yet, or done */
} Agent;

static void agent_message(void *user, LinkChannel channel, const void *data, size_t size)
{
    Agent *agent = user;

    if (!agent->ready) {
        say("home spoke before it was asked");
    } else if (channel == LINK_BULK && !agent->started) {
        agent->started = true;
        agent->provide_ms = now_ms() + PROVIDE_AFTER_MS;
        job_start(&agent->job, data, size);
    } else if (channel == LINK_FILES || channel == LINK_BULK) {
        files_reply(&agent->job.files, data, size);
    } else if (channel == LINK_SOCKETS) {
        sockets_message(&agent->job.sockets, data, size);
        tunnel_message(&agent->job.tunnel, data, size);
    } else {
        job_message(&agent->job, data, size);
    }
    link_consumed(agent->link, channel, size);
}

static void agent_writable(void *user, LinkChannel channel)
{
    Agent *agent = user;

    job_writable(&agent->job);
}

static void agent_established(void *user, uint64_t epoch)
{
}

static void agent_rehearse(void *user)
{
    Agent *agent = user;

    if (agent->ready)
        job_rehearse(&agent->job);
    else
        agent->rehearses = true;
}

static const LinkEvents events = {
    .message = agent_message,
    .writable = agent_writable,
    .established = agent_established,
    .rehearse = agent_rehearse,
};

/* With "sojourn.trial" on the kernel's command line, that this line is reached is all that is to be shown. */
static void trial(void)
{
    char line[2048] = "";
    int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);

    if (fd >= 0 && read(fd, line, sizeof line - 1) > 0 && strstr(line, "sojourn.trial")) {
        say("trial passed");
        power_off();
    }
    if (fd >= 0)
        close(fd);
}

/* Before the program runs: nothing of the agent is given up, nothing waits behind the program. */
static void protect(void)
{
    static const struct sched_param first = { .sched_priority = 1 };

    kernel_set("/proc/self/oom_score_adj", "-1000"); /* out of memory, others go */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, -1);
    if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
        die("cannot lock the agent's memory");
    if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first) < 0)
        say("the agent cannot go first: %s", strerror(errno));
}

/* Takes the memory that will be needed. It costs as much as running a small program, so it is done when a program has
 * run for a moment. */
static void provide(void)
{
    void *heap = malloc(HEAP_BYTES);

    free(heap);
    if (!heap || mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
        say("the agent could not take its memory: %s", strerror(errno));
}

static void send_ready(Agent *agent)
{
    struct utsname name;
    WireMessage ready = { .type = WIRE_READY };
    uint8_t bytes[300];

    uname(&name);
    ready.ready.version = WIRE_VERSION;
    ready.ready.release = name.release;
    ready.ready.arch = name.machine;
    ready.ready.boot_ms = now_ms();
    link_send(agent->link, LINK_CONTROL, bytes, wire_encode(&ready, bytes, sizeof bytes));
}

static void ignore_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* What is due at a time rather than because of a descriptor. Milliseconds until the next of it, -1: nothing. */
static int agent_tick(Agent *agent)
{
    uint64_t now = now_ms();
    int timeout;

    link_tick(agent->link, now);
    if (agent->provide_ms && now >= agent->provide_ms) {
        agent->provide_ms = 0;
        provide();
    }
    timeout = sooner(link_timeout(agent->link, now), usage_tick(&agent->job.usage, now));
    if (usage_rests(&agent->job.usage))
        departure_rest(&agent->job.departure);
    timeout = sooner(timeout, sockets_tick(&agent->job.sockets));
    timeout = sooner(timeout, job_tick(&agent->job));
    return sooner(timeout, agent->provide_ms ? (int)(agent->provide_ms - now) : -1);
}

/* The agent goes before every program. So while it sends much, one that was just woken by a socket would not run, and what
 * it answers would come behind all of it. Nanoseconds that bulk is to wait now; then some of it is sent in any case. */
static uint64_t agent_hold(Agent *agent)
{
    uint64_t now;

    if (!agent->job.sockets.delivered || !link_queued(agent->link, LINK_BULK)) {
        agent->job.sockets.delivered = false;
        agent->hold_until_ns = 0;
        return 0;
    }
    now = now_ns();
    if (!agent->hold_until_ns)
        agent->hold_until_ns = now + PROGRAM_NS;
    if (now < agent->hold_until_ns)
        return agent->hold_until_ns - now;
    agent->job.sockets.delivered = false;
    agent->hold_until_ns = 0;
    return 0;
}

static void run(Agent *agent) __attribute__((noreturn));
static void run(Agent *agent)
{
    for (;;) {
        int timeout = agent_tick(agent);
        uint64_t hold = agent_hold(agent);
        bool more = port_flush(&agent->port, hold);

        sockets_stop(&agent->job.sockets, agent->port.blocked);
        tunnel_stop(&agent->job.tunnel, agent->port.blocked);
        if (more && hold)
            loop_wait_ns(hold);
        else
            loop_wait(more ? 0 : timeout);
        job_check(&agent->job);
    }
}

int main(int argc, char **argv)
{
    static Agent agent;
    int port, fuse;

    if (argc > 1 && strcmp(argv[1], REHEARSAL) == 0)
        return rehearse_program(argv[0]);
    mounts_boot();
    console_open();
    trial();
    ignore_signals();
    loop_init();
    port = port_open(PORT_NAME);
    agent.link = link_new(LINK_GUEST, &events, &agent);
    if (!agent.link)
        die("no memory for the link");
    agent.job.sockets.watch.fd = -1;
    port_start(&agent.port, port, agent.link, &agent.job.sockets.watch);
    send_ready(&agent);
    loop_wait(0);   /* home's HELLO is there by now, */
    port_flush(&agent.port, false);    /* and while it makes START, so do we what START will need */
    fuse = files_open();
    job_init(&agent.job, agent.link, warden_spawn(fuse), fuse);
    agent.ready = true;
    if (agent.rehearses)
        job_rehearse(&agent.job);
    protect();

    /* From here on the agent may not end: that would be the end of the guest. */
    run(&agent);
}
