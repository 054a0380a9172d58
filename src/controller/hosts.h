/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts.h - whether the hosts of the jobs at home here still have their guests
 *
 * A job whose host dies is lost; a job whose host cannot be heard for a while is not: its program waits, as on a slow disk.
 * So home gives a job up only on evidence:
 *   - the host says (twice) that it does not have this incarnation: it was restarted, or the guest ended unheard;
 *   - the host's machine answers, but for host-down seconds no controller listens there, and that one had not said that
 *     it was going to stop (a supervisor starts a dead controller again within seconds; a stop leaves guests running);
 *   - the host is no member of the cluster any more;
 *   - nothing was heard of it for orphan-end seconds, after which it has ended the guest itself.
 */
#pragma once

#include "node.h"

/* Asks each host about its jobs; to be called every few seconds. */
void hosts_watch(Node *node);

/* job.here from a home: {job,epoch,locked,group,gather}; answers call with {here}. */
void hosts_here(Node *node, const char *home, Json *params, RpcCall *call);

/* node.stopping from a node: {guests}: its controller stops in order, and its guests go on, or end with it. */
void hosts_stopping(Node *node, const char *name, Json *params);

/* Tells the other nodes that this controller stops; done is called when they know, or after a moment. */
void hosts_tell_stop(Node *node, void (*done)(gpointer user), gpointer user);
