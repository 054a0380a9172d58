/* SPDX-License-Identifier: GPL-2.0-or-later */
/* order.c - what an administrator orders of the authority: to let a node in, to throw one out; from any node
 *
 * cluster.order    member → authority: {what: "admit" | "remove", node, key?, who} → {sponsored?}
 *
 * The member's controller has asked its kernel who orders, and says it; nobody can check that, so the name
 * is for the log, and what the order may do is what any member's root may do (docs/design.md). Who let a
 * node in is remembered with it: who throws a node out is told of those that came in by it.
 */
#include <string.h>

#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"

enum { ORDER_MS = 45000, FAILED_MS = 4000, WHO_MAX = 64 };

typedef struct {
    Cluster *cluster;
    char *node;
} Order;

static void order_free(gpointer data)
{
    Order *order = data;

    cluster_unref(order->cluster);
    g_free(order->node);
    g_free(order);
}

/* ---- At the authority's node ---- */

static void let_in(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GTask) task = user;
    GError *error = NULL;

    if (cluster_admit_finish(result, &error))
        g_task_return_pointer(task, json_object(), (GDestroyNotify)json_unref);
    else
        g_task_return_error(task, error);
}

static void throw_out(Cluster *cluster, const char *node, GTask *task)
{
    GError *error = NULL;

    if (cluster_remove(cluster, node, &error))
        g_task_return_pointer(task, json_set(json_object(), "sponsored", members_sponsored(cluster->members, node)),
                              (GDestroyNotify)json_unref);
    else
        g_task_return_error(task, error);
}

/* sponsor NULL: the order is this node's own. */
static void carry_out(Cluster *cluster, const char *what, const char *node, const char *key, const char *sponsor, GTask *task)
{
    if (g_str_equal(what, "admit"))
        cluster_admit(cluster, node, key ? key : "", sponsor, let_in, g_object_ref(task));
    else if (g_str_equal(what, "remove"))
        throw_out(cluster, node, task);
    else
        g_task_return_new_error(task, SJ_ERROR, SJ_ERROR_PROTOCOL, "there is no order %s", what);
}

void cluster_order_answer(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    Json *answer = cluster_order_finish(result, &error);

    if (answer)
        rpc_reply(user, answer);
    else
        rpc_fail(user, error);
}

/* A user's name as it may stand in the log: it comes from another node (g_free). */
static char *printable(const char *who)
{
    char *text = g_strndup(who, WHO_MAX);

    return g_strcanon(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-_@", '?');
}

void order_called(Cluster *cluster, const char *node, RpcCall *call, Json *params)
{
    const char *what = json_get_string(params, "what", ""), *whom = json_get_string(params, "node", "");
    g_autofree char *who = printable(json_get_string(params, "who", "")), *subject = printable(whom);
    g_autoptr(GTask) task = NULL;

    if (!cluster->authority || !members_has(cluster->members, node)) {
        rpc_fail_new(call, SJ_ERROR_DENIED, "node '%s' does not take orders of '%s'", cluster->name, node);
        return;
    }
    if (cluster->orders_here) {
        rpc_fail_new(call, SJ_ERROR_DENIED, "node '%s' lets nodes in and throws them out at its own administrators' word only "
                     "(\"orders = here\" in its sojournd.conf): give the command there", cluster->name);
        return;
    }
    log_info("user '%s' at node '%s' orders: %s %s", who, node, g_str_equal(what, "admit") ? "let in" : "throw out", subject);
    task = g_task_new(NULL, NULL, cluster_order_answer, call);
    carry_out(cluster, what, whom, json_get_string(params, "key", NULL), node, task);
}

/* ---- At any node ---- */

static void answered(const char *authority, Json *result, const GError *error, gpointer user)
{
    g_autoptr(GTask) task = user;
    Order *order = g_task_get_task_data(task);
    gboolean there = members_is_alive(order->cluster->members, authority);

    if (!error)
        g_task_return_pointer(task, json_ref(result), (GDestroyNotify)json_unref);
    else if (error->code == SJ_ERROR_CUT)
        g_task_return_new_error(task, SJ_ERROR, error->code, "%s: \"sojourn cluster members\" shows whether it was done",
                                error->message);
    else if (!there)
        g_task_return_new_error(task, SJ_ERROR, error->code,
                                "node '%s' is not reachable (%s); it holds the authority's key, and without it no node is let in or "
                                "thrown out: start it again, or mend the way there", authority, error->message);
    else
        g_task_return_error(task, g_error_copy(error));
}

static void send_order(Cluster *cluster, const char *what, const char *node, const char *key, const char *who, GTask *task)
{
    const char *authority = members_authority(cluster->members);
    g_autoptr(GError) error = NULL;
    Json *params = key ? pending_place(cluster, node, key, &error) : NULL;

    if (error) {
        g_task_return_error(task, g_steal_pointer(&error));
        return;
    }
    if (!params)
        params = json_set_string(json_object(), "node", node);
    if (key && !json_get(params, "key"))
        json_set_string(params, "key", key);
    json_set_string(params, "what", what);
    json_set_string(params, "who", who);
    peers_call(cluster->peers, authority, "cluster.order", params,
               members_is_alive(cluster->members, authority) ? ORDER_MS : FAILED_MS, answered, g_object_ref(task));
}

void cluster_order(Cluster *cluster, const char *what, const char *node, const char *key, const char *who,
                   GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    Order *order = g_new(Order, 1);

    cluster->references++;
    *order = (Order){cluster, g_strdup(node)};
    g_task_set_task_data(task, order, order_free);
    if (cluster->authority || (g_str_equal(what, "remove") && g_str_equal(node, cluster->name)))
        carry_out(cluster, what, order->node, key, NULL, task);
    else if (!cluster->keyring)
        g_task_return_new_error(task, SJ_ERROR, SJ_ERROR_FAILED, "this node is in no cluster: make one with \"sojourn cluster init\"");
    else
        send_order(cluster, what, order->node, key, who, task);
}

Json *cluster_order_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
