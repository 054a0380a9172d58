/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gossip.h - hearsay of who in the cluster is there: the one header of the engine that spreads it
 *
 * The engine (today serf, gossip-serf.c) is a process of the node's own, with a port of its own,
 * which the supervisor runs. What it says is a reason to ask a node, never a proof of anything: who
 * holds the cluster's gossip key can say what they like. Everything is on the main context that
 * was the thread default in gossip_new; nothing blocks.
 */
#pragma once

#include "common/conf.h"

typedef struct Gossip Gossip;

typedef enum {
    GOSSIP_NOTHING, /* nobody has said anything */
    GOSSIP_ALIVE,
    GOSSIP_FAILED,
    GOSSIP_LEFT
} GossipNews;

typedef struct {
    /* Somebody says this of the node at that address. */
    void (*heard)(const char *node, const char *address, GossipNews news, gpointer user);
    /* The engine can be asked now, or not any more: then nothing that was heard counts. */
    void (*ready)(gboolean ready, gpointer user);
    /* What the engine's process has to be has changed: gossip_wanted, gossip_exec. May be NULL. */
    void (*look)(gpointer user);
} GossipEvents;

/* Copies from conf what it needs (serf, run_dir, listen). */
Gossip *gossip_new(const Conf *conf, const GossipEvents *events, gpointer user);

/* Lets go of the engine, which goes on: a restarted controller finds it. */
void gossip_free(Gossip *gossip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Gossip, gossip_free)

/* This node takes part, under this name, at this address of its TLS port, with this key (see
 * gossip_key_next; NULL: not yet). With other values than before the engine is started again. */
void gossip_start(Gossip *gossip, const char *node, const char *address, guint port,
                  const char *key);

/* This node takes part no more; the others hear that it left. */
void gossip_stop(Gossip *gossip);

/* Here is a node, at this address of its TLS port, that takes part, or might. */
void gossip_meet(Gossip *gossip, const char *address, guint port);

/* Whether the engine answers; the sentence for doctor (g_free), and what would help if it does
 * not (static). */
gboolean gossip_is_ready(Gossip *gossip);
char *gossip_state(Gossip *gossip, const char **ret_remedy);

/* The port that goes with a TLS port. */
guint gossip_port(guint port);

/* The cluster's key as it is kept and handed out: "NUMBER BASE64-OF-32-BYTES"; the higher number
 * is the newer one. The key that follows old (NULL: the first; g_free; NULL with an error when the
 * system gives no random numbers); a text's number, -1 if it is no key. */
char *gossip_key_next(const char *old, GError **error);
gint64 gossip_key_number(const char *text);

/* Path of the engine's settings (g_free): while they are there its process is to run. */
char *gossip_settings(const char *run_dir);

/* Becomes the engine, bound to what it needs; returns only on failure: the exit status to use, and
 * a sentence. */
int gossip_exec(const Conf *conf, GError **error);
