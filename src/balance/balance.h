/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balance.h - which job should go where: pure functions, for the daemon, its unit tests and the simulator alike
 *
 * Theory of operation. Every node decides for the guests that it hosts, by itself, from what it knows of itself exactly and
 * of some other nodes roughly (vector.h). There is no coordinator and nothing is ever waited for.
 *
 * What a node is like for a job is its *slowness*: the time that a unit of work takes there. A node of C CPUs and speed S on
 * which jobs want D CPUs has slowness max(1, D/C)/S. D is measured: run and run-queue wait of the vCPU threads, so a job that is
 * kept from running counts as much as one that runs, and nodes that share a machine are told apart.
 *
 * The *cost* of a place for a job is B^(slowness there with the job / L) + B^(share of the memory in use there with the job).
 * L is the greatest slowness in the picture, so the exponents are within 0 and 1 however loaded a cluster is. The marginal
 * cost of the last unit grows exponentially with how full the place is: a little of two resources is better than the last of
 * one. Of all places that are a gain, the cheapest is taken, ties at random.
 *
 * A move must be worth its price:
 *   - hysteresis: slowness here must be at least `hysteresis` times that there with the job. By this rule two equal nodes differ
 *     by more than one job before one moves, and it never moves back (no oscillation while loads are steady);
 *   - minimum stay: a job that has just come, or has just been started, is left alone, and twice as long after each move: who is
 *     sent about again and again settles;
 *   - what has run long will probably run long: the time won if it runs as long again as it has must exceed `move_s`;
 *   - consent: the destination, which knows itself exactly and counts what is on its way to it, decides the same question again
 *     (balance_consents). So stale knowledge and many sources with the same good idea cost a refused call, never a node
 *     that is overrun.
 *
 * Memory goes before all that (*ushering*): a node whose free memory falls below its reserve sends away the smallest job that is
 * large enough to restore it, before it swaps, wherever memory is left. No node is asked to go below its own reserve.
 *
 * Jobs of a *group* that are here are one job to all this: it wants what they want together, may go where each may, and is as
 * new here and as settled as the one that is most so. Either all of them move to one place, or none. Of a group that is torn
 * apart home says where it should *gather* (gathering.h); those here that may leave go there, however fast it is: the whole
 * group can then look for a better place.
 *
 * What the functions do not know - locks, lists, islands of acceleration, images - the caller says: by `movable`, and by `may`.
 *
 * Invariants: every move that is returned names a movable job once and a node that takes jobs; the picture of the other nodes is
 * charged with it (`promised`), so that one call never overloads a node by several moves; nothing is kept.
 */
#pragma once

#include <glib.h>

typedef struct {
    double cpus;            /* declared */
    double speed;           /* 1: the reference */
    double demand;          /* CPUs that the guests there, and those on their way there, want */
    guint64 memory_total, memory_free;
    gboolean takes;         /* jobs of others: not blocked */
    double promised;        /* demand that was sent there since the node said how it is */
    guint64 promised_bytes;
} BalanceNode;

typedef struct {
    double demand;          /* CPUs it wants */
    guint64 bytes;          /* of memory that would move with it */
    double age_s;           /* since it was started */
    double here_s;          /* since it is here */
    guint moves;            /* how often it has moved */
    gboolean movable;       /* not locked, not on its way, ... */
    gboolean settled;       /* moves for memory only */
    guint group;            /* those of one number move together; 0: by itself */
    guint gather;           /* the index + 1 of the node where the rest of its group is; 0: here, or not known */
} BalanceJob;

typedef struct {
    double hysteresis;      /* 1.1: a tenth faster at least */
    double stay_s;          /* minimum stay of one that has never moved */
    double move_s;          /* time that must be won */
    double reserve;         /* share of the memory that is to stay free */
} BalanceRules;

#define BALANCE_RULES ((BalanceRules){.hysteresis = 1.1, .stay_s = 5, .move_s = 1, .reserve = 0.05})

typedef enum { BALANCE_FOR_SPEED, BALANCE_FOR_MEMORY, BALANCE_FOR_GROUP } BalanceReason;

typedef struct {
    guint job, node;        /* indices */
    BalanceReason reason;
    double slowness;        /* here, without having moved it: the destination's consent needs it */
} BalanceMove;

/* Whether the job may go to the node at all. */
typedef gboolean (*BalanceMay)(guint job, guint node, gpointer user);

/* The slowness of a node if demand were added (promises count). */
double balance_slowness(const BalanceNode *node, double more);

/* Chooses up to max moves of jobs from this node (self, exact) to the others, most urgent first, and charges nodes with them;
 * more than max only to complete a group, so ret_moves has room for max, or n_jobs if there are groups. seed is a state for
 * ties, any number. Returns how many. */
guint balance_decide(const BalanceRules *rules, const BalanceNode *self, const BalanceJob *jobs, guint n_jobs,
                     BalanceNode *nodes, guint n_nodes, BalanceMay may, gpointer user, guint32 *seed,
                     BalanceMove *ret_moves, guint max);

/* The destination's word: whether a job of this demand and size, whose place has this slowness, is to come here. */
gboolean balance_consents(const BalanceRules *rules, const BalanceNode *self, double demand, guint64 bytes, double slowness,
                          BalanceReason reason);

/* Where a job that is about to start should: the index of a node, or -1 for this one, which is preferred unless another is a
 * gain. */
int balance_place(const BalanceRules *rules, const BalanceNode *self, const BalanceJob *job, BalanceNode *nodes,
                  guint n_nodes, BalanceMay may, gpointer user, guint32 *seed);

/* The cheapest place for a job that must leave (expel, drain): an index, or -1. Ignores gain; never takes a node below its
 * reserve of memory. */
int balance_refuge(const BalanceRules *rules, const BalanceJob *job, BalanceNode *nodes, guint n_nodes, BalanceMay may,
                   gpointer user, guint32 *seed);
