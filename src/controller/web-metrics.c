/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-metrics.c - this node's figures as Prometheus reads them (see web-metrics.h) */
#include "web-metrics.h"

#include <string.h>

/* A number as the format wants it, whatever the locale. */
static void add_number(GString *text, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append(text, g_ascii_formatd(buffer, sizeof buffer, "%.15g", value));
}

static void family(GString *text, const char *name, const char *type, const char *help)
{
    g_string_append_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* label may be NULL; its value is escaped. */
static void sample(GString *text, const char *name, const char *label, const char *value, double number)
{
    g_string_append(text, name);
    if (label) {
        g_string_append_printf(text, "{%s=\"", label);
        for (const char *c = value; *c; c++) {
            if (*c == '\n')
                g_string_append(text, "\\n");
            else if (*c == '"' || *c == '\\')
                g_string_append_printf(text, "\\%c", *c);
            else
                g_string_append_c(text, *c);
        }
        g_string_append(text, "\"}");
    }
    g_string_append_c(text, ' ');
    add_number(text, number);
    g_string_append_c(text, '\n');
}

static void single(GString *text, const char *name, const char *type, const char *help, double number)
{
    family(text, name, type, help);
    sample(text, name, NULL, NULL, number);
}

static void states(GString *text, const char *name, const char *help, const WebMetricsState *state)
{
    family(text, name, "gauge", help);
    for (; state->name; state++)
        sample(text, name, "state", state->name, state->count);
}

static void histogram(GString *text, const char *name, const char *help, const TallyHistogram *of, const double *bounds)
{
    g_autofree char *bucket = g_strconcat(name, "_bucket", NULL), *sum = g_strconcat(name, "_sum", NULL);
    g_autofree char *count = g_strconcat(name, "_count", NULL);
    guint64 below = 0;

    family(text, name, "histogram", help);
    for (guint i = 0; i < TALLY_BOUNDS; i++) {
        char bound[G_ASCII_DTOSTR_BUF_SIZE];

        below += of->counts[i];
        sample(text, bucket, "le", g_ascii_formatd(bound, sizeof bound, "%.15g", bounds[i]), below);
    }
    sample(text, bucket, "le", "+Inf", tally_count(of));
    sample(text, sum, NULL, NULL, of->sum);
    sample(text, count, NULL, NULL, tally_count(of));
}

static void traffic_sent(const char *purpose, Json *counter, gpointer text)
{
    sample(text, "sojourn_network_sent_bytes_total", "purpose", purpose, json_get_int(counter, "bytes_out", 0));
}

static void traffic_received(const char *purpose, Json *counter, gpointer text)
{
    sample(text, "sojourn_network_received_bytes_total", "purpose", purpose, json_get_int(counter, "bytes_in", 0));
}

static void jobs(GString *text, const Tally *tally)
{
    single(text, "sojourn_jobs_started_total", "counter", "Jobs of this home that were started.", tally->started);
    single(text, "sojourn_jobs_ended_total", "counter", "Jobs of this home that ended, lost ones too.", tally->ended);
    single(text, "sojourn_jobs_lost_total", "counter", "Jobs of this home whose guests were lost.", tally->lost);
}

static void migrations(GString *text, const Tally *tally)
{
    family(text, "sojourn_migrations_total", "counter", "Migrations of jobs of this home, by result; refused ones never began.");
    sample(text, "sojourn_migrations_total", "result", "moved", tally->moved);
    sample(text, "sojourn_migrations_total", "result", "failed", tally->failed);
    sample(text, "sojourn_migrations_total", "result", "refused", tally->refused);
    single(text, "sojourn_migration_bytes_total", "counter", "Bytes on the wire of migrations that succeeded.", tally->bytes);
    histogram(text, "sojourn_migration_duration_seconds", "From the order to the end of a migration that succeeded.",
              &tally->total, tally_total_bounds);
    histogram(text, "sojourn_migration_downtime_seconds", "How long the job stood still in a migration that succeeded.",
              &tally->downtime, tally_downtime_bounds);
}

static void controller(GString *text, const WebMetrics *m)
{
    single(text, "process_cpu_seconds_total", "counter", "Processor time of the controller.", m->cpu_seconds);
    single(text, "process_resident_memory_bytes", "gauge", "Memory of the controller.", m->resident_bytes);
    single(text, "process_start_time_seconds", "gauge", "When the controller was started, since the epoch.", m->start_seconds);
    single(text, "sojourn_web_sessions", "gauge", "Sessions logged in at the HTTP view.", m->sessions);
    single(text, "sojourn_web_streams", "gauge", "Pages that follow at the HTTP view.", m->streams);
}

char *web_metrics_print(const WebMetrics *m)
{
    GString *text = g_string_new(NULL);

    family(text, "sojourn_build_info", "gauge", "The version of the controller; always 1.");
    sample(text, "sojourn_build_info", "version", m->version, 1);
    states(text, "sojourn_nodes", "Nodes of the cluster as this one sees them.", m->nodes);
    states(text, "sojourn_jobs", "Jobs at home here.", m->jobs);
    single(text, "sojourn_guests", "gauge", "Guests here, of whatever home.", m->guests);
    single(text, "sojourn_node_cpus", "gauge", "CPUs that the node declares.", m->cpus);
    single(text, "sojourn_node_wanted_cpus", "gauge", "CPUs that the guests here want: run and run-queue wait.", m->demand);
    single(text, "sojourn_node_load_ratio", "gauge", "Wanted CPUs to declared ones.", m->cpus > 0 ? m->demand / m->cpus : 0);
    single(text, "sojourn_node_memory_bytes", "gauge", "Memory that the node declares.", m->memory_bytes);
    single(text, "sojourn_node_memory_free_bytes", "gauge", "Memory that could be promised to another guest.",
           m->memory_free_bytes);
    jobs(text, m->tally);
    migrations(text, m->tally);
    family(text, "sojourn_network_sent_bytes_total", "counter", "Payload sent to other nodes, by purpose.");
    json_each(m->traffic, traffic_sent, text);
    family(text, "sojourn_network_received_bytes_total", "counter", "Payload received from other nodes, by purpose.");
    json_each(m->traffic, traffic_received, text);
    controller(text, m);
    return g_string_free(text, FALSE);
}
