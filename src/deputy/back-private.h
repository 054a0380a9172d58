/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back-private.h - the back's state, shared by its files: back.c (life), back-link.c (guest and
 * front), back-orders.c (controller) */
#pragma once

#include "arbiter.h"
#include "back.h"
#include "common/link.h"
#include "common/rpc.h"
#include "control.h"
#include "files.h"
#include "nat.h"
#include "pair.h"
#include "port.h"
#include "replies.h"
#include "sockets.h"

typedef enum { BACK_STARTING, BACK_RUNNING, BACK_STOPPED, BACK_ENDED, BACK_STATES } BackState;

typedef struct {
    const BackSetup *setup;
    GMainLoop *loop;
    BackState state;
    char *id;                   /* the job's, as it made it up */

    /* controller */
    char *socket;               /* its path */
    Rpc *rpc;                   /* NULL: no connection at the moment */
    guint retry_ms;             /* until the next attempt to connect */
    guint attempts;             /* to create the job */
    gboolean created;           /* deputy.create was answered */
    gboolean placed;            /* the arbiter knows the first incarnation */
    Arbiter arbiter;
    Json *remembered;           /* of deputy.remember, told to a new controller */
    int migrations;

    /* guest */
    Link *link;
    Port *port;
    Files *files;
    Replies *replies;
    Sockets *sockets;           /* NULL: not --network home */
    Nat *nat;                   /* NULL: not --network nat */
    guint64 nat_heard;          /* frames of the guest, when nat asked last */
    Control *control;
    gboolean departing;         /* DEPART was sent, DEPARTED has not come */
    guint depart_patience;      /* timer: how long it is waited for */
    RpcCall *depart_call;       /* deputy.depart that waits for it, or NULL */
    guint64 fetched_base;       /* replies_bytes() at the last migration */
    guint fetched_timer;        /* until what was read since then is told */
    guint64 clocked_epoch;      /* the one that CLOCK was sent to */
    guint clock_timer;          /* 0: not yet */
    guint clock_step;           /* how many CLOCKs its timer was for */
    guint64 clock_pending;      /* bytes that were not acknowledged when it fired last */
    guint patience;             /* timer: the link is open and HELLO not yet answered */
    guint patience_s;           /* of that timer; 0: the last HELLO was answered */
    GQueue to_guest[LINK_CHANNELS];  /* of GBytes: wait for credit */

    /* front */
    int front_pidfd;
    int front_stat;             /* /proc/PID/stat of it */
    GSource *pair_in, *pair_out;
    GQueue to_front;            /* of GBytes: wait for room */
    gboolean front_gone;
    gboolean left;              /* the program has ended, others of the job (--linger) have not */
    pid_t front;                /* the front's number, or its heir's */
    gboolean halted;            /* the program was stopped because the front is (SIGSTOP) */
    guint64 looked_frames;      /* had come from the guest when it was looked at last */
    int status;                 /* wait status to report; -1: not ended */
    gboolean ending;            /* deputy.end is under way */
    gint64 linger_until;        /* monotonic us: sockets still send; 0: not there yet */
    gboolean told;              /* the controller knows of the end; what is left is to be told to the front */
} Back;

/* back.c */
/* The front says it and ends. */
void back_fail(Back *back, int status, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* The job is over: tells the controller, then the loop ends. */
void back_end(Back *back, int status);
void back_leave(Back *back);                /* the controller knows: ends the loop as soon as the front does too */
void back_tell_end(Back *back);             /* deputy.end, on a new connection again */
void back_set_state(Back *back, BackState state);
void back_set_front(Back *back, pid_t pid);  /* another process stands for the job: the controller is told */
void back_mark(Back *back, PairMark mark);

/* back-link.c */
/* Link, port, files; starts the files' threads. */
gboolean back_link_open(Back *back, GError **error);

/* The link goes over fd (taken over) from now on. A connection on which the guest does not answer HELLO in time is given up and
 * another one asked for: QEMU forgets to unblock a port whose connection broke while the guest was stopped, and remembers
 * when the next one breaks. */
void back_connect_link(Back *back, int fd, guint64 epoch);
void back_front_watch(Back *back);
void back_to_front(Back *back, const void *head, gsize head_size, const void *data, gsize size);
void back_to_guest(Back *back, LinkChannel channel, const void *bytes, gsize size);
void back_message_to_guest(Back *back, LinkChannel channel, const WireMessage *message);

/* back-fetched.c */
/* A migration was committed: in 10 s, or at the next one, the controller is told what has been read from home since. */
void back_fetched_begin(Back *back);

/* back-orders.c */
void back_departed(Back *back);     /* DEPARTED has come */
void back_control_open(Back *back); /* the job has its id: makes control */
/* To the controller, starting a private one if need be. */
gboolean back_connect(Back *back, GError **error);
void back_create(Back *back);                           /* deputy.create */
const char *back_state_name(BackState state);
