/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link-world.h - two ends of a link and the connection between them, for tests: messages that check themselves */
#pragma once

#include "common/link-private.h"

#include <glib.h>

/* One end, with what it has sent and received so far. */
typedef struct {
    Link *link;
    guint64 sent[LINK_CHANNELS], received[LINK_CHANNELS];   /* messages */
    guint64 owed[LINK_CHANNELS];                            /* bytes not yet given back */
    gboolean hold_credit;                                   /* keep what is owed */
    guint established, writable;
    char *refused;
} End;

typedef struct {
    End home, guest;
    GByteArray *to_guest, *to_home;   /* written, not yet delivered */
    guint64 passed_to_guest, passed_to_home;
    guint64 epoch, now;
    guint guest_lost;                 /* how often the guest could not make sense of what came */
} World;

World *world_new(void);
void world_free(World *world);

/* Sends the end's next message of a channel; its bytes follow from channel and number. FALSE: no credit. */
gboolean end_send(End *end, LinkChannel channel, gsize size);
void end_give_credit(End *end);

/* Moves at most so many bytes: out of the ends into the connection, and out of the connection into the ends. */
gsize world_write(World *world, gboolean by_home, gsize most);
gsize world_deliver(World *world, gboolean to_home, gsize most, int *ret_error);

/* Ends the connection; of what is under way in each direction so many bytes still arrive with the next connection. */
void world_cut(World *world, gsize left_to_guest, gsize left_to_home);
void world_attach(World *world);

/* Lets time pass and bytes flow until nothing moves. */
void world_settle(World *world);

/* A copy of a link with all that it keeps, as the migration of a guest makes one. */
Link *link_copy(const Link *link, End *end);

/* Nothing lost, nothing kept, all credit back. */
void world_check_done(World *world);

