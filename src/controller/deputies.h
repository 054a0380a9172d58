/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputies.h - what controller and deputies say to one another */
#pragma once

#include "jobs.h"

/* The deputy.* methods that a back calls. TRUE: the method was one of them, call and fd are taken care of. */
gboolean deputies_called(Node *node, Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd);

/* A connection ended: if it was a deputy's, its job ends with it. */
void deputies_closed(Node *node, Rpc *rpc);

/* job.truth: what the deputy says of its job, {known,epoch,node,expected_epoch}; with settle it first gives the expected
 * migration up if that is still possible. Answers call. */
void deputies_truth(Node *node, Json *params, RpcCall *call);
