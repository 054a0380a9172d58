/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeker.h - what asks Avahi; it may wait for answers, and so has a thread of its own (discovery.c)
 *
 * All calls, and all that it calls back, are in the thread whose default main context it was made with.
 */
#pragma once

#include "discovery.h"

typedef struct Seeker Seeker;

typedef struct {
    /* As DiscoveryEvents. */
    void (*found)(const char *service, const DiscoveryNode *node, gpointer user);
    void (*lost)(const char *service, gpointer user);
    /* Whether Avahi answers; what is the matter if it does not. */
    void (*ready)(gboolean ready, const char *trouble, gpointer user);
} SeekerEvents;

/* Does nothing yet. */
Seeker *seeker_new(const SeekerEvents *events, gpointer user);
void seeker_free(Seeker *seeker);

/* As discovery_look and discovery_publish. */
void seeker_look(Seeker *seeker, gboolean look);
void seeker_publish(Seeker *seeker, const char *name, guint port, const char *fingerprint);
