/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - calls between nodes: a connection to each peer, kept and made again
 *
 * Each node dials each other one, so between two nodes there are two connections, and neither has
 * to know about the other's. Calls that find no connection wait (peer-call.c).
 *
 * Dialling again begins after FIRST_MS and slows down to LAST_MS; a call, or the peer dialling us,
 * makes it happen at once.
 */
#include "peer-private.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"

enum { FIRST_MS = 100, LAST_MS = 5000, DIAL_MS = 5000, NAMELESS_MS = 30000 };
enum { STEADY_US = 2 * G_USEC_PER_SEC, EAGER_US = G_USEC_PER_SEC / 5 };

typedef struct {
    Peers *peers;
    char *node;
    guint dial;
} DialContext;

static void peer_dial(Peer *peer);

GSource *peers_timer(Peers *peers, guint ms, GSourceFunc function, gpointer data)
{
    return source_add(g_timeout_source_new(ms), peers->context, function, data);
}

static void peers_unref(Peers *peers)
{
    if (--peers->references > 0)
        return;
    tls_identity_unref(peers->identity);
    g_free(peers->self);
    g_main_context_unref(peers->context);
    g_free(peers);
}

/* ---- Connections ---- */

static void peer_lost(Peer *peer);

static void connection_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd,
                              gpointer user)
{
    Connection *connection = user;

    if (fd >= 0)
        close(fd);
    if (connection->peers)
        connection->peers->events.called(connection->node, rpc, call, method, params,
                                         connection->peers->user);
    else
        rpc_fail_new(call, SJ_ERROR_GONE, "this node is stopping");
}

static void connection_closed(Rpc *rpc, gpointer user)
{
    Connection *connection = user;
    Peers *peers = connection->peers;
    Peer *peer;

    if (peers) {
        g_ptr_array_remove_fast(peers->connections, connection);
        if (peers->loop == connection)
            peers->loop = NULL;
        peer = connection->node ? g_hash_table_lookup(peers->table, connection->node) : NULL;
        if (peer && peer->connection == connection)
            peer_lost(peer);
    }
    source_clear(&connection->expiry);
    rpc_unref(connection->rpc);
    g_free(connection->node);
    g_free(connection);
}

static gboolean connection_expired(gpointer user)
{
    Connection *connection = user;

    rpc_close(connection->rpc);
    return G_SOURCE_REMOVE;
}

static Connection *connection_new(Peers *peers, const char *node, int fd)
{
    static const RpcEvents events = {connection_called, connection_closed};
    Connection *connection = g_new0(Connection, 1);

    connection->peers = peers;
    connection->node = g_strdup(node);
    connection->since = g_get_monotonic_time();
    connection->rpc = rpc_new(fd, &events, connection);
    if (!node)
        connection->expiry = peers_timer(peers, NAMELESS_MS, connection_expired, connection);
    g_ptr_array_add(peers->connections, connection);
    return connection;
}

/* Both ends of a connection to ourselves. */
static Connection *loop_connection(Peers *peers)
{
    int pair[2];

    if (!peers->loop && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
        peers->loop = connection_new(peers, peers->self, pair[0]);
        connection_new(peers, peers->self, pair[1]);
    }
    return peers->loop;
}

static gboolean redial(gpointer user)
{
    Peer *peer = user;

    source_clear(&peer->redial);
    peer_dial(peer);
    return G_SOURCE_REMOVE;
}

/* Dials after a pause, each time a longer one. */
static void dial_later(Peer *peer)
{
    guint ms = peer->pause_ms;

    source_clear(&peer->redial);
    peer->redial = peers_timer(peer->peers, g_random_int_range(ms / 2, ms + ms / 2), redial, peer);
    peer->pause_ms = MIN(ms * 2, LAST_MS);
}

void peer_dial_soon(Peer *peer)
{
    if (peer->connection || peer->dial || peer->tried > g_get_monotonic_time() - EAGER_US)
        return;
    source_clear(&peer->redial);
    peer_dial(peer);
}

static void peer_lost(Peer *peer)
{
    Peers *peers = peer->peers;
    g_autofree char *name = g_strdup(peer->name);

    if (peer->connection->since < g_get_monotonic_time() - STEADY_US)
        peer->pause_ms = FIRST_MS;
    peer->connection = NULL;
    g_clear_error(&peer->reason);
    g_set_error(&peer->reason, SJ_ERROR, SJ_ERROR_GONE, "the connection to node '%s' broke", name);
    dial_later(peer);
    if (peers->events.connected)
        peers->events.connected(name, FALSE, peers->user);
}

/* A connection has been made: what waited goes out. */
static void peer_found(Peer *peer, int fd)
{
    Peers *peers = peer->peers;
    g_autofree char *name = g_strdup(peer->name);
    Call *call;

    g_clear_error(&peer->reason);
    source_clear(&peer->redial);
    peer->connection = connection_new(peers, peer->name, fd);
    if (peers->events.greet)
        peers->events.greet(name, peer->connection->rpc, peers->user);
    while ((call = g_queue_pop_head(&peer->waiting)))
        call_send(call, peer->connection);
    if (peers->events.connected)
        peers->events.connected(name, TRUE, peers->user);
}

static void peer_dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autofree DialContext *context = user;
    g_autofree char *node = context->node;
    Peers *peers = context->peers;
    GError *error = NULL;
    int fd = tls_dial_finish(result, NULL, &error);
    Peer *peer = peers->stopped ? NULL : g_hash_table_lookup(peers->table, node);

    if (!peer || peer->dial != context->dial) {
        if (fd >= 0)
            close(fd);
        g_clear_error(&error);
    } else if (fd >= 0) {
        peer->dial = 0;
        peer_found(peer, fd);
    } else {
        peer->dial = 0;
        log_debug("%s", error->message);
        g_clear_error(&peer->reason);
        peer->reason = error;
        dial_later(peer);
    }
    peers_unref(peers);
}

static void peer_dial(Peer *peer)
{
    DialContext *context = g_new(DialContext, 1);
    Peers *peers = peer->peers;

    peer->dial = ++peers->dials;
    peer->tried = g_get_monotonic_time();
    peers->references++;
    *context = (DialContext){peers, g_strdup(peer->name), peer->dial};
    tls_dial(peers->identity, peer->address, peer->port, peer->name,
             json_set_string(json_object(), "purpose", "call"), DIAL_MS, peer_dialled, context);
}

/* Makes all that waits for this peer fail, and forgets it; its connection is closed. */
static void peer_free(gpointer data)
{
    Peer *peer = data;
    Call *call;

    while ((call = g_queue_pop_head(&peer->waiting)))
        call_fail(call, g_error_new(SJ_ERROR, SJ_ERROR_GONE, "node '%s' is no member any more",
                                    peer->name));
    source_clear(&peer->redial);
    if (peer->connection)
        rpc_close(peer->connection->rpc);
    g_clear_error(&peer->reason);
    g_free(peer->name);
    g_free(peer->address);
    g_free(peer);
}

/* ---- The whole ---- */

Peers *peers_new(TlsIdentity *identity, const char *self, const PeerEvents *events, gpointer user)
{
    Peers *peers = g_new0(Peers, 1);

    peers->references = 1;
    peers->identity = tls_identity_ref(identity);
    peers->self = g_strdup(self);
    peers->events = *events;
    peers->user = user;
    peers->context = g_main_context_ref_thread_default();
    peers->table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, peer_free);
    peers->connections = g_ptr_array_new();
    peers->calls = g_ptr_array_new();
    return peers;
}

void peers_free(Peers *peers)
{
    g_autoptr(GError) gone = NULL;

    if (!peers)
        return;
    peers->stopped = TRUE;
    gone = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "this node is stopping");
    g_hash_table_remove_all(peers->table);
    while (peers->calls->len > 0) {
        Call *call = g_ptr_array_index(peers->calls, 0);
        gboolean unsent = call->timer != NULL;
        call_answer(call, NULL, gone);
        if (unsent)
            call_free(call);
    }
    for (guint i = 0; i < peers->connections->len; i++) {
        Connection *connection = g_ptr_array_index(peers->connections, i);
        connection->peers = NULL;
        rpc_close(connection->rpc);
    }
    g_ptr_array_unref(peers->connections);
    g_ptr_array_unref(peers->calls);
    g_hash_table_unref(peers->table);
    peers_unref(peers);
}

void peers_set(Peers *peers, const char *node, const char *address, guint port)
{
    Peer *peer = g_hash_table_lookup(peers->table, node);

    if (g_str_equal(node, peers->self))
        return;
    if (peer && g_str_equal(peer->address, address) && peer->port == port)
        return;
    if (!peer) {
        peer = g_new0(Peer, 1);
        peer->peers = peers;
        peer->name = g_strdup(node);
        g_queue_init(&peer->waiting);
        g_hash_table_insert(peers->table, peer->name, peer);
    }
    g_free(peer->address);
    peer->address = g_strdup(address);
    peer->port = port;
    peer->pause_ms = FIRST_MS;
    source_clear(&peer->redial);
    if (peer->connection)
        rpc_close(peer->connection->rpc); /* dialled again when that is over */
    else
        peer_dial(peer);
}

void peers_remove(Peers *peers, const char *node)
{
    g_hash_table_remove(peers->table, node);
    for (guint i = 0; i < peers->connections->len; i++) {
        Connection *connection = g_ptr_array_index(peers->connections, i);
        if (g_strcmp0(connection->node, node) == 0)
            rpc_close(connection->rpc);
    }
}

void peers_incoming(Peers *peers, const char *node, int fd)
{
    Peer *peer = node ? g_hash_table_lookup(peers->table, node) : NULL;

    Connection *connection = connection_new(peers, node, fd);

    if (node && peers->events.greet)
        peers->events.greet(node, connection->rpc, peers->user);
    if (peer) {
        peer->pause_ms = FIRST_MS;
        peer_dial_soon(peer);
    }
}

Connection *peers_connection(Peers *peers, const char *node, Peer *peer)
{
    if (peers->stopped)
        return NULL;
    if (g_str_equal(node, peers->self))
        return loop_connection(peers);
    return peer ? peer->connection : NULL;
}

void peers_notify(Peers *peers, const char *node, const char *method, Json *params)
{
    Connection *connection = peers_connection(peers, node, g_hash_table_lookup(peers->table, node));

    if (connection)
        rpc_notify(connection->rpc, method, params);
    else
        json_unref(params);
}

gboolean peers_is_connected(Peers *peers, const char *node)
{
    return peers_connection(peers, node, g_hash_table_lookup(peers->table, node)) != NULL;
}
