/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration-why.c - why a job cannot move to a node: home's reasons and the destination's, and what it would take if it can */
#include "migration.h"

#include "check.h"

typedef struct {
    RpcCall *call;
    Json *reasons, *forecast;
} Why;

static void why_answered(const char *destination, Json *result, const GError *error, gpointer user)
{
    Why *why = user;
    Json *more = json_get(result, "reasons"), *said;

    for (guint i = 0; i < json_length(more); i++) {
        gboolean known = FALSE;

        for (guint j = 0; j < json_length(why->reasons); j++)
            known = known || g_str_equal(json_get_string(json_at(why->reasons, j), "code", ""),
                                         json_get_string(json_at(more, i), "code", ""));
        if (!known)
            json_append(why->reasons, json_ref(json_at(more, i)));
    }
    said = json_set(json_object(), "reasons", why->reasons);
    if (!json_length(why->reasons) && why->forecast)
        json_set(said, "expected", json_ref(why->forecast));
    rpc_reply(why->call, said);
    json_unref(why->forecast);
    g_free(why);
}

void migration_why(Node *node, Job *job, const char *to, RpcCall *call)
{
    const char *target = g_str_equal(to, "home") ? node_name(node) : to;
    Why *why = g_new0(Why, 1);
    g_autoptr(Json) row = node_row_of(node, target);

    why->call = call;
    why->forecast = job_forecast(node, job);
    why->reasons = check_from_home(node, job, target);
    if (!row || !g_str_equal(json_get_string(row, "state", ""), "alive") || g_strcmp0(job->node, target) == 0)
        why_answered(target, NULL, NULL, why);
    else
        cluster_call(node->cluster, target, "migration.check",
                     json_set(json_object(), "description", json_ref(job->description)), 10000, why_answered, why);
}
