/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.c - groups of jobs that are at home here (see groups.h) */
#include "groups.h"

#include "balance/gathering.h"
#include "balancer.h"
#include "check.h"
#include "common/error.h"
#include "load.h"

#include <string.h>

const char *group_plain(const char *name)
{
    return !name || g_str_equal(name, "0") || g_str_equal(name, "none") ? "" : name;
}

gboolean group_check(const char *name, GError **error)
{
    gsize good = strspn(name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "._+-");

    if (!name[good] && good < 64 && *name != '-')
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE,
                "\"%s\" is no name of a group: it has at most 63 letters, digits, dots, dashes, underscores and pluses", name);
    return FALSE;
}

static const char *group_of(const Job *job)
{
    return json_get_string(job->description, "group", "");
}

gboolean group_join(Job *job, const char *name, GError **error)
{
    name = group_plain(name);
    if (!group_check(name, error))
        return FALSE;
    json_set_string(job->description, "group", name);
    if (job->deputy)
        rpc_notify(job->deputy, "deputy.remember", json_set_string(json_object(), "group", name));
    job_by_hand(job, FALSE);
    return TRUE;
}

gboolean group_same(const Job *job, const Job *other)
{
    const char *group = group_of(job);

    return *group && other->uid == job->uid && g_str_equal(group, group_of(other));
}

const char *group_node(Node *node, Job *job)
{
    g_autoptr(GHashTable) counts = g_hash_table_new(NULL, NULL); /* name of a node (static) → members there */
    GHashTableIter i;
    gpointer key, value;
    const char *found = NULL;
    guint most = 0;

    g_hash_table_iter_init(&i, node->jobs);
    while (*group_of(job) && g_hash_table_iter_next(&i, NULL, &value)) {
        Job *other = value;
        gpointer place = (gpointer)g_intern_string(other->node);

        if (other != job && other->created && group_same(job, other))
            g_hash_table_insert(counts, place, GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(counts, place)) + 1));
    }
    if (g_hash_table_contains(counts, g_intern_string(node_name(node))))
        return g_intern_string(node_name(node));
    g_hash_table_iter_init(&i, counts);
    while (g_hash_table_iter_next(&i, &key, &value)) {
        g_autoptr(Json) reasons = check_from_home(node, job, key);

        if (json_length(reasons) || GPOINTER_TO_UINT(value) <= most)
            continue;
        found = key;
        most = GPOINTER_TO_UINT(value);
    }
    return found;
}

/* Gathering */

/* A group, and what is known of the nodes where its members are. */
typedef struct {
    Node *node;
    GPtrArray *jobs;        /* Job * */
    GPtrArray *names;       /* of the nodes, static */
    GArray *nodes;          /* BalanceNode, in the same order */
    GArray *members;        /* GatheringMember, in the order of the jobs */
} Group;

static gboolean may(guint member, guint place, gpointer user)
{
    const Group *group = user;
    g_autoptr(Json) reasons = check_from_home(group->node, group->jobs->pdata[member], group->names->pdata[place]);

    return json_length(reasons) == 0;
}

/* What the row of its host says of a guest. */
static GatheringMember member_of(const Job *job, guint place, Json *row)
{
    GatheringMember member = {.node = place, .demand = 1, .bytes = LOAD_FRESH_BYTES};
    Json *guests = json_get(row, "guests");

    member.fixed = job->locked || job->by_hand || g_str_equal(json_get_string(job->description, "hint", ""), "io");
    for (guint i = 0; i < json_length(guests); i++) {
        Json *guest = json_at(guests, i);

        if (!g_str_equal(json_get_string(guest, "id", ""), job->id))
            continue;
        member.demand = json_get_double(guest, "demand", member.demand);
        member.bytes = json_get_int(guest, "rss_bytes", 0) > 0 ? json_get_int(guest, "rss_bytes", 0) : LOAD_FRESH_BYTES;
    }
    return member;
}

/* FALSE: one of them is on its way or its host does not answer: nothing is decided now. */
static gboolean group_look(Group *group)
{
    for (guint i = 0; i < group->jobs->len; i++) {
        Job *job = group->jobs->pdata[i];
        const char *name = g_intern_string(job->node);
        g_autoptr(Json) row = node_row_of(group->node, name);
        GatheringMember member;
        guint place;

        if (!row || job->migration || !job->created || !g_str_equal(json_get_string(row, "state", ""), "alive"))
            return FALSE;
        if (!g_ptr_array_find(group->names, name, &place)) {
            BalanceNode there;

            if (!load_of_row(row, &there))
                return FALSE;
            place = group->names->len;
            g_ptr_array_add(group->names, (gpointer)name);
            g_array_append_val(group->nodes, there);
        }
        member = member_of(job, place, row);
        g_array_append_val(group->members, member);
    }
    return TRUE;
}

static void group_gather(Group *group)
{
    const GatheringMember *members = (const GatheringMember *)(const void *)group->members->data;
    const BalanceNode *nodes = (const BalanceNode *)(const void *)group->nodes->data;
    BalanceRules rules = balancer_rules(group->node);
    int place = gathering_place(&rules, members, group->members->len, nodes, group->nodes->len, may, group);

    for (guint i = 0; place >= 0 && i < group->jobs->len; i++)
        if (members[i].node != (guint)place && !gathering_is_held(members, group->members->len, members[i].node))
            ((Job *)group->jobs->pdata[i])->gather = group->names->pdata[place];
}

static gboolean is_torn(const GPtrArray *jobs)
{
    for (guint i = 1; i < jobs->len; i++)
        if (!g_str_equal(((Job *)jobs->pdata[i])->node, ((Job *)jobs->pdata[0])->node))
            return TRUE;
    return FALSE;
}

void groups_gather(Node *node)
{
    g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Job *job = value;
        char *key = g_strdup_printf("%u %s", (guint)job->uid, group_of(job));

        job->gather = NULL;
        if (*group_of(job) && !g_hash_table_contains(groups, key))
            g_hash_table_insert(groups, g_strdup(key), g_ptr_array_new());
        if (*group_of(job))
            g_ptr_array_add(g_hash_table_lookup(groups, key), job);
        g_free(key);
    }
    g_hash_table_iter_init(&i, groups);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(BalanceNode));
        g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(GatheringMember));
        Group group = {node, value, names, nodes, members};

        if (is_torn(value) && group_look(&group))
            group_gather(&group);
    }
}
