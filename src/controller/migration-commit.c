/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration-commit.c - home's part of the COMMIT: a destination's question, with the link that was kept, goes to the deputy */
#include "migration.h"

#include "common/error.h"
#include "common/fault.h"

#include <unistd.h>

typedef struct {
    Node *node;
    char *job, *host;
    guint64 epoch;
    RpcCall *call;
} Commit;

static void commit_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Commit *commit = user;
    Job *job = job_find(commit->node, commit->job);

    if (fd >= 0)
        close(fd);
    if (g_error_matches(error, SJ_ERROR, SJ_ERROR_DENIED)) {
        rpc_reply(commit->call, json_set_string(json_object(), "refused", error->message));
    } else if (error) {
        rpc_fail(commit->call, error);
    } else {
        if (job) {
            job->epoch = commit->epoch;
            g_free(job->node);
            job->node = g_strdup(commit->host);
        }
        if (fault("home.committed"))
            rpc_fail_new(commit->call, SJ_ERROR_TIMEOUT, "The answer was lost");
        else
            rpc_reply(commit->call, NULL);
    }
    g_free(commit->job);
    g_free(commit->host);
    g_free(commit);
}

void migration_commit(Node *node, const char *from, Json *params, RpcCall *call)
{
    Job *job = job_find(node, json_get_string(params, "job", ""));
    Json *question = json_set_string(json_object(), "migration", json_get_string(params, "migration", ""));
    gint64 ran_us = json_get_int(params, "ran_us", -1);
    Commit *commit;

    if (!job || !job->deputy) {
        json_unref(question);
        if (node_is_young(node) && !job_is_over(node, json_get_string(params, "job", "")))
            rpc_fail_new(call, SJ_ERROR_BUSY, "%s waits for its deputies", node_name(node));
        else
            rpc_reply(call, json_set_string(json_object(), "refused", "there is no such job"));
        return;
    }
    fault("home.asked");
    if (ran_us >= 0)
        migration_resumed(node, json_get_string(params, "migration", ""), g_get_monotonic_time() - ran_us);
    commit = g_new0(Commit, 1);
    *commit = (Commit){node, g_strdup(job->id), g_strdup(from), json_get_int(params, "epoch", 0), call};
    json_set_int(question, "epoch", commit->epoch);
    json_set_string(question, "node", from);
    rpc_call(job->deputy, "deputy.commit", question, job->pending_fd, 30000, commit_answered, commit);
    if (job->pending_fd >= 0)
        close(job->pending_fd);
    job->pending_fd = -1;
}
