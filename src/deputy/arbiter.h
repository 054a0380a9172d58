/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.h - decides which incarnation of a job is real: a small state machine without I/O
 *
 * The deputy's back owns the only Arbiter of a job. Its answers are the truth that every controller
 * goes by. It lives and dies with the job, so nothing of it has to be durable.
 *
 * Invariants:
 *   1. Exactly one (epoch, node) is effective at any time, and the epoch only grows.
 *   2. At most one migration is expected at a time; only its COMMIT can be taken, and only once.
 *   3. An epoch that was ever expected is never expected again, whether it came to be effective or
 *      not: a copy left over from an abandoned migration can not be mistaken for a later one, and a
 *      repeated message can not revive one.
 *   4. After ABORT has said ok for a migration, its COMMIT is refused; after COMMIT has, its ABORT
 *      is.
 */
#pragma once

#include <glib.h>

#define ARBITER_NAME 80  /* bytes of a node's name or a migration's id, with the final NUL */

typedef enum {
    ARBITER_OK,        /* done */
    ARBITER_ALREADY,   /* the same had been done before; counts as done */
    ARBITER_REFUSED,   /* not now, or not any more; nothing was changed */
    ARBITER_COMMITTED  /* abort came too late: that migration is effective */
} ArbiterAnswer;

/* A plain value: it can be copied and compared byte by byte. Read only by others. */
typedef struct {
    guint64 epoch;                    /* the effective incarnation ... */
    char node[ARBITER_NAME];          /* ... and where it is */
    char committed[ARBITER_NAME]; /* the migration that made it effective, "": the job's start */
    char migration[ARBITER_NAME];     /* the migration that is expected, "": none */
    guint64 expected_epoch;           /* its epoch, 0: none */
    char expected_node[ARBITER_NAME]; /* its destination */
    guint64 highest;                  /* highest epoch ever expected or effective */
} Arbiter;

/* The job's first incarnation. The node's name must fit in ARBITER_NAME; FALSE otherwise. */
gboolean arbiter_init(Arbiter *arbiter, guint64 epoch, const char *node);

/* The epoch that the next migration must use. */
guint64 arbiter_next_epoch(const Arbiter *arbiter);

/* A migration begins: one COMMIT with exactly these values will be taken. ok; already (the same is
 * expected); refused: another one is expected, epoch is not arbiter_next_epoch, or a name does not
 * fit. */
ArbiterAnswer arbiter_expect(Arbiter *arbiter, const char *migration, guint64 epoch,
                             const char *node);

/* Makes the expected incarnation the effective one. ok: the caller must close the old link and use
 * the new one, both before it answers; already: it is effective; refused: never expected,
 * abandoned, or overtaken by a later one. */
ArbiterAnswer arbiter_commit(Arbiter *arbiter, const char *migration, guint64 epoch,
                             const char *node);

/* Gives a migration up. ok: its COMMIT will be refused from now on (also for one that is not
 * known); committed: too late. */
ArbiterAnswer arbiter_abort(Arbiter *arbiter, const char *migration);

/* Whether a connection of this incarnation is to be listened to. */
gboolean arbiter_effective(const Arbiter *arbiter, guint64 epoch, const char *node);
