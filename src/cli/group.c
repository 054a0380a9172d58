/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.c - the jobs of a group, and many jobs moved at once */
#include "group.h"

#include "client.h"
#include "common/log.h"
#include "migrated.h"
#include "progress.h"

#include <stdio.h>

Json *group_jobs(const char *group, int *ret_status)
{
    g_autoptr(Json) jobs = client_call("job.list", json_set_bool(json_object(), "all", FALSE), 30000, ret_status);
    g_autoptr(Json) members = json_array();
    const char *user = NULL;

    for (guint i = 0; i < json_length(jobs); i++) {
        Json *job = json_at(jobs, i);
        const char *whose = json_get_string(job, "user", "");

        if (!*group || !g_str_equal(json_get_string(job, "group", ""), group))
            continue;
        if (user && !g_str_equal(user, whose)) {
            log_error("%s and %s each have a group %s; name the jobs", user, whose, group);
            *ret_status = 1;
            return NULL;
        }
        user = whose;
        json_append(members, json_ref(job));
    }
    if (!jobs)
        return NULL;
    if (json_length(members))
        return g_steal_pointer(&members);
    log_error("There is no job of a group %s; \"sojourn group %s JOB\" puts one into it", group, group);
    *ret_status = 1;
    return NULL;
}

/* Moving many */

typedef struct {
    const char *const *jobs;
    Json *moved, *stayed;
    guint n, done;
    gboolean as_json;
} Moving;

static void answered(guint index, Json *result, const GError *error, gpointer user)
{
    Moving *moving = user;
    Json *row = error ? json_object() : json_copy(result);
    const char *job = moving->jobs[index];

    moving->done++;
    json_set_string(row, "job", job);
    if (error)
        json_append(moving->stayed, json_set_string(row, "reason", error->message));
    else
        json_append(moving->moved, row);
    if (moving->as_json)
        return;
    progress_clear();
    if (error) {
        log_error("job %s stays: %s", job, error->message);
    } else if (json_get_bool(result, "there", FALSE)) {
        printf("Job %s is on %s already. (%u of %u)\n", job, json_get_string(result, "to", "?"), moving->done, moving->n);
    } else {
        g_autofree char *line = migrated_line(result);

        printf("Job %s moved from %s. (%u of %u)\n", job, line, moving->done, moving->n);
    }
    fflush(stdout);
    progress_show("jobs", moving->done, moving->n);
}

int group_migrate(const char *const *jobs, const char *node, gboolean as_json)
{
    guint n = g_strv_length((char **) jobs);
    g_autofree Json **params = g_new(Json *, n + 1);
    g_autoptr(Json) moved = json_array(), stayed = json_array(), all = json_object();
    Moving moving = { jobs, moved, stayed, n, 0, as_json };
    int status = 0;

    for (guint i = 0; i < n; i++)
        params[i] = json_set_string(client_job(jobs[i]), "node", node);
    if (!client_call_many("job.migrate", params, n, NULL, answered, &moving, &status))
        return status;
    progress_clear();
    json_set(json_set(all, "moved", json_ref(moved)), "stayed", json_ref(stayed));
    if (as_json)
        client_print_json(all);
    return json_length(stayed) ? 1 : 0;
}

/* The node that is best for all of them together (g_free); NULL: the sentence was printed. */
static char *best_for(Json *members, int *ret_status)
{
    Json *params = client_job(json_get_string(json_at(members, 0), "id", ""));
    g_autoptr(Json) best = client_call("job.best", json_set_bool(params, "group", TRUE), 30000, ret_status);

    return best ? g_strdup(json_get_string(best, "node", "home")) : NULL;
}

int group_migrate_all(const char *group, const char *node, gboolean as_json)
{
    int status = 0;
    g_autoptr(Json) members = group_jobs(group, &status);
    g_autofree char *best = members && g_str_equal(node, "best") ? best_for(members, &status) : NULL;
    g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func(g_free);

    if (!members || status)
        return status;
    for (guint i = 0; i < json_length(members); i++) {
        const char *name = json_get_string(json_at(members, i), "name", "");

        g_ptr_array_add(jobs, *name ? g_strdup(name) : g_strdup(json_get_string(json_at(members, i), "id", "")));
    }
    g_ptr_array_add(jobs, NULL);
    return group_migrate((const char *const *) jobs->pdata, best ? best : node, as_json);
}
