/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exodus.h - in which order jobs leave a node that is to be empty in time, and which will not make it: pure
 *
 * A node sends `slots` jobs at a time. Those that move fastest go first: of all orders this gets the most jobs out by any moment.
 */
#pragma once

#include <glib.h>

typedef struct {
    double seconds;     /* predicted for its move, at most */
    gboolean stuck;     /* it has nowhere to go: not planned */
    guint order;        /* result: its place in the order, from 0 */
    double done_s;      /* result: when it will be out, from now */
    gboolean late;      /* result: that is after the deadline, or never */
} ExodusJob;

/* Fills the results in; deadline_s 0: none. Returns how many will be out in time. */
guint exodus_plan(ExodusJob *jobs, guint n_jobs, guint slots, double deadline_s);

/* What a node has learned of its moves. */
typedef struct {
    double base_s;          /* of a move of nothing */
    double bytes_per_s;     /* of resident memory */
    double spread_s;        /* how far moves are from what was predicted */
} ExodusPace;

#define EXODUS_PACE ((ExodusPace){.base_s = 0.6, .bytes_per_s = 200e6, .spread_s = 0.1})

/* Learns from a move that is over. */
void exodus_learn(ExodusPace *pace, guint64 bytes, double seconds);

/* How many seconds the next one will take; and how many it may be said to take, so that the word is kept. */
double exodus_predict(const ExodusPace *pace, guint64 bytes);
double exodus_promise(const ExodusPace *pace, guint64 bytes);
