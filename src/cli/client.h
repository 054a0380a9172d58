/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - what every command does: take words, ask the controller, say what went wrong */
#pragma once

#include "common/json.h"

/* Takes options out of the words and checks that the number of those that are left is within
 * bounds; most 0 means none. FALSE: the sentence was printed, return 2. --help prints the synopsis
 * and ends the program. */
gboolean client_words(int *argc, char ***argv, const GOptionEntry *options, int least, int most);

/* Says how a verb is used; returns 2. */
int client_usage(const char *verb);

/* One entry for GOptionEntry arrays: --json. */
#define OPTION_JSON(where) { "json", 'j', 0, G_OPTION_ARG_NONE, (where), "Print JSON", NULL }

typedef void (*ClientNotified)(const char *method, Json *params, gpointer user);

/* Asks the controller and waits; timeout_ms 0: as long as it takes. params is taken over. Starts
 * the user's own controller where none is, except for job.*: no controller, no jobs. NULL: the
 * sentence was printed and *ret_status is the exit status. */
Json *client_call(const char *method, Json *params, guint timeout_ms, int *ret_status);
Json *client_call_notified(const char *method, Json *params, ClientNotified notified,
                           gpointer user, int *ret_status);

/* Asks several things at once, on one connection, and waits for all: params (taken over, each) are n objects; answered is
 * called for each as its answer comes, with the result (not owned) or the error. FALSE: nothing was asked, the sentence was
 * printed and *ret_status is the exit status. */
typedef void (*ClientAnswered)(guint index, Json *result, const GError *error, gpointer user);
gboolean client_call_many(const char *method, Json **params, guint n, ClientNotified notified, ClientAnswered answered, gpointer user,
                          int *ret_status);

/* The same, quietly, for completion: NULL on any failure, within a second. */
Json *client_ask(const char *method);

/* The same with params (taken over) and time: NULL and an error. */
Json *client_try(const char *method, Json *params, guint timeout_ms, GError **error);

/* {"job": JOB}. */
Json *client_job(const char *job);

/* Prints JSON, indented. */
void client_print_json(Json *json);

/* "1.5 GiB" (g_free). */
char *client_size(gint64 bytes);

/* The first characters of a job's id, enough for people. */
#define CLIENT_ID_SHOWN 8
