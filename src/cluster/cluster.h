/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster.h - this node among the others: the one header of src/cluster that the controller needs
 *
 * A node without a cluster does not listen; it is alone, and calls to itself work all the
 * same. Everything runs on the main context that was the thread default in cluster_new.
 */
#pragma once

#include <gio/gio.h>

#include "common/conf.h"
#include "common/json.h"
#include "common/rpc.h"
#include "peer.h"
#include "tls.h"

typedef struct Cluster Cluster;

typedef struct {
    /* A call or notification came from a node (this one included). The callee owns call until
     * it answers it by rpc_reply or rpc_fail, as with RpcEvents.called; notifications sent on
     * rpc_call_connection(call) meanwhile reach the caller's `called`. Not seen here: cluster.*
     * methods, answered by this part. */
    void (*called)(Cluster *cluster, const char *node, Rpc *rpc, RpcCall *call,
                   const char *method, Json *params, gpointer user);
    /* A connection with a purpose other than `call` came from a node; the callee answers by
     * tls_accept or tls_refuse, now or within 30 s. */
    void (*opened)(Cluster *cluster, const char *node, Json *preamble, TlsAccept *accept,
                   gpointer user);
    /* A node's row, state or membership changed; node is NULL when this node itself has entered
     * or left a cluster. */
    void (*changed)(Cluster *cluster, const char *node, gpointer user);
    /* The gossip's process has to be started, ended, or started anew (gossip.h); may be NULL. */
    void (*look)(Cluster *cluster, gpointer user);
    /* A node that is seen to wait: it is there, it was let in, it is gone. Of those that come and go quickly some are left out.
     * may be NULL. */
    void (*pending)(Cluster *cluster, const char *name, const char *text, gpointer user);
} ClusterEvents;

/* Copies from conf what it needs (name, address, listen, port, state_dir); does nothing yet. */
Cluster *cluster_new(const Conf *conf, const ClusterEvents *events, gpointer user);

/* Loads what is in STATE_DIR/cluster, and when there is a cluster calls the others and listens.
 * FALSE with a sentence when what is there cannot be used, or when the port cannot be had: then it
 * is tried again every few seconds, and the cluster is there apart from that. */
gboolean cluster_start(Cluster *cluster, GError **error);

/* Stops at once; calls under way fail with SJ_ERROR_GONE before it returns or soon after. */
void cluster_free(Cluster *cluster);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cluster, cluster_free)

/* This node's name, the address and port others are told. */
const char *cluster_self(Cluster *cluster);
const char *cluster_address(Cluster *cluster);
guint cluster_port(Cluster *cluster);

/* Whether this node belongs to a cluster; whether it holds the authority's key. */
gboolean cluster_exists(Cluster *cluster);
gboolean cluster_is_authority(Cluster *cluster);

/* Makes an authority and a cluster of this one node and starts listening. name and address (may
 * be NULL) replace the configured ones, for good. */
gboolean cluster_init(Cluster *cluster, const char *name, const char *address, GError **error);

/* A token for cluster_join (g_free), good for valid_s seconds (0: an hour) and, with single,
 * for one node. Only the authority's node can make it. */
char *cluster_token(Cluster *cluster, guint valid_s, gboolean single, GError **error);

/* Joins the cluster that the token is from, starts listening and calling. */
void cluster_join(Cluster *cluster, const char *token, GAsyncReadyCallback done, gpointer user);
gboolean cluster_join_finish(GAsyncResult *result, GError **error);

/* Waits to be let into the cluster whose authority's certificate has this fingerprint (or whose fingerprint begins so), also
 * after a restart; until cluster_leave. */
gboolean cluster_wait(Cluster *cluster, const char *authority, GError **error);

/* The fingerprint of this node's key, while it waits; else NULL. */
const char *cluster_waits(Cluster *cluster);

/* What the authority's fingerprint begins with that it waits for (digits); NULL if it does not wait. */
const char *cluster_waits_for(Cluster *cluster);

/* The nodes that are seen to wait: {name, address, port, state, fingerprint}, all of it hearsay (new reference). */
Json *cluster_pending(Cluster *cluster);

/* Lets a node in that waits: one that is seen, by its name, or any, by its address; if its key has this fingerprint (or one
 * that begins so). Only at the authority's node. sponsor: the member whose administrator ordered it, NULL: this one. */
void cluster_admit(Cluster *cluster, const char *node, const char *key, const char *sponsor, GAsyncReadyCallback done,
                   gpointer user);
gboolean cluster_admit_finish(GAsyncResult *result, GError **error);

/* What an administrator here (who: for the log there) orders of the authority, wherever that is: "admit" (key as for
 * cluster_admit), or "remove" (key NULL). The result of cluster_order_finish (new reference) is {}; of a removal {sponsored:
 * [NAME]}, members that the removed one's administrators had let in. */
void cluster_order(Cluster *cluster, const char *what, const char *node, const char *key, const char *who,
                   GAsyncReadyCallback done, gpointer user);
Json *cluster_order_finish(GAsyncResult *result, GError **error);

/* A callback for cluster_order that answers a call with what came of it: user is the RpcCall. */
void cluster_order_answer(GObject *source, GAsyncResult *result, gpointer user);

/* The fingerprint of the authority's certificate (g_free); NULL without a cluster. */
char *cluster_fingerprint(Cluster *cluster);

/* Whether Avahi answers, a sentence about it (g_free), what would help (static); NULL in ret_text: it is not asked. */
gboolean cluster_discovers(Cluster *cluster, char **ret_text, const char **ret_remedy);

/* Takes a node out of the cluster: its certificate is revoked, its connections are cut, the gossip
 * has a new key. A node's own name: it forgets the cluster, whatever the others think. Else only at the authority's node, and
 * not that one itself. */
gboolean cluster_remove(Cluster *cluster, const char *node, GError **error);

/* Has this node taken out of its cluster, by the authority's node, and forgets it. The authority's
 * own can do so when it is the last. A node that waits to be let in waits no more. */
void cluster_leave(Cluster *cluster, GAsyncReadyCallback done, gpointer user);
gboolean cluster_leave_finish(GAsyncResult *result, GError **error);

/* Asks the authority for a new certificate now. Happens by itself when a third of the validity is
 * left. */
void cluster_renew(Cluster *cluster);

/* Calls a node, this one included; also while the connection is being made again (see
 * peers_call). answer may be NULL. */
void cluster_call(Cluster *cluster, const char *node, const char *method, Json *params,
                  guint timeout_ms, PeerAnswer answer, gpointer user);

/* Notifies a node if there is a connection to it; params is taken over. */
void cluster_notify(Cluster *cluster, const char *node, const char *method, Json *params);

/* Names of the other nodes that answer (g_ptr_array_unref). */
GPtrArray *cluster_alive(Cluster *cluster);

/* A connection of its own to a member: preamble ({"purpose": "link" | "gate" | "migration",
 * ...}) is taken over. */
void cluster_dial(Cluster *cluster, const char *node, Json *preamble, guint timeout_ms,
                  GAsyncReadyCallback done, gpointer user);
int cluster_dial_finish(GAsyncResult *result, GError **error);

/* What is known of a node as a row of node.list, without this node: the last answer to
 * node.info with name, address, port, state (alive, failed, left, pending) and last_seen (s
 * since the epoch) set. New references; NULL for an unknown node. */
Json *cluster_row(Cluster *cluster, const char *node);
Json *cluster_rows(Cluster *cluster);

/* Whether node is this one or a member that answers. */
gboolean cluster_is_alive(Cluster *cluster, const char *node);

/* How nodes are watched: whether by gossip, a sentence about it (g_free), what would help (static).
 */
gboolean cluster_gossips(Cluster *cluster, char **ret_text, const char **ret_remedy);

/* Members for cluster.members: array of {name, address, port, state, last_seen?, authority,
 * self}, this node first (new reference); empty without a cluster. */
Json *cluster_members(Cluster *cluster);

/* Payload bytes by purpose since the start, see tls_identity_counters (new reference). */
Json *cluster_counters(Cluster *cluster);
