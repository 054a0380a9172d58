/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.h - the one GError domain: what kind of failure, and the exit status that goes with it */
#pragma once

#include <glib.h>

typedef enum {
    SJ_ERROR_FAILED,     /* anything that has no code of its own */
    SJ_ERROR_USAGE,      /* wrong words on the command line; exit status 2 */
    SJ_ERROR_NOT_FOUND,  /* no such job, node, file */
    SJ_ERROR_DENIED,     /* not this user's, or not for this node */
    SJ_ERROR_BUSY,       /* under way already */
    SJ_ERROR_GONE,       /* the other side went away */
    SJ_ERROR_TIMEOUT,    /* no answer in time */
    SJ_ERROR_PROTOCOL,   /* the other side said something that cannot be */
    SJ_ERROR_COMMITTED,  /* the arbiter has already taken the other decision */
    SJ_ERROR_DOWN,       /* the machine answers, but nobody listens there */
    SJ_ERROR_CUT,        /* the connection ended before the answer: what was asked may have been done, or not */
    SJ_ERROR_LOCKED,     /* the job is locked to its node */
    SJ_ERROR_LAST
} SjErrorCode;

#define SJ_ERROR (sj_error_quark())

GQuark sj_error_quark(void);

/* The short name of a code ("not-found"), as it travels in JSON-RPC errors. */
const char *sj_error_name(int code);

/* The code of a short name; SJ_ERROR_FAILED for an unknown one. */
int sj_error_code(const char *name);

/* The exit status of a command that failed with this error: 2 for usage, else 1. */
int sj_error_exit(const GError *error);

/* The errno that tells a program the same, where a file stands for a command: EINVAL for words that mean nothing, EIO for
 * what has none of its own. */
int sj_error_errno(const GError *error);
