/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-measure.c - takes this node's figures for Prometheus (see web-measure.h) */
#include "web-measure.h"

#include "jobs.h"
#include "load.h"
#include "web-metrics.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Adds one to the state of that name, if there is one. */
static void count(WebMetricsState *states, const char *name)
{
    for (; states->name; states++)
        states->count += g_str_equal(states->name, name);
}

static void count_nodes(Node *node, WebMetricsState *states)
{
    g_autoptr(Json) rows = node_rows(node);

    for (guint i = 0; i < json_length(rows); i++) {
        Json *row = json_at(rows, i);
        const char *state = json_get_string(row, "state", "");

        count(states, g_str_equal(state, "alive") && json_get_bool(row, "block", FALSE) ? "blocked" : state);
    }
}

static void count_jobs(Node *node, WebMetricsState *states)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value))
        count(states, job_state(value));
}

static double cpu_seconds(void)
{
    struct timespec used;

    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 ? used.tv_sec + used.tv_nsec / 1e9 : 0;
}

static guint64 resident_bytes(void)
{
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (!file)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (guint64)resident * sysconf(_SC_PAGESIZE);
}

char *web_measure(Node *node, guint sessions, guint streams)
{
    WebMetricsState nodes[] = {{"alive", 0}, {"blocked", 0}, {"failed", 0}, {"left", 0}, {"pending", 0}, {NULL, 0}};
    WebMetricsState jobs[] = {{"starting", 0},  {"running", 0},     {"stopped", 0}, {"suspended", 0},
                              {"migrating", 0}, {"unreachable", 0}, {NULL, 0}};
    g_autoptr(Json) traffic = node->cluster ? cluster_counters(node->cluster) : NULL;
    BalanceNode load = load_self(node);
    double up_s = (g_get_monotonic_time() - node->started_us) / (double)G_USEC_PER_SEC;
    WebMetrics metrics = {
        .version = NODE_VERSION, .nodes = nodes, .jobs = jobs, .guests = g_hash_table_size(node->hosted),
        .cpus = load.cpus, .demand = load.demand, .memory_bytes = load.memory_total, .memory_free_bytes = load.memory_free,
        .tally = &node->tally, .traffic = traffic, .cpu_seconds = cpu_seconds(), .resident_bytes = resident_bytes(),
        .start_seconds = g_get_real_time() / (double)G_USEC_PER_SEC - up_s, .sessions = sessions, .streams = streams,
    };

    count_nodes(node, nodes);
    count_jobs(node, jobs);
    return web_metrics_print(&metrics);
}
