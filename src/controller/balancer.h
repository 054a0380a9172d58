/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer.h - the node's part in balancing: measures, gossips, decides for the guests here, has their homes move them
 *
 * Theory of operation. Once a second. The decision itself is src/balance; what is added here is what it cannot know: which job
 * may go where (islands, images, CPU models, lists, locks, an earlier refusal), and that moving is the home's affair. So a
 * decision is a request to the job's home (job.move), which checks, asks the destination for its consent (migration.check with
 * `balance`) and orders the migration like any other. A refusal is remembered for half a minute.
 */
#pragma once

#include "balance/balance.h"
#include "hosted.h"
#include "jobs.h"

typedef struct Balancer Balancer;

/* Starts measuring and, by the node's settings, balancing. */
Balancer *balancer_new(Node *node);

/* The rules by the node's settings. */
BalanceRules balancer_rules(const Node *node);

/* load.news from another node: {nodes:[entry]}. Answers call. */
void balancer_news(Node *node, const char *from, Json *params, RpcCall *call);

/* Where a job that starts here should run (owned by the balancer), or NULL: here. */
const char *balancer_place(Node *node, Json *description);

/* Where a job of this home, or the members of its group that are with it, would be best, its present host included (g_free). */
char *balancer_best(Node *node, Job *job, gboolean group);

/* Where a guest here could go that has to leave, or NULL (owned by the balancer). with (NULL: none) is where its group has
 * gone: that is it, if it can be. */
const char *balancer_refuge(Node *node, Hosted *hosted, const char *with);

/* A guest's group, as jobs of one user and home have it in common (g_free); NULL: none. */
char *balancer_group(const Hosted *hosted);

/* A node did not take a job: it is left out for a while. */
void balancer_refused(Node *node, const char *job, const char *to);

/* The destination's word on a job that a balancer sends, appended to reasons. */
void balancer_check(Node *node, Json *balance, Json *reasons);

/* How many orders of the balancer are under way. */
guint balancer_orders(Node *node);
