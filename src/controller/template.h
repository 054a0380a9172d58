/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.h - the snapshot from which guests of the usual shape begin where none waits for them
 *
 * Theory of operation. Under TCG a guest's boot takes some ten times as long as to read the memory of one that has booted. So
 * when the node has nothing else to do it starts a guest that belongs to nobody, saves its state (hypervisor/snapshot.h) and
 * ends it. Then it begins another one from that, on trial: what is used has been seen to work. That one becomes the spare guest if
 * the present one has booted, else it is ended. From then on each guest of that shape that is started here begins from the
 * template, the spare ones too; if libvirt says that it could not, the template is dropped and the guest boots.
 *
 * The donor and the trial never see a home, so nothing of any job is in a template. It is kept in memory, for the controller's
 * life, some 25 MiB; it is dropped when the usual shape changes (another image, CPU model...) and when memory is short.
 */
#pragma once

#include "hypervisor/snapshot.h"
#include "node.h"

/* To be called every few seconds: makes the one that is missing, drops the one that is of no use any more. */
void template_look(Node *node);

/* "none", "making" or "ready" */
const char *template_state(Node *node);

/* What a guest of this description can begin from (borrowed); NULL: it has to boot. */
Snapshot *template_for(Node *node, Json *description);

/* Drops it, and ends what is at work on one; another is made after half a minute. */
void template_drop(Node *node);
