/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.h - what other nodes ask of this one: the dispatch of calls and connections between nodes */
#pragma once

#include "node.h"

/* ClusterEvents.called and .opened; user is the Node. */
void calls_called(Cluster *cluster, const char *from, Rpc *rpc, RpcCall *call, const char *method, Json *params,
                  gpointer user);
void calls_opened(Cluster *cluster, const char *from, Json *preamble, TlsAccept *accept, gpointer user);

/* Tells a guest's home that the guest is gone. */
void calls_guest_ended(Node *node, const char *id, const char *reason);
