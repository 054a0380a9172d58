/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vector.h - what a node knows of the load of others: a window of the freshest news, passed on at random
 *
 * Theory of operation (MOSIX's aged load vectors). Each node keeps the VECTOR_WINDOW youngest entries it has heard of, one a
 * node, each with its age. Each second it sends its own entry and the younger half of the window to VECTOR_PEERS members chosen
 * at random. So a node sends and gets, on average, a constant number of bytes a second, whatever the size of the cluster; a small
 * cluster knows itself completely, each node of a large one a changing sample of it that is seconds old. Clocks are not compared:
 * an entry carries its age, and a count of its own node by which newer is told from older.
 *
 * Nothing here sends: the caller does, and gives the time.
 */
#pragma once

#include "balance.h"
#include "common/json.h"

#define VECTOR_WINDOW 32
#define VECTOR_PEERS 2
#define VECTOR_AGE_S 15     /* what is older is not acted upon */

typedef struct {
    guint32 id;             /* of the node, the caller's numbers; 0: none */
    guint64 stamp;          /* the node's count: larger is newer */
    gint64 at_us;           /* when that was, on this node's clock */
    BalanceNode node;
    gint64 promised_us;     /* when something was last sent there */
} VectorEntry;

typedef struct {
    guint32 self;
    guint count;
    int oldest;                     /* the index, as far as it is known: most news is older than all of a full window; -1 */
    guint32 ids[VECTOR_WINDOW];     /* of the entries, close together: they are looked for all the time */
    gint64 times[VECTOR_WINDOW];    /* the same of their at_us */
    VectorEntry entries[VECTOR_WINDOW];
} Vector;

void vector_init(Vector *vector, guint32 self);

/* Takes an entry over if it is newer than what is known of its node; what was promised to that node is forgotten when the
 * news is younger than the promise. Entries of this node itself are left out. */
void vector_take(Vector *vector, const VectorEntry *entry);

/* The same of all entries of a message, which has the youngest first: what is older than all of a full window ends it. */
void vector_take_all(Vector *vector, const VectorEntry *entries, guint count);

/* The entry of a node, or NULL. */
VectorEntry *vector_find(Vector *vector, guint32 id);
void vector_forget(Vector *vector, guint32 id);

/* Drops what is older than VECTOR_AGE_S. */
void vector_age(Vector *vector, gint64 now_us);

/* The entries to pass on besides one's own, youngest first: the younger half of the window. Returns how many. */
guint vector_pick(Vector *vector, const VectorEntry **ret_entries);

/* Notes that a job was sent to a node: its entry counts it until there is news. */
void vector_promise(Vector *vector, guint32 id, const BalanceJob *job, gint64 now_us);

/* An entry as it travels: {name,stamp,age_ms,cpus,speed,demand,memory_total,memory_free,takes} (new reference), and back: FALSE
 * where it is not right in form; id and name are the caller's affair. */
Json *vector_entry_json(const VectorEntry *entry, const char *name, gint64 now_us);
gboolean vector_entry_parse(Json *json, gint64 now_us, VectorEntry *ret_entry);
