/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-evacuate.c - sojourn expel, bring, drain: many jobs leave or come home, and who did not */
#include "client.h"
#include "cmd.h"
#include "common/log.h"
#include "progress.h"

#include <stdio.h>
#include <string.h>

/* "01234567 (name)" (g_free). */
static char *title(Json *job)
{
    const char *id = json_get_string(job, "id", ""), *name = json_get_string(job, "name", "");

    return *name ? g_strdup_printf("%.*s (%s)", CLIENT_ID_SHOWN, id, name) : g_strndup(id, CLIENT_ID_SHOWN);
}

static void show_plan(Json *jobs)
{
    for (guint i = 0; i < json_length(jobs); i++) {
        g_autofree char *job = title(json_at(jobs, i));

        if (json_get_bool(json_at(jobs, i), "late", FALSE))
            printf("Job %s will not make it: it needs about %.1f s when its turn comes.\n", job, json_get_double(json_at(jobs, i), "seconds", 0));
    }
    fflush(stdout);
}

static void show_moved(Json *row)
{
    g_autofree char *job = title(row);
    const char *reason = json_get_string(row, "reason", NULL);
    gint64 done = json_get_int(row, "done", 0), of = json_get_int(row, "of", 0);

    progress_clear();
    if (reason)
        printf("Job %s stays: %s.\n", job, reason);
    else
        printf("Job %s went to %s in %" G_GINT64_FORMAT " ms. (%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT ")\n", job,
               json_get_string(row, "to", "?"), json_get_int(row, "total_ms", 0), done, of);
    fflush(stdout);
    progress_show("jobs", done, of);
}

static void notified(const char *method, Json *params, gpointer user)
{
    if (*(gboolean *) user)
        return;
    if (g_str_equal(method, "plan"))
        show_plan(json_get(params, "jobs"));
    else if (g_str_equal(method, "moved"))
        show_moved(params);
}

static int evacuate(const char *method, Json *params, gboolean as_json)
{
    g_autoptr(Json) result = NULL;
    guint moved, stayed;
    int status;

    result = client_call_notified(method, params, notified, &as_json, &status);
    progress_clear();
    if (!result)
        return status;
    moved = json_length(json_get(result, "moved"));
    stayed = json_length(json_get(result, "stayed"));
    if (as_json)
        client_print_json(result);
    else
        printf("%u %s moved.\n", moved, moved == 1 ? "job has" : "jobs have");
    if (stayed)
        log_error("%u %s not moved: %s", stayed, stayed == 1 ? "job has" : "jobs have",
                  json_get_string(json_at(json_get(result, "stayed"), 0), "reason", ""));
    return stayed ? 1 : 0;
}

static int simple(int argc, char **argv, const char *method)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };

    return client_words(&argc, &argv, options, 0, 0) ? evacuate(method, NULL, as_json) : 2;
}

int cmd_expel(int argc, char **argv)
{
    return simple(argc, argv, "node.expel");
}

int cmd_bring(int argc, char **argv)
{
    return simple(argc, argv, "node.bring");
}

int cmd_drain(int argc, char **argv)
{
    gboolean as_json = FALSE;
    int deadline = 0;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "deadline", 0, 0, G_OPTION_ARG_INT, &deadline, "As many as possible are out in so many seconds", "S" },
        { NULL }
    };
    Json *params = NULL;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    if (deadline < 0) {
        log_error("a deadline is a number of seconds from now");
        return 2;
    }
    if (deadline)
        params = json_set_int(json_object(), "deadline_s", deadline);
    return evacuate("node.drain", params, as_json);
}
