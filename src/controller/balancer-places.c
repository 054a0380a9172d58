/* SPDX-License-Identifier: GPL-2.0-or-later */
/* balancer-places.c - who may go where, and where that would be best (see balancer.h) */
#include "balancer-private.h"

#include "check.h"
#include "groups.h"
#include "load.h"

#define REFUSED_S 30         /* a job is not sent to a node again so long after a refusal */

BalanceRules balancer_rules(const Node *node)
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

void balancer_refused(Node *node, const char *job, const char *to)
{
    gint64 until = g_get_monotonic_time() + REFUSED_S * G_USEC_PER_SEC;

    g_hash_table_insert(node->balancer->refused, refusal_key(job, to), g_memdup2(&until, sizeof until));
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

gboolean balancer_may(guint job, guint node, gpointer user)
{
    const Question *question = user;

    return may_go(question->balancer, question->jobs[job], question->nodes[node]);
}

guint balancer_known(Balancer *balancer, BalanceNode *nodes, const char **names)
{
    vector_age(&balancer->vector, g_get_monotonic_time());
    for (guint i = 0; i < balancer->vector.count; i++) {
        nodes[i] = balancer->vector.entries[i].node;
        names[i] = g_quark_to_string(balancer->vector.entries[i].id);
    }
    return balancer->vector.count;
}

/* Places */

const char *balancer_place(Node *node, Json *description)
{
    BalanceRules rules = balancer_rules(node);
    BalanceNode self = load_self(node), nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    BalanceJob job = {.demand = json_get_int(description, "cpus", 1), .bytes = LOAD_FRESH_BYTES};
    Question question = {node->balancer, &description, names};
    guint n_nodes = balancer_known(node->balancer, nodes, names);
    int found = balance_place(&rules, &self, &job, nodes, n_nodes, balancer_may, &question, &node->balancer->seed);

    if (found < 0 || (g_str_equal(json_get_string(description, "hint", ""), "io") && self.memory_free > job.bytes))
        return NULL;
    vector_promise(&node->balancer->vector, g_quark_from_string(names[found]), &job, g_get_monotonic_time());
    return names[found];
}

char *balancer_best(Node *node, Job *job, gboolean group)
{
    BalanceRules rules = balancer_rules(node);
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
        Job *other = job_find(node, id);

        if (!g_str_equal(id, job->id) && !(group && other && group_same(job, other)))
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
    found = balance_place(&rules, &self, &wanted, nodes, n_nodes, balancer_may, &question, &node->balancer->seed);
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
    BalanceRules rules = balancer_rules(node);
    BalanceNode nodes[VECTOR_WINDOW];
    const char *names[VECTOR_WINDOW];
    BalanceJob job = load_job(hosted);
    Question question = {node->balancer, &hosted->description, names};
    guint n_nodes = balancer_known(node->balancer, nodes, names);
    guint wanted = with ? index_of(names, n_nodes, with) : n_nodes;
    Question there = {node->balancer, &hosted->description, names + wanted};
    int found = -1;

    if (wanted < n_nodes && balance_refuge(&rules, &job, nodes + wanted, 1, balancer_may, &there, &node->balancer->seed) == 0)
        found = wanted;
    if (found < 0)
        found = balance_refuge(&rules, &job, nodes, n_nodes, balancer_may, &question, &node->balancer->seed);
    if (found < 0)
        return NULL;
    vector_promise(&node->balancer->vector, g_quark_from_string(names[found]), &job, g_get_monotonic_time());
    return names[found];
}
