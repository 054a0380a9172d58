/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - every reason why a job cannot go to a node, each with a text and a remedy */
#include "check.h"

#include "balancer.h"
#include "hosted.h"
#include "load.h"

#include <string.h>

#define TSC_FACTOR 8 /* the guest believes no more */

void check_reason(Json *reasons, const char *code, const char *remedy, const char *format, ...)
{
    Json *row = json_set_string(json_object(), "code", code);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    json_set_string(row, "text", text);
    json_append(reasons, json_set_string(row, "remedy", remedy));
}

static gboolean near_tsc(guint64 a, guint64 b)
{
    return !a || !b || (a / TSC_FACTOR <= b && b / TSC_FACTOR <= a);
}

static void check_accel(Json *reasons, Json *description, Json *row, const char *name)
{
    const char *accel = json_get_string(description, "accel", "tcg");
    guint64 tsc = json_get_int(description, "tsc_khz", 0), there = json_get_int(row, "tsc_khz", 0);

    if (!g_str_equal(accel, json_get_string(row, "accel", "")))
        check_reason(reasons, "accel", "start the job on a node with the acceleration of those it is to visit",
               "the job runs under %s and %s has %s: a guest cannot cross", accel, name,
               json_get_string(row, "accel", "none"));
    else if (g_str_equal(accel, "tcg") && !near_tsc(tsc, there))
        check_reason(reasons, "tsc", "set tsc-khz in sojournd.conf where it is wrong",
               "the time stamp counter is said to run at %" G_GUINT64_FORMAT " kHz at the job's home and at %" G_GUINT64_FORMAT
               " kHz on %s: one of them must be wrong", tsc, there, name);
}

void check_row(Json *reasons, Json *description, Json *row)
{
    const char *name = json_get_string(row, "name", "it"), *arch = json_get_string(description, "arch", "x86_64");
    const char *image = json_get_string(row, g_str_equal(arch, "i686") ? "image_i686" : "image", "");
    const char *model = json_get_string(description, "cpu_model", "");
    guint level = json_get_int(row, "cpu_level", 1);
    gboolean model_fits = FALSE;

    if (!g_str_equal(image, json_get_string(description, "image", "")))
        check_reason(reasons, "image", "install the same version of sojourn's guest image on both nodes",
               *image ? "%s has another guest image" : "%s has no guest image for this architecture", name);
    check_accel(reasons, description, row, name);
    for (guint l = 1; l <= level; l++)
        model_fits = model_fits || g_str_equal(model, host_cpu_model(l));
    if (!model_fits && !g_str_equal(model, json_get_string(row, "cpu_model", "")))
        check_reason(reasons, "cpu-model", "set a lower cpu-model in sojournd.conf of the home node and start the job again",
               "the job's CPU model %s is more than the CPU of %s can do", model, name);
    if (!host_same_qemu(json_get_string(description, "qemu", ""), json_get_string(row, "qemu", ""),
                        json_get_string(description, "machine", "microvm")))
        check_reason(reasons, "qemu", "install the same version of QEMU on both nodes, or use machine = pc",
               "%s has QEMU %s, the job's is %s", name, json_get_string(row, "qemu", "of no version"),
               json_get_string(description, "qemu", ""));
}

static gboolean listed(Json *list, const char *name)
{
    for (guint i = 0; i < json_length(list); i++)
        if (g_strcmp0(json_text(json_at(list, i)), name) == 0)
            return TRUE;
    return FALSE;
}

void check_lists(Json *reasons, Json *description, const char *to)
{
    gboolean home = g_str_equal(to, json_get_string(description, "home", ""));
    Json *only = json_get(description, "only");

    if (home)
        return;
    if (json_get_int(description, "uid", 0) == 0 && !json_get_bool(description, "trust_nodes", FALSE))
        check_reason(reasons, "root", "start it with --trust-nodes if every node may do as root at home",
                     "the job is root's, and a node that hosts it could do at home what root can do");
    if (json_length(only) && !listed(only, to))
        check_reason(reasons, "only", "start it without --only", "%s is not among the nodes given with --only", to);
    if (listed(json_get(description, "avoid"), to))
        check_reason(reasons, "avoid", "start it without --avoid", "%s is among the nodes given with --avoid", to);
}

static void reason_locked(Json *reasons, Job *job)
{
    if (job->locked && job->created)
        check_reason(reasons, "locked", "sojourn unlock it", "the job is locked to %s", job->node);
}

static void check_job(Json *reasons, Node *node, Job *job, const char *to)
{
    if (!g_str_equal(to, node_name(node)))
        reason_locked(reasons, job);
    if (job->migration)
        check_reason(reasons, "busy", "wait until that is over", "the job is being migrated already");
    if (job->created && g_str_equal(job->state, "starting"))
        check_reason(reasons, "starting", "wait until it runs", "the job is still being started");
    check_lists(reasons, job->description, to);
}

/* Reasons of different nodes often have one text. */
static void add_new(Json *reasons, Json *row)
{
    for (guint i = 0; i < json_length(reasons); i++)
        if (g_str_equal(json_get_string(json_at(reasons, i), "text", ""), json_get_string(row, "text", "")))
            return;
    json_append(reasons, json_ref(row));
}

Json *check_from_home(Node *node, Job *job, const char *to)
{
    Json *reasons = json_array();
    g_autoptr(Json) row = node_row_of(node, to);

    if (!row) {
        check_reason(reasons, "unknown-node", "\"sojourn nodes\" shows them", "there is no node %s in this cluster", to);
        return reasons;
    }
    if (g_strcmp0(job->node, to) == 0 && !g_str_equal(job->state, "starting"))
        check_reason(reasons, "there", "nothing needs to be done", "the job is on %s already", to);
    check_job(reasons, node, job, to);
    if (!g_str_equal(json_get_string(row, "state", ""), "alive"))
        check_reason(reasons, "down", "start its controller, or choose another node", "%s does not answer (state %s)", to,
               json_get_string(row, "state", "unknown"));
    else
        check_row(reasons, job->description, row);
    return reasons;
}

Json *check_arrival(Node *node, Json *description, Json *balance)
{
    Json *reasons = json_array();
    g_autoptr(Json) row = node_row(node);
    guint64 need = MAX(json_get_int(balance, "bytes", LOAD_FRESH_BYTES), 0), have = node_memory_free(node);
    const char *id = json_get_string(description, "id", "");
    Hosted *hosted = hosted_find(node, id);

    check_row(reasons, description, row);
    if (!hypervisor_is_ready(node->hv))
        check_reason(reasons, "libvirtd", "see \"sojourn doctor\" there", "libvirtd does not answer on %s", node_name(node));
    if (need > have)
        check_reason(reasons, "memory", "end or move guests there, or choose another node",
               "%s has %" G_GUINT64_FORMAT " MiB of memory free and the guest needs %" G_GUINT64_FORMAT " MiB",
               node_name(node), have >> 20, need >> 20);
    if (node->standing.block && !g_str_equal(json_get_string(description, "home", ""), node_name(node)))
        check_reason(reasons, "blocked", "\"sojourn block off\" there, or choose another node",
                     "%s takes no guests by its administrator's order", node_name(node));
    if (balance)
        balancer_check(node, balance, reasons);
    if (hosted)
        check_reason(reasons, "leftover", "try again in a moment",
               "%s still holds an earlier incarnation of the job and is removing it", node_name(node));
    return reasons;
}

SjErrorCode check_error(Json *reasons)
{
    static const struct {
        const char *code;
        SjErrorCode error;
    } table[] = {{"unknown-node", SJ_ERROR_NOT_FOUND}, {"root", SJ_ERROR_DENIED}, {"only", SJ_ERROR_DENIED},
                 {"avoid", SJ_ERROR_DENIED}, {"locked", SJ_ERROR_LOCKED}, {"busy", SJ_ERROR_BUSY},
                 {"starting", SJ_ERROR_BUSY}, {"leftover", SJ_ERROR_BUSY}, {"down", SJ_ERROR_DOWN}};

    for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
        for (guint j = 0; j < json_length(reasons); j++)
            if (g_str_equal(json_get_string(json_at(reasons, j), "code", ""), table[i].code))
                return table[i].error;
    return SJ_ERROR_FAILED;
}

Json *check_stay(Node *node, Job *job)
{
    g_autoptr(Json) rows = node_rows(node), all = json_array();

    reason_locked(all, job); /* though it may be brought home */
    for (guint i = 0; i < json_length(rows); i++) {
        const char *name = json_get_string(json_at(rows, i), "name", "");
        g_autoptr(Json) reasons = g_strcmp0(name, job->node) == 0 ? NULL : check_from_home(node, job, name);

        if (reasons && !json_length(reasons) && !job->locked)
            return json_array();
        for (guint j = 0; j < json_length(reasons); j++)
            add_new(all, json_at(reasons, j));
    }
    if (!json_length(all))
        check_reason(all, "alone", "\"sojourn cluster\" brings nodes together", "there is no other node");
    return g_steal_pointer(&all);
}

char *check_sentence(Json *reasons)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < json_length(reasons); i++) {
        Json *row = json_at(reasons, i);

        g_string_append_printf(text, "%s%s (%s)", i ? "; " : "", json_get_string(row, "text", ""),
                               json_get_string(row, "remedy", ""));
    }
    return g_string_free(text, FALSE);
}
