/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-connection.h - what the thread of a connection does: handshake, a line each way, the pump */
#pragma once

#include <glib.h>
#include <stdatomic.h>

#include "tls-session.h"

/* Payload of all connections with one purpose. */
typedef struct {
    _Atomic guint64 bytes_in, bytes_out;
    atomic_uint open, connections;
} TlsCounter;

typedef struct TlsConnection TlsConnection;

/* Takes over the connected TCP socket, which must not block. */
TlsConnection *tls_connection_new(int socket, TlsCredentials *credentials, gboolean server);

/* Closes what is still open. */
void tls_connection_free(TlsConnection *connection);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsConnection, tls_connection_free)

/* deadline: g_get_monotonic_time(). Errors tell what "it", the other end, did. */
gboolean tls_connection_handshake(TlsConnection *connection, gint64 deadline, GError **error);

/* The name in the other end's certificate; NULL if it showed none. */
const char *tls_connection_peer(TlsConnection *connection);

/* One line of at most limit bytes with its newline, which is left out (g_free, NUL ended). */
char *tls_connection_read_line(TlsConnection *connection, gsize limit, gint64 deadline,
                               gsize *ret_length, GError **error);
gboolean tls_connection_write_line(TlsConnection *connection, const char *line, gint64 deadline,
                                   GError **error);

/* Carries bytes between the connection and plain, one end of a local socket pair (taken over),
 * until both directions have ended; then closes. counter outlives the call. */
void tls_connection_pump(TlsConnection *connection, int plain, TlsCounter *counter);
