/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front-private.h - what the parts of the front share */
#pragma once

#include "front.h"
#include "pair.h"
#include "streams.h"
#include "terminal.h"
#include "timings.h"

typedef struct Front Front;

struct Front {
    const RunOptions *options;
    int pair, signals;
    pid_t back;
    guint8 kinds[3];
    Terminal terminal;
    StreamInput input;
    WireStream input_stream;
    StreamOutput outputs[WIRE_STREAMS];
    guint64 inherited_blocked;  /* signals, as in START */
    guint64 passed_on;          /* signals that the guest got from us */
    guint64 early;              /* signals that wait for STARTED */
    guint leaving;              /* streams whose descriptors are to be let go of, by 1 << stream */
    guint8 key;                 /* the last INTR or QUIT character typed, 0: none */
    int detached;               /* where the parent waits for the job's id; -1: nobody does */
    int output;                 /* what is to be kept of a detached job's output; -1: nothing */
    gboolean started, exited, done;
    gboolean left;              /* the program has ended, others of the job (--linger) have not */
    gboolean heir;              /* we are who stays with them */
    int wait_status;            /* of the program, once exited */
    int status;                 /* what to end with, where there is no wait status */
    int output_status;          /* 1 if output was lost at home */
    Timings timings;
};

static inline guint64 front_bit(int sig)
{
    return 1ULL << (sig - 1);
}

/* ---- front.c ---- */

/* A sentence for the user, on a line of its own. */
void front_say(Front *front, const char *sentence);

/* Says it to the guest, by way of the back. One that is gone is noticed when all that it had said has been read. */
void front_tell(Front *front, const WireMessage *message);

/* ---- front-signals.c ---- */

/* Takes the signals that have come: they are passed on, or, without a program, do what they do to any process. */
void front_take_signals(Front *front);

/* Sends the program a signal; value NULL: none was queued with it. */
void front_signal_guest(Front *front, int sig, WireScope scope, const gint64 *value);

/* The program was stopped: the front stops, too, and goes on when it is continued. */
void front_stop(Front *front, int sig);

/* Ends as the program has ended, by this signal; group: the whole process group gets it. */
void front_die(Front *front, int sig, gboolean group);

/* Whether the signal that killed the program came from a key at home's terminal: that reaches the whole process group, and a
 * script must notice that its command was interrupted. */
gboolean front_key_killed(const Front *front, int sig);

/* ---- front-streams.c ---- */

/* Fills descriptors 0, 1 and 2 where they are closed: none of our own may get their numbers. */
void front_fill_closed(const guint8 kinds[3]);

/* Prepares the streams of these kinds and the terminal. */
void front_open_streams(Front *front);

/* Reads the input and passes it on; hung_up: its other end is closed. */
void front_take_input(Front *front, gboolean hung_up);

/* Whether the keyboard is to be read, and (ret_again) whether that may change without notice. */
gboolean front_input_wanted(Front *front, gboolean *ret_again);

/* Takes what the program has written; writes what can be written of a stream; whether nothing is left to be. */
void front_take_output(Front *front, const WireMessage *message);
void front_write_out(Front *front, WireStream stream);
gboolean front_all_written(const Front *front);

/* Lets go of the descriptors of streams that have ended for the program. */
void front_let_go(Front *front);
