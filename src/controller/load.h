/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.h - how loaded this node is: what its guests want, measured where the host's scheduler counts it
 *
 * A guest wants as many CPUs as its vCPU threads ran and waited in the run queue, by /proc/PID/task/TID/schedstat: a guest
 * that is kept waiting counts as much as one that runs, whoever takes the CPU. What was measured a second ago counts less
 * than now's (a mean that forgets). A guest that has not been measured yet counts as it was announced: all its CPUs
 * where it is started, what its last host has measured where it comes from another.
 */
#pragma once

#include "balance/balance.h"
#include "hosted.h"

/* What a guest of which nothing is known is taken to have. */
#define LOAD_FRESH_BYTES (64 << 20)

/* Measures every guest here; to be called each second. */
void load_sample(Node *node);

/* This node as the balancer sees it: guests that leave do not count any more, those that come do. */
BalanceNode load_self(Node *node);

/* The same from a row of node.list (new: nothing promised); FALSE where the row does not say. */
gboolean load_of_row(Json *row, BalanceNode *ret_node);

/* A guest as the balancer sees it. */
BalanceJob load_job(Hosted *hosted);

/* Bytes of memory it has, or is expected to have. */
guint64 load_bytes(const Hosted *hosted);
