/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer-orders.c - has the homes of the jobs do what the balancer has decided (see balancer.h) */
#include "balancer-private.h"

#include "common/log.h"
#include "load.h"

#define ORDER_MS (3600 * 1000u)

/* Followers are the rest of its group: the destination consents to all of it when the first asks, and they are sent after that
 * one as on a person's order, which waits for its turn. */
typedef struct {
    Node *node;
    char *job, *to;
    GPtrArray *followers;   /* ids */
} Order;

static void order_send(Balancer *balancer, Hosted *hosted, const char *to, Json *balance, GPtrArray *followers);

static Json *order_json(const char *reason, const BalanceJob *job)
{
    Json *balance = json_set_string(json_object(), "reason", reason);

    json_set_double(balance, "demand", job->demand);
    return json_set_int(balance, "bytes", job->bytes);
}

static void follow(const Order *order, gboolean go)
{
    for (guint i = 0; i < order->followers->len; i++) {
        Hosted *hosted = hosted_find(order->node, order->followers->pdata[i]);
        BalanceJob job;

        if (!hosted)
            continue;
        hosted->sent_away = FALSE;
        if (!go || hosted->busy)
            continue;
        job = load_job(hosted);
        order_send(order->node->balancer, hosted, order->to, order_json("order", &job), g_ptr_array_new());
    }
}

static void order_answered(const char *home, Json *result, const GError *error, gpointer user)
{
    Order *order = user;
    Balancer *balancer = order->node->balancer;
    Hosted *hosted = hosted_find(order->node, order->job);

    balancer->orders--;
    if (hosted)
        hosted->sent_away = FALSE;
    if (error) {
        log_debug("job %s: was not taken by %s: %s", order->job, order->to, error->message);
        balancer_refused(order->node, order->job, order->to);
    }
    follow(order, error == NULL);
    g_ptr_array_unref(order->followers);
    g_free(order->job);
    g_free(order->to);
    g_free(order);
}

/* balance and followers are taken over. */
static void order_send(Balancer *balancer, Hosted *hosted, const char *to, Json *balance, GPtrArray *followers)
{
    Json *params = json_set_string(json_object(), "job", hosted->id);
    Order *order = g_new(Order, 1);

    *order = (Order){balancer->node, g_strdup(hosted->id), g_strdup(to), followers};
    json_set_int(params, "epoch", hosted->epoch);
    json_set_string(params, "to", to);
    hosted->sent_away = TRUE;
    balancer->orders++;
    cluster_call(balancer->node->cluster, hosted->home, "job.move", json_set(params, "balance", balance), ORDER_MS,
                 order_answered, order);
}

/* Whether this move is one of a group's but not the first. */
static gboolean is_follower(const Decision *d, guint index)
{
    guint group = d->jobs[d->moves[index].job].group;

    for (guint i = 0; group && i < index; i++)
        if (d->jobs[d->moves[i].job].group == group)
            return TRUE;
    return FALSE;
}

static void order_move(Balancer *balancer, const Decision *d, guint index, const char *to)
{
    static const char *const reasons[] = {"speed", "memory", "group"};
    const BalanceMove *move = &d->moves[index];
    const BalanceJob *job = &d->jobs[move->job];
    Hosted *hosted = d->hosted[move->job];
    const char *reason = reasons[move->reason];
    GPtrArray *followers = g_ptr_array_new_with_free_func(g_free);
    Json *balance = order_json(reason, job);
    double more_demand = 0;
    guint64 more_bytes = 0;

    for (guint i = index + 1; job->group && i < d->count; i++) {
        guint other = d->moves[i].job;

        if (d->jobs[other].group != job->group)
            continue;
        more_demand += d->jobs[other].demand;
        more_bytes += d->jobs[other].bytes;
        d->hosted[other]->sent_away = TRUE;
        g_ptr_array_add(followers, g_strdup(d->hosted[other]->id));
    }
    log_info("job %s: wants %.2f CPUs, slowness here is %.2f: to %s for %s, followed by %u", hosted->id, job->demand, move->slowness,
             to, reason, followers->len);
    json_set_double(balance, "slowness", move->slowness);
    json_set_double(balance, "more_demand", more_demand);
    json_set_int(balance, "more_bytes", more_bytes);
    order_send(balancer, hosted, to, balance, followers);
}

void balancer_order(Balancer *balancer, const Decision *decision, const char *const *names)
{
    for (guint i = 0; i < decision->count; i++) {
        const BalanceMove *move = &decision->moves[i];
        const char *to = names[move->node];

        vector_promise(&balancer->vector, g_quark_from_string(to), &decision->jobs[move->job], g_get_monotonic_time());
        if (!is_follower(decision, i))
            order_move(balancer, decision, i, to);
    }
}

guint balancer_orders(Node *node)
{
    return node->balancer ? node->balancer->orders : 0;
}
