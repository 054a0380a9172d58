/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts.c - whether the hosts of the jobs at home here still have their guests (see hosts.h for the rules) */
#include "hosts.h"

#include "common/error.h"
#include "common/log.h"
#include "groups.h"
#include "hosted.h"
#include "jobs.h"

#define ASK_MS 5000
#define ABSENT_MAX 2
#define STOP_MS 500

typedef struct {
    Node *node;
    char *id;
    guint64 epoch;
} Question;

static gboolean over(gint64 since_us, guint limit_s)
{
    return since_us && limit_s && g_get_monotonic_time() - since_us > (gint64)limit_s * G_USEC_PER_SEC;
}

static void forget(Job *job)
{
    job->absent = 0;
    job->silent_since_us = job->down_since_us = 0;
}

static void G_GNUC_PRINTF(3, 4) lose(Node *node, Job *job, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    job_lost(node, job, why);
}

/* The host answered. */
static void told(Node *node, Job *job, gboolean here)
{
    guint absent = here ? 0 : job->absent + 1;

    g_hash_table_remove(node->stopping, job->node);
    forget(job);
    job->absent = absent;
    if (absent >= ABSENT_MAX)
        lose(node, job, "%s does not have its guest any more", job->node);
}

/* The host did not answer. */
static void silent(Node *node, Job *job, const GError *error)
{
    gint64 now = g_get_monotonic_time();
    gboolean down = g_error_matches(error, SJ_ERROR, SJ_ERROR_DOWN) && !g_hash_table_contains(node->stopping, job->node);

    if (!job->silent_since_us) {
        job->silent_since_us = now;
        log_warning("job %s: its host does not answer: %s", job->id, error->message);
    }
    job->down_since_us = !down ? 0 : job->down_since_us ? job->down_since_us : now;
    if (over(job->down_since_us, node->conf->host_down_s))
        lose(node, job, "%s, where its guest was, is down", job->node);
    else if (over(job->silent_since_us, node->conf->orphan_end_s))
        lose(node, job, "%s, where its guest was, has been silent for %u s", job->node, node->conf->orphan_end_s);
}

static void answered(const char *host, Json *result, const GError *error, gpointer user)
{
    Question *question = user;
    Node *node = question->node;
    Job *job = job_find(node, question->id);

    if (job)
        job->host_asked = FALSE;
    if (!job || !job->deputy || job->migration || job->epoch != question->epoch || g_strcmp0(job->node, host) != 0)
        ; /* the question is out of date */
    else if (!error)
        told(node, job, json_get_bool(result, "here", TRUE));
    else if (g_error_matches(error, SJ_ERROR, SJ_ERROR_NOT_FOUND))
        lose(node, job, "%s, where its guest was, was taken out of the cluster", host);
    else if (!g_error_matches(error, SJ_ERROR, SJ_ERROR_BUSY))
        silent(node, job, error);
    g_free(question->id);
    g_free(question);
}

static void ask(Node *node, Job *job)
{
    Question *question = g_new0(Question, 1);
    Json *params = json_set_string(json_object(), "job", job->id);

    json_set_string(params, "group", json_get_string(job->description, "group", ""));
    json_set_string(params, "gather", job->gather ? job->gather : "");
    *question = (Question){node, g_strdup(job->id), job->epoch};
    job->host_asked = TRUE;
    json_set_int(json_set_bool(params, "locked", job->locked), "epoch", job->epoch);
    cluster_call(node->cluster, job->node, "job.here", params, ASK_MS, answered, question);
}

void hosts_watch(Node *node)
{
    g_autoptr(GList) jobs = g_hash_table_get_values(node->jobs);

    groups_gather(node);
    for (GList *i = jobs; i; i = i->next) {
        Job *job = i->data;

        if (job->migration)
            forget(job);
        else if (job->created && job->deputy && !job->host_asked)
            ask(node, job);
    }
}

/* Names of members alone are kept for good. */
static const char *gather_of(Node *node, Json *params)
{
    const char *name = json_get_string(params, "gather", "");

    return cluster_is_alive(node->cluster, name) ? g_intern_string(name) : NULL;
}

void hosts_here(Node *node, const char *home, Json *params, RpcCall *call)
{
    Hosted *hosted = hosted_find(node, json_get_string(params, "job", ""));
    gboolean here = hosted && g_str_equal(hosted->home, home) && hosted->epoch == (guint64)json_get_int(params, "epoch", 0);

    if (here) {
        hosted->locked = json_get_bool(params, "locked", FALSE);
        json_set_string(hosted->description, "group", json_get_string(params, "group", ""));
        hosted->gather = gather_of(node, params);
    }
    if (!here && !node->adopted)
        rpc_fail_new(call, SJ_ERROR_BUSY, "%s has just been started and is looking for its guests", node_name(node));
    else
        rpc_reply(call, json_set_bool(json_object(), "here", here));
}

/* Stops */

void hosts_stopping(Node *node, const char *name, Json *params)
{
    g_autoptr(GList) jobs = g_hash_table_get_values(node->jobs);

    if (json_get_bool(params, "guests", TRUE)) {
        log_info("node '%s' stops; its guests go on", name);
        g_hash_table_add(node->stopping, g_strdup(name));
        return;
    }
    for (GList *i = jobs; i; i = i->next) {
        Job *job = i->data;

        if (g_str_equal(job->node, name) && !job->migration)
            lose(node, job, "%s, where its guest was, was stopped", name);
    }
}

typedef struct {
    guint open; /* questions, and the one who asks them */
    void (*done)(gpointer user);
    gpointer user;
} Stop;

static void stop_told(const char *name, Json *result, const GError *error, gpointer user)
{
    Stop *stop = user;

    if (--stop->open > 0)
        return;
    stop->done(stop->user);
    g_free(stop);
}

void hosts_tell_stop(Node *node, void (*done)(gpointer user), gpointer user)
{
    g_autoptr(Json) rows = cluster_rows(node->cluster);
    Stop *stop = g_new0(Stop, 1);

    *stop = (Stop){1, done, user};
    for (guint i = 0; i < json_length(rows); i++) {
        const char *name = json_get_string(json_at(rows, i), "name", "");

        if (!cluster_is_alive(node->cluster, name))
            continue;
        stop->open++;
        cluster_call(node->cluster, name, "node.stopping",
                     json_set_bool(json_object(), "guests", !node->ending), STOP_MS, stop_told, stop);
    }
    stop_told(NULL, NULL, NULL, stop);
}
