/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-data.c - the bytes of the job's sockets, both ways, within their windows
 *
 * What the guest sends is handed to home's kernel at once; what that does not take is held, and
 * its window given back when it does. What home receives is read as far as the program's window
 * goes. An end or an error is said behind the bytes before it.
 */
#include "sockets-impl.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#define CREDIT_MAX (64ll << 20)
#define RECORDS_AT_ONCE 4   /* of a socket; then the others have their turn */
#define TAKEN_LEAST (HOME_SOCKETS_WINDOW / 2)   /* told in one go: the guest's agent is woken for each */

void socket_end(Socket *socket)
{
    sockets_send(socket->all,
                 &(SocketHead){ .type = HOME_SOCKETS_END, .socket = socket->id }, NULL, 0);
    socket->in_ended = TRUE;
}

static void tell_taken(Socket *socket, guint32 least)
{
    if (socket->taken < least || socket->released)
        return;
    sockets_send(socket->all,
                 &(SocketHead){ .type = HOME_SOCKETS_TAKEN,
                                .socket = socket->id,
                                .value = socket->taken },
                 NULL, 0);
    socket->taken = 0;
}

void socket_error(Socket *socket, int error)
{
    if (!socket->released)
        sockets_send(socket->all,
                     &(SocketHead){ .type = HOME_SOCKETS_ERROR,
                                    .socket = socket->id,
                                    .error = (guint32) error },
                     NULL, 0);
    if (!socket->stream)
        return;
    socket->in_ended = socket->out_broken = TRUE;
    socket_drop(socket);
}

/* Guest to home */

static guint32 cost(const SocketHead *head)
{
    return head->type == HOME_SOCKETS_DATA ? head->size - (guint32) sizeof *head : head->size;
}

static void let_go(Socket *socket, SocketPiece *piece)
{
    socket->first = piece->next;
    if (!socket->first)
        socket->last = NULL;
    g_free(piece);
}

void socket_drop(Socket *socket)
{
    while (socket->first)
        let_go(socket, socket->first);
    socket->taken += socket->held;
    socket->held = 0;
}

static int send_flags(const SocketHead *head)
{
    return MSG_NOSIGNAL | MSG_DONTWAIT | (head->flags & HOME_SOCKETS_MORE ? MSG_MORE : 0);
}

/* Bytes that the kernel took, or -errno. The last byte of an urgent piece goes alone: the mark is
 * where a send ends. */
static gssize send_bytes(Socket *socket, const SocketPiece *piece)
{
    const guint8 *bytes = piece->bytes + piece->done;
    gsize size = piece->size - piece->done;
    int flags = send_flags(&piece->head);

    if (piece->head.flags & HOME_SOCKETS_OOB) {
        if (size == 1)
            flags |= MSG_OOB;
        else
            size--;
    }
    gssize sent = send(socket->fd, bytes, size, flags);
    return sent < 0 ? -errno : sent;
}

static gboolean read_stream(Socket *socket);

/* Nothing can be sent any more; what had come before that is still for the program to read, as it
 * would be at home, and the error is said behind it. */
static void send_failed(Socket *socket, int error)
{
    socket->out_broken = TRUE;
    socket->out_error = error;
    socket_drop(socket);
    while (socket_may_read(socket) && read_stream(socket))
        ;
    if (socket_may_read(socket))
        socket_error(socket, error);
}

/* Whether something of the first piece went. */
static gboolean write_stream(Socket *socket, SocketPiece *piece)
{
    gssize sent = send_bytes(socket, piece);

    if (sent == -EINTR)
        return TRUE;
    if (sent == -EAGAIN)
        return FALSE;
    if (sent < 0) {
        send_failed(socket, (int) -sent);
        return FALSE;
    }
    piece->done += (guint32) sent;
    socket->held -= (guint32) sent;
    socket->taken += (guint32) sent;
    if (piece->done == piece->size)
        let_go(socket, piece);
    return TRUE;
}

static gboolean write_datagram(Socket *socket, SocketPiece *piece)
{
    int error = socket_send_datagram(socket, piece);

    if (error == -EINTR)
        return TRUE;
    if (error == -EAGAIN) {
        if (socket->family == AF_UNIX) /* that the other's queue is full cannot be waited for */
            socket_retry(socket);
        return FALSE;
    }
    if (piece->head.request)
        sockets_answer(socket->all, &piece->head, error, NULL, 0);
    else if (error)
        socket_error(socket, -error);
    socket->held -= cost(&piece->head);
    socket->taken += cost(&piece->head);
    let_go(socket, piece);
    return TRUE;
}

static gboolean write_piece(Socket *socket)
{
    return socket->stream ? write_stream(socket, socket->first)
                          : write_datagram(socket, socket->first);
}

static void shut_down(Socket *socket)
{
    socket->shut = FALSE;
    socket->out_broken = TRUE;
    shutdown(socket->fd, SHUT_WR);
}

/* With SO_LINGER the program waits until its peer has acknowledged everything. */
static gboolean unacknowledged(const Socket *socket)
{
    int bytes = 0;

    return socket->release_request && socket->linger.l_onoff &&
           g_get_monotonic_time() < socket->release_until &&
           ioctl(socket->fd, TIOCOUTQ, &bytes) == 0 && bytes > 0;
}

void socket_finish(Socket *socket)
{
    if (!socket->first && !unacknowledged(socket)) {
        socket_remove(socket, FALSE);
        return;
    }
    if (!socket->first)
        socket_retry(socket);
    socket_update(socket);
}

void socket_write(Socket *socket)
{
    while (socket->first && write_piece(socket))
        ;
    tell_taken(socket, TAKEN_LEAST);
    if (!socket->first && socket->shut)
        shut_down(socket);
    if (socket->released)
        socket_finish(socket);
    else
        socket_update(socket);
}

static void hold(Socket *socket, const SocketRecord *record, gsize done)
{
    SocketPiece *piece = g_malloc(sizeof *piece + record->size);

    piece->next = NULL;
    piece->head = record->head;
    piece->size = (guint32) record->size;
    piece->done = (guint32) done;
    memcpy(piece->bytes, record->payload, record->size);
    if (socket->last)
        socket->last->next = piece;
    else
        socket->first = piece;
    socket->last = piece;
}

/* The usual case, without a copy: the kernel takes all of it. Bytes that are done with. */
static gsize send_at_once(Socket *socket, const SocketRecord *record)
{
    if (!socket->stream || socket->first || record->head.flags & HOME_SOCKETS_OOB)
        return 0;
    gssize sent = send(socket->fd, record->payload, record->size, send_flags(&record->head));
    if (sent >= 0)
        return (gsize) sent;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    send_failed(socket, errno);
    return record->size;
}

gboolean socket_take(Socket *socket, const SocketRecord *record)
{
    gboolean data = record->head.type == HOME_SOCKETS_DATA;

    if (data != socket->stream ||
        socket->held + cost(&record->head) > HOME_SOCKETS_WINDOW)
        return FALSE;
    if (data ? record->size == 0 || record->size > HOME_SOCKETS_DATA_MAX
             : !socket_datagram_check(record))
        return FALSE;
    if (socket->out_broken) {
        socket->taken += cost(&record->head);
        if (record->head.request)
            sockets_answer(socket->all, &record->head, EPIPE, NULL, 0);
        tell_taken(socket, TAKEN_LEAST);
        return TRUE;
    }

    gsize sent = socket->state == SOCKET_OPEN ? send_at_once(socket, record) : 0;
    if (sent)
        socket->taken += (guint32) sent;
    if (!sent || sent < record->size) {
        hold(socket, record, sent);
        socket->held += cost(&record->head) - (guint32) sent;
    }
    if (socket->state != SOCKET_CONNECTING && !socket->retry)
        socket_write(socket);
    return TRUE;
}

/* Home to guest */

gboolean socket_may_read(const Socket *socket)
{
    return !socket->in_ended && !socket->released &&
           socket->credit >= (socket->stream ? 1 : HOME_SOCKETS_RECORD_MAX);
}

static void send_to_guest(Socket *socket, const void *bytes, gsize size, guint16 flags)
{
    sockets_send(socket->all,
                 &(SocketHead){ .type = HOME_SOCKETS_DATA, .flags = flags, .socket = socket->id },
                 bytes, size);
    socket->credit -= (gint64) size;
}

/* FALSE: there is no more just now. */
static gboolean read_stream(Socket *socket)
{
    static guint8 bytes[HOME_SOCKETS_DATA_MAX];
    gsize room = MIN((gsize) socket->credit, sizeof bytes);
    gssize size = recv(socket->fd, bytes, room, MSG_DONTWAIT);

    if (size > 0) {
        send_to_guest(socket, bytes, (gsize) size, 0);
        return (gsize) size == room;
    }
    if (size == 0 && socket->out_error)
        socket_error(socket, socket->out_error);
    else if (size == 0)
        socket_end(socket);
    else if (errno == EINTR)
        return TRUE;
    else if (errno != EAGAIN)
        socket_error(socket, errno);
    return FALSE;
}

void socket_read(Socket *socket)
{
    for (int i = 0; i < RECORDS_AT_ONCE; i++)
        if (!socket_may_read(socket) || sockets_full(socket->all) ||
            !(socket->stream ? read_stream(socket) : socket_read_datagram(socket)))
            return;
}

/* The urgent byte is sent where it stands among the others: when those before it were read. */
void socket_read_urgent(Socket *socket)
{
    int at_mark = 0;
    guint8 byte;

    if (!socket_may_read(socket) || ioctl(socket->fd, SIOCATMARK, &at_mark) < 0 || !at_mark)
        return;
    if (recv(socket->fd, &byte, 1, MSG_OOB | MSG_DONTWAIT) == 1)
        send_to_guest(socket, &byte, 1, HOME_SOCKETS_OOB);
}

/* The guest gives back what it was sent, or more, if it wants a wider window; of a listening
 * socket: so many connections were accepted. */
gboolean socket_taken(Socket *socket, const SocketRecord *record)
{
    guint32 value = record->head.value;

    if (record->size)
        return FALSE;
    if (socket->announced_max)
        socket->announced -= MIN(value, socket->announced);
    else
        socket->credit = MIN(socket->credit + value, CREDIT_MAX);
    if (!socket->released)
        socket_update(socket);
    return TRUE;
}
