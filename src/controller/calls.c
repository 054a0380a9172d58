/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calls.c - what other nodes ask of this one: the dispatch of calls and connections between nodes */
#include "calls.h"

#include "arrival.h"
#include "balancer.h"
#include "check.h"
#include "commands.h"
#include "common/error.h"
#include "common/log.h"
#include "departure.h"
#include "deputies.h"
#include "hosted.h"
#include "hosts.h"
#include "jobs.h"
#include "migration.h"

#include <string.h>
#include <unistd.h>

typedef void (*CallHandler)(Node *node, const char *from, Json *params, RpcCall *call);

/* The guest that a home speaks of: only one of its own. */
static Hosted *hosted_of(Node *node, const char *home, Json *params, RpcCall *call)
{
    const char *id = json_get_string(params, "job", "");
    Hosted *hosted = hosted_find(node, id);

    if (hosted && g_str_equal(hosted->home, home))
        return hosted;
    rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "%s has no guest of job %s of %s", node_name(node), id, home);
    return NULL;
}

static void answer_finish(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (guest_finish(result, &error))
        rpc_reply(user, NULL);
    else
        rpc_fail(user, error);
}

static void node_info(Node *node, const char *from, Json *params, RpcCall *call)
{
    rpc_reply(call, node_row(node));
}

static void migration_check(Node *node, const char *from, Json *params, RpcCall *call)
{
    Json *reasons = check_arrival(node, json_get(params, "description"), json_get(params, "balance"));

    rpc_reply(call, json_set_bool(json_set(json_object(), "reasons", reasons), "full",
                                  arrival_full(node, json_get_string(params, "from", ""))));
}

static void call_commit(Node *node, const char *from, Json *params, RpcCall *call)
{
    migration_commit(node, from, params, call);
}

static void call_progress(Node *node, const char *from, Json *params, RpcCall *call)
{
    Job *job = job_find(node, json_get_string(params, "job", ""));

    if (job && g_strcmp0(job->node, from) == 0)
        migration_progress(node, params);
    rpc_reply(call, NULL);
}

static void job_truth(Node *node, const char *from, Json *params, RpcCall *call)
{
    deputies_truth(node, params, call);
}

static void started(const GError *error, gpointer user)
{
    if (error)
        rpc_fail(user, error);
    else
        rpc_reply(user, NULL);
}

static void job_start(Node *node, const char *from, Json *params, RpcCall *call)
{
    Json *description = json_get(params, "description");
    g_autoptr(Json) reasons = check_arrival(node, description, NULL);
    Hosted *hosted;

    if (g_strcmp0(json_get_string(description, "home", ""), from) != 0 ||
        !g_uuid_string_is_valid(json_get_string(description, "id", ""))) {
        rpc_fail_new(call, SJ_ERROR_DENIED, "%s may start jobs of its own only", from);
    } else if (json_length(reasons)) {
        g_autofree char *sentence = check_sentence(reasons);

        rpc_fail_new(call, SJ_ERROR_FAILED, "%s cannot take the job: %s", node_name(node), sentence);
    } else {
        hosted_start(node, description, json_get_int(params, "epoch", 1), started, call);
        hosted = hosted_find(node, json_get_string(description, "id", ""));
        if (hosted)
            hosted_link(hosted);
    }
}

static void job_destroy(Node *node, const char *from, Json *params, RpcCall *call)
{
    Hosted *hosted = hosted_of(node, from, params, call);

    if (!hosted)
        return;
    hosted_destroy(hosted);
    rpc_reply(call, NULL);
}

/* Not while a migration is at work on it: libvirt would do it in the middle, or when that is over. */
static Hosted *idle_of(Node *node, const char *from, Json *params, RpcCall *call)
{
    Hosted *hosted = hosted_of(node, from, params, call);

    if (!hosted || !hosted->busy)
        return hosted;
    rpc_fail_new(call, SJ_ERROR_BUSY, "Job %s is being migrated; try again when that is done", hosted->id);
    return NULL;
}

static void job_suspend(Node *node, const char *from, Json *params, RpcCall *call)
{
    Hosted *hosted = idle_of(node, from, params, call);

    if (!hosted)
        return;
    hosted->held = TRUE;
    guest_suspend(node->hv, hosted->id, answer_finish, call);
}

static void job_resume(Node *node, const char *from, Json *params, RpcCall *call)
{
    Hosted *hosted = idle_of(node, from, params, call);

    if (!hosted)
        return;
    hosted->held = FALSE;
    guest_resume(node->hv, hosted->id, answer_finish, call);
}

static void job_ended_there(Node *node, const char *from, Json *params, RpcCall *call)
{
    Job *job = job_find(node, json_get_string(params, "job", ""));

    if (job && g_strcmp0(job->node, from) == 0 && job->epoch == (guint64)json_get_int(params, "epoch", 0)) {
        g_autofree char *text = g_strdup_printf("the guest on %s ended unexpectedly (%s)", from,
                                                json_get_string(params, "reason", "no reason given"));

        job_lost(node, job, text);
    }
    rpc_reply(call, NULL);
}

static void node_stopping(Node *node, const char *from, Json *params, RpcCall *call)
{
    hosts_stopping(node, from, params);
    rpc_reply(call, NULL);
}

/* What a user at the job's host wants: of a job that is there, and of no other. */
static void job_command(Node *node, const char *from, Json *params, RpcCall *call)
{
    const char *id = json_get_string(json_get(params, "params"), "job", "");
    Job *job = job_find(node, id);

    if (!job || g_strcmp0(job->node, from) != 0)
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "Job %.8s of %s is not on %s", id, node_name(node), from);
    else
        commands_run(node, json_get_string(params, "method", ""), json_get(params, "params"),
                 json_get_string(params, "user", NULL), call);
}

static const struct {
    const char *method;
    CallHandler handler;
} handlers[] = {
    {"job.command", job_command},         {"job.destroy", job_destroy},
    {"job.ended", job_ended_there},       {"job.here", hosts_here},
    {"job.move", migration_ordered},      {"load.news", balancer_news},
    {"job.resume", job_resume},           {"job.start", job_start},
    {"job.suspend", job_suspend},         {"job.truth", job_truth},
    {"migration.cancel", arrival_cancel}, {"node.stopping", node_stopping},
    {"migration.check", migration_check}, {"migration.commit", call_commit},
    {"migration.prepare", arrival_prepare}, {"migration.progress", call_progress},
    {"migration.room", departure_room},   {"migration.run", departure_run},
    {"node.info", node_info},
};

void calls_called(Cluster *cluster, const char *from, Rpc *rpc, RpcCall *call, const char *method, Json *params,
                  gpointer user)
{
    for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++) {
        if (g_str_equal(handlers[i].method, method)) {
            handlers[i].handler(user, from, params, call);
            return;
        }
    }
    rpc_fail_new(call, SJ_ERROR_PROTOCOL, "There is no call %s", method);
}

static void link_opened(Node *node, const char *from, Json *preamble, TlsAccept *accept)
{
    Job *job = job_find(node, json_get_string(preamble, "job", ""));
    guint64 epoch = json_get_int(preamble, "epoch", 0);
    gboolean effective = job && job->deputy && epoch == job->epoch && g_strcmp0(from, job->node) == 0;
    int fd;

    if (!effective && !(job && job->migration && epoch == job->expected_epoch)) {
        tls_refuse(accept, job ? "That incarnation of the job is not the effective one" : "There is no such job here");
        return;
    }
    fd = tls_accept(accept, NULL);
    if (fd >= 0)
        job_link(node, job, epoch, from, fd);
}

void calls_opened(Cluster *cluster, const char *from, Json *preamble, TlsAccept *accept, gpointer user)
{
    const char *purpose = json_get_string(preamble, "purpose", "");

    if (!from)
        tls_refuse(accept, "Only members of the cluster may do that");
    else if (g_str_equal(purpose, "link"))
        link_opened(user, from, preamble, accept);
    else if (g_str_equal(purpose, "gate") || g_str_equal(purpose, "migration"))
        arrival_opened(user, from, preamble, accept);
    else
        tls_refuse(accept, "There is no such purpose");
}

void calls_guest_ended(Node *node, const char *id, const char *reason)
{
    Hosted *hosted = hosted_find(node, id);
    Json *params;

    if (!hosted || hosted->busy) /* a migration is at work on it and says itself what came of it */
        return;
    log_info("job %s: its guest (epoch %" G_GUINT64_FORMAT ") ended: %s", id, hosted->epoch, reason);
    params = json_set_string(json_object(), "job", id);
    json_set_int(params, "epoch", hosted->epoch);
    cluster_call(node->cluster, hosted->home, "job.ended", json_set_string(params, "reason", reason), 10000, NULL, NULL);
    hosted_remove(node, id);
}
