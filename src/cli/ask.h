/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.h - commands that are one question whose answer is shown, or one order for each of their words */
#pragma once

#include "common/json.h"

typedef struct {
    const char *method;
    const char *keys[3];    /* params: the command's words in this order; ends with NULL */
    int least;              /* how many words there must be */
    const char *part;       /* the member of the answer that is meant; NULL: all of it */
    void (*show)(Json *answer, char **words);
} AskQuestion;

/* Asks, and prints the answer: as JSON with --json, else by show. Returns the exit status. */
int ask_question(int argc, char **argv, const AskQuestion *question);

/* Orders the same of each word, which is a job: params (taken over; NULL: none) and the job. Returns the exit status, the last
 * that is not 0. Options are not taken. */
int ask_each(int argc, char **argv, const char *method, Json *params);
