/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfs.c - openMosix's files of /proc: which there are, what they say, what writing to them orders */
#include "procfs.h"

#include "common/address.h"
#include "common/job-text.h"

#include <string.h>

#define DOWN (-101)     /* what openMosix said of a node that does not answer */

/* openMosix's bits of a node's state. */
enum { DEFINED = 1, UP = 2, STAY = 4, LSTAY = 8, BLOCK = 16, QUIET = 32 };

/* Nodes */

static gboolean is_up(Json *row)
{
    const char *state = json_get_string(row, "state", "");

    return g_str_equal(state, "alive") || g_str_equal(state, "blocked");
}

static char *number(Json *row, double value)
{
    return g_strdup_printf("%.0f\n", is_up(row) ? value : DOWN);
}

static char *show_cpus(Json *row, Json *nodes)
{
    return number(row, json_get_int(row, "cpus", 0));
}

static char *show_load(Json *row, Json *nodes)
{
    return number(row, json_get_double(row, "load", 0) * 100); /* 100: all CPUs have enough to do */
}

static char *show_free(Json *row, Json *nodes)
{
    return number(row, json_get_int(row, "memory_free_bytes", 0));
}

static char *show_total(Json *row, Json *nodes)
{
    return number(row, json_get_int(row, "memory_total_bytes", 0));
}

static char *show_speed(Json *row, Json *nodes)
{
    return number(row, json_get_int(row, "speed", 0));
}

static char *show_util(Json *row, Json *nodes)
{
    return number(row, MIN(json_get_double(row, "load", 0), 1) * 100);
}

static char *show_status(Json *row, Json *nodes)
{
    static const struct {
        const char *key;
        int bit;
    } orders[] = { { "stay", STAY }, { "stay_own", LSTAY }, { "block", BLOCK }, { "quiet", QUIET } };
    int status = DEFINED | (is_up(row) ? UP : 0);

    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++)
        status |= json_get_bool(row, orders[i].key, FALSE) ? orders[i].bit : 0;
    return g_strdup_printf("%d\n", status);
}

static const ProcfsFile node_files[] = {
    { "cpus", show_cpus, NULL },    { "CPUs", show_cpus, NULL },  { "load", show_load, NULL }, { "mem", show_free, NULL },
    { "rmem", show_free, NULL },    { "speed", show_speed, NULL }, { "status", show_status, NULL },
    { "tmem", show_total, NULL },   { "util", show_util, NULL },  { NULL, NULL, NULL }
};

char *procfs_node_name(Json *row)
{
    guint id = address_number(json_get_string(row, "address", ""));

    return id ? g_strdup_printf("%u", id) : g_strdup(json_get_string(row, "name", ""));
}

Json *procfs_node(Json *nodes, const char *of)
{
    for (guint i = 0; i < json_length(nodes); i++) {
        g_autofree char *name = procfs_node_name(json_at(nodes, i));

        if (g_str_equal(of, name) || g_str_equal(of, json_get_string(json_at(nodes, i), "name", "")))
            return json_at(nodes, i);
    }
    return NULL;
}

/* This node */

static gboolean flag_of(const char *text, gboolean *ret_flag)
{
    if (!g_str_equal(text, "0") && !g_str_equal(text, "1"))
        return FALSE;
    *ret_flag = *text == '1';
    return TRUE;
}

static gboolean order_standing(const char *key, const char *text, ProcfsOrder *ret_order)
{
    gboolean flag;

    if (!flag_of(text, &flag))
        return FALSE;
    *ret_order = (ProcfsOrder){ "node.standing", json_set_bool(json_object(), key, flag), FALSE };
    return TRUE;
}

/* A standing order is a file of this name. */
#define STANDING(name, key)                                                      \
    static char *show_##name(Json *row, Json *nodes)                             \
    {                                                                            \
        return g_strdup(json_get_bool(row, key, FALSE) ? "1\n" : "0\n");         \
    }                                                                            \
    static gboolean order_##name(const char *text, ProcfsOrder *ret_order)       \
    {                                                                            \
        return order_standing(key, text, ret_order);                             \
    }
STANDING(stay, "stay")
STANDING(lstay, "stay_own")
STANDING(block, "block")
STANDING(quiet, "quiet")

/* 1 empties the node, or brings all home, and leaves an order behind; 0 ends that one. */
static gboolean order_all(const char *method, const char *key, const char *text, ProcfsOrder *ret_order)
{
    gboolean flag;

    if (!flag_of(text, &flag))
        return FALSE;
    if (!flag)
        return order_standing(key, text, ret_order);
    *ret_order = (ProcfsOrder){ method, NULL, TRUE };
    return TRUE;
}

static gboolean order_expel(const char *text, ProcfsOrder *ret_order)
{
    return order_all("node.expel", "block", text, ret_order);
}

static gboolean order_bring(const char *text, ProcfsOrder *ret_order)
{
    return order_all("node.bring", "stay_own", text, ret_order);
}

static gboolean order_speed(const char *text, ProcfsOrder *ret_order)
{
    guint64 speed;

    if (!g_ascii_string_to_unsigned(text, 10, 0, 1000000, &speed, NULL))
        return FALSE;
    *ret_order = (ProcfsOrder){ "node.standing", json_set_int(json_object(), "speed", speed), FALSE };
    return TRUE;
}

static char *show_id(Json *row, Json *nodes)
{
    g_autofree char *name = procfs_node_name(row);

    return g_strconcat(name, "\n", NULL);
}

/* 0 switches the node off. */
static gboolean order_off(const char *text, ProcfsOrder *ret_order)
{
    if (!g_str_equal(text, "0"))
        return FALSE;
    *ret_order = (ProcfsOrder){ "node.stop", NULL, FALSE };
    return TRUE;
}

static char *show_version(Json *row, Json *nodes)
{
    return g_strconcat(json_get_string(row, "version", "?"), "\n", NULL);
}

static char *show_interval(Json *row, Json *nodes)
{
    return g_strdup("1\n");
}

static char *show_slow(Json *row, Json *nodes)
{
    return g_strdup("900\n");
}

static char *show_fast(Json *row, Json *nodes)
{
    return g_strdup("200\n");
}

/* The table of nodes, as setpe reads and writes it. */
static char *show_table(Json *row, Json *nodes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < json_length(nodes); i++) {
        const char *address = json_get_string(json_at(nodes, i), "address", "");
        guint id = address_number(address);

        if (id)
            g_string_append_printf(text, "%u %s 1\n", id, address);
    }
    return g_string_free(text, FALSE);
}

static const ProcfsFile admin_files[] = {
    { "block", show_block, order_block },
    { "bring", show_lstay, order_bring },
    { "config", show_table, NULL },
    { "decay-interval", show_interval, NULL },
    { "expel", show_block, order_expel },
    { "fast-decay", show_fast, NULL },
    { "lstay", show_lstay, order_lstay },
    { "mospe", show_id, order_off },
    { "quiet", show_quiet, order_quiet },
    { "slow-decay", show_slow, NULL },
    { "speed", show_speed, order_speed },
    { "stay", show_stay, order_stay },
    { "version", show_version, NULL },
    { NULL, NULL, NULL }
};

/* Jobs */

char *procfs_id(Json *nodes, const char *name)
{
    Json *row = procfs_node(nodes, name);

    return row ? show_id(row, nodes) : g_strconcat(name, "\n", NULL);
}

static char *show_where(Json *job, Json *nodes)
{
    const char *node = json_get_string(job, "node", "");

    return g_str_equal(node, json_get_string(job, "home", "")) ? g_strdup("0\n") : procfs_id(nodes, node);
}

static char *show_home(Json *job, Json *nodes)
{
    return procfs_id(nodes, json_get_string(job, "home", ""));
}

static char *show_nmigs(Json *job, Json *nodes)
{
    return job_text_migrations(job);
}

static char *show_lock(Json *job, Json *nodes)
{
    return job_text_lock(job);
}

static char *show_cantmove(Json *job, Json *nodes)
{
    return job_text_stay(job);
}

/* openMosix's mask of nodes: whether there is one, whether its nodes are the allowed ones, which they are. */
static char *show_filter(Json *job, Json *nodes)
{
    return g_strdup(json_length(json_get(job, "only")) || json_length(json_get(job, "avoid")) ? "1\n" : "0\n");
}

static char *show_policy(Json *job, Json *nodes)
{
    return g_strdup(json_length(json_get(job, "only")) ? "1\n" : "0\n");
}

static char *show_mask(Json *job, Json *nodes)
{
    Json *mask = json_length(json_get(job, "only")) ? json_get(job, "only") : json_get(job, "avoid");
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < json_length(mask); i++) {
        g_autofree char *id = procfs_id(nodes, json_text(json_at(mask, i)) ?: "");

        g_string_append(text, id);
    }
    return g_string_free(text, FALSE);
}

static char *show_group(Json *job, Json *nodes)
{
    const char *group = json_get_string(job, "group", "");

    return g_strconcat(*group ? group : "0", "\n", NULL);
}

static gboolean order_group(const char *text, ProcfsOrder *ret_order)
{
    *ret_order = (ProcfsOrder){ "job.group", json_set_string(json_object(), "group", text), FALSE };
    return TRUE;
}

static gboolean order_go(const char *text, ProcfsOrder *ret_order)
{
    gboolean home = g_str_equal(text, "0"), best = g_str_equal(text, "balance");

    *ret_order = (ProcfsOrder){ "job.migrate", json_set_string(json_object(), "node", home ? "home" : best ? "best" : text),
                                FALSE };
    return TRUE;
}

static gboolean order_lock(const char *text, ProcfsOrder *ret_order)
{
    gboolean flag;

    if (!flag_of(text, &flag))
        return FALSE;
    *ret_order = (ProcfsOrder){ "job.lock", json_set_bool(json_object(), "locked", flag), FALSE };
    return TRUE;
}

static const ProcfsFile job_files[] = {
    { "cantmove", show_cantmove, NULL }, { "goto", NULL, order_go },     { "home", show_home, NULL },
    { "lock", show_lock, order_lock },   { "migfilter", show_filter, NULL }, { "miggroup", show_group, order_group },
    { "mignodes", show_mask, NULL },     { "migpolicy", show_policy, NULL }, { "migrate", NULL, order_go },
    { "nmigs", show_nmigs, NULL },       { "where", show_where, NULL },  { NULL, NULL, NULL }
};

Json *procfs_job(Json *jobs, Json *nodes, const char *of)
{
    const char *self = json_get_string(json_at(nodes, 0), "name", "");
    gint64 pid = g_ascii_strtoll(of, NULL, 10);

    for (guint i = 0; i < json_length(jobs); i++) {
        Json *job = json_at(jobs, i);

        if (json_get_int(job, "pid", 0) == pid && g_str_equal(json_get_string(job, "home", ""), self))
            return job;
    }
    return NULL;
}

/* Places */

const ProcfsFile *procfs_files(ProcfsKind kind)
{
    return kind == PROCFS_NODE     ? node_files
           : kind == PROCFS_ADMIN  ? admin_files
           : kind == PROCFS_REMOTE ? procfs_remote_files
                                   : job_files;
}

static gboolean set_file(ProcfsPlace *place, ProcfsKind kind, const char *of, const char *file)
{
    place->level = PROCFS_FOLDER;
    place->kind = kind;
    if (g_strlcpy(place->of, of, sizeof place->of) >= sizeof place->of)
        return FALSE;
    if (!file)
        return TRUE;
    for (const ProcfsFile *known = procfs_files(kind); known->name; known++)
        if (g_str_equal(known->name, file))
            place->file = known;
    return place->file != NULL;
}

static gboolean is_pid(const char *word)
{
    guint64 pid;

    return g_ascii_isdigit(*word) && *word != '0' && g_ascii_string_to_unsigned(word, 10, 1, G_MAXINT, &pid, NULL);
}

gboolean procfs_place(const char *path, ProcfsPlace *ret_place)
{
    g_auto(GStrv) parts = g_strsplit(*path == '/' ? path + 1 : path, "/", -1);
    guint n = *parts && !**parts ? 0 : g_strv_length(parts);
    ProcfsPlace place = { PROCFS_ROOT, PROCFS_JOB, "", NULL };
    gboolean hpc = n && g_str_equal(parts[0], "hpc"), good = FALSE;

    if (n <= 1 && (!n || hpc)) {
        place.level = n ? PROCFS_HPC : PROCFS_ROOT;
        good = TRUE;
    } else if (!hpc) {
        good = n <= 2 && is_pid(parts[0]) && set_file(&place, PROCFS_JOB, parts[0], parts[1]);
    } else if (g_str_equal(parts[1], "admin")) {
        good = n <= 3 && set_file(&place, PROCFS_ADMIN, "", parts[2]);
    } else if (g_str_equal(parts[1], "nodes")) {
        place.level = PROCFS_NODES;
        good = n == 2 || (n <= 4 && *parts[2] && set_file(&place, PROCFS_NODE, parts[2], parts[3]));
    } else if (g_str_equal(parts[1], "remote")) {
        place.level = PROCFS_GUESTS;
        good = n == 2 || (n <= 4 && is_pid(parts[2]) && set_file(&place, PROCFS_REMOTE, parts[2], parts[3]));
    }
    if (good)
        *ret_place = place;
    return good;
}
