/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster-private.h - what cluster.c and the files beside it share; others include cluster.h */
#pragma once

#include "authority.h"
#include "cluster.h"
#include "discovery.h"
#include "keyring.h"
#include "members.h"

typedef struct Waiting Waiting;

struct Cluster {
    int references; /* the owner's, and one of each join under way */
    gboolean stopped;
    char *name, *address, *listen; /* as configured; address may be "" */
    guint port;
    char *folder;
    ClusterEvents events;
    gpointer user;
    TlsIdentity *identity;
    TlsListener *listener;
    Peers *peers;
    Members *members;
    Gossip *gossip;
    gboolean discovers;
    gboolean orders_here; /* the authority takes orders at its own node only */
    Discovery *discovery;
    GPtrArray *candidates; /* what pending.c has seen */
    gint64 pending_us; /* when it began to count what it has told of in the log, monotonic */
    guint pending_told;
    Waiting *waiting;      /* NULL: this node does not wait to be let in */
    Authority *authority; /* NULL: not here */
    Keyring *keyring;     /* NULL: no cluster */
    GSource *renewal, *listening;
    gboolean joining;
    gint64 stranger_us; /* when one was last told of in the log, monotonic */
};

void cluster_unref(Cluster *cluster);

/* What the identity, the members and the keyring say is now in force: names, calls, port. With
 * retry a port that cannot be had is tried again. */
gboolean cluster_enter(Cluster *cluster, gboolean retry, GError **error);

/* The node belongs to no cluster any more. */
void cluster_depart(Cluster *cluster);

/* The gossip's key is this one from now on (taken over): on disk, and in use. */
void cluster_set_gossip_key(Cluster *cluster, char *key);

/* Somebody who is no member wants something, or has no good token: told in the log once a minute, however often they try. */
void cluster_stranger(Cluster *cluster, const char *what);

/* A timer on the main context (g_source_unref). */
GSource *cluster_timer(guint seconds, GSourceFunc function, gpointer data);

/* hello.c: the first words on a connection, the peer's first words, and a revocation list that came. */
void hello_say(Cluster *cluster, Rpc *rpc);
void hello_called(Cluster *cluster, Json *params);
void hello_take_crl(Cluster *cluster, const char *crl);

/* Opens the TLS port with what the identity holds; where that cannot be, FALSE, and with retry it is tried again. Closes it. */
gboolean cluster_listen(Cluster *cluster, gboolean retry, GError **error);
void cluster_listen_no_more(Cluster *cluster);

/* Whether this node may enter a cluster, or wait for one. */
gboolean admission_check_alone(Cluster *cluster, GError **error);

/* waiting.c: goes on waiting as before a restart; the door is closed for a moment, while another identity tries, and open
 * again; the waiting has come to its end, or is given up; it goes on after a restart; cluster.admitted. */
gboolean waiting_load(Cluster *cluster, GError **error);
void waiting_pause(Cluster *cluster);
void waiting_resume(Cluster *cluster);
void waiting_over(Cluster *cluster);
void waiting_end(Cluster *cluster);
void waiting_forget(Cluster *cluster);
void waiting_called(Cluster *cluster, RpcCall *call, Json *params);

/* The hexadecimal digits of a fingerprint, or of its beginning, as people write it (g_free); NULL with a sentence. */
char *waiting_digits(const char *text, GError **error);

/* pending.c: as DiscoveryEvents; whether what a service says can be a node; an element of the candidates. */
void pending_found(const char *service, const DiscoveryNode *node, gpointer user);
void pending_lost(const char *service, gpointer user);
gboolean pending_check(const DiscoveryNode *node);

/* pending.c: a node of this name may be a member now, and if it is seen to wait that is to be told. */
void pending_member(Cluster *cluster, const char *name);
void pending_free(gpointer candidate);

/* removal.c: a member asks to be taken out. */
void removal_asked(Cluster *cluster, const char *node, RpcCall *call);

/* order.c: a member passes on what its administrator orders. */
void order_called(Cluster *cluster, const char *node, RpcCall *call, Json *params);

/* pending.c: where the node is that an order to let in means, of those seen here: {node: ADDRESS:PORT, key} (new reference);
 * NULL without an error: none that is seen. */
Json *pending_place(Cluster *cluster, const char *node, const char *key, GError **error);

/* This node's address as others should know it (g_free). */
char *cluster_own_address(Cluster *cluster);

void cluster_tell(Cluster *cluster, const char *node);

/* admission.c: a cluster.* call, node is NULL for one without certificate; answers it. */
void admission_called(Cluster *cluster, const char *node, RpcCall *call, const char *method,
                      Json *params);

/* The authority tells one node (NULL: everyone) who is a member. */
void admission_push(Cluster *cluster, const char *node);
