/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evacuation.h - expel, bring, drain: many jobs moved by one order, a few at a time, until all are out
 *
 * expel   the guests of other homes leave; the node is blocked
 * bring   the jobs of this home come home; they stay here
 * drain   all guests leave; the node is blocked and nothing comes back by itself. With a deadline the order is by predicted time
 *         (src/balance/exodus.h), what will not make it is said beforehand, and nothing is begun that would be late.
 *
 * The order lives as long as the connection that gave it: when that ends, no further move begins, those under way complete (a
 * move is never half done), and the standing orders are again what they were. When all is done they are kept.
 */
#pragma once

#include "node.h"

/* node.expel, node.bring, node.drain: {deadline_s?}. Notifications on the connection meanwhile: plan
 * {jobs:[{id,name,seconds,late}]}, moved {id,name,to,total_ms,done,of}. Answers call with
 * {moved:[{id,name,to,total_ms}],stayed:[{id,name,reason}]}. */
void evacuation_expel(Node *node, Json *params, RpcCall *call);
void evacuation_bring(Node *node, Json *params, RpcCall *call);
void evacuation_drain(Node *node, Json *params, RpcCall *call);
