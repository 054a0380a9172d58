/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spare.h - a guest started ahead, which waits for the next job of the usual shape
 *
 * Theory of operation. Most of a job's start is its guest's boot, and all guests of one shape are alike until START
 * reaches them: they belong to nobody. So a node keeps one that has booted. A job that wants just that shape gets it, and with
 * it its id, for a domain cannot be renamed while it runs; the job's own record is made from then on as for any other guest.
 *
 * Invariants. A spare is no job's: it is in neither node->jobs nor node->hosted, is not counted, not listed, not moved.
 * Its metadata say so ("spare": true). It becomes a job's when libvirt has the job's description instead, and only then is
 * its channel given to the deputy; so a controller that finds a guest called a spare knows that no program ever ran in
 * it, and destroys it: what an earlier controller may have said to it is not known. It is given once. It does not
 * outlive its controller's orderly end, and it gives way when memory is short.
 */
#pragma once

#include "node.h"

/* A spare as it was taken: now the caller's. */
typedef struct {
    char *id;
    char *channel_path;
    int channel;                /* connected to it */
    guint64 epoch;
} SpareGuest;

void spare_guest_clear(SpareGuest *guest);

/* The spare, if there is one of the shape that a job's (complete) description asks for; another is started later. */
gboolean spare_take(Node *node, Json *description, SpareGuest *ret_guest);

/* To be called every few seconds: starts the one that is missing, ends the one that is of no use any more. */
void spare_look(Node *node);

/* Whether this guest is, or was just now, the spare; then nobody else needs to care. */
gboolean spare_is(Node *node, const char *id);

/* It ended by itself. */
void spare_ended(Node *node, const char *id);

/* Ends it; no other is started before spare_look. */
void spare_drop(Node *node);

/* "none", "starting", or "ready": it has booted. */
const char *spare_state(Node *node);
