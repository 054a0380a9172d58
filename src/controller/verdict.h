/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.h - what a controller does about a guest that is in doubt: pure decisions
 *
 * Three parties can be in doubt: a node that finds a guest (after a restart, after a migration,
 * when its link was refused), the two ends of a migration whose last step got lost, and home, which
 * finds a migration expected that nobody runs. Each asks the deputy (by job.truth at home) and acts
 * on the answer by these functions and by nothing else; the explorer (tests/explore) runs the same
 * functions through every order of messages, losses and crashes.
 *
 * To *settle* is to ask home for a final answer: home has the deputy abort the expected migration,
 * if it is not committed yet, and then says what is true (job.truth with "settle": true).
 *
 * Rules for the caller:
 *   1. An answer counts only if it was asked for after the guest was last busy; one that was on its
 *      way before is thrown away.
 *   2. VERDICT_ASK and VERDICT_SETTLE are repeated, with a pause, until the verdict is another one.
 *   3. The FINISH3 of a migration is answered only through verdict_destination and verdict_source.
 */
#pragma once

#include "hypervisor/hypervisor.h"

typedef enum {
    VERDICT_LEAVE,    /* all is as it should be, or somebody else is at work */
    VERDICT_ASK,      /* ask home (again) */
    VERDICT_SETTLE,   /* have home settle the migration, then judge anew */
    VERDICT_RESUME,
    VERDICT_SUSPEND,
    VERDICT_DESTROY,
    VERDICT_LAST
} Verdict;

/* "leave", "ask", ... for log lines */
const char *verdict_name(Verdict verdict);

/* What this node has. */
typedef struct {
    const char *node;   /* this node's name */
    GuestState guest;
    gboolean busy;      /* a migration of it is under way here: libvirt's call has not returned, or
                         * its gate has not ended */
    gboolean held;      /* it is to stay paused: on the user's word, or frozen as an orphan */
    guint64 epoch;      /* of this guest, from its metadata */
} VerdictHere;

/* What home says. */
typedef enum { VERDICT_HOME_SILENT, VERDICT_HOME_NO_JOB, VERDICT_HOME_KNOWS } VerdictHome;

typedef struct {
    VerdictHome home;
    const char *node;        /* where the job is effective ... */
    guint64 epoch;           /* ... and in which epoch */
    guint64 expected_epoch;  /* of the migration under way, 0: none */
} VerdictTruth;

/* A node's guest, against what home says. */
Verdict verdict_host(const VerdictHere *here, const VerdictTruth *truth);

/* The destination: FINISH3 is done here, the guest is paused, and migration.commit has been
 * answered, or not. RESUME, then gate_commit; DESTROY, then gate_refuse; ASK: the same question
 * again, the guest stays as it is. */
typedef enum { VERDICT_COMMIT_TAKEN, VERDICT_COMMIT_REFUSED, VERDICT_COMMIT_SILENT } VerdictCommit;
Verdict verdict_destination(VerdictCommit commit);

/* The source: FINISH3 was answered with an error, or the connection broke before its answer, and
 * home has been asked to settle. RESUME: the guest is ours, let libvirt have the error (it resumes
 * the guest). DESTROY: the guest is the destination's, let libvirt believe in success (it removes
 * ours). ASK: settle again; libvirt waits, the guest is paused. */
Verdict verdict_source(const VerdictHere *here, const VerdictTruth *truth);

/* Home: a migration is expected by the deputy; running: the migration.run that should bring it
 * about is still under way on a connection of this life of the controller. TRUE: abort it. */
gboolean verdict_abandon(gboolean expected, gboolean running);

/* A running guest whose home has been silent for so many seconds: LEAVE, SUSPEND or DESTROY. Limits
 * of 0 mean never. */
Verdict verdict_orphan(guint64 silent_s, guint64 suspend_s, guint64 end_s, gboolean suspended);
