/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front.h - the process that stands for the job at home: its PID, terminal, signals and exit status
 */
#pragma once

#include <glib.h>

typedef enum {
    NETWORK_HOME,           /* the job's sockets live at home */
    NETWORK_NAT,            /* it has a network of its own, whose packets end at home (nat.h) */
    NETWORK_NONE,           /* it has a loopback of its own and nothing else */
} RunNetwork;

/* What `sojourn run` was asked for. Strings and vectors belong to whoever parsed them. */
typedef struct {
    char **command;         /* the program and its arguments */
    char *name;             /* of the job; NULL: none */
    char *on;               /* a node's name, "home" or "best"; NULL: as the node is set */
    char *hint;             /* to the balancer: "cpu", "io"; NULL: none */
    char *group;            /* of jobs that move together; NULL: none */
    char *decay;            /* of what it measures: "slow", "fast", "none"; NULL: as usual */
    char *arch;             /* of the guest: "x86_64" or "i686"; NULL: the home's */
    char *cache;            /* "close" (default: close-to-open), "writeback", "none" */
    char *root;             /* only this folder of home is seen; NULL: all */
    char *orphan;           /* what to do when home cannot be reached; NULL: the node's own rule */
    char **only, **avoid;   /* nodes; NULL: no restriction */
    guint64 memory_bytes;   /* of the guest; it costs only what is touched */
    int cpus;
    RunNetwork network;
    gboolean lock, read_only, trust_nodes, timings, detach, linger;
    gboolean cold;          /* a guest of its own from the start, though one may be waiting */
} RunOptions;

/* Runs the job. The result is the exit status to end with; where the program was killed by a signal
 * this process ends by the same signal instead of returning. */
int front_run(const RunOptions *options);
