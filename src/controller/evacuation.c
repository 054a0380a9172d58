/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evacuation.c - expel, bring, drain (see evacuation.h) */
#include "evacuation.h"

#include "balancer.h"
#include "common/error.h"
#include "common/log.h"
#include "load.h"
#include "migration.h"

#define TICK_MS 200
#define TRIES 4
#define AGAIN_US (G_USEC_PER_SEC / 2)
#define ORDER_MS (24 * 3600 * 1000u)

typedef enum { EXPEL, BRING, DRAIN } Kind;

typedef struct {
    char *id, *name, *to, *reason;
    char *group;          /* NULL: none */
    double seconds, most_s; /* predicted; what may be promised */
    guint order, tries;
    gboolean late, under_way, over, moved;
    gint64 again_us, total_ms;
} Leaver;

typedef struct {
    Node *node;
    RpcCall *call;        /* NULL: answered, or its caller is gone */
    Kind kind;
    Standing before;
    GPtrArray *leavers;
    guint under_way;
    gint64 deadline_us;   /* 0: none */
    guint timer;
} Evacuation;

static void leaver_free(Leaver *leaver)
{
    g_free(leaver->id);
    g_free(leaver->name);
    g_free(leaver->to);
    g_free(leaver->reason);
    g_free(leaver->group);
    g_free(leaver);
}

static void evacuation_free(Evacuation *e)
{
    if (e->timer)
        g_source_remove(e->timer);
    g_ptr_array_unref(e->leavers);
    g_free(e);
}

static Leaver *find(Evacuation *e, const char *id)
{
    for (guint i = 0; i < e->leavers->len; i++)
        if (g_str_equal(((Leaver *)e->leavers->pdata[i])->id, id))
            return e->leavers->pdata[i];
    return NULL;
}

static Json *leaver_json(const Leaver *leaver)
{
    Json *json = json_set_string(json_object(), "id", leaver->id);

    return json_set_string(json, "name", leaver->name);
}

static void tell(Evacuation *e, const char *method, Json *params)
{
    if (e->call)
        rpc_notify(rpc_call_connection(e->call), method, params);
    else
        json_unref(params);
}

/* Who has to go */

static gboolean concerns(const Evacuation *e, const Hosted *hosted)
{
    return e->kind == DRAIN || (e->kind == EXPEL && !g_str_equal(hosted->home, node_name(e->node)));
}

/* group is taken over. */
static void add(Evacuation *e, const char *id, const char *name, guint64 bytes, char *group)
{
    Leaver *leaver = g_new0(Leaver, 1);

    leaver->id = g_strdup(id);
    leaver->name = g_strdup(name);
    leaver->group = group;
    leaver->seconds = exodus_predict(&e->node->pace, bytes);
    leaver->most_s = exodus_promise(&e->node->pace, bytes);
    g_ptr_array_add(e->leavers, leaver);
}

/* Adds those that are not known yet; returns how many. */
static guint gather(Evacuation *e)
{
    Node *node = e->node;
    guint before = e->leavers->len;
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (e->kind != BRING && g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;

        if (concerns(e, hosted) && !find(e, hosted->id))
            add(e, hosted->id, json_get_string(hosted->description, "name", ""), load_bytes(hosted), balancer_group(hosted));
    }
    g_hash_table_iter_init(&i, node->jobs);
    while (e->kind == BRING && g_hash_table_iter_next(&i, NULL, &value)) {
        Job *job = value;

        if (!g_str_equal(job->node, node_name(node)) && !find(e, job->id))
            add(e, job->id, job->name, LOAD_FRESH_BYTES, NULL);
    }
    return e->leavers->len - before;
}

static int compare_order(const void *a, const void *b)
{
    const Leaver *first = *(Leaver *const *)a, *second = *(Leaver *const *)b;

    return (first->order > second->order) - (first->order < second->order);
}

static double left_s(const Evacuation *e)
{
    return (double)(e->deadline_us - g_get_monotonic_time()) / G_USEC_PER_SEC;
}

/* How many can move at a time. */
static guint slots(const Evacuation *e)
{
    g_autoptr(GPtrArray) others = cluster_alive(e->node->cluster);

    return MIN(e->node->conf->migrations, node_link_migrations(e->node) * MAX(others->len, 1));
}

/* The order, and who will be late. */
static void plan(Evacuation *e)
{
    g_autofree ExodusJob *jobs = g_new0(ExodusJob, e->leavers->len + 1);
    Json *told = json_array();

    for (guint i = 0; i < e->leavers->len; i++)
        jobs[i].seconds = ((Leaver *)e->leavers->pdata[i])->most_s;
    exodus_plan(jobs, e->leavers->len, slots(e), e->deadline_us ? MAX(left_s(e), 0.001) : 0);
    for (guint i = 0; i < e->leavers->len; i++) {
        ((Leaver *)e->leavers->pdata[i])->order = jobs[i].order;
        ((Leaver *)e->leavers->pdata[i])->late = jobs[i].late;
    }
    g_ptr_array_sort(e->leavers, compare_order);
    for (guint i = 0; i < e->leavers->len; i++) {
        const Leaver *leaver = e->leavers->pdata[i];
        Json *row = json_set_double(leaver_json(leaver), "seconds", leaver->seconds);

        json_append(told, json_set_bool(row, "late", leaver->late));
    }
    tell(e, "plan", json_set(json_object(), "jobs", told));
}

/* One of them */

typedef struct {
    Evacuation *e;
    char *id;
} Ticket;

static void leaver_over(Evacuation *e, Leaver *leaver, const char *reason)
{
    guint done = 0;
    Json *told = leaver_json(leaver);

    leaver->over = TRUE;
    leaver->moved = reason == NULL;
    leaver->reason = g_strdup(reason);
    for (guint i = 0; i < e->leavers->len; i++)
        done += ((Leaver *)e->leavers->pdata[i])->over;
    json_set_string(told, "to", leaver->to);
    json_set_string(told, "reason", reason);
    json_set_int(told, "total_ms", leaver->total_ms);
    json_set_int(told, "done", done);
    tell(e, "moved", json_set_int(told, "of", e->leavers->len));
}

static gboolean step(gpointer user);

/* Looks at them all in so many milliseconds. */
static void step_in(Evacuation *e, guint ms)
{
    if (e->timer)
        g_source_remove(e->timer);
    e->timer = g_timeout_add(ms, step, e);
}

static gboolean still_concerned(const Evacuation *e, const char *id)
{
    Hosted *hosted = hosted_find(e->node, id);
    Job *job = job_find(e->node, id);

    return e->kind == BRING ? job && !g_str_equal(job->node, node_name(e->node)) : hosted != NULL;
}

static void answered(Evacuation *e, const char *id, Json *stats, const GError *error)
{
    Leaver *leaver = find(e, id);

    e->under_way--;
    leaver->under_way = FALSE;
    leaver->total_ms = json_get_int(stats, "total_ms", 0);
    step_in(e, 0); /* there is room for another */
    if (!error) {
        leaver_over(e, leaver, NULL);
        return;
    }
    log_info("job %s: does not leave for %s: %s", id, leaver->to, error->message);
    if (leaver->to)
        balancer_refused(e->node, id, leaver->to);
    leaver->again_us = g_get_monotonic_time() + AGAIN_US;
    if (!still_concerned(e, id))
        leaver_over(e, leaver, "it has ended, or left by itself");
    else if (++leaver->tries >= TRIES)
        leaver_over(e, leaver, error->message);
}

static void brought(Json *stats, const GError *error, gpointer user)
{
    Ticket *ticket = user;

    answered(ticket->e, ticket->id, stats, error);
    g_free(ticket->id);
    g_free(ticket);
}

static void sent(const char *home, Json *result, const GError *error, gpointer user)
{
    brought(result, error, user);
}

static Json *order_of(guint64 bytes, double demand)
{
    Json *balance = json_set_string(json_object(), "reason", "order");

    json_set_double(balance, "demand", demand);
    return json_set_int(balance, "bytes", bytes);
}

static void bring(Evacuation *e, Leaver *leaver, Ticket *ticket)
{
    Job *job = job_find(e->node, leaver->id);
    g_autoptr(Json) balance = order_of(LOAD_FRESH_BYTES, 1);

    migration_start(e->node, job, "home", balance, brought, ticket);
}

static void send(Evacuation *e, Hosted *hosted, const char *to, Ticket *ticket)
{
    Json *params = json_set_string(json_object(), "job", hosted->id);

    json_set_int(params, "epoch", hosted->epoch);
    json_set_string(params, "to", to);
    json_set(params, "balance", order_of(load_bytes(hosted), hosted->demand));
    cluster_call(e->node->cluster, hosted->home, "job.move", params, ORDER_MS, sent, ticket);
}

/* Where others of its group have gone or are going; NULL: nowhere yet. */
static const char *group_place(const Evacuation *e, const Leaver *leaver)
{
    for (guint i = 0; leaver->group && i < e->leavers->len; i++) {
        const Leaver *other = e->leavers->pdata[i];

        if (other != leaver && other->to && (other->moved || other->under_way) && g_strcmp0(other->group, leaver->group) == 0)
            return other->to;
    }
    return NULL;
}

/* Where a guest goes: to its group, else where there is most room, one that is locked home. NULL: nowhere. */
static const char *way_out(Evacuation *e, const Leaver *leaver, Hosted *hosted)
{
    gboolean own = g_str_equal(hosted->home, node_name(e->node));
    const char *to = hosted->locked ? NULL : balancer_refuge(e->node, hosted, group_place(e, leaver));

    return to ? to : own ? NULL : hosted->home;
}

static void begin(Evacuation *e, Leaver *leaver)
{
    Hosted *hosted = hosted_find(e->node, leaver->id);
    const char *to = e->kind == BRING ? node_name(e->node) : hosted ? way_out(e, leaver, hosted) : NULL;
    Ticket *ticket;

    if (!still_concerned(e, leaver->id)) {
        leaver_over(e, leaver, "it has ended, or left by itself");
        return;
    }
    if (hosted && (hosted->busy || hosted->starting || hosted->sent_away)) {
        leaver->again_us = g_get_monotonic_time() + AGAIN_US; /* it is on its way, or not there yet */
        return;
    }
    if (!to) {
        leaver->again_us = g_get_monotonic_time() + AGAIN_US;
        if (++leaver->tries >= TRIES)
            leaver_over(e, leaver, "no other node can take it (\"sojourn why\" tells the reasons)");
        return;
    }
    if (e->deadline_us && leaver->seconds > left_s(e)) {
        leaver_over(e, leaver, "it would not have been out in time");
        return;
    }
    g_free(leaver->to);
    leaver->to = g_strdup(to);
    leaver->under_way = TRUE;
    e->under_way++;
    ticket = g_new(Ticket, 1);
    *ticket = (Ticket){e, g_strdup(leaver->id)};
    if (e->kind == BRING)
        bring(e, leaver, ticket);
    else
        send(e, hosted, to, ticket);
}

/* All of them */

static Json *result_of(const Evacuation *e)
{
    Json *moved = json_array(), *stayed = json_array();

    for (guint i = 0; i < e->leavers->len; i++) {
        const Leaver *leaver = e->leavers->pdata[i];
        Json *row = leaver_json(leaver);

        if (leaver->moved) {
            json_set_string(row, "to", leaver->to);
            json_append(moved, json_set_int(row, "total_ms", leaver->total_ms));
        } else if (leaver->over && !still_concerned(e, leaver->id)) {
            json_unref(row);
        } else {
            json_append(stayed, json_set_string(row, "reason", leaver->reason ? leaver->reason
                                                               : leaver->under_way ? "it is still on its way"
                                                                                   : "it would not have been out in time"));
        }
    }
    return json_set(json_set(json_object(), "moved", moved), "stayed", stayed);
}

/* Its caller has gone: what it has changed is undone. */
static void interrupt(Evacuation *e)
{
    g_autoptr(Json) before = json_object();

    log_info("an order to empty the node was interrupted");
    standing_show(&e->before, before);
    standing_change(&e->node->standing, e->node->conf, before, NULL);
    rpc_reply(e->call, NULL);
    e->call = NULL;
}

static gboolean is_over(Evacuation *e)
{
    for (guint i = 0; i < e->leavers->len; i++)
        if (!((Leaver *)e->leavers->pdata[i])->over)
            return FALSE;
    return TRUE;
}

static gboolean step(gpointer user)
{
    Evacuation *e = user;
    gint64 now = g_get_monotonic_time();

    e->timer = 0;
    if (e->call && rpc_call_gone(e->call))
        interrupt(e);
    if (e->call && e->deadline_us && now >= e->deadline_us) {
        rpc_reply(e->call, result_of(e));
        e->call = NULL;
    }
    if (e->call)
        gather(e);
    for (guint i = 0; e->call && i < e->leavers->len && e->under_way < e->node->conf->migrations; i++) {
        Leaver *leaver = e->leavers->pdata[i];

        if (!leaver->over && !leaver->under_way && leaver->again_us <= now)
            begin(e, leaver);
    }
    if (e->call && is_over(e)) {
        rpc_reply(e->call, result_of(e));
        e->call = NULL;
    }
    if (!e->call && !e->under_way)
        evacuation_free(e);
    else if (!e->timer)
        step_in(e, TICK_MS);
    return G_SOURCE_REMOVE;
}

static void start(Node *node, Kind kind, Json *params, RpcCall *call)
{
    static const char *const orders[][2] = {{"block", "block"}, {"stay_own", "stay_own"}, {"block", "stay"}};
    g_autoptr(Json) order = json_set_bool(json_set_bool(json_object(), orders[kind][0], TRUE), orders[kind][1], TRUE);
    gint64 deadline_s = json_get_int(params, "deadline_s", 0);
    g_autoptr(GError) error = NULL;
    Evacuation *e;

    if (deadline_s < 0 || deadline_s > 1000000) {
        rpc_fail_new(call, SJ_ERROR_USAGE, "A deadline is a number of seconds from now");
        return;
    }
    e = g_new0(Evacuation, 1);
    e->node = node;
    e->call = call;
    e->kind = kind;
    e->before = node->standing;
    e->leavers = g_ptr_array_new_with_free_func((GDestroyNotify)leaver_free);
    e->deadline_us = deadline_s ? g_get_monotonic_time() + deadline_s * G_USEC_PER_SEC : 0;
    if (!standing_change(&node->standing, node->conf, order, &error)) {
        rpc_fail(call, error);
        evacuation_free(e);
        return;
    }
    gather(e);
    plan(e);
    step_in(e, 0);
}

void evacuation_expel(Node *node, Json *params, RpcCall *call)
{
    start(node, EXPEL, params, call);
}

void evacuation_bring(Node *node, Json *params, RpcCall *call)
{
    start(node, BRING, params, call);
}

void evacuation_drain(Node *node, Json *params, RpcCall *call)
{
    start(node, DRAIN, params, call);
}
