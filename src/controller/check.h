/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - every reason why a job cannot go to a node, each with a text and a remedy */
#pragma once

#include "common/error.h"
#include "jobs.h"

/* What home knows without asking: lock, rights, lists, the node's row. Array of {code,text,remedy} (new reference). */
Json *check_from_home(Node *node, Job *job, const char *to);

/* What only the destination can say: image, memory, libvirt, a block, and, where a balancer sends the job (balance, else NULL),
 * that it would gain nothing here (new reference). */
Json *check_arrival(Node *node, Json *description, Json *balance);

/* Whether its owner's lists and rights let the description's job go there. Pure; adds to reasons. */
void check_lists(Json *reasons, Json *description, const char *to);

/* Adds a reason: a code, a remedy, and the text as a format. */
void check_reason(Json *reasons, const char *code, const char *remedy, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Whether the description's guest could live on a node with this row: image, acceleration, CPU, QEMU, TSC. Pure; adds to
 * reasons. */
void check_row(Json *reasons, Json *description, Json *row);

/* Why the job can go nowhere, as home knows without asking: nothing if some other node would do, else the reasons of all,
 * the lock first (new reference). */
Json *check_stay(Node *node, Job *job);

/* What kind of failure the reasons are, the most lasting first: no such node, denied, locked, busy, down, or failed. */
SjErrorCode check_error(Json *reasons);

/* The reasons in one sentence (g_free). */
char *check_sentence(Json *reasons);
