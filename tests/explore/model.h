/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.h - one job, two hosting nodes and its home, as a state and the steps that can be next
 *
 * What decides is not modelled but called: src/deputy/arbiter.c and src/controller/verdict.c. What
 * surrounds them is: the controllers' parts of a migration, libvirt's domains, the two gates, and
 * messages that are late, lost and repeated.
 *
 * A step is a fault (a crash, a loss, a repetition, patience that ends too early) or it is not;
 * faults have a budget. A crash takes all that a controller knows; it comes back by a step that is
 * no fault.
 *
 * Simplifications: the deputy and its host do not fail (else the job is over; see deputy_dies), a
 * host that has a guest does not fail (that is the job's end as well), a call from home's
 * controller to the deputy is one step.
 */
#pragma once

#include "deputy/arbiter.h"

#define NODES 2
#define MESSAGES 12
#define HOME_ELSEWHERE NODES

typedef enum { ABSENT, INCOMING, PAUSED, RUNNING } Copy;
typedef enum { JOB_NONE, JOB_PERFORM, JOB_DONE } LibvirtJob;
typedef enum {
    LEAVING_NOT,
    LEAVING_PREPARE,
    LEAVING_PERFORM,
    LEAVING_FINISH,
    LEAVING_CANCEL,
    LEAVING_SETTLE
} Leaving;
typedef enum { COMING_NOT, COMING_RESERVED, COMING_COPY, COMING_DECIDE, COMING_RESUME } Coming;
typedef enum { OP_NONE, OP_RESUME, OP_DESTROY } Operation;
typedef enum { HOME_IDLE, HOME_PREPARE, HOME_RUN } HomePhase;

typedef enum {
    M_NONE,
    M_PREPARE,
    M_PREPARED,
    M_REFUSED,
    M_RUN,
    M_RAN,
    M_FINISH,
    M_FINISHED,
    M_COMMIT,
    M_COMMITTED,
    M_CANCEL,
    M_TRUTH,
    M_TOLD,
    M_SETTLE,
    M_SETTLED
} MessageKind;

typedef struct {
    guint8 kind, migration, node;
    guint8 yes;                  /* of an answer; of FINISH: not cancelled; of TRUTH: settle */
    guint8 epoch, at, expected;  /* of TOLD and SETTLED; epoch also of PREPARE and COMMIT */
    guint8 known;
    guint8 dead;                 /* whoever asked has crashed since: the answer goes nowhere */
} Message;

typedef struct {
    guint8 up;
    /* libvirt and QEMU */
    guint8 copy, epoch, complete, stale, was_running, job;
    guint8 op;                   /* ordered, not yet done */
    /* the controller */
    guint8 leaving, leaving_m, deaf;
    guint8 coming, coming_m, asked;
    guint8 asking, fresh; /* a question about its guest is out; asked since it was last busy */
} Host;

/* An Arbiter with its names as numbers: states must be small. */
typedef struct {
    guint8 epoch, node, committed, migration, expected_epoch, expected_node, highest;
} Packed;

typedef struct {
    Packed arbiter;
    Host hosts[NODES];
    Message messages[MESSAGES];  /* sorted, those of no kind last */
    guint8 home_up, registered, phase, migration, from, to;
    guint8 started;              /* migrations so far */
    guint8 broken[4];            /* per migration: the gates' connection, see BROKEN */
    guint8 deputy_dead;
    guint8 faults;
} State;

/* Rules that can be left out, to see that the explorer then finds what they are there for. */
typedef enum {
    RULE_HOLD = 1,      /* the source's gate keeps a failed FINISH3 from libvirt */
    RULE_FRESH = 2,     /* an answer asked for before the guest was last busy does not count */
    RULE_OPERATION = 4, /* no migration to or from here while an operation is under way */
    RULE_COMMIT = 8,    /* the destination resumes only after COMMIT */
    RULE_SETTLE = 16,   /* home aborts before it settles a doubt */
    RULE_CANCEL = 32    /* home sends CANCEL only after ABORT was taken */
} Rule;

typedef struct {
    guint home;           /* the node that is home too, or HOME_ELSEWHERE */
    guint migrations;     /* at most 3 */
    guint faults;
    gboolean deputy_dies; /* the deputy may die (one fault) */
    guint without;        /* Rules left out */
    gboolean ahead;       /* the guest goes on at its destination before the COMMIT */
} ModelConfig;

typedef void (*ModelEmit)(const State *next, const char *what, gboolean fault, gpointer user);

void model_start(State *ret_state);

/* Calls emit for each step that is possible. */
void model_steps(const ModelConfig *config, const State *state, ModelEmit emit, gpointer user);

/* What must always hold; NULL, or what does not. */
const char *model_broken(const State *state);

/* Whether the job is as it should be and nothing is left to do. */
gboolean model_good(const State *state);
