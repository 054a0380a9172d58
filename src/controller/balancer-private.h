/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer-private.h - what the parts of the balancer have in common: balancer.c decides, balancer-orders.c has it done,
 * balancer-places.c knows who may go where */
#pragma once

#include "balance/vector.h"
#include "balancer.h"

struct Balancer {
    Node *node;
    Vector vector;
    GHashTable *refused;     /* "JOB NODE" → gint64 *: until when */
    guint32 seed;
    guint64 stamp;
    guint orders;
};

/* The descriptions of the jobs and the names of the nodes that indices stand for: the user data of balancer_may. */
typedef struct {
    Balancer *balancer;
    Json **jobs;
    const char **nodes;
} Question;

/* Whether a job may go to a node, by islands, lists, blocks and earlier refusals (a BalanceMay; user: a Question). */
gboolean balancer_may(guint job, guint node, gpointer user);

/* The others, as far as they are known: fills in both arrays, of VECTOR_WINDOW; returns how many. */
guint balancer_known(Balancer *balancer, BalanceNode *nodes, const char **names);

/* The guests that are decided about, and what was decided. */
typedef struct {
    Hosted **hosted;
    const BalanceJob *jobs;
    const BalanceMove *moves;
    guint count;
} Decision;

/* Asks the homes of the jobs for what was decided; names are those of the nodes. */
void balancer_order(Balancer *balancer, const Decision *decision, const char *const *names);
