/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin.h - node.* and cluster.*: what is asked of the node itself */
#pragma once

#include "node.h"

/* Runs a node.* or cluster.* method and answers call; what changes the node wants admin. */
void admin_run(Node *node, const char *method, Json *params, gboolean admin, RpcCall *call);
