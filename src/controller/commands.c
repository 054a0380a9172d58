/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.c - job.*: what users ask of jobs, here or, forwarded, at the jobs' homes */
#include "commands.h"

#include "balancer.h"
#include "check.h"
#include "common/error.h"
#include "events.h"
#include "groups.h"
#include "hosted.h"
#include "jobs.h"
#include "migration.h"

#include <string.h>
#include <unistd.h>

typedef void (*JobCommand)(Node *node, Job *job, Json *params, RpcCall *call);

static void forwarded(const char *home, Json *result, const GError *error, gpointer user)
{
    if (error)
        rpc_fail(user, error);
    else
        rpc_reply(user, json_ref(result));
}

/* A guest here of a job that is at home elsewhere. */
static Hosted *hosted_resolve(Node *node, const char *text, const char *user)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;
        const char *name = json_get_string(hosted->description, "name", "");

        if (g_str_equal(hosted->home, node_name(node)) ||
            (user && !g_str_equal(user, json_get_string(hosted->description, "user", ""))))
            continue;
        if (g_str_equal(hosted->id, text) || (*name && g_str_equal(name, text)) ||
            (strlen(text) >= 4 && g_str_has_prefix(hosted->id, text)))
            return hosted;
    }
    return NULL;
}

static void forward(Node *node, Hosted *hosted, const char *method, Json *params, const char *user, RpcCall *call)
{
    Json *question = json_set_string(json_object(), "method", method), *copy = json_copy(params);
    gboolean patient = g_str_equal(method, "job.wait") || g_str_equal(method, "job.migrate");

    json_set_string(copy, "job", hosted->id);
    json_set(question, "params", copy);
    if (user)
        json_set_string(question, "user", user);
    cluster_call(node->cluster, hosted->home, "job.command", question, patient ? G_MAXINT : 15000, forwarded, call);
}

/* Commands */

static void job_show(Node *node, Job *job, Json *params, RpcCall *call)
{
    Json *details = job_details(node, job), *cannot = json_array();
    g_autoptr(Json) rows = node_rows(node);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < json_length(rows); i++) {
        const char *name = json_get_string(json_at(rows, i), "name", "");
        g_autoptr(Json) reasons = g_strcmp0(name, job->node) == 0 ? NULL : check_from_home(node, job, name);

        for (guint j = 0; j < json_length(reasons); j++) {
            const char *text = json_get_string(json_at(reasons, j), "text", "");

            if (g_hash_table_add(seen, g_strdup(text)))
                json_append(cannot, json_string(text));
        }
    }
    json_set(details, "stay", check_stay(node, job));
    rpc_reply(call, json_set(details, "cannot_move", cannot));
}

static void job_why(Node *node, Job *job, Json *params, RpcCall *call)
{
    g_autofree char *to = node_meant(node, json_get_string(params, "node", ""));

    migration_why(node, job, to, call);
}

static void job_migrate(Node *node, Job *job, Json *params, RpcCall *call)
{
    const char *word = json_get_string(params, "node", "");
    g_autofree char *best = g_str_equal(word, "best") ? balancer_best(node, job, FALSE) : NULL;
    g_autofree char *to = node_meant(node, best ?: word);

    if (!job->migration && (g_strcmp0(to, job->node) == 0 || (g_str_equal(to, "home") && g_strcmp0(node_name(node), job->node) == 0))) {
        Json *stats = json_set_string(json_object(), "from", job->node);

        json_set_string(stats, "to", job->node);
        rpc_reply(call, json_set_bool(stats, "there", TRUE));
        return;
    }
    migration_start(node, job, to, NULL, migration_answer, call);
}

static void job_best(Node *node, Job *job, Json *params, RpcCall *call)
{
    g_autofree char *best = balancer_best(node, job, json_get_bool(params, "group", FALSE));

    rpc_reply(call, json_set_string(json_object(), "node", best));
}

static void kill_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    if (fd >= 0)
        close(fd);
    forwarded(NULL, result, error, user);
}

static void job_kill(Node *node, Job *job, Json *params, RpcCall *call)
{
    gint64 signal = json_get_int(params, "signal", 15);

    if (signal < 1 || signal > 64)
        rpc_fail_new(call, SJ_ERROR_USAGE, "There is no signal %" G_GINT64_FORMAT, signal);
    else
        rpc_call(job->deputy, "deputy.signal", json_set_int(json_object(), "signal", signal), -1, 10000, kill_answered, call);
}

static void job_wait(Node *node, Job *job, Json *params, RpcCall *call)
{
    if (job->status >= 0)
        rpc_reply(call, json_set_int(json_object(), "status", job->status));
    else
        g_ptr_array_add(job->waiters, call);
}

static void job_lock(Node *node, Job *job, Json *params, RpcCall *call)
{
    job->locked = json_get_bool(params, "locked", TRUE);
    if (job->deputy)
        rpc_notify(job->deputy, "deputy.remember", json_set_bool(json_object(), "locked", job->locked));
    rpc_reply(call, json_set_bool(json_object(), "locked", job->locked));
}

static void job_join(Node *node, Job *job, Json *params, RpcCall *call)
{
    g_autoptr(GError) error = NULL;

    if (group_join(job, json_get_string(params, "group", ""), &error))
        rpc_reply(call, json_set_string(json_object(), "group", json_get_string(job->description, "group", "")));
    else
        rpc_fail(call, error);
}

static void suspend_or_resume(Node *node, Job *job, gboolean suspend, RpcCall *call)
{
    if (job->migration) {
        rpc_fail_new(call, SJ_ERROR_BUSY, "Job %.8s is being migrated; try again when that is over", job->id);
        return;
    }
    job->suspended = suspend;
    cluster_call(node->cluster, job->node, suspend ? "job.suspend" : "job.resume",
                 json_set_string(json_object(), "job", job->id), 10000, forwarded, call);
}

static void job_suspend(Node *node, Job *job, Json *params, RpcCall *call)
{
    suspend_or_resume(node, job, TRUE, call);
}

static void job_resume(Node *node, Job *job, Json *params, RpcCall *call)
{
    suspend_or_resume(node, job, FALSE, call);
}

static const struct {
    const char *method;
    JobCommand command;
    gboolean ended; /* makes sense for a job that is over */
} commands[] = {
    {"job.best", job_best, FALSE},       {"job.group", job_join, FALSE},      {"job.kill", job_kill, FALSE},     {"job.lock", job_lock, FALSE},
    {"job.migrate", job_migrate, FALSE},
    {"job.resume", job_resume, FALSE},   {"job.show", job_show, TRUE},      {"job.suspend", job_suspend, FALSE},
    {"job.wait", job_wait, TRUE},        {"job.why", job_why, FALSE},
};

/* A row for a guest here whose home is elsewhere. */
static Json *hosted_row(Node *node, Hosted *hosted)
{
    Json *row = json_object(), *d = hosted->description;
    g_auto(GStrv) words = json_to_strv(json_get(d, "command"));
    g_autofree char *command = g_strjoinv(" ", words);

    json_set_string(row, "id", hosted->id);
    json_set_string(row, "name", json_get_string(d, "name", ""));
    json_set_string(row, "user", json_get_string(d, "user", ""));
    json_set_int(row, "pid", json_get_int(d, "pid", 0));
    json_set_string(row, "command", command);
    json_set_string(row, "home", hosted->home);
    json_set_string(row, "node", node_name(node));
    json_set_string(row, "state", hosted->busy ? "migrating" : hosted->state == GUEST_PAUSED ? "suspended" : "running");
    json_set_int(row, "migrations", hosted->epoch - 1);
    json_set_bool(row, "locked", hosted->locked);
    json_set_string(row, "group", json_get_string(d, "group", ""));
    json_set_int(row, "memory_bytes", json_get_int(d, "memory_bytes", 0));
    json_set_double(row, "cpu_seconds", ((gint64)(hosted->cpu_ns / 1000000)) / 1000.0);
    return row;
}

static void job_list(Node *node, const char *user, RpcCall *call)
{
    Json *rows = json_array();
    GHashTableIter i;
    gpointer value;

    jobs_usage(node);
    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value))
        if (!user || g_str_equal(user, ((Job *)value)->user))
            json_append(rows, job_row(node, value));
    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;

        if (!g_str_equal(hosted->home, node_name(node)) &&
            (!user || g_str_equal(user, json_get_string(hosted->description, "user", ""))))
            json_append(rows, hosted_row(node, hosted));
    }
    rpc_reply(call, rows);
}

void commands_run(Node *node, const char *method, Json *params, const char *user, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    const char *text = json_get_string(params, "job", "");

    if (g_str_equal(method, "job.list")) {
        job_list(node, user, call);
        return;
    }
    if (g_str_equal(method, "job.events")) {
        events_ask(node, params, user, call);
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        Job *job;
        Hosted *hosted;

        if (!g_str_equal(commands[i].method, method))
            continue;
        job = job_resolve(node, text, user, commands[i].ended, &error);
        hosted = job ? NULL : hosted_resolve(node, text, user);
        if (job)
            commands[i].command(node, job, params, call);
        else if (hosted)
            forward(node, hosted, method, params, user, call);
        else
            rpc_fail(call, error);
        return;
    }
    rpc_fail_new(call, SJ_ERROR_PROTOCOL, "There is no method %s", method);
}
