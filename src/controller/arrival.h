/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrival.h - the destination's part of a migration: reservation, gate, stream, COMMIT, resume
 *
 * Theory of operation. An Arrival is the permission that home has given for one migration of one job: without it nothing that
 * a peer says here has any effect. The source must show its token on both connections. FINISH3 is answered only after the
 * deputy has decided: taken, the guest is resumed and then the source hears of success; refused, it is destroyed here
 * first. While home does not answer, the question is repeated; after orphan-end seconds without a word of home the guest is
 * destroyed.
 *
 * Where QEMU has a second monitor (TCG) the guest goes on ahead of all that, the moment its last byte has been loaded. Until the
 * deputy has taken the COMMIT nobody reads its link, so what it does then can be undone by destroying it; and it
 * stands still about half as long.
 */
#pragma once

#include "node.h"

/* migration.prepare from a home; answers call with {token}. */
void arrival_prepare(Node *node, const char *home, Json *params, RpcCall *call);

/* migration.cancel from a home: an uncommitted arrival is given up. Answers call. */
void arrival_cancel(Node *node, const char *home, Json *params, RpcCall *call);

/* Whether as many guests are arriving as this node lets arrive at a time, at all or from this source. */
gboolean arrival_full(const Node *node, const char *source);

/* A connection with purpose "gate" or "migration" came from a node; accepts or refuses it. */
void arrival_opened(Node *node, const char *source, Json *preamble, TlsAccept *accept);
