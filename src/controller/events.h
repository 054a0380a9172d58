/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h - what has happened at this node lately: jobs that started, moved, ended; nodes that came and went; orders
 *
 * The last EVENTS_MAX are kept, in memory. An event is {at_ms,kind,job?,name?,node?,from?,to?,text}; kind is one of started,
 * moved, ended, lost, node, order. Those of jobs are for the job's user and administrators.
 */
#pragma once

#include "jobs.h"

#define EVENTS_MAX 1000

/* Something happened to a job at home here: details (may be NULL) is taken over, {from,to,...}. */
void events_job(Node *node, const Job *job, const char *kind, Json *details, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* Something happened to a node. */
void events_node(Node *node, const char *name, const char *kind, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* A member's state may have changed. */
void events_member(Node *node, const char *name);

/* job.events: {follow?} → array; with follow each is a notification "event" instead, those of the past first, until the caller is
 * gone. user NULL: an administrator. Answers call. */
void events_ask(Node *node, Json *params, const char *user, RpcCall *call);
