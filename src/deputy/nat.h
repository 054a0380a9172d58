/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat.h - the network of a job with --network nat: its packets end here, and go on as this process's own connections */
#pragma once

#include "common/wire.h"

#include <glib.h>

typedef struct Nat Nat;

typedef struct {
    /* A packet for the guest, valid during the call only. FALSE: there is no room, it is lost. */
    gboolean (*send)(const void *packet, gsize size, gpointer user);
    /* Whether what was sent still waits: nothing is read from sockets then. */
    gboolean (*busy)(gpointer user);
    /* All there was to say for now was said. */
    void (*flush)(gpointer user);
    /* Whether the guest has taken or said something since the last question; true if it had nothing to take. */
    gboolean (*alive)(gpointer user);
} NatEvents;

/* Of the network that START's addresses describe; served from the default main context. NULL with an error if they describe
 * none, or the system has no epoll descriptor left. */
Nat *nat_new(const WireStrings *addresses, const NatEvents *events, gpointer user, GError **error);
/* Closes all connections; what home's kernel has not taken is lost. */
void nat_free(Nat *nat);

/* A packet of the guest; one that is no packet, or may not pass, is dropped. */
void nat_packet(Nat *nat, const void *packet, gsize size);

/* The job is over: nothing more comes from the guest or goes there. */
void nat_close(Nat *nat);
/* Whether something that the guest has sent is still to be written to a connection. */
gboolean nat_linger(const Nat *nat);
