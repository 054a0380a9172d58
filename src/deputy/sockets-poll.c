/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-poll.c - waiting for sockets: one epoll descriptor in the main loop, for any number of them
 *
 * A socket is watched for exactly what could be done with it now: else one that has much to read
 * and a program that does not would keep the loop busy. Errors and hang-ups come unasked and stay;
 * so a socket that nothing is to be done with is watched for their edge only.
 */
#include "sockets-impl.h"

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EVENTS 64
#define RETRY_MS 5

typedef struct {
    GSource source;
    Sockets *sockets;
} PollSource;

static guint32 wanted(const Socket *socket)
{
    guint32 events = 0;

    switch (socket->state) {
    case SOCKET_NEW:
        return 0;
    case SOCKET_CONNECTING:
        return socket->late ? 0 : EPOLLOUT;
    case SOCKET_LISTENING:
        return socket->announced < socket->announced_max ? EPOLLIN : 0;
    case SOCKET_OPEN:
        if (socket_may_read(socket))
            events |= EPOLLIN | (socket->stream ? EPOLLPRI : 0);
        if (socket->first && !socket->retry)
            events |= EPOLLOUT;
        break;
    case SOCKET_FIFO:
        return fifo_events(socket);
    }
    return events;
}

void socket_update(Socket *socket)
{
    guint32 events = wanted(socket);
    struct epoll_event event = { .data.u32 = socket->id };
    int operation = EPOLL_CTL_MOD;

    /* a stream socket without a peer reports a hang-up at all times */
    if (socket->state == SOCKET_NEW || socket->retry) {
        if (!socket->watched)
            return;
        operation = EPOLL_CTL_DEL;
    } else if (!events) {
        events = EPOLLET;
    }
    if (socket->watched && operation == EPOLL_CTL_MOD && events == socket->events)
        return;
    if (!socket->watched)
        operation = EPOLL_CTL_ADD;
    event.events = events;
    if (epoll_ctl(socket->all->epoll, operation, socket->fd, &event) < 0)
        log_debug("epoll_ctl on a socket: %s", g_strerror(errno));
    socket->watched = operation != EPOLL_CTL_DEL;
    socket->events = events;
}

static void go_on(Socket *socket)
{
    if (socket->late) {
        socket_connect_again(socket);
    } else if (socket->state == SOCKET_LISTENING) {
        socket_accept(socket);
        socket_update(socket);
    } else {
        socket_write(socket);
    }
}

static gboolean retry(gpointer user)
{
    Socket *socket = user;
    Sockets *sockets = socket->all;

    socket->retry = 0;
    go_on(socket);
    sockets->call.flush(sockets->user);
    return G_SOURCE_REMOVE;
}

void socket_retry(Socket *socket)
{
    if (!socket->retry)
        socket->retry = g_timeout_add(RETRY_MS, retry, socket);
}

static void serve_stream(Socket *socket, guint32 events)
{
    Sockets *sockets = socket->all;
    guint32 id = socket->id;

    if (events & EPOLLPRI)
        socket_read_urgent(socket);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && socket_may_read(socket))
        socket_read(socket);
    else if (events & EPOLLERR)
        socket_read_errors(socket);
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && sockets_find(sockets, id) == socket)
        socket_write(socket);
}

static void serve(Socket *socket, guint32 events)
{
    Sockets *sockets = socket->all;
    guint32 id = socket->id;

    switch (socket->state) {
    case SOCKET_NEW:
        return;
    case SOCKET_CONNECTING:
        if (!socket->late && events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            socket_connected(socket);
        break;
    case SOCKET_LISTENING:
        socket_accept(socket);
        break;
    case SOCKET_OPEN:
        if (!socket->stream && events & EPOLLERR)
            socket_read_errors(socket);
        serve_stream(socket, events);
        break;
    case SOCKET_FIFO:
        fifo_serve(socket);
        break;
    }
    if (sockets_find(sockets, id) == socket)
        socket_update(socket);
}

static gboolean prepare(GSource *source, int *timeout)
{
    Sockets *sockets = ((PollSource *) source)->sockets;

    *timeout = -1;
    /* while the link has no room nothing is read, and writing can wait as well */
    if (sockets->paused != sockets_full(sockets)) { /* each change wakes the loop again */
        sockets->paused = !sockets->paused;
        g_source_modify_unix_fd(source, sockets->tag, sockets->paused ? 0 : G_IO_IN);
    }
    return FALSE;
}

static gboolean check(GSource *source)
{
    Sockets *sockets = ((PollSource *) source)->sockets;

    return g_source_query_unix_fd(source, sockets->tag) != 0 && !sockets_full(sockets);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Sockets *sockets = ((PollSource *) source)->sockets;
    struct epoll_event events[EVENTS];
    int count = epoll_wait(sockets->epoll, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        Socket *socket = sockets_find(sockets, events[i].data.u32);
        if (socket)
            serve(socket, events[i].events);
    }
    sockets->call.flush(sockets->user);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = { .prepare = prepare, .check = check, .dispatch = dispatch };

gboolean sockets_poll_open(Sockets *sockets, GError **error)
{
    sockets->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (sockets->epoll < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "no descriptor for the job's sockets: %s",
                    g_strerror(errno));
        return FALSE;
    }
    sockets->source = g_source_new(&functions, sizeof(PollSource));
    ((PollSource *) sockets->source)->sockets = sockets;
    sockets->tag = g_source_add_unix_fd(sockets->source, sockets->epoll, G_IO_IN);
    g_source_set_static_name(sockets->source, "sockets");
    g_source_set_can_recurse(sockets->source, TRUE); /* as in port.c */
    g_source_attach(sockets->source, NULL);
    return TRUE;
}

void sockets_poll_close(Sockets *sockets)
{
    source_clear(&sockets->source);
    if (sockets->epoll >= 0)
        close(sockets->epoll);
}
