/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load.c - how loaded this node is (see load.h) */
#include "load.h"

#include "jobs.h"

#define FOLLOW 0.4
#define FOLLOW_FAST 0.8
#define FOLLOW_SLOW 0.1

/* How much the last second counts: by --decay. "none": all seconds count alike. */
static double follow(Hosted *hosted)
{
    const char *decay = json_get_string(hosted->description, "decay", "");

    hosted->samples++;
    return g_str_equal(decay, "none")   ? 1.0 / hosted->samples
           : g_str_equal(decay, "slow") ? MAX(FOLLOW_SLOW, 1.0 / hosted->samples)
           : g_str_equal(decay, "fast") ? FOLLOW_FAST
                                        : FOLLOW;
}

static void sample(Node *node, Hosted *hosted)
{
    gint64 now = g_get_monotonic_time();
    GuestUsage usage;
    guint64 wanted;

    if (!guest_usage(node->hv, hosted->id, &usage))
        return;
    wanted = usage.vcpu_run_ns + usage.vcpu_wait_ns;
    hosted->cpu_ns = usage.cpu_ns;
    hosted->rss_bytes = usage.rss_bytes;
    if (hosted->coming)
        return;
    if (hosted->sampled_us && now - hosted->sampled_us < G_USEC_PER_SEC / 2)
        return;
    if (hosted->sampled_us && wanted >= hosted->sampled_ns) {
        double demand = (double)(wanted - hosted->sampled_ns) / 1000 / (now - hosted->sampled_us);

        hosted->demand += follow(hosted) * (demand - hosted->demand);
    }
    hosted->sampled_us = now;
    hosted->sampled_ns = wanted;
}

void load_sample(Node *node)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value))
        sample(node, value);
}

guint64 load_bytes(const Hosted *hosted)
{
    return hosted->rss_bytes ? hosted->rss_bytes : hosted->expected_bytes ? hosted->expected_bytes : LOAD_FRESH_BYTES;
}

BalanceNode load_self(Node *node)
{
    BalanceNode self = {.cpus = node->conf->cpus, .speed = node_speed(node) / 10000.0,
                        .memory_total = node->facts.memory_total, .memory_free = node_memory_free(node),
                        .takes = !node->standing.block && hypervisor_is_ready(node->hv)};
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;

        if (!hosted->leaving)
            self.demand += hosted->demand;
    }
    self.memory_free = MIN(self.memory_free, self.memory_total);
    return self;
}

gboolean load_of_row(Json *row, BalanceNode *ret_node)
{
    if (!json_has(row, "demand"))
        return FALSE;
    *ret_node = (BalanceNode){
        .cpus = json_get_double(row, "cpus", 1),
        .speed = json_get_double(row, "speed", 10000) / 10000,
        .demand = json_get_double(row, "demand", 0),
        .memory_total = json_get_int(row, "memory_total_bytes", 0),
        .memory_free = json_get_int(row, "memory_free_bytes", 0),
        .takes = !json_get_bool(row, "block", FALSE),
    };
    return TRUE;
}

BalanceJob load_job(Hosted *hosted)
{
    gint64 now = g_get_monotonic_time(), wall_s = g_get_real_time() / G_USEC_PER_SEC;
    double here_s = (double)(now - hosted->here_us) / G_USEC_PER_SEC;
    const char *hint = json_get_string(hosted->description, "hint", "");
    double cpus = json_get_int(hosted->description, "cpus", 1);
    double demand = g_str_equal(hint, "cpu") ? MAX(hosted->demand, cpus) : hosted->demand;
    double age_s = wall_s - json_get_int(hosted->description, "started", wall_s);

    return (BalanceJob){.demand = demand, .settled = g_str_equal(hint, "io"), .bytes = load_bytes(hosted), .age_s = MAX(age_s, here_s),
                        .here_s = here_s, .moves = hosted->epoch > 0 ? hosted->epoch - 1 : 0};
}
