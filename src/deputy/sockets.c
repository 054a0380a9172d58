/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - the job's sockets live here, at home; the guest has proxies of them
 *
 * So an address, a port, a connection never change with a migration: the guest moves, the sockets
 * stay, and what goes between the two are records on the link (src/common/home-sockets.h,
 * docs/protocol.md). The link delivers each once and in order, over any number of broken
 * connections; a socket notices as little of them as of a slow program.
 *
 *     sockets.c         the table, records in and out     sockets-poll.c    waiting for them
 *     sockets-order.c   create, bind, connect, accept...  sockets-data.c    bytes of streams
 *     sockets-name.c    addresses                         sockets-datagram.c
 *     sockets-option.c  options that may pass
 *     sockets-fifo.c    FIFOs, which come the same way
 *
 * Everything is done with the user's own rights by system calls of this process, on its main loop;
 * every descriptor is non-blocking. What the program gets as error is what home's kernel said.
 *
 * Bounds. Each socket has a window a direction (HOME_SOCKETS_WINDOW): the guest has no more under
 * way to a socket than that, so that a peer that does not read costs that much and stalls its own
 * socket only; and as much is read from a socket ahead of the program. So a record of the guest can
 * always be taken, and the link's credit is returned at once. What the link does not take
 * (sockets_send) waits in one queue, in order; while there is something in it no socket is read,
 * and only answers are added; if a guest asks and asks and does not listen, its credit ends.
 *
 * Trust. Every byte of the guest may be a lie. Sockets are numbers in a table; a record of the
 * wrong length or against the windows ends the job; addresses, options and commands that are not on
 * a list do not reach a system call.
 */
#include "sockets-impl.h"

#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LATE_MAX (4u << 20) /* bytes of answers, before the guest's credit ends */

/* To the guest */

static gboolean send_late(Sockets *sockets)
{
    GBytes *record;

    while ((record = g_queue_peek_head(&sockets->late))) {
        gsize size;
        const void *bytes = g_bytes_get_data(record, &size);
        if (sockets->call.send(bytes, size, NULL, 0, sockets->user) == -EAGAIN)
            return FALSE;
        sockets->late_bytes -= size;
        g_bytes_unref(g_queue_pop_head(&sockets->late));
    }
    return TRUE;
}

void sockets_send(Sockets *sockets, const SocketHead *head, const void *data, gsize size)
{
    SocketHead whole = *head;

    whole.size = (guint32) (sizeof whole + size);
    if (g_queue_is_empty(&sockets->late) &&
        sockets->call.send(&whole, sizeof whole, data, size, sockets->user) != -EAGAIN)
        return;
    GByteArray *record = g_byte_array_sized_new(whole.size);
    g_byte_array_append(record, (const guint8 *) &whole, sizeof whole);
    if (size)
        g_byte_array_append(record, data, (guint) size);
    sockets->late_bytes += whole.size;
    g_queue_push_tail(&sockets->late, g_byte_array_free_to_bytes(record));
}

gboolean sockets_full(const Sockets *sockets)
{
    return !g_queue_is_empty((GQueue *) &sockets->late) || sockets->call.busy(sockets->user);
}

void sockets_writable(Sockets *sockets)
{
    if (!send_late(sockets))
        return;
    sockets->call.consumed(sockets->owed, sockets->user);
    sockets->owed = 0;
}

void sockets_answer(Sockets *sockets, const SocketHead *request, int error, const void *data,
                    gsize size)
{
    if (!request->request)
        return;
    sockets_send(sockets,
                 &(SocketHead){ .type = HOME_SOCKETS_ANSWER,
                                .socket = request->socket,
                                .request = request->request,
                                .error = (guint32) (error < 0 ? -error : error) },
                 data, size);
}

/* The table */

Socket *sockets_find(Sockets *sockets, guint32 id)
{
    return g_hash_table_lookup(sockets->table, GUINT_TO_POINTER(id));
}

Socket *sockets_add(Sockets *sockets, guint32 id, int fd, int family, gboolean stream)
{
    Socket *socket = g_new0(Socket, 1);

    socket->all = sockets;
    socket->id = id;
    socket->fd = fd;
    socket->family = family;
    socket->stream = stream;
    socket->credit = HOME_SOCKETS_WINDOW;
    g_hash_table_insert(sockets->table, GUINT_TO_POINTER(id), socket);
    return socket;
}

/* A close that waits (SO_LINGER) would stop everything; one that resets needs it. */
static void set_linger(int fd, gboolean reset)
{
    const struct linger linger = { .l_onoff = reset, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

void socket_remove(Socket *socket, gboolean reset)
{
    Sockets *sockets = socket->all;

    if (socket->released)
        sockets->lingering--;
    if (socket->retry)
        g_source_remove(socket->retry);
    if (socket->fifo)
        fifo_free(socket);
    g_free(socket->late);
    socket_clear_ends(socket);
    socket_drop(socket);
    g_hash_table_remove(sockets->table, GUINT_TO_POINTER(socket->id));
    g_hash_table_remove(sockets->listeners, socket);
    if (socket->state != SOCKET_FIFO)
        set_linger(socket->fd, reset);
    if (socket->fd >= 0)
        close(socket->fd);
    if (socket->release_request)
        sockets_answer(sockets,
                       &(SocketHead){ .socket = socket->id, .request = socket->release_request }, 0,
                       NULL, 0);
    g_free(socket);
}

/* From the guest */

static gboolean take_record(Sockets *sockets, const SocketRecord *record)
{
    Socket *socket = sockets_find(sockets, record->head.socket);

    if (socket && socket->released)
        socket = NULL;
    if (socket && socket->fifo && record->head.type >= HOME_SOCKETS_DATA)
        return FALSE;
    switch (record->head.type) {
    case HOME_SOCKETS_DATA:
    case HOME_SOCKETS_DATAGRAM:
        return !socket || socket_take(socket, record);
    case HOME_SOCKETS_TAKEN:
        return !socket || socket_taken(socket, record);
    default:
        return sockets_order(sockets, socket, record);
    }
}

gboolean sockets_message(Sockets *sockets, const void *message, gsize size)
{
    SocketRecord record = { .payload = (const guint8 *) message + sizeof record.head,
                            .size = size - sizeof record.head };

    if (size < sizeof record.head || size > HOME_SOCKETS_RECORD_MAX)
        return FALSE;
    memcpy(&record.head, message, sizeof record.head);
    if (record.head.size != size || record.head.socket == 0 || !take_record(sockets, &record))
        return FALSE;
    if (sockets->late_bytes > LATE_MAX)
        sockets->owed += size;
    else
        sockets->call.consumed(size, sockets->user);
    sockets->call.flush(sockets->user);
    return TRUE;
}

void sockets_close(Sockets *sockets)
{
    g_autoptr(GList) all = g_hash_table_get_keys(sockets->table);

    for (GList *id = all; id; id = id->next) {
        Socket *socket = sockets_find(sockets, GPOINTER_TO_UINT(id->data));
        if (socket && !socket->released)
            socket_release(socket, 0, FALSE);
    }
}

gboolean sockets_linger(const Sockets *sockets)
{
    return sockets->lingering > 0;
}

Sockets *sockets_new(Files *files, const SocketsEvents *events, gpointer user, GError **error)
{
    Sockets *sockets = g_new0(Sockets, 1);

    sockets->call = *events;
    sockets->user = user;
    sockets->files = files;
    sockets->next_id = HOME_SOCKETS_BY_HOME;
    sockets->home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    sockets->table = g_hash_table_new(NULL, NULL);
    sockets->listeners = g_hash_table_new(NULL, NULL);
    sockets->ends = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                          (GDestroyNotify) g_bytes_unref, NULL);
    g_queue_init(&sockets->late);
    if (sockets_poll_open(sockets, error))
        return sockets;
    sockets_free(sockets);
    return NULL;
}

void sockets_free(Sockets *sockets)
{
    GHashTableIter iter;
    gpointer socket;

    if (!sockets)
        return;
    for (g_hash_table_iter_init(&iter, sockets->table);
         g_hash_table_iter_next(&iter, NULL, &socket);
         g_hash_table_iter_init(&iter, sockets->table))
        socket_remove(socket, FALSE);
    fifos_end(sockets);
    sockets_poll_close(sockets);
    g_queue_clear_full(&sockets->late, (GDestroyNotify) g_bytes_unref);
    g_hash_table_unref(sockets->table);
    g_hash_table_unref(sockets->ends);
    g_hash_table_unref(sockets->listeners);
    if (sockets->home >= 0)
        close(sockets->home);
    g_free(sockets);
}
