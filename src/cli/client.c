/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - what every command does: take words, ask the controller, say what went wrong */
#include "client.h"

#include "cmd.h"
#include "common/conf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/rpc.h"
#include "deputy/node-start.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUICK_MS 1000

int client_usage(const char *verb)
{
    const Command *command = command_find(verb);

    if (command)
        fprintf(stderr, "usage: sojourn %s %s\n", command->name, command->args);
    return 2;
}

gboolean client_words(int *argc, char ***argv, const GOptionEntry *options, int least, int most)
{
    const char *verb = (*argv)[0];
    const Command *command = command_find(verb);
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    int words;

    g_option_context_set_summary(context, command ? command->summary : NULL);
    if (options)
        g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, argc, argv, &error)) {
        log_error("%s", error->message);
        client_usage(verb);
        return FALSE;
    }
    if (*argc > 1 && g_str_equal((*argv)[1], "--")) {
        (*argv)++;
        (*argc)--;
    }
    words = *argc - 1;
    if (words >= least && words <= most)
        return TRUE;
    log_error(words < least ? "%s: something is missing" : "%s: too many words", verb);
    client_usage(verb);
    return FALSE;
}

/* The control socket to use (g_free), with a controller behind it if possible. */
static char *socket_for(const char *method, GError **error)
{
    g_autofree char *socket = conf_socket();
    int fd;

    if (!g_str_has_prefix(method, "job."))
        return node_start(error);
    fd = rpc_connect(socket, error);
    if (fd < 0)
        return NULL;
    close(fd);
    return g_steal_pointer(&socket);
}

/* What to do when nobody knows whether the order was carried out. */
static void say_cut(const char *method, const char *job, const GError *error)
{
    const char *look = g_str_has_prefix(method, "job.") ? "list" : g_str_has_prefix(method, "cluster.") ? "cluster members" : "nodes";

    if (g_str_equal(method, "job.migrate"))
        log_error("%s; the job is unharmed, and its migration may go on: \"sojourn show %s\" says where it is", error->message, job);
    else
        log_error("%s; what was asked may have been done or not: see \"sojourn %s\", and ask again", error->message, look);
}

static Json *call(const char *method, Json *params, guint timeout_ms, ClientNotified notified,
                  gpointer user, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *socket = socket_for(method, &error), *job = g_strdup(json_get_string(params, "job", ""));
    Json *result = NULL;

    if (socket)
        result = rpc_call_sync(socket, method, params, timeout_ms, notified, user, &error);
    else
        json_unref(params);
    *ret_status = 0;
    if (!result) {
        if (g_error_matches(error, SJ_ERROR, SJ_ERROR_CUT))
            say_cut(method, job, error);
        else
            log_error("%s", error ? error->message : "The controller has given no answer");
        *ret_status = error ? sj_error_exit(error) : 1;
    }
    return result;
}

Json *client_call(const char *method, Json *params, guint timeout_ms, int *ret_status)
{
    return call(method, params, timeout_ms, NULL, NULL, ret_status);
}

Json *client_call_notified(const char *method, Json *params, ClientNotified notified,
                           gpointer user, int *ret_status)
{
    return call(method, params, 0, notified, user, ret_status);
}

gboolean client_call_many(const char *method, Json **params, guint n, ClientNotified notified, ClientAnswered answered, gpointer user,
                          int *ret_status)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *socket = socket_for(method, &error);
    int fd = socket ? rpc_connect(socket, &error) : -1;

    if (fd >= 0) {
        rpc_call_many(fd, method, params, n, notified, answered, user);
        return TRUE;
    }
    for (guint i = 0; i < n; i++)
        g_clear_pointer(&params[i], json_unref);
    log_error("%s", error->message);
    *ret_status = sj_error_exit(error);
    return FALSE;
}

Json *client_ask(const char *method)
{
    g_autofree char *socket = conf_socket();

    return rpc_call_sync(socket, method, NULL, QUICK_MS, NULL, NULL, NULL);
}

Json *client_try(const char *method, Json *params, guint timeout_ms, GError **error)
{
    g_autofree char *socket = conf_socket();

    return rpc_call_sync(socket, method, params, timeout_ms, NULL, NULL, error);
}

Json *client_job(const char *job)
{
    return json_set_string(json_object(), "job", job);
}

void client_print_json(Json *json)
{
    g_autofree char *text = json_print_pretty(json);

    puts(text);
}

char *client_size(gint64 bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double value = bytes;
    guint unit = 0;

    for (; value >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1024;
    return g_strdup_printf(unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}
