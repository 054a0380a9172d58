/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unowned.h - a guest that belongs to nobody yet: started, told to rehearse, watched until it is ready, given away or ended
 *
 * Invariants. It is no job's: it is in neither node->jobs nor node->hosted, is not counted, not listed, not moved. Its metadata
 * say so ("spare": true), until whoever it is given to has libvirt write another description; so a controller that finds such a
 * guest knows that no program ever ran in it, and destroys it: what an earlier controller may have said to it is not
 * known. node->unowned knows all of this controller's, by id.
 */
#pragma once

#include "hypervisor/snapshot.h"
#include "node.h"

typedef struct Unowned Unowned;

/* ready TRUE: it has begun, rehearsed and has nothing to do; told once. FALSE: it could not be started, or has ended; it is freed after
 * that. */
typedef void (*UnownedTold)(Unowned *guest, gboolean ready, gpointer user);

/* Starts one of this shape (a description; not changed), from a snapshot unless that is NULL. NULL: it cannot be, and why
 * is logged. */
Unowned *unowned_start(Node *node, Json *shape, Snapshot *snapshot, UnownedTold told, gpointer user);

/* From now on this is told, and not what was given to unowned_start. */
void unowned_hand_over(Unowned *guest, UnownedTold told, gpointer user);

Json *unowned_shape(const Unowned *guest);
const char *unowned_channel_path(const Unowned *guest);

/* A guest as it was given away: now the caller's. */
typedef struct {
    char *id; /* NULL: none */
    char *channel_path;
    int channel; /* connected to it */
    guint64 epoch;
} GivenGuest;

/* The free memory in bytes at which guests of nobody are ended, and how long after one that failed the next may be tried. */
#define UNOWNED_SHORT ((guint64)256 << 20)
#define UNOWNED_AFTER_FAILURE_MS 30000

/* Whether one may be started now, at `after_us` (monotonic) at the earliest and with `room` bytes of memory free: it must not
 * be in the way of a job that starts, nor of a controller that has just begun or is about to end. */
gboolean unowned_may_start(Node *node, gint64 after_us, guint64 room);

/* Gives it away, if libvirt has it running; it is freed then. */
gboolean unowned_give(Unowned *guest, GivenGuest *ret_guest);
void given_guest_clear(GivenGuest *guest);

/* Ends and frees it; nothing is told. */
void unowned_end(Unowned *guest);

/* Whether this guest is nobody's. */
gboolean unowned_is(Node *node, const char *id);

/* libvirt says that this guest has ended; nothing where it is somebody's. */
void unowned_ended(Node *node, const char *id);
