/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.h - the jobs that are at home here: what they are, where they run, who may command them */
#pragma once

#include "node.h"

typedef struct {
    char *from, *to;
    guint64 total_ms, bytes;
    gint64 downtime_ms;      /* -1: not known */
    gint64 fetched;          /* bytes of files that were read from home in the 10 s after; -1: not known yet */
    gint64 at;               /* s since the epoch */
} Move;

typedef struct {
    char *id, *name, *user, *command;
    uid_t uid;
    gint64 pid;              /* of the front */
    Json *description;       /* what travels with the job */
    Rpc *deputy;             /* the back; NULL: gone */
    guint64 epoch;           /* of the incarnation the deputy listens to, as last heard */
    char *node;              /* where that is */
    char *state;             /* starting running stopped suspended ended */
    gboolean locked;
    gboolean suspended;
    gboolean by_hand;        /* it is where it is by a person's order: its group is not gathered against that */
    const char *gather;      /* where the rest of its torn group is and it should go (static); NULL: nowhere: groups.c */
    int status;              /* wait status once ended; -1: none */
    GPtrArray *moves;        /* Move *, oldest first, at most JOB_MOVES */
    guint migrations;
    double cpu_seconds;
    guint64 rss_bytes;       /* of its guest, as its host says; 0: not known */
    gint64 started;          /* s since the epoch */
    char *migration;         /* under way, or NULL */
    guint64 expected_epoch;  /* of that migration */
    int pending_fd;          /* link of the expected incarnation, kept for COMMIT; -1: none yet */
    gboolean created;        /* its guest has been started */
    gboolean host_asked;     /* whether the host has it: hosts.c */
    guint absent;            /* answers in a row that it has not */
    gint64 silent_since_us, down_since_us;  /* the host; 0: it answers, something listens there */
    GPtrArray *waiters;      /* RpcCall *: job.wait */
} Job;

#define JOB_MOVES 1000
#define JOBS_ENDED_MAX 200

/* Makes a job from its description and the deputy's connection (referenced), and keeps it. NULL and a sentence where the
 * description is not right. */
Job *job_new(Node *node, Json *description, Rpc *deputy, GError **error);

/* The job is over: answers those who wait, drops the deputy; the record is kept for a while. */
void job_ended(Node *node, Job *job, int status);
void job_free(Job *job);

/* Gives it another id, which nobody has; only before anybody has heard of the first. */
void job_rename(Node *node, Job *job, const char *id);

/* By id; NULL. */
Job *job_find(Node *node, const char *id);

/* It was at home here and has ended, as far as that is remembered: it will not come back with its deputy. */
gboolean job_is_over(Node *node, const char *id);

/* By what a person says: id, unique prefix, name, front's PID; also a job that has ended if ended. NULL and a sentence.
 * Only jobs that user (NULL: anybody) may command are seen. */
Job *job_resolve(Node *node, const char *text, const char *user, gboolean ended, GError **error);

/* Whether it is where it is by a person's order; its deputy keeps that. */
void job_by_hand(Job *job, gboolean by_hand);

/* Its state as people see it (static, or the job's). */
const char *job_state(const Job *job);

/* Takes down the CPU time of all jobs as their hosts last told it: once before rows are made. */
void jobs_usage(Node *node);

/* Rows for job.list and job.show (new references). */
Json *job_row(Node *node, Job *job);
Json *job_details(Node *node, Job *job);

/* Notes a completed migration. */
void job_moved(Job *job, const char *from, const char *to, Json *stats);
Json *move_json(const Move *move);

/* {total_ms,downtime_ms} of its next migration; NULL: nobody knows. */
Json *job_forecast(Node *node, Job *job);

/* What was read from home after the last migration. */
void job_fetched(Job *job, gint64 bytes);

/* The link to incarnation epoch came (fd taken over): to the deputy if it is the effective one, kept for COMMIT if it is the
 * expected one, else closed. */
void job_link(Node *node, Job *job, guint64 epoch, const char *host, int fd);

/* Ends the guest wherever it is. */
void job_destroy_guest(Node *node, Job *job);

/* The guest is gone, which no one ordered: the deputy is told why and the job ends. */
void job_lost(Node *node, Job *job, const char *why);
