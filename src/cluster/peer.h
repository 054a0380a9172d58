/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.h - calls between nodes: a connection to each peer, kept and made again
 *
 * Each node dials each other one; calls go out on the connection one has dialled, and both ends
 * may call on either.
 */
#pragma once

#include "common/rpc.h"
#include "tls.h"

typedef struct Peers Peers;

/* The answer to a call to node: result (not owned) or error. */
typedef void (*PeerAnswer)(const char *node, Json *result, const GError *error, gpointer user);

typedef struct {
    /* As RpcEvents.called, with the peer's name from its certificate; node is NULL on a
     * connection without one. */
    void (*called)(const char *node, Rpc *rpc, RpcCall *call, const char *method, Json *params,
                   gpointer user);
    /* The connection to a peer was made (up) or has ended. */
    void (*connected)(const char *node, gboolean up, gpointer user);
    /* There is a connection with a peer, dialled or not: what is sent on it now is the first it hears. */
    void (*greet)(const char *node, Rpc *rpc, gpointer user);
} PeerEvents;

/* self is this node's name: calls to it go round a socket pair and arrive at `called` like all
 * others. */
Peers *peers_new(TlsIdentity *identity, const char *self, const PeerEvents *events, gpointer user);

/* Calls under way are answered with SJ_ERROR_GONE before it returns; what those answers call is
 * dropped. */
void peers_free(Peers *peers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peers, peers_free)

/* Adds a peer, or changes where it is, and dials it; removes it: its calls fail, its
 * connections close. */
void peers_set(Peers *peers, const char *node, const char *address, guint port);
void peers_remove(Peers *peers, const char *node);

/* Takes the plain end of a `call` connection that came in; node is NULL for one without
 * certificate. */
void peers_incoming(Peers *peers, const char *node, int fd);

/* Calls node; params is taken over. While there is no connection the call waits for one. answer
 * (may be NULL) is called exactly once, never before this returns: with SJ_ERROR_NOT_FOUND for
 * an unknown node, SJ_ERROR_TIMEOUT or the reason the node cannot be reached when timeout_ms
 * (0: 60 s) is over, SJ_ERROR_CUT when the connection broke after the call was sent (it may
 * have been done). */
void peers_call(Peers *peers, const char *node, const char *method, Json *params, guint timeout_ms,
                PeerAnswer answer, gpointer user);

/* Notifies node if there is a connection; params is taken over. */
void peers_notify(Peers *peers, const char *node, const char *method, Json *params);

gboolean peers_is_connected(Peers *peers, const char *node);
