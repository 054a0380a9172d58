/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair.h - the packets between front and back: wire.h messages, and a few that never leave home */
#pragma once

#include "common/wire.h"

#include <glib.h>

/* Types of the packets that are not wire.h messages; a type byte as there, then what is said here.
 */
typedef enum {
    PAIR_FAIL = 0x80,   /* back to front: exit status (one byte), sentence: say it and end */
    PAIR_NOTICE,        /* back to front: a sentence for people, not for files */
    PAIR_JOB,           /* back to front: the job's id */
    PAIR_MARK,          /* back to front: PairMark (one byte), CLOCK_MONOTONIC in us (eight) */
    PAIR_HEIR           /* front to back: a number of 32 bits: this process is the front from now on */
} PairType;

/* Moments of a job's start and end, for --timings. */
typedef enum {
    PAIR_BEGIN,
    PAIR_FORKED,
    PAIR_CONNECTED,     /* to the controller */
    PAIR_LOCKED,        /* the back is set up and sandboxed */
    PAIR_CREATED,       /* the controller says that the guest runs */
    PAIR_LINKED,        /* the guest's channel is here */
    PAIR_ESTABLISHED,   /* the agent has answered HELLO */
    PAIR_READY,
    PAIR_STARTED,
    PAIR_OUTPUT,        /* the first */
    PAIR_EXITED,
    PAIR_END,
    PAIR_MARKS
} PairMark;

/* The largest packet; fits the socket's default buffer several times. */
#define PAIR_PACKET (33u << 10)

/* Both ends, close-on-exec. FALSE with an error. */
gboolean pair_new(int ret_fds[2], GError **error);

/* Sends one packet made of two parts (the second may be empty): TRUE if it went, FALSE with errno
 * if not (EAGAIN: later, where the end does not block). */
gboolean pair_send(int fd, const void *head, gsize head_size, const void *data, gsize size);

/* Encodes and sends a wire.h message of less than PAIR_PACKET bytes. */
gboolean pair_send_message(int fd, const WireMessage *message);
