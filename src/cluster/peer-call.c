/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer-call.c - a call to a peer, from its beginning to its answer
 *
 * Calls that find no connection wait in a queue until there is one or their time is over. A call
 * that was sent is never sent again: only the caller knows whether it may be.
 */
#include "peer-private.h"

#include <unistd.h>

#include "common/error.h"
#include "common/source.h"

enum { CALL_MS = 60000, WAITING_MAX = 1000 };

void call_free(Call *call)
{
    source_clear(&call->timer);
    g_clear_error(&call->failure);
    json_unref(call->params);
    g_free(call->node);
    g_free(call->method);
    g_free(call);
}

void call_answer(Call *call, Json *result, const GError *error)
{
    if (!call->peers)
        return;
    g_ptr_array_remove_fast(call->peers->calls, call);
    call->peers = NULL;
    if (call->answer)
        call->answer(call->node, result, error, call->user);
}

/* The answer came, or the connection broke, or time is over. */
static void call_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Call *call = user;
    g_autoptr(GError) told = NULL;

    if (fd >= 0)
        close(fd);
    if (error && error->code == SJ_ERROR_GONE && !rpc_is_open(rpc))
        g_set_error(&told, SJ_ERROR, SJ_ERROR_CUT,
                    "the connection to node '%s' broke before it answered %s", call->node,
                    call->method);
    else if (error && error->code == SJ_ERROR_TIMEOUT)
        g_set_error(&told, SJ_ERROR, SJ_ERROR_TIMEOUT, "node '%s': %s", call->node,
                    error->message);
    call_answer(call, result, told ? told : error);
    call_free(call);
}

void call_send(Call *call, Connection *connection)
{
    gint64 left = (call->deadline - g_get_monotonic_time()) / 1000;

    source_clear(&call->timer);
    rpc_call(connection->rpc, call->method, g_steal_pointer(&call->params), -1, MAX(left, 1),
             call_answered, call);
}

/* From the main loop: a call that was not sent fails. */
static gboolean call_fails(gpointer user)
{
    Call *call = user;
    Peer *peer = g_hash_table_lookup(call->peers->table, call->node);

    if (peer)
        g_queue_remove(&peer->waiting, call);
    if (!call->failure && peer && peer->reason)
        call->failure = g_error_copy(peer->reason);
    if (!call->failure)
        g_set_error(&call->failure, SJ_ERROR, SJ_ERROR_TIMEOUT,
                    "node '%s' could not be reached in time", call->node);
    call_answer(call, NULL, call->failure);
    call_free(call);
    return G_SOURCE_REMOVE;
}

void call_fail(Call *call, GError *failure)
{
    g_clear_error(&call->failure);
    call->failure = failure;
    source_clear(&call->timer);
    call->timer = peers_timer(call->peers, 0, call_fails, call);
}

void peers_call(Peers *peers, const char *node, const char *method, Json *params,
                guint timeout_ms, PeerAnswer answer, gpointer user)
{
    Peer *peer = g_hash_table_lookup(peers->table, node);
    Connection *connection = peers_connection(peers, node, peer);
    Call *call;

    if (peers->stopped) { /* made from an answer that peers_free gave */
        json_unref(params);
        return;
    }
    call = g_new0(Call, 1);
    timeout_ms = timeout_ms ? timeout_ms : CALL_MS;
    call->peers = peers;
    call->node = g_strdup(node);
    call->method = g_strdup(method);
    call->params = params ? params : json_object();
    call->deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    call->answer = answer;
    call->user = user;
    g_ptr_array_add(peers->calls, call);
    if (connection && rpc_is_open(connection->rpc))
        call_send(call, connection);
    else if (!peer)
        call_fail(call, g_error_new(SJ_ERROR, SJ_ERROR_NOT_FOUND,
                                    "there is no node '%s' in the cluster", node));
    else if (g_queue_get_length(&peer->waiting) >= WAITING_MAX)
        call_fail(call, g_error_new(SJ_ERROR, SJ_ERROR_BUSY, "too many calls wait for node '%s'",
                                    node));
    else {
        call->timer = peers_timer(peers, timeout_ms, call_fails, call);
        g_queue_push_tail(&peer->waiting, call);
        peer_dial_soon(peer);
    }
}
