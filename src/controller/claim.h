/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim.h - what a deputy shows a restarted controller, to be taken for its job's
 *
 * A controller that was started again knows no jobs: their deputies come and say which they have. A guest's id is no secret
 * (it stands in QEMU's command line), so another user could come first and be given the guest's link. Therefore each
 * deputy gets a *claim* when its job is created, which it gives back: a keyed digest of the job's id and user. The key is in
 * RUN_DIR/deputies.key, and lives as long as guests can.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct Claim Claim;

/* With the key that is in the folder, or a new one that is kept there; lives as long as the program. */
Claim *claim_new(const char *folder);

/* The claim on a job of a user (g_free); whether a text is that. */
char *claim_text(const Claim *claim, const char *id, uid_t uid);
gboolean claim_holds(const Claim *claim, const char *id, uid_t uid, const char *text);
