/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer.c - the node's part in balancing (see balancer.h) */
#include "balancer.h"

#include "arrival.h"
#include "balance/vector.h"
#include "check.h"
#include "common/error.h"
#include "common/log.h"
#include "load.h"

#include <string.h>

#define TICK_MS 1000
#define NEWS_MAX 64          /* entries of one message */
#define REFUSED_S 30         /* a job is not sent to a node again so long after a refusal */
#define ORDER_MS (3600 * 1000u)
#define MOVES_MAX 32

struct Balancer {
    Node *node;
    Vector vector;
    GHashTable *refused;     /* "JOB NODE" → gint64 *: until when */
    guint32 seed;
    guint64 stamp;
    guint orders;
};

static BalanceRules rules_of(const Node *node)
{
    BalanceRules rules = BALANCE_RULES;

    rules.stay_s = node->conf->balance_stay_s;
    rules.reserve = node->conf->memory_reserve / 100.0;
    return rules;
}

/* Who may go where */

static char *refusal_key(const char *job, const char *to)
{
    return g_strdup_printf("%s %s", job, to);
}

static gboolean was_refused(Balancer *balancer, const char *job, const char *to)
{
    g_autofree char *key = refusal_key(job, to);
    gint64 *until = g_hash_table_lookup(balancer->refused, key);

    return until && *until > g_get_monotonic_time();
}

static void note_refusal(Balancer *balancer, const char *job, const char *to)
{
    gint64 until = g_get_monotonic_time() + REFUSED_S * G_USEC_PER_SEC;

    g_hash_table_insert(balancer->refused, refusal_key(job, to), g_memdup2(&until, sizeof until));
}

void balancer_refused(Node *node, const char *job, const char *to)
{
    note_refusal(node->balancer, job, to);
}

static gboolean is_past(gpointer key, gpointer value, gpointer user)
{
    return *(gint64 *)value < *(gint64 *)user;
}

static gboolean may_go(Balancer *balancer, Json *description, const char *to)
{
    g_autoptr(Json) row = node_row_of(balancer->node, to), reasons = json_array();

    if (!row || !g_str_equal(json_get_string(row, "state", ""), "alive") ||
        (json_get_bool(row, "block", FALSE) && !g_str_equal(to, json_get_string(description, "home", ""))))
        return FALSE;
    check_row(reasons, description, row);
    check_lists(reasons, description, to);
    return json_length(reasons) == 0 && !was_refused(balancer, json_get_string(description, "id", ""), to);
}

/* The descriptions of the jobs and the names of the nodes that indices stand for. */
typedef struct {
    Balancer *balancer;
    Json **jobs;
    const char **nodes;
} Question;

static gboolean may(guint job, guint node, gpointer user)
{
    const Question *question = user;

    return may_go(question->balancer, question->jobs[job], question->nodes[node]);
}

/* The others, as far as they are known; returns how many. */
static guint known(Balancer *balancer, BalanceNode *nodes, const char **names)
{
    vector_age(&balancer->vector, g_get_monotonic_time());
    for (guint i = 0; i < balancer->vector.count; i++) {
        nodes[i] = balancer->vector.entries[i].node;
        names[i] = g_quark_to_string(balancer->vector.entries[i].id);
    }
    return balancer->vector.count;
}

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

    for (guint i = 0; balancer && i < MIN(json_length(entries), NEWS_MAX); i++) {
        const char *name = json_get_string(json_at(entries, i), "name", "");
        VectorEntry entry;

        if (g_str_equal(name, node_name(node)) || !cluster_is_alive(node->cluster, name) ||
            !vector_entry_parse(json_at(entries, i), now, &entry))
            continue;
        entry.id = g_quark_from_string(name);
        vector_take(&balancer->vector, &entry);
    }
    rpc_reply(call, NULL);
}

/* Decide */

/* Followers are the rest of its group: the destination consents to all of it when the first asks, and they are sent after that one
 * as on a person's order, which waits for its turn. */
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
        note_refusal(balancer, order->job, order->to);
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

/* The guests that are decided about, and what was decided. */
typedef struct {
    Hosted **hosted;
    const BalanceJob *jobs;
    const BalanceMove *moves;
    guint count;
} Decision;

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
    const BalanceMove *move = &d->moves[index];
    const BalanceJob *job = &d->jobs[move->job];
    Hosted *hosted = d->hosted[move->job];
    const char *reason = move->reason == BALANCE_FOR_MEMORY ? "memory" : "speed";
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

static guint room(const Balancer *balancer)
{
    guint taken = MAX(g_hash_table_size(balancer->node->departures), balancer->orders);
    guint most = MIN(balancer->node->conf->migrations, MOVES_MAX);

    return most > taken ? most - taken : 0;
}

static void decide(Balancer *balancer)
{
    Node *node = balancer->node;
    BalanceRules rules = rules_of(node);
    BalanceNode self = load_self(node), nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    guint n_nodes = known(balancer, nodes, names), n_jobs = 0, count;
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
        descriptions[n_jobs] = guest->description;
        hosted[n_jobs++] = guest;
    }
    count = balance_decide(&rules, &self, jobs, n_jobs, nodes, n_nodes, may, &question, &balancer->seed, moves, room(balancer));
    decision = (Decision){hosted, jobs, moves, count};
    for (guint i = 0; i < count; i++) {
        const char *to = names[moves[i].node];

        vector_promise(&balancer->vector, g_quark_from_string(to), &jobs[moves[i].job], g_get_monotonic_time());
        if (!is_follower(&decision, i))
            order_move(balancer, &decision, i, to);
    }
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

/* Places */

const char *balancer_place(Node *node, Json *description)
{
    BalanceRules rules = rules_of(node);
    BalanceNode self = load_self(node), nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    BalanceJob job = {.demand = json_get_int(description, "cpus", 1), .bytes = LOAD_FRESH_BYTES};
    Question question = {node->balancer, &description, names};
    guint n_nodes = known(node->balancer, nodes, names);
    int found = balance_place(&rules, &self, &job, nodes, n_nodes, may, &question, &node->balancer->seed);

    if (found < 0 || (g_str_equal(json_get_string(description, "hint", ""), "io") && self.memory_free > job.bytes))
        return NULL;
    vector_promise(&node->balancer->vector, g_quark_from_string(names[found]), &job, g_get_monotonic_time());
    return names[found];
}

static gboolean same_group(const Job *job, const Job *other)
{
    const char *group = json_get_string(job->description, "group", "");

    return other && *group && other->uid == job->uid && g_str_equal(group, json_get_string(other->description, "group", ""));
}

char *balancer_best(Node *node, Job *job, gboolean group)
{
    BalanceRules rules = rules_of(node);
    g_autoptr(Json) rows = node_rows(node), here = node_row_of(node, job->node);
    guint n_nodes = 0, n_rows = json_length(rows);
    g_autofree BalanceNode *nodes = g_new(BalanceNode, n_rows + 1);
    g_autofree const char **names = g_new(const char *, n_rows + 1);
    Question question = {node->balancer, &job->description, names};
    BalanceJob wanted = {.demand = 1, .bytes = LOAD_FRESH_BYTES};
    BalanceNode self;
    Hosted *hosted = hosted_find(node, job->id);
    Json *guests = json_get(here, "guests");
    gboolean known = FALSE;
    int found;

    for (guint i = 0; i < json_length(guests); i++) {
        const char *id = json_get_string(json_at(guests, i), "id", "");
        gboolean this = g_str_equal(id, job->id);

        if (!this && !(group && same_group(job, job_find(node, id))))
            continue;
        wanted.demand = (known ? wanted.demand : 0) + json_get_double(json_at(guests, i), "demand", 1);
        wanted.bytes = (known ? wanted.bytes : 0) + json_get_int(json_at(guests, i), "rss_bytes", LOAD_FRESH_BYTES);
        known = TRUE;
    }
    if (hosted && !group)
        wanted = load_job(hosted);
    if (!load_of_row(here, &self))
        return NULL;
    self.demand = MAX(self.demand - wanted.demand, 0);
    self.memory_free += wanted.bytes;
    for (guint i = 0; i < n_rows; i++) {
        names[n_nodes] = json_get_string(json_at(rows, i), "name", "");
        n_nodes += g_strcmp0(names[n_nodes], job->node) != 0 && load_of_row(json_at(rows, i), &nodes[n_nodes]);
    }
    found = balance_place(&rules, &self, &wanted, nodes, n_nodes, may, &question, &node->balancer->seed);
    return g_strdup(found < 0 ? job->node : names[found]);
}

/* The index of a name; n: it is not there. */
static guint index_of(const char *const *names, guint n, const char *name)
{
    guint i = 0;

    while (i < n && !g_str_equal(names[i], name))
        i++;
    return i;
}

const char *balancer_refuge(Node *node, Hosted *hosted, const char *with)
{
    BalanceRules rules = rules_of(node);
    BalanceNode nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    BalanceJob job = load_job(hosted);
    Question question = {node->balancer, &hosted->description, names};
    guint n_nodes = known(node->balancer, nodes, names);
    guint wanted = with ? index_of(names, n_nodes, with) : n_nodes;
    Question there = {node->balancer, &hosted->description, names + wanted};
    int found = -1;

    if (wanted < n_nodes && balance_refuge(&rules, &job, nodes + wanted, 1, may, &there, &node->balancer->seed) == 0)
        found = wanted;
    if (found < 0)
        found = balance_refuge(&rules, &job, nodes, n_nodes, may, &question, &node->balancer->seed);
    if (found < 0)
        return NULL;
    vector_promise(&node->balancer->vector, g_quark_from_string(names[found]), &job, g_get_monotonic_time());
    return names[found];
}

/* Consent */

void balancer_check(Node *node, Json *balance, Json *reasons)
{
    BalanceRules rules = rules_of(node);
    BalanceNode self = load_self(node);
    const char *why = json_get_string(balance, "reason", "");
    BalanceReason reason = g_str_equal(why, "memory") ? BALANCE_FOR_MEMORY : BALANCE_FOR_SPEED;
    double demand = json_get_double(balance, "demand", 1) + MAX(json_get_double(balance, "more_demand", 0), 0);
    guint64 bytes = MAX(json_get_int(balance, "bytes", LOAD_FRESH_BYTES), 0), more = MAX(json_get_int(balance, "more_bytes", 0), 0);

    if (!g_str_equal(why, "memory") && !g_str_equal(why, "speed"))
        return;
    if (arrival_full(node))
        check_reason(reasons, "full", "try again in a moment", "%s takes no more than %u jobs at a time", node_name(node),
                     node->conf->migrations);
    else if (!balance_consents(&rules, &self, demand, bytes + MIN(more, G_MAXINT64 - bytes), json_get_double(balance, "slowness", 0), reason))
        check_reason(reasons, "load", "nothing needs to be done", "%s has so much to do itself that the job would gain nothing",
                     node_name(node));
}

guint balancer_orders(Node *node)
{
    return node->balancer ? node->balancer->orders : 0;
}
