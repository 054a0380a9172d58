/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration.h - the home's part of a migration: check, prepare, have it run, decide, clean up
 *
 * Theory of operation. Home orders; the source runs libvirt's call; the destination asks for COMMIT; the deputy decides. Home
 * holds no truth of its own: whatever goes wrong, it has the deputy abort, and the deputy's answer says which side won. If
 * this controller dies in between, the deputy survives, source and destination ask the next controller (job.truth), and
 * that aborts what it finds expected when the deputy registers.
 */
#pragma once

#include "jobs.h"

/* Called once: stats {from,to,total_ms,downtime_ms,bytes} (not owned) or error. */
typedef void (*MigrationDone)(Json *stats, const GError *error, gpointer user);

/* Moves a job at home here to a node (a name, or "home"); done is called later, never from within. balance (may be NULL) is
 * what a balancer or an administrator's order says to the destination: {reason,demand,slowness,bytes}. Of the jobs
 * of this home at most `migrations` are on their way to a node, or from it, at a time: others wait for their turn, those of a
 * balancer are refused. */
void migration_start(Node *node, Job *job, const char *to, Json *balance, MigrationDone done, gpointer user);

/* A MigrationDone that answers the call that user is (an RpcCall). */
void migration_answer(Json *stats, const GError *error, gpointer user);

/* job.move from the node that hosts it: {job,epoch,to,balance?}; answers call with the stats. */
void migration_ordered(Node *node, const char *from, Json *params, RpcCall *call);

/* Every reason against it, home's and the destination's: answers call with {reasons}. */
void migration_why(Node *node, Job *job, const char *to, RpcCall *call);

/* migration.commit from a destination, {job,migration,epoch,ran_us?}: to the deputy, with the link that was kept. Answers call;
 * {refused}: the deputy, or this node, says no. */
void migration_commit(Node *node, const char *from, Json *params, RpcCall *call);

/* The guest of this migration goes on since resumed_us, ahead of its COMMIT; a migration that is not home's here: nothing. */
void migration_resumed(Node *node, const char *id, gint64 resumed_us);

/* Whom to tell of progress: commands that wait for this job's migration. */
void migration_progress(Node *node, Json *params);
