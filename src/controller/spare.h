/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spare.h - a guest started ahead, which waits for the next job of the usual shape
 *
 * Theory of operation. Most of a job's start is its guest's boot, and all guests of one shape are alike until START
 * reaches them: they belong to nobody (unowned.h). So a node keeps one that is ready, begun from the node's snapshot if there
 * is one (template.h). A job that wants just that shape gets it, and with it its id, for a domain cannot be renamed while it
 * runs; the job's own record is made from then on as for any other guest.
 *
 * It becomes a job's when libvirt has the job's description, and only then is its channel given to the deputy. It is given
 * once. It does not outlive its controller's orderly end, and it gives way when memory is short.
 */
#pragma once

#include "unowned.h"

/* The spare, if there is one of the shape that a job's (complete) description asks for; another is started later. */
gboolean spare_take(Node *node, Json *description, GivenGuest *ret_guest);

/* To be called every few seconds: starts the one that is missing, ends the one that is of no use any more. */
void spare_look(Node *node);

/* Takes over a guest that is ready and has begun from a snapshot, in place of one that has booted, and perhaps not yet; FALSE: it
 * is not wanted. */
gboolean spare_accept(Node *node, Unowned *guest);

/* Ends it; no other is started before spare_look. */
void spare_drop(Node *node);

/* "none", "starting", or "ready": it has booted. */
const char *spare_state(Node *node);
