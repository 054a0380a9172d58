/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-connection.c - what the thread of a connection does: handshake, a line each way, the pump
 *
 * The pump moves bytes between the plain socket (one end of a local pair) and the TCP socket, many
 * records by one system call. Nothing is read from one side while there is no room for it on the
 * way to the other, so both sides feel each other's pressure as with one socket.
 *
 * How ends travel:
 * - The user shuts down writing: close_notify, no FIN. The other pump does so on its pair.
 * - The user closes: what was written goes out, close_notify, FIN; what still comes is thrown away.
 *   The other pump sees FIN: its user may read what there is, and writing gets EPIPE.
 * - The connection breaks (reset, time-out, no close_notify before FIN, a bad record): what was
 *   decrypted is handed over, then as above. Users cannot tell this from an end.
 * The TCP socket is not closed while the other end may be sending, for that would be a reset, which
 * can overtake our last bytes: see linger().
 *
 * A descriptor that has hung up is no longer polled (poll would return at once, for ever); reading
 * from it does not wait any more.
 */
#include "tls-connection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

enum { CHUNK = 64 * 1024, CHUNK_ROOM = CHUNK + (CHUNK / TLS_RECORD + 1) * TLS_RECORD_EXTRA };
enum { INCOMING_SIZE = 128 * 1024, LINGER_US = 30 * G_USEC_PER_SEC };

/* One of the two descriptors: what the last poll or try said about it. */
typedef struct {
    int fd;
    gboolean readable, writable;
    gboolean hung_up;
} End;

struct TlsConnection {
    TlsSession *session;
    End socket, plain;
    TlsBuffer incoming;   /* decrypted, on its way to the user */
    guint8 *chunk;        /* from the user, to be encrypted */
    gboolean user_ended;  /* nothing more comes from the user */
    gboolean peer_ended;  /* nothing more comes from the other node */
    gboolean passed_end;  /* and the user has been told */
    gboolean user_deaf;   /* the user does not read any more */
    TlsCounter *counter;
};

TlsConnection *tls_connection_new(int socket, TlsCredentials *credentials, gboolean server)
{
    TlsConnection *connection = g_new0(TlsConnection, 1);

    connection->session = tls_session_new(credentials, server);
    connection->socket = (End){.fd = socket, .readable = TRUE, .writable = TRUE};
    connection->plain = (End){.fd = -1, .readable = TRUE, .writable = TRUE};
    connection->incoming = (TlsBuffer){g_malloc(INCOMING_SIZE), 0, 0, INCOMING_SIZE};
    return connection;
}

/* Closes the plain end so that its user sees an end, not the reset that unread bytes would make. */
static void close_plain(TlsConnection *connection)
{
    static const int most = 1000;
    char unread[4096];

    if (connection->plain.fd < 0)
        return;
    shutdown(connection->plain.fd, SHUT_RDWR);
    for (int i = 0; i < most; i++)
        if (recv(connection->plain.fd, unread, sizeof unread, MSG_DONTWAIT) <= 0)
            break;
    close(connection->plain.fd);
    connection->plain.fd = -1;
}

void tls_connection_free(TlsConnection *connection)
{
    if (!connection)
        return;
    close_plain(connection);
    close(connection->socket.fd);
    tls_session_free(connection->session);
    g_free(connection->incoming.data);
    g_free(connection->chunk);
    g_free(connection);
}

static gboolean would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* The network takes nothing more. */
static void peer_gone(TlsConnection *connection)
{
    TlsBuffer *output = tls_session_output(connection->session);

    tls_buffer_drop(output, tls_buffer_length(output));
    connection->user_ended = TRUE;
    if (connection->plain.fd >= 0)
        shutdown(connection->plain.fd, SHUT_RD); /* the user's writing gets EPIPE */
}

/* Nothing that comes from the network or goes to it makes sense any more. */
static void broken(TlsConnection *connection)
{
    peer_gone(connection);
    shutdown(connection->socket.fd, SHUT_RDWR);
}

/* Encrypted bytes to the network; TRUE if something was done. */
static gboolean session_to_socket(TlsConnection *connection)
{
    End *socket = &connection->socket;
    TlsBuffer *output = tls_session_output(connection->session);
    gsize length = tls_buffer_length(output);
    ssize_t sent;

    if (length == 0 || !socket->writable)
        return FALSE;
    sent = send(socket->fd, output->data + output->start, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && would_wait()) {
        socket->writable = FALSE;
        return FALSE;
    }
    if (sent < 0) {
        peer_gone(connection);
        return TRUE;
    }
    tls_buffer_drop(output, sent);
    return TRUE;
}

/* Encrypted bytes from the network; TRUE if something was done. */
static gboolean socket_to_session(TlsConnection *connection)
{
    End *socket = &connection->socket;
    TlsBuffer *input = tls_session_input(connection->session);
    gsize room;
    guint8 *to = tls_buffer_room(input, &room);
    ssize_t got;

    if (room == 0 || !socket->readable)
        return FALSE;
    got = recv(socket->fd, to, room, MSG_DONTWAIT);
    if (got < 0 && would_wait() && !socket->hung_up) {
        socket->readable = FALSE;
        return FALSE;
    }
    if (got <= 0) {
        socket->readable = FALSE;
        socket->hung_up = TRUE;
        tls_session_input_ended(connection->session);
        peer_gone(connection);
        return TRUE;
    }
    if (connection->peer_ended)
        return TRUE; /* after its close_notify: not a part of anything */
    tls_buffer_add(input, got);
    if ((gsize)got < room && !socket->hung_up)
        socket->readable = FALSE;
    return TRUE;
}

/* Decrypts what there is room for. */
static void decrypt(TlsConnection *connection)
{
    gsize room;
    guint8 *to;

    while (!connection->peer_ended &&
           (to = tls_buffer_room(&connection->incoming, &room), room > 0)) {
        gssize got = tls_session_get(connection->session, to, room);
        if (got == TLS_GET_AGAIN)
            return;
        if (got <= 0) {
            TlsBuffer *input = tls_session_input(connection->session);
            connection->peer_ended = TRUE;
            tls_buffer_drop(input, tls_buffer_length(input));
            if (got == TLS_GET_BROKEN)
                broken(connection);
            return;
        }
        tls_buffer_add(&connection->incoming, got);
        if (connection->counter)
            atomic_fetch_add_explicit(&connection->counter->bytes_in, got, memory_order_relaxed);
    }
}

/* Decrypted bytes, and at last the end, to the user; TRUE if something was done. */
static gboolean session_to_plain(TlsConnection *connection)
{
    End *plain = &connection->plain;
    TlsBuffer *incoming = &connection->incoming;
    gsize length;
    ssize_t sent;

    decrypt(connection);
    length = tls_buffer_length(incoming);
    if (length == 0 && connection->peer_ended && !connection->passed_end) {
        shutdown(plain->fd, SHUT_WR);
        return connection->passed_end = TRUE;
    }
    if (length > 0 && connection->user_deaf) {
        tls_buffer_drop(incoming, length);
        return TRUE;
    }
    if (length == 0 || !plain->writable)
        return FALSE;
    sent = send(plain->fd, incoming->data + incoming->start, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && would_wait()) {
        plain->writable = FALSE;
        return FALSE;
    }
    if (sent < 0)
        connection->user_deaf = TRUE;
    else
        tls_buffer_drop(incoming, sent);
    return TRUE;
}

static void user_ended(TlsConnection *connection)
{
    connection->user_ended = TRUE;
    tls_session_put_end(connection->session);
}

static gboolean encrypt(TlsConnection *connection, gsize length)
{
    for (gsize done = 0; done < length; done += TLS_RECORD)
        if (!tls_session_put(connection->session, connection->chunk + done,
                             MIN(length - done, TLS_RECORD)))
            return FALSE;
    if (connection->counter)
        atomic_fetch_add_explicit(&connection->counter->bytes_out, length, memory_order_relaxed);
    return TRUE;
}

static gboolean has_room_for_chunk(TlsConnection *connection)
{
    TlsBuffer *output = tls_session_output(connection->session);

    return output->size - tls_buffer_length(output) >= CHUNK_ROOM;
}

/* The user's bytes, encrypted, to the session's output; TRUE if something was done. */
static gboolean plain_to_session(TlsConnection *connection)
{
    End *plain = &connection->plain;
    ssize_t got;

    if (connection->user_ended || !plain->readable || !has_room_for_chunk(connection))
        return FALSE;
    got = recv(plain->fd, connection->chunk, CHUNK, MSG_DONTWAIT);
    if (got < 0 && would_wait() && !plain->hung_up) {
        plain->readable = FALSE;
        return FALSE;
    }
    if (got <= 0)
        user_ended(connection);
    else if (!encrypt(connection, got))
        broken(connection);
    else if (got < CHUNK && !plain->hung_up)
        plain->readable = FALSE;
    return TRUE;
}

/* Takes over what poll has said; a hang-up leaves only reading. */
static void end_polled(End *end, short events)
{
    if (events & (POLLHUP | POLLERR | POLLNVAL))
        end->hung_up = end->readable = TRUE;
    if (events & POLLIN)
        end->readable = TRUE;
    if (events & POLLOUT)
        end->writable = TRUE;
}

/* Waits until something can be done. */
static void wait_for_ends(TlsConnection *connection)
{
    End *plain = &connection->plain, *socket = &connection->socket;
    gsize room;
    struct pollfd polls[2] = {{.fd = plain->hung_up ? -1 : plain->fd},
                              {.fd = socket->hung_up ? -1 : socket->fd}};

    tls_buffer_room(tls_session_input(connection->session), &room);
    if (!connection->user_ended && has_room_for_chunk(connection))
        polls[0].events |= POLLIN;
    if (tls_buffer_length(&connection->incoming) > 0)
        polls[0].events |= POLLOUT;
    if (room > 0)
        polls[1].events |= POLLIN;
    if (tls_buffer_length(tls_session_output(connection->session)) > 0)
        polls[1].events |= POLLOUT;
    if (poll(polls, 2, -1) <= 0)
        return;
    end_polled(plain, polls[0].revents);
    end_polled(socket, polls[1].revents);
    if (plain->hung_up)
        connection->user_deaf = TRUE;
    if (socket->hung_up)
        peer_gone(connection);
}

/* The user has closed. Says so by FIN, and waits a while for the other end to do the same. */
static void linger(TlsConnection *connection)
{
    gint64 deadline = g_get_monotonic_time() + LINGER_US;
    gint64 left;
    ssize_t got = 1;

    shutdown(connection->socket.fd, SHUT_WR);
    while (got > 0 && (left = deadline - g_get_monotonic_time()) > 0) {
        struct pollfd waiting = {.fd = connection->socket.fd, .events = POLLIN};
        if (poll(&waiting, 1, left / 1000 + 1) > 0)
            got = recv(connection->socket.fd, connection->chunk, CHUNK, MSG_DONTWAIT);
    }
}

void tls_connection_pump(TlsConnection *connection, int plain, TlsCounter *counter)
{
    TlsBuffer *output = tls_session_output(connection->session);

    connection->plain.fd = plain;
    connection->counter = counter;
    connection->chunk = g_malloc(CHUNK);
    if (counter)
        atomic_fetch_add_explicit(&counter->bytes_in, tls_buffer_length(&connection->incoming),
                                  memory_order_relaxed);
    if (connection->user_ended)
        shutdown(plain, SHUT_RD);
    while (!connection->user_ended || tls_buffer_length(output) > 0 ||
           !(connection->passed_end || connection->plain.hung_up)) {
        gboolean moved = plain_to_session(connection);
        moved |= session_to_socket(connection);
        moved |= socket_to_session(connection);
        moved |= session_to_plain(connection);
        if (!moved)
            wait_for_ends(connection);
    }
    if (!connection->peer_ended && !connection->socket.hung_up)
        linger(connection);
    close_plain(connection);
}

/* Before the pump: sends what there is, waits for something to come, takes it. */
static gboolean exchange(TlsConnection *connection, gboolean only_send, gint64 deadline,
                         GError **error)
{
    End *socket = &connection->socket;
    TlsBuffer *output = tls_session_output(connection->session);
    gint64 left = deadline - g_get_monotonic_time();
    struct pollfd waiting = {.fd = socket->fd, .events = only_send ? 0 : POLLIN};

    session_to_socket(connection);
    if (tls_buffer_length(output) > 0)
        waiting.events |= POLLOUT;
    if (waiting.events == 0)
        return TRUE;
    if (left <= 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_TIMEOUT, "it does not answer");
        return FALSE;
    }
    if (poll(&waiting, 1, left / 1000 + 1) <= 0)
        return TRUE;
    end_polled(socket, waiting.revents);
    if (!only_send)
        socket_to_session(connection);
    return TRUE;
}

static gboolean flush(TlsConnection *connection, gint64 deadline, GError **error)
{
    TlsBuffer *output = tls_session_output(connection->session);

    while (tls_buffer_length(output) > 0)
        if (!exchange(connection, TRUE, deadline, error))
            return FALSE;
    return TRUE;
}

gboolean tls_connection_handshake(TlsConnection *connection, gint64 deadline, GError **error)
{
    int done;

    while ((done = tls_session_handshake(connection->session, error)) == 0)
        if (!exchange(connection, FALSE, deadline, error))
            return FALSE;
    if (done < 0) {
        flush(connection, MIN(deadline, g_get_monotonic_time() + G_USEC_PER_SEC), NULL);
        return FALSE;
    }
    return flush(connection, deadline, error);
}

const char *tls_connection_peer(TlsConnection *connection)
{
    return tls_session_peer(connection->session);
}

/* The sentence for a connection that ends where a line should come. */
static void line_error(TlsConnection *connection, GError **error)
{
    const char *alert = tls_session_alert(connection->session);

    if (alert)
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "it refused: %s", alert);
    else
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "it closed the connection");
}

char *tls_connection_read_line(TlsConnection *connection, gsize limit, gint64 deadline,
                               gsize *ret_length, GError **error)
{
    TlsBuffer *incoming = &connection->incoming;
    guint8 *newline;
    char *line;

    for (;;) {
        gsize length = (decrypt(connection), tls_buffer_length(incoming));
        newline = memchr(incoming->data + incoming->start, '\n', MIN(length, limit));
        if (newline)
            break;
        if (length >= limit) {
            g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "its first line is too long");
            return NULL;
        }
        if (connection->peer_ended) {
            line_error(connection, error);
            return NULL;
        }
        if (!exchange(connection, FALSE, deadline, error))
            return NULL;
    }
    *ret_length = newline - (incoming->data + incoming->start);
    line = g_strndup((char *)incoming->data + incoming->start, *ret_length);
    tls_buffer_drop(incoming, *ret_length + 1);
    return line;
}

gboolean tls_connection_write_line(TlsConnection *connection, const char *line, gint64 deadline,
                                   GError **error)
{
    if (!tls_session_put(connection->session, line, strlen(line)) ||
        !tls_session_put(connection->session, "\n", 1)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "it closed the connection");
        return FALSE;
    }
    return flush(connection, deadline, error);
}
