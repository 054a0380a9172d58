/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer.c - the node's part in balancing (see balancer.h) */
#include "balancer-private.h"

#include "arrival.h"
#include "check.h"
#include "load.h"

#define TICK_MS 1000
#define NEWS_MAX 64          /* entries of one message */
#define MOVES_MAX 32

/* Gossip */

static void shuffle(GPtrArray *names, guint count)
{
    for (guint i = 0; i < count && i + 1 < names->len; i++) {
        guint k = g_random_int_range(i, names->len);
        gpointer name = names->pdata[i];

        names->pdata[i] = names->pdata[k];
        names->pdata[k] = name;
    }
}

static Json *news(Balancer *balancer)
{
    const VectorEntry *picked[VECTOR_WINDOW];
    gint64 now = g_get_monotonic_time();
    VectorEntry self = {.stamp = ++balancer->stamp, .at_us = now, .node = load_self(balancer->node)};
    guint count = vector_pick(&balancer->vector, picked);
    Json *entries = json_array();

    json_append(entries, vector_entry_json(&self, node_name(balancer->node), now));
    for (guint i = 0; i < count; i++)
        json_append(entries, vector_entry_json(picked[i], g_quark_to_string(picked[i]->id), now));
    return json_set(json_object(), "nodes", entries);
}

static void gossip(Balancer *balancer)
{
    Cluster *cluster = balancer->node->cluster;
    g_autoptr(GPtrArray) names = cluster_alive(cluster);
    g_autoptr(Json) message = NULL;

    if (!names->len)
        return;
    shuffle(names, VECTOR_PEERS);
    message = news(balancer);
    for (guint i = 0; i < VECTOR_PEERS && i < names->len; i++)
        cluster_notify(cluster, names->pdata[i], "load.news", json_ref(message));
}

void balancer_news(Node *node, const char *from, Json *params, RpcCall *call)
{
    Balancer *balancer = node->balancer;
    Json *entries = json_get(params, "nodes");
    gint64 now = g_get_monotonic_time();
    VectorEntry all[NEWS_MAX];
    guint count = 0;

    for (guint i = 0; balancer && i < MIN(json_length(entries), NEWS_MAX); i++) {
        const char *name = json_get_string(json_at(entries, i), "name", "");

        if (g_str_equal(name, node_name(node)) || !cluster_is_alive(node->cluster, name) ||
            !vector_entry_parse(json_at(entries, i), now, &all[count]))
            continue;
        all[count++].id = g_quark_from_string(name);
    }
    if (balancer)
        vector_take_all(&balancer->vector, all, count);
    rpc_reply(call, NULL);
}

/* Decide */

static gboolean is_locked(Node *node, Hosted *hosted)
{
    Job *job = job_find(node, hosted->id);

    return job ? job->locked : hosted->locked;
}

static gboolean is_movable(Node *node, Hosted *hosted)
{
    gboolean own = g_str_equal(hosted->home, node_name(node));

    return hosted->state == GUEST_RUNNING && !hosted->busy && !hosted->ordered && !hosted->held && !hosted->starting &&
           !hosted->sent_away && !is_locked(node, hosted) && !(own && node->standing.stay_own);
}

char *balancer_group(const Hosted *hosted)
{
    const char *group = json_get_string(hosted->description, "group", "");
    gint64 uid = json_get_int(hosted->description, "uid", -1);

    return *group ? g_strdup_printf("%s %" G_GINT64_FORMAT " %s", hosted->home, uid, group) : NULL;
}

/* The number of a guest's group; 0: none. groups is of names to numbers. */
static guint group_of(GHashTable *groups, Hosted *hosted)
{
    g_autofree char *key = balancer_group(hosted);

    if (!key)
        return 0;
    if (!g_hash_table_contains(groups, key))
        g_hash_table_insert(groups, g_strdup(key), GUINT_TO_POINTER(g_hash_table_size(groups) + 1));
    return GPOINTER_TO_UINT(g_hash_table_lookup(groups, key));
}

/* The index + 1 of where its group gathers, if that is among the names; 0. */
static guint gather_of(const Hosted *hosted, const char *const *names, guint n)
{
    for (guint i = 0; hosted->gather && i < n; i++)
        if (g_str_equal(names[i], hosted->gather))
            return i + 1;
    return 0;
}

static guint room(const Balancer *balancer)
{
    guint taken = MAX(g_hash_table_size(balancer->node->departures), balancer->orders);
    guint most = MIN(balancer->node->conf->migrations, MOVES_MAX);

    return most > taken ? most - taken : 0;
}

static void decide(Balancer *balancer)
{
    Node *node = balancer->node;
    BalanceRules rules = balancer_rules(node);
    BalanceNode self = load_self(node), nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    guint n_nodes = balancer_known(balancer, nodes, names), n_jobs = 0, count;
    g_autoptr(GList) guests = g_hash_table_get_values(node->hosted);
    g_autofree BalanceJob *jobs = g_new(BalanceJob, g_list_length(guests) + 1);
    g_autofree Json **descriptions = g_new(Json *, g_list_length(guests) + 1);
    g_autofree Hosted **hosted = g_new(Hosted *, g_list_length(guests) + 1);
    Question question = {balancer, descriptions, names};
    g_autofree BalanceMove *moves = g_new(BalanceMove, MAX(MOVES_MAX, g_list_length(guests)));
    g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Decision decision;

    for (GList *i = guests; i; i = i->next) {
        Hosted *guest = i->data;

        if (guest->coming || guest->leaving)
            continue;
        jobs[n_jobs] = load_job(guest);
        jobs[n_jobs].movable = is_movable(node, guest);
        jobs[n_jobs].group = group_of(groups, guest);
        jobs[n_jobs].gather = gather_of(guest, names, n_nodes);
        descriptions[n_jobs] = guest->description;
        hosted[n_jobs++] = guest;
    }
    count = balance_decide(&rules, &self, jobs, n_jobs, nodes, n_nodes, balancer_may, &question, &balancer->seed, moves, room(balancer));
    decision = (Decision){hosted, jobs, moves, count};
    balancer_order(balancer, &decision, names);
}

static gboolean is_past(gpointer key, gpointer value, gpointer user)
{
    return *(gint64 *)value < *(gint64 *)user;
}

static gboolean tick(gpointer user)
{
    Balancer *balancer = user;
    Node *node = balancer->node;
    gint64 now = g_get_monotonic_time();

    load_sample(node);
    g_hash_table_foreach_remove(balancer->refused, is_past, &now);
    if (!cluster_exists(node->cluster))
        return G_SOURCE_CONTINUE;
    if (!node->standing.quiet)
        gossip(balancer);
    if (conf_balances(node->conf) && !node->standing.stay && room(balancer))
        decide(balancer);
    return G_SOURCE_CONTINUE;
}

Balancer *balancer_new(Node *node)
{
    Balancer *balancer = g_new0(Balancer, 1);

    balancer->node = node;
    balancer->seed = g_random_int();
    balancer->stamp = g_get_real_time(); /* more than before a restart */
    balancer->refused = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    vector_init(&balancer->vector, 0);
    g_timeout_add(TICK_MS, tick, balancer);
    return balancer;
}

/* Consent */

void balancer_check(Node *node, Json *balance, Json *reasons)
{
    BalanceRules rules = balancer_rules(node);
    BalanceNode self = load_self(node);
    const char *why = json_get_string(balance, "reason", "");
    gboolean speed = g_str_equal(why, "speed"), memory = g_str_equal(why, "memory");
    BalanceReason reason = speed ? BALANCE_FOR_SPEED : memory ? BALANCE_FOR_MEMORY : BALANCE_FOR_GROUP;
    double demand = json_get_double(balance, "demand", 1) + MAX(json_get_double(balance, "more_demand", 0), 0);
    guint64 bytes = MAX(json_get_int(balance, "bytes", LOAD_FRESH_BYTES), 0), more = MAX(json_get_int(balance, "more_bytes", 0), 0);

    if (!speed && !memory && !g_str_equal(why, "group"))
        return;
    if (arrival_full(node, ""))
        check_reason(reasons, "full", "try again in a moment", "%s takes no more than %u jobs at a time", node_name(node),
                     node->conf->migrations);
    else if (!balance_consents(&rules, &self, demand, bytes + MIN(more, G_MAXINT64 - bytes), json_get_double(balance, "slowness", 0), reason))
        check_reason(reasons, "load", "nothing needs to be done", "%s has so much to do itself that the job would gain nothing",
                     node_name(node));
}
