/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admin.c - node.* and cluster.*: what is asked of the node itself */
#include "admin.h"

#include "common/error.h"
#include "control.h"
#include "doctor.h"
#include "evacuation.h"
#include "events.h"

#include <signal.h>
#include <unistd.h>

typedef void (*AdminCommand)(Node *node, Json *params, RpcCall *call);

/* As people see it: a node that answers and is blocked is "blocked". */
static Json *seen(Json *row)
{
    if (json_get_bool(row, "block", FALSE) && g_str_equal(json_get_string(row, "state", ""), "alive"))
        json_set_string(row, "state", "blocked");
    return row;
}

static void node_show(Node *node, Json *params, RpcCall *call)
{
    const char *name = json_get_string(params, "node", node_name(node));
    Json *row = node_row_of(node, name);

    if (!row) {
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "There is no node \"%s\"; \"sojourn nodes\" shows them", name);
        return;
    }
    if (g_str_equal(name, node_name(node))) {
        json_set_string(row, "accel_why", node->accel_why);
        json_set(row, "traffic", cluster_counters(node->cluster));
        json_set_string(row, "run_dir", node->conf->run_dir);
        json_set_string(row, "state_dir", node->conf->state_dir);
        json_set_int(row, "pid", getpid());
    }
    if (!control_is_admin(node, call))
        json_remove(row, "guests");
    rpc_reply(call, seen(row));
}

/* Who is no member, if asked for: nodes that are seen to wait; those that have left. */
static void add_others(Node *node, Json *rows, gboolean waiting, gboolean all)
{
    g_autoptr(Json) pending = cluster_pending(node->cluster), members = cluster_members(node->cluster);

    for (guint i = 0; waiting && i < json_length(pending); i++)
        json_append(rows, json_ref(json_at(pending, i)));
    for (guint i = 0; all && i < json_length(members); i++)
        if (g_str_equal(json_get_string(json_at(members, i), "state", ""), "left"))
            json_append(rows, json_ref(json_at(members, i)));
}

static void node_list(Node *node, Json *params, RpcCall *call)
{
    Json *rows = node_rows(node);

    for (guint i = 0; i < json_length(rows); i++)
        json_remove(seen(json_at(rows, i)), "guests");
    add_others(node, rows, json_get_bool(params, "pending", FALSE), json_get_bool(params, "all", FALSE));
    rpc_reply(call, rows);
}

static void node_standing(Node *node, Json *params, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    Json *row;

    if (!standing_change(&node->standing, node->conf, params, &error)) {
        rpc_fail(call, error);
        return;
    }
    events_node(node, node_name(node), "order", "standing orders of %s: stay %d, block %d, quiet %d, speed %u", node_name(node),
                node->standing.stay, node->standing.block, node->standing.quiet, node_speed(node));
    row = json_object();
    standing_show(&node->standing, row);
    rpc_reply(call, json_set_int(row, "speed", node_speed(node)));
}

static void node_doctor(Node *node, Json *params, RpcCall *call)
{
    rpc_reply(call, doctor_examine(node));
}

/* Ends the node: the supervisor takes SIGINT as the order to end everything, guests too. */
static void node_stop(Node *node, Json *params, RpcCall *call)
{
    guint guests = g_hash_table_size(node->hosted) + g_hash_table_size(node->jobs);

    if (guests && !json_get_bool(params, "force", FALSE)) {
        rpc_fail_new(call, SJ_ERROR_BUSY, "%s has %u guests or jobs; move or end them first, or give --force",
                     node_name(node), guests);
        return;
    }
    rpc_reply(call, NULL);
    node->ending = TRUE;
    kill(getppid(), SIGUSR1);
}

static void cluster_init_here(Node *node, Json *params, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    const char *name = json_get_string(params, "name", node_name(node));
    guint jobs = g_hash_table_size(node->jobs);

    if (jobs && *name && !g_str_equal(name, node_name(node))) {
        rpc_fail_new(call, SJ_ERROR_BUSY, "%u job%s at home here know%s this node as %s; end them first, or make the cluster without --name",
                     jobs, jobs == 1 ? "" : "s", jobs == 1 ? "s" : "", node_name(node));
        return;
    }
    if (cluster_init(node->cluster, json_get_string(params, "name", NULL), json_get_string(params, "address", NULL), &error))
        rpc_reply(call, json_set_string(json_object(), "name", node_name(node)));
    else
        rpc_fail(call, error);
}

static void cluster_token_new(Node *node, Json *params, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *token = cluster_token(node->cluster, json_get_int(params, "valid_s", 0),
                                           json_get_bool(params, "single", FALSE), &error);

    if (token)
        rpc_reply(call, json_set_string(json_object(), "token", token));
    else
        rpc_fail(call, error);
}

static void joined(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (cluster_join_finish(result, &error))
        rpc_reply(user, NULL);
    else
        rpc_fail(user, error);
}

static void cluster_join_there(Node *node, Json *params, RpcCall *call)
{
    cluster_join(node->cluster, json_get_string(params, "token", ""), joined, call);
}

static void cluster_admit_node(Node *node, Json *params, RpcCall *call)
{
    g_autofree char *who = control_user(node, call);

    cluster_order(node->cluster, "admit", json_get_string(params, "node", ""), json_get_string(params, "key", ""), who, cluster_order_answer,
                  call);
}

static void cluster_wait_here(Node *node, Json *params, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    const char *remedy;
    Json *result;

    if (!cluster_wait(node->cluster, json_get_string(params, "authority", ""), &error)) {
        rpc_fail(call, error);
        return;
    }
    result = json_set_string(json_object(), "name", node_name(node));
    json_set_string(result, "fingerprint", cluster_waits(node->cluster));
    json_set_string(result, "authority", cluster_waits_for(node->cluster));
    json_set_string(result, "address", cluster_address(node->cluster));
    json_set_int(result, "port", cluster_port(node->cluster));
    rpc_reply(call, json_set_bool(result, "published", cluster_discovers(node->cluster, &text, &remedy)));
}

/* How it is with the waiting: {fingerprint?, authority?} as cluster.wait said, {cluster?} if the node is in one. */
static void cluster_show_waiting(Node *node, Json *params, RpcCall *call)
{
    g_autofree char *fingerprint = cluster_fingerprint(node->cluster);
    Json *result = json_object();

    if (fingerprint)
        json_set_string(result, "cluster", fingerprint);
    if (cluster_waits(node->cluster)) {
        json_set_string(result, "fingerprint", cluster_waits(node->cluster));
        json_set_string(result, "authority", cluster_waits_for(node->cluster));
    }
    rpc_reply(call, result);
}

static void cluster_show_fingerprint(Node *node, Json *params, RpcCall *call)
{
    g_autofree char *fingerprint = cluster_fingerprint(node->cluster);

    if (fingerprint)
        rpc_reply(call, json_set_string(json_object(), "fingerprint", fingerprint));
    else
        rpc_fail_new(call, SJ_ERROR_FAILED, "This node is in no cluster");
}

/* Whether nothing here needs the cluster; else the call has failed. */
static gboolean is_free(Node *node, RpcCall *call)
{
    guint guests = g_hash_table_size(node->hosted) + g_hash_table_size(node->jobs);

    if (guests)
        rpc_fail_new(call, SJ_ERROR_BUSY, "%s has %u guests or jobs; \"sojourn drain\" sends guests away, \"sojourn home JOB\" brings jobs back",
                     node_name(node), guests);
    return guests == 0;
}

static void cluster_remove_node(Node *node, Json *params, RpcCall *call)
{
    const char *whom = json_get_string(params, "node", "");
    g_autofree char *who = control_user(node, call);

    if (!g_str_equal(whom, node_name(node)) || is_free(node, call))
        cluster_order(node->cluster, "remove", whom, NULL, who, cluster_order_answer, call);
}

static void left(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (cluster_leave_finish(result, &error))
        rpc_reply(user, NULL);
    else
        rpc_fail(user, error);
}

static void cluster_leave_here(Node *node, Json *params, RpcCall *call)
{
    if (is_free(node, call))
        cluster_leave(node->cluster, left, call);
}

static void cluster_list(Node *node, Json *params, RpcCall *call)
{
    rpc_reply(call, cluster_members(node->cluster));
}

static const struct {
    const char *method;
    AdminCommand command;
    gboolean admin;
} commands[] = {
    {"cluster.admit", cluster_admit_node, TRUE}, {"cluster.wait", cluster_wait_here, TRUE},
    {"cluster.fingerprint", cluster_show_fingerprint, FALSE}, {"cluster.waiting", cluster_show_waiting, FALSE},
    {"cluster.init", cluster_init_here, TRUE},   {"cluster.join", cluster_join_there, TRUE},
    {"cluster.leave", cluster_leave_here, TRUE}, {"cluster.members", cluster_list, FALSE},
    {"cluster.remove", cluster_remove_node, TRUE}, {"cluster.token", cluster_token_new, TRUE},
    {"node.doctor", node_doctor, FALSE},
    {"node.bring", evacuation_bring, TRUE},      {"node.drain", evacuation_drain, TRUE},
    {"node.expel", evacuation_expel, TRUE},      {"node.list", node_list, FALSE},
    {"node.show", node_show, FALSE},             {"node.standing", node_standing, TRUE},
    {"node.stop", node_stop, TRUE},
};

void admin_run(Node *node, const char *method, Json *params, gboolean admin, RpcCall *call)
{
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!g_str_equal(commands[i].method, method))
            continue;
        if (commands[i].admin && !admin)
            rpc_fail_new(call, SJ_ERROR_DENIED, "Only root and members of the group sojourn-admin may do that on %s",
                         node_name(node));
        else
            commands[i].command(node, params, call);
        return;
    }
    rpc_fail_new(call, SJ_ERROR_PROTOCOL, "There is no method %s", method);
}
