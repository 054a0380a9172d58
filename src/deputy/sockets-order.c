/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-order.c - what the guest wants done with its sockets, and connections
 *
 * Each order is one system call on the real socket, and its answer what that said. A CONNECT that
 * takes time is answered with EINPROGRESS; CONNECTED follows. Connections to a listening socket are
 * accepted here ahead of the program, as many as its backlog says, and announced (ACCEPTED); the
 * guest tells (TAKEN) how many the program has accepted, and releases those that it will not.
 */
#include "sockets-impl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define NAMES_OWN 1
#define NAMES_PEER 2

static void answer(Sockets *sockets, const SocketRecord *record, int error)
{
    sockets_answer(sockets, &record->head, error, NULL, 0);
}

/* With the names that are known now. */
static void answer_names(Socket *socket, const SocketRecord *record, int error, int which)
{
    SocketNames names;

    if (error) {
        answer(socket->all, record, error);
        return;
    }
    socket_names(socket, which & NAMES_OWN, which & NAMES_PEER, &names);
    sockets_answer(socket->all, &record->head, 0, &names, sizeof names);
}

static gboolean order_create(Sockets *sockets, const SocketRecord *record)
{
    guint32 id = record->head.socket;
    int family = (int) record->head.value, type = (int) record->head.more;

    if (id & HOME_SOCKETS_BY_HOME || sockets_find(sockets, id) || record->size ||
        (family != AF_INET && family != AF_INET6 && family != AF_UNIX) ||
        (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET))
        return FALSE;

    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, (int) record->head.extra);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        Socket *socket = sockets_add(sockets, id, fd, family, type == SOCK_STREAM);
        socket->sequenced = type == SOCK_SEQPACKET;
        socket->state = type == SOCK_DGRAM ? SOCKET_OPEN : SOCKET_NEW;
        socket_update(socket);
    }
    answer(sockets, record, error == EMFILE ? ENFILE : error);
    return TRUE;
}

static gboolean order_bind(Socket *socket, const SocketRecord *record)
{
    SocketName name;
    int error = socket_name(socket, record->payload, record->size, TRUE, &name);

    if (!error)
        error = socket_bind(socket, &name);
    socket_name_clear(&name);
    answer_names(socket, record, error, NAMES_OWN);
    return TRUE;
}

static void now_open(Socket *socket)
{
    socket->state = SOCKET_OPEN;
    socket->in_ended = socket->out_broken = FALSE;
    socket->out_error = 0;
    socket_update(socket);
}

static void keep_connect(Socket *socket, const SocketRecord *record)
{
    socket->late = g_malloc(sizeof *record + record->size);
    *socket->late = *record;
    socket->late->payload = memcpy(socket->late + 1, record->payload, record->size);
    socket->state = SOCKET_CONNECTING;
    socket_retry(socket);
}

static int try_connect(Socket *socket, const SocketRecord *record)
{
    SocketName name;
    int error = socket_name(socket, record->payload, record->size, FALSE, &name);

    if (!error)
        error = socket_connect(socket, &name);
    socket_name_clear(&name);
    return error;
}

/* If the other end is one of ours, the guest is told before it hears that it is connected: then it
 * can join the two. */
static void accept_own(Socket *socket)
{
    Sockets *sockets = socket->all;
    GHashTableIter iter;
    gpointer listener;

    g_hash_table_iter_init(&iter, sockets->listeners);
    while (socket->ends && g_hash_table_iter_next(&iter, &listener, NULL))
        if (socket_listens_for(listener, socket)) {
            socket_accept(listener);
            socket_update(listener);
        }
    socket_clear_ends(socket);
}

static gboolean order_connect(Socket *socket, const SocketRecord *record)
{
    int error = socket->late ? -EALREADY : try_connect(socket, record);

    if (error != -EALREADY)
        socket->connect_request = record->head.request;
    if (!error || error == -EINPROGRESS)
        socket_set_ends(socket, record);
    if (error == -EINPROGRESS) {
        socket->state = SOCKET_CONNECTING;
    } else if (error == -EAGAIN && socket->family == AF_UNIX) {
        keep_connect(socket, record);
        error = -EINPROGRESS;
    } else if (!error && record->size >= 2 && *(const guint16 *) record->payload == AF_UNSPEC) {
        socket_drop(socket);
        if (socket->stream)
            socket->state = SOCKET_NEW;
    } else if (!error) {
        now_open(socket);
        accept_own(socket);
    }
    socket_update(socket);
    answer_names(socket, record, error, NAMES_OWN | NAMES_PEER);
    return TRUE;
}

static void tell_connected(Socket *socket, int error)
{
    SocketNames names;

    if (error)
        socket->state = SOCKET_NEW;
    else
        now_open(socket);
    socket_names(socket, TRUE, !error, &names);
    accept_own(socket);
    sockets_send(socket->all,
                 &(SocketHead){ .type = HOME_SOCKETS_CONNECTED,
                                .socket = socket->id,
                                .request = socket->connect_request,
                                .error = (guint32) error },
                 &names, sizeof names);
    socket_update(socket);
    if (!error)
        socket_write(socket);
}

/* Whoever waited for a connection in vain may try again at once. Home's kernel thinks that nobody has heard of it yet, as
 * nobody has waited there, and would fail the next attempt (ECONNABORTED): this is that one. */
static void forget_failure(Socket *socket)
{
    struct sockaddr any = { .sa_family = socket->family };

    if (socket->stream && socket->family != AF_UNIX)
        connect(socket->fd, &any, sizeof any);
}

void socket_connected(Socket *socket)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error)
        forget_failure(socket);
    tell_connected(socket, error);
}

void socket_connect_again(Socket *socket)
{
    int error = try_connect(socket, socket->late);

    if (error == -EAGAIN) {
        socket_retry(socket);
        return;
    }
    g_clear_pointer(&socket->late, g_free);
    if (error != -EINPROGRESS)
        tell_connected(socket, -error);
}

static gboolean order_listen(Socket *socket, const SocketRecord *record)
{
    int backlog = (int) record->head.value;
    int error = listen(socket->fd, backlog) < 0 ? errno : 0;

    if (!error) {
        socket->state = SOCKET_LISTENING;
        g_hash_table_add(socket->all->listeners, socket);
        socket->announced_max = (guint) CLAMP(backlog, 1, HOME_SOCKETS_ACCEPTS);
        socket_update(socket);
    }
    answer_names(socket, record, error, NAMES_OWN);
    return TRUE;
}

static guint32 fresh_id(Sockets *sockets)
{
    do
        sockets->next_id = (sockets->next_id + 1) | HOME_SOCKETS_BY_HOME;
    while (sockets_find(sockets, sockets->next_id));
    return sockets->next_id;
}

static void announce(Socket *listener, int fd)
{
    Sockets *sockets = listener->all;
    Socket *socket = sockets_add(sockets, fresh_id(sockets), fd, listener->family, listener->stream);
    SocketNames names;

    socket->sequenced = listener->sequenced;
    listener->announced++;
    socket_names(socket, TRUE, TRUE, &names);
    const Socket *other = sockets_other_end(sockets, &names);
    sockets_send(sockets,
                 &(SocketHead){ .type = HOME_SOCKETS_ACCEPTED,
                                .socket = listener->id,
                                .value = socket->id,
                                .more = other ? other->id : 0 },
                 &names, sizeof names);
    now_open(socket);
}

void socket_accept(Socket *listener)
{
    while (listener->announced < listener->announced_max) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
                socket_retry(listener); /* no descriptor: not at full speed */
            return;
        }
        announce(listener, fd);
    }
}

static gboolean order_name(Socket *socket, const SocketRecord *record)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    gboolean peer = record->head.value != 0;
    int failed = peer ? getpeername(socket->fd, (struct sockaddr *) &address, &size)
                      : getsockname(socket->fd, (struct sockaddr *) &address, &size);

    answer_names(socket, record, failed ? errno : 0, peer ? NAMES_PEER : NAMES_OWN);
    return TRUE;
}

static gboolean order_set_option(Socket *socket, const SocketRecord *record)
{
    if (record->size > HOME_SOCKETS_VALUE_MAX)
        return FALSE;
    answer(socket->all, record,
           socket_set_option(socket, (int) record->head.value, (int) record->head.more,
                             record->payload, record->size));
    return TRUE;
}

static gboolean order_get_option(Socket *socket, const SocketRecord *record)
{
    guint8 value[HOME_SOCKETS_VALUE_MAX] __attribute__((aligned(8))) = { 0 };
    socklen_t size = MIN(record->head.extra, sizeof value);

    if (record->size > sizeof value)
        return FALSE;
    memcpy(value, record->payload, record->size);
    int error = socket_get_option(socket, (int) record->head.value, (int) record->head.more, value,
                                  &size);
    sockets_answer(socket->all, &record->head, error, value, error ? 0 : size);
    return TRUE;
}

static gboolean order_ioctl(Socket *socket, const SocketRecord *record)
{
    guint8 argument[HOME_SOCKETS_VALUE_MAX] __attribute__((aligned(8))) = { 0 };
    gsize size = record->size;

    if (record->size > sizeof argument)
        return FALSE;
    memcpy(argument, record->payload, size);
    int error = socket_ioctl(socket, record->head.value, argument, &size);
    sockets_answer(socket->all, &record->head, error, argument,
                   error ? 0 : MIN(size, record->head.extra));
    return TRUE;
}

/* The end of sending comes behind what is held; that of receiving at once. */
static gboolean order_shutdown(Socket *socket, const SocketRecord *record)
{
    int how = (int) record->head.value, error = 0;

    if (socket->first && how != SHUT_RD) {
        socket->shut = TRUE;
        how = how == SHUT_RDWR ? SHUT_RD : -1;
    }
    if (how >= 0 && shutdown(socket->fd, how) < 0)
        error = errno;
    if (!error && how != SHUT_WR && how >= 0 && socket->state == SOCKET_LISTENING)
        socket->state = SOCKET_NEW;
    if (!error && how >= 0 && how != SHUT_RD)
        socket->out_broken = TRUE;
    answer(socket->all, record, error);
    socket_update(socket);
    return TRUE;
}

void socket_release(Socket *socket, guint32 request, gboolean reset)
{
    socket->released = TRUE;
    socket->release_request = request;
    socket->all->lingering++;
    socket->in_ended = TRUE;
    /* The kernel takes the seconds as unsigned. */
    socket->release_until = g_get_monotonic_time() + (gint64) (guint32) socket->linger.l_linger * G_USEC_PER_SEC;
    if (socket->linger.l_onoff && socket->linger.l_linger == 0)
        reset = TRUE;
    if (reset)
        socket_remove(socket, TRUE);
    else
        socket_finish(socket);
}

static gboolean order_release(Socket *socket, const SocketRecord *record)
{
    socket_release(socket, record->head.request, record->head.flags & HOME_SOCKETS_UNREAD);
    return TRUE;
}

#define SOCKETS 1
#define FIFOS 2

static const struct {
    guint16 type;
    guint16 of;
    gboolean (*order)(Socket *socket, const SocketRecord *record);
} orders[] = {
    { HOME_SOCKETS_BIND, SOCKETS, order_bind },
    { HOME_SOCKETS_CONNECT, SOCKETS, order_connect },
    { HOME_SOCKETS_LISTEN, SOCKETS, order_listen },
    { HOME_SOCKETS_NAME, SOCKETS, order_name },
    { HOME_SOCKETS_SETOPT, SOCKETS, order_set_option },
    { HOME_SOCKETS_GETOPT, SOCKETS, order_get_option },
    { HOME_SOCKETS_IOCTL, SOCKETS | FIFOS, order_ioctl },
    { HOME_SOCKETS_SHUTDOWN, SOCKETS, order_shutdown },
    { HOME_SOCKETS_RELEASE, SOCKETS | FIFOS, order_release },
    { HOME_SOCKETS_READ, FIFOS, fifo_order_read },
    { HOME_SOCKETS_WRITE, FIFOS, fifo_order_write },
    { HOME_SOCKETS_POLL, FIFOS, fifo_order_poll },
    { HOME_SOCKETS_INTERRUPT, FIFOS, fifo_order_interrupt },
};

gboolean sockets_order(Sockets *sockets, Socket *socket, const SocketRecord *record)
{
    if (record->head.type == HOME_SOCKETS_CREATE)
        return order_create(sockets, record);
    if (record->head.type == HOME_SOCKETS_OPEN)
        return fifo_order_open(sockets, record);
    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++)
        if (orders[i].type == record->head.type) {
            if (socket)
                return orders[i].of & (socket->fifo ? FIFOS : SOCKETS) && orders[i].order(socket, record);
            if (record->head.type != HOME_SOCKETS_INTERRUPT)
                answer(sockets, record, EBADF); /* no lie: the two ends give up at their own times */
            return TRUE;
        }
    return FALSE;
}
