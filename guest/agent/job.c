/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.c - the agent's view of the job: what home says to it, and what the warden says of it */
#include "job.h"

#include "clock.h"
#include "console.h"
#include "resolver.h"
#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXITED_LOOK_MS 20
#define SOCKETS_PATIENCE_MS 10000
#define LEFT_PATIENCE_MS 2000

/* Sends a message home; one that the link does not take now is held, and the warden is not listened to until then. */
static void job_tell(Job *job, LinkChannel channel, const void *bytes, size_t size)
{
    if (link_send(job->link, channel, bytes, size) == 0)
        return;
    memcpy(job->held, bytes, size);
    job->held_size = size;
    job->held_channel = channel;
    watch_set(&job->warden, 0);
}

/* The terminal's modes if they are no longer what home thinks. */
static void job_tell_modes(Job *job, LinkChannel channel)
{
    WireMessage message = { .type = WIRE_MODES };
    uint8_t bytes[128];
    int terminal = streams_terminal(&job->streams);

    if (terminal < 0 || !terminal_get_modes(terminal, &message.modes))
        return;
    if (job->has_modes && memcmp(&job->modes, &message.modes, sizeof job->modes) == 0)
        return;
    if (link_send(job->link, channel, bytes, wire_encode(&message, bytes, sizeof bytes)) == 0)
        job->modes = message.modes;
}

/* Stopped or continued: home shall first show what was written before, unless that has to wait for its reader. */
static void job_tell_state(Job *job, const void *bytes, size_t size)
{
    LinkChannel channel;

    streams_pull(&job->streams);
    channel = streams_stuck(&job->streams) ? LINK_CONTROL : LINK_STREAM;
    job_tell_modes(job, channel);
    job_tell(job, channel, bytes, size);
}

static void job_attach(Job *job, const uint8_t *which, const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (which[i] == WARDEN_TUNNEL)
            tunnel_start(&job->tunnel, fds[i]);
        else
            streams_attach(&job->streams, which[i], fds[i]);
    if (streams_terminal(&job->streams) >= 0)
        job->has_modes = terminal_get_modes(streams_terminal(&job->streams), &job->modes);
    files_start(&job->files, job->fuse_fd, job->link);
    usage_start(&job->usage, job->link);
    control_start(&job->control, job->link);
}

/* The warden cannot end before the job. If it does, it was killed, and all of the job with it. */
static void warden_lost(Job *job)
{
    WireMessage killed = { .type = WIRE_EXITED, .exited = { .status = SIGKILL } };

    say("the job's warden has ended");
    watch_set(&job->warden, 0);
    if (!job->exited_size)
        job->exited_size = wire_encode(&killed, job->exited, sizeof job->exited);
}

static void job_exited(Job *job, const void *bytes, size_t size)
{
    memcpy(job->exited, bytes, size < sizeof job->exited ? size : sizeof job->exited);
    job->exited_size = size;
    job->exited_ms = now_ms();
}

static void job_relay(Job *job, const uint8_t *bytes, size_t size)
{
    switch ((WireType)bytes[0]) {
    case WIRE_EXITED:
        job_exited(job, bytes, size);
        break;
    case WIRE_LEFT:
        job->left_size = size < sizeof job->left ? size : sizeof job->left;
        memcpy(job->left, bytes, job->left_size);
        job->left_ms = now_ms();
        break;
    case WIRE_STOPPED:
    case WIRE_CONTINUED:
        job_tell_state(job, bytes, size);
        break;
    default:
        job_tell(job, LINK_CONTROL, bytes, size);
    }
}

static void warden_ready(void *user, uint32_t events)
{
    Job *job = user;
    uint8_t bytes[sizeof job->held];
    int fds[WARDEN_ENDS];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof fds)];
    } control;
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control,
    };
    ssize_t size = recvmsg(job->warden.fd, &message, MSG_CMSG_CLOEXEC);

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        warden_lost(job);
    } else if (bytes[0] == WARDEN_ATTACHED) {
        if (message.msg_controllen)
            memcpy(fds, CMSG_DATA(&control.header), ((size_t)size - 1) * sizeof fds[0]);
        job_attach(job, bytes + 1, fds, (size_t)size - 1);
    } else {
        job_relay(job, bytes, (size_t)size);
    }
}

void job_init(Job *job, Link *link, Warden warden, int fuse)
{
    memset(job, 0, sizeof *job);
    job->link = link;
    job->fuse_fd = fuse;
    job->start_fd = warden.start;
    job->files.watch.fd = -1;
    job->usage.fd = -1;
    streams_init(&job->streams, link);
    sockets_init(&job->sockets, link);
    tunnel_init(&job->tunnel, link);
    departure_init(&job->departure, link);
    job->control.watch.fd = -1;
    job->warden = (Watch) { .fd = warden.socket, .ready = warden_ready, .user = job };
    watch_set(&job->warden, EPOLLIN);
}

static void warden_send(Job *job, const void *bytes, size_t size)
{
    if (send(job->warden.fd, bytes, size, MSG_NOSIGNAL) < 0)
        say("the warden did not take a message: %s", strerror(errno));
}

/* What concerns the agent itself; the warden judges it. */
static void job_look_at_start(Job *job, const void *data, size_t size)
{
    WireMessage message;

    if (wire_decode(&message, data, size) < 0)
        return;
    if (message.type == WIRE_START && message.start.flags & WIRE_SOCKETS)
        sockets_start(&job->sockets);
    if (message.type == WIRE_START && message.start.flags & WIRE_NAT)
        resolver_start(&message.start.addresses);
    wire_clear(&message);
}

void job_rehearse(Job *job)
{
    static const uint8_t rehearse = WARDEN_REHEARSE;

    warden_send(job, &rehearse, sizeof rehearse);
}

void job_start(Job *job, const void *data, size_t size)
{
    static const uint8_t start = WIRE_START;

    job_look_at_start(job, data, size);

    for (size_t done = 0; done < size;) {
        ssize_t written = write(job->start_fd, (const uint8_t *)data + done, size - done);

        if (written <= 0) {
            say("START could not be passed on: %s", strerror(errno));
            break;
        }
        done += (size_t)written;
    }
    close(job->start_fd);
    warden_send(job, &start, sizeof start);
}

static void job_signal(Job *job, const WireMessage *message, const void *data, size_t size)
{
    int terminal = streams_terminal(&job->streams);

    if (message->signal.scope == WIRE_GROUP && terminal >= 0)
        terminal_signal(terminal, message->signal.sig);
    else
        warden_send(job, data, size);
}

void job_message(Job *job, const void *data, size_t size)
{
    WireMessage message;
    int terminal = streams_terminal(&job->streams);

    if (wire_decode(&message, data, size) < 0) {
        say("home sent %zu bytes that are no message", size);
        return;
    }
    switch (message.type) {
    case WIRE_SIGNAL:
        job_signal(job, &message, data, size);
        break;
    case WIRE_CONTINUE:
        if (terminal >= 0)
            terminal_signal(terminal, SIGCONT);
        warden_send(job, data, size);
        break;
    case WIRE_END:
        job->power_off = true;
        if (!job->exited_sent)
            warden_send(job, data, size);
        break;
    case WIRE_WINSIZE:
        if (terminal >= 0)
            terminal_set_size(terminal, &message.winsize);
        break;
    case WIRE_CLOCK:
        clock_follow(message.realtime_ns);
        break;
    case WIRE_INPUT:
        streams_input(&job->streams, message.data.stream, message.data.data, message.data.size);
        break;
    case WIRE_INPUT_END:
        streams_input_end(&job->streams, message.stream);
        break;
    case WIRE_OUTPUT_BROKEN:
        streams_output_broken(&job->streams, message.stream);
        break;
    case WIRE_TAKEN:
        streams_taken(&job->streams, message.taken.stream, message.taken.bytes);
        break;
    case WIRE_ANSWER:
        control_answer(&job->control, &message);
        break;
    case WIRE_DEPART:
        departure_begin(&job->departure);
        break;
    default:
        say("home sent %s at the wrong time", wire_name(message.type));
        wire_clear(&message);
    }
}

void job_writable(Job *job)
{
    if (job->held_size && link_send(job->link, job->held_channel, job->held, job->held_size) == 0) {
        job->held_size = 0;
        watch_set(&job->warden, EPOLLIN);
    }
    streams_writable(&job->streams);
    files_writable(&job->files);
    sockets_writable(&job->sockets);
    control_writable(&job->control);
    departure_writable(&job->departure);
}

int job_tick(const Job *job)
{
    return (job->exited_size && !job->exited_sent) || job->left_size ? EXITED_LOOK_MS : -1;
}

/* What the program has sent goes home before its end does, unless nobody takes it there. */
static bool sockets_done(const Job *job)
{
    return (sockets_drained(&job->sockets) && tunnel_drained(&job->tunnel)) || now_ms() - job->exited_ms > SOCKETS_PATIENCE_MS;
}

/* The program's output goes home before its end; but others may be writing for ever what nobody reads. */
static void job_check_left(Job *job)
{
    streams_pull(&job->streams);
    if (streams_stuck(&job->streams) && now_ms() - job->left_ms < LEFT_PATIENCE_MS)
        return;
    job_tell_modes(job, LINK_STREAM);
    if (link_send(job->link, LINK_STREAM, job->left, job->left_size) == 0)
        job->left_size = 0;
}

void job_check(Job *job)
{
    LinkCounters counters;

    if (job->exited_size)
        job->left_size = 0;     /* it says the same and more */
    if (job->left_size && !job->held_size)
        job_check_left(job);
    if (job->exited_size && !job->exited_sent && !job->held_size && streams_drained(&job->streams) &&
        sockets_done(job)) {
        job_tell_modes(job, LINK_STREAM);
        job->exited_sent = link_send(job->link, LINK_STREAM, job->exited, job->exited_size) == 0;
    }
    if (job->power_off && job->exited_sent) {
        link_counters(job->link, &counters);
        if (!counters.unacknowledged_bytes)
            power_off();
    }
}
