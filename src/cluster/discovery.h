/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discovery.h - nodes of the local network that wait to be let into a cluster, found by Avahi
 *
 * A node that waits publishes a service, _sojourn._tcp, with its name and the fingerprint of its
 * key; members look for those. All of it is hearsay: anybody on the network can publish anything.
 * Everything is on the main context that was the thread default in discovery_new.
 */
#pragma once

#include <glib.h>

typedef struct Discovery Discovery;

/* What a service says of itself; any text may be anything, but valid UTF-8. */
typedef struct {
    const char *name, *address, *fingerprint;
    guint port;
} DiscoveryNode;

typedef struct {
    /* A service is there, or says something else than before; it is gone. service is the same for
     * the same one. */
    void (*found)(const char *service, const DiscoveryNode *node, gpointer user);
    void (*lost)(const char *service, gpointer user);
} DiscoveryEvents;

/* Does nothing yet. */
Discovery *discovery_new(const DiscoveryEvents *events, gpointer user);
void discovery_free(Discovery *discovery);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Discovery, discovery_free)

/* Looks for services from now on, or not any more: then all that were found are lost. */
void discovery_look(Discovery *discovery, gboolean look);

/* Publishes this node (NULL: not any more). What the port shows in TLS has this fingerprint. */
void discovery_publish(Discovery *discovery, const char *name, guint port, const char *fingerprint);

/* Whether Avahi answers; the sentence for doctor (g_free), and what would help (static). */
gboolean discovery_is_ready(Discovery *discovery);
char *discovery_state(Discovery *discovery, const char **ret_remedy);
