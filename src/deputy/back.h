/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back.h - the process behind the front: the job's files, link and arbiter */
#pragma once

#include "deputy/front.h"
#include "terminal.h"

/* What the back is given when it is forked. */
typedef struct {
    const RunOptions *options;
    GBytes *start;                  /* the START message */
    int pair;                       /* its end of the pair, see pair.h */
    pid_t front;
    int terminal;                   /* a descriptor of the user's terminal, -1: none */
    struct termios raw, modes;      /* what the front makes of it and what it was */
} BackSetup;

/* The life of the back: it returns when the job and the front are gone, with the exit status of the
 * process. */
int back_run(const BackSetup *setup);
