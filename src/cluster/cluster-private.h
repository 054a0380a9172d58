/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster-private.h - what cluster.c and admission.c share; others include cluster.h */
#pragma once

#include "authority.h"
#include "cluster.h"
#include "keyring.h"
#include "members.h"

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
    Authority *authority; /* NULL: not here */
    Keyring *keyring;     /* NULL: no cluster */
    GSource *renewal, *listening;
    gboolean joining;
};

void cluster_unref(Cluster *cluster);

/* What the identity, the members and the keyring say is now in force: names, calls, port. With
 * retry a port that cannot be had is tried again. */
gboolean cluster_enter(Cluster *cluster, gboolean retry, GError **error);

/* The node belongs to no cluster any more. */
void cluster_depart(Cluster *cluster);

/* This node's address as others should know it (g_free). */
char *cluster_own_address(Cluster *cluster);

void cluster_tell(Cluster *cluster, const char *node);

/* admission.c: a cluster.* call, node is NULL for one without certificate; answers it. */
void admission_called(Cluster *cluster, const char *node, RpcCall *call, const char *method,
                      Json *params);

/* The authority tells one node (NULL: everyone) who is a member. */
void admission_push(Cluster *cluster, const char *node);
