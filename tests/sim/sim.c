/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.c - the balancer on clusters of 10 to 10,000 nodes that there are not: figures, goals, a plot */
#include "plot.h"
#include "report.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    char *pattern, *plot, *report;
    int nodes, jobs, seed, parallel;
    gboolean equal, check, table;
} SimOptions;

/* The sizes for which the goals are looked at. */
typedef struct {
    guint nodes, jobs, hot, small, large;
} Scale;

static const Scale whole = {1000, 10000, 5000, 100, 10000}, brief = {50, 500, 250, 50, 500};

static guint failures;

static void G_GNUC_PRINTF(3, 4) goal(GString *text, gboolean met, const char *format, ...)
{
    va_list args;

    g_string_append_printf(text, "%-7s ", met ? "met" : "NOT MET");
    va_start(args, format);
    g_string_append_vprintf(text, format, args);
    va_end(args);
    g_string_append_c(text, '\n');
    failures += !met;
}

static WorldResult hotspot(GString *text, guint nodes, guint jobs, guint32 seed, double settle_s)
{
    g_autoptr(Plan) plan = plan_new("hotspot", nodes, jobs, TRUE, seed);
    WorldResult result = rows_world(plan, FALSE, settle_s, seed);

    g_string_append_printf(text,
                           "hot spot: %u jobs on one of %u nodes: even after %.0f s (its link alone needs %.0f s), %.2f moves a job,\n"
                           "        at most %u; %" G_GUINT64_FORMAT " requests refused, %" G_GUINT64_FORMAT
                           " to a node that had not the memory\n",
                           jobs, nodes, result.even_s, plan_outflow(plan), result.per_job, result.most_moves, result.refused,
                           result.overrun);
    return result;
}

/* Bytes of gossip in the first minute of a cluster where every node has its share. */
static double traffic(guint nodes, guint32 seed)
{
    g_autoptr(Plan) plan = plan_new("even", nodes, nodes * 4, FALSE, seed);
    WorldResult result = rows_world(plan, FALSE, 60, seed);

    g_array_unref(result.curve);
    return result.bytes_sent;
}

static void goal_makespan(const RowSpec *spec, const Row *row, gpointer user)
{
    gboolean foreseen = g_str_equal(spec->pattern, "batches"); /* only who knew the lengths could come near the bound */
    double limit = foreseen ? row->ideal : row->bound;

    goal(user, row->best_s <= 1.1 * limit, "%s: makespan within 10 %% of %s (%.1f %%)", spec->pattern,
         foreseen ? "a perfect balancer's" : "what no schedule can beat", (row->best_s / limit - 1) * 100);
    goal(user, row->move.per_job <= 3, "%s: at most 3 migrations a job on average, though all start at home (%.1f)", spec->pattern,
         row->move.per_job);
}

/* Returns the text (g_free). */
static char *goals(const Scale *scale, guint32 seed, guint parallel)
{
    const RowSpec specs[] = {{"sweeps", scale->nodes, scale->jobs, FALSE, seed},
                             {"islands", scale->nodes, scale->jobs, FALSE, seed},
                             {"batches", scale->nodes, scale->jobs, FALSE, seed}};
    double few = traffic(scale->small, seed), many = traffic(scale->large, seed);
    GString *text = g_string_new(NULL);
    WorldResult hot;

    rows_run(specs, G_N_ELEMENTS(specs), parallel, goal_makespan, text);
    hot = hotspot(text, scale->nodes, scale->hot, seed, 0);
    goal(text, hot.even_s >= 0 && hot.overrun == 0, "a hot spot dissolves without any node being asked to take more than it can");
    goal(text, MAX(few, many) <= 1.2 * MIN(few, many), "traffic a node equal within 20 %% at %u and %u nodes (%.0f and %.0f B/s)",
         scale->small, scale->large, few, many);
    g_array_unref(hot.curve);
    fputs(text->str, stdout);
    return g_string_free(text, FALSE);
}

static gboolean draw(const char *path, guint32 seed, GError **error)
{
    static const guint sizes[] = {10, 100, 1000};
    g_autoptr(GString) text = g_string_new(NULL);
    Plot *plot = plot_new("One node has five jobs for every node of the cluster", "seconds",
                          "slowness of the worst node / mean of all jobs");

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *label = g_strdup_printf("%u nodes", sizes[i]);
        WorldResult result = hotspot(text, sizes[i], sizes[i] * 5, seed, 900);

        plot_add(plot, label, (double *)(void *)result.curve->data, result.curve->len);
        g_array_unref(result.curve);
    }
    return plot_write(plot, path, error);
}

/* The page's figures, and the picture beside it. */
static gboolean report(const SimOptions *o, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(o->report), *picture = g_build_filename(folder, "balancing.svg", NULL);
    g_autofree char *met = goals(&whole, o->seed, o->parallel), *table = report_table(o->parallel, TRUE);
    g_autofree char *text = g_strdup_printf("%s\n%s", table, met);

    return report_put(o->report, text, error) && draw(picture, o->seed, error);
}

static void print_row(const RowSpec *spec, const Row *row, gpointer user)
{
    g_autoptr(GString) text = g_string_new(NULL);

    rows_head(text);
    rows_line(text, spec, row);
    fputs(text->str, stdout);
}

static gboolean one(const SimOptions *o)
{
    const RowSpec spec = {o->pattern, o->nodes, o->jobs, o->equal, o->seed};
    g_autoptr(Plan) known = plan_new(o->pattern, 2, 1, TRUE, 1);
    g_autoptr(GString) text = g_string_new(NULL);

    if (known && g_str_equal(o->pattern, "hotspot")) {
        g_array_unref(hotspot(text, o->nodes, o->jobs, o->seed, 0).curve);
        fputs(text->str, stdout);
    } else if (known) {
        rows_run(&spec, 1, 1, print_row, NULL);
    } else {
        fprintf(stderr, "sim: there is no pattern %s\n", o->pattern);
    }
    return known != NULL;
}

int main(int argc, char **argv)
{
    SimOptions o = {.nodes = 100, .jobs = 1000, .seed = 1, .parallel = g_get_num_processors()};
    const GOptionEntry entries[] = {
        {"pattern", 0, 0, G_OPTION_ARG_STRING, &o.pattern, "batches, sweeps, islands, day, even, hotspot", "NAME"},
        {"nodes", 0, 0, G_OPTION_ARG_INT, &o.nodes, "Nodes (100)", "N"},
        {"jobs", 0, 0, G_OPTION_ARG_INT, &o.jobs, "Jobs (1000)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &o.seed, "Another world", "N"},
        {"equal", 0, 0, G_OPTION_ARG_NONE, &o.equal, "All nodes alike", NULL},
        {"parallel", 0, 0, G_OPTION_ARG_INT, &o.parallel, "Processes at a time (as many as processors)", "N"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &o.check, "The goals, at 1,000 nodes; exit status 1 if one is not met", NULL},
        {"table", 0, 0, G_OPTION_ARG_NONE, &o.table, "All patterns from 10 to 1,000 nodes", NULL},
        {"report", 0, 0, G_OPTION_ARG_FILENAME, &o.report, "Both, with 10,000 nodes too, into docs/balancing.md, and its picture", "FILE"},
        {"plot", 0, 0, G_OPTION_ARG_FILENAME, &o.plot, "Draw how a hot spot dissolves", "FILE.svg"},
        {NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || o.nodes < 2 || o.jobs < 1 || o.parallel < 1) {
        fprintf(stderr, "sim: %s\n", error ? error->message : "two nodes, one job and one process at least");
        return 2;
    }
    if ((o.plot && !draw(o.plot, o.seed, &error)) || (o.report && !report(&o, &error))) {
        fprintf(stderr, "sim: %s\n", error->message);
        return 2;
    }
    if (o.pattern && !one(&o))
        return 2;
    if (o.table)
        g_free(report_table(o.parallel, FALSE));
    if (o.check)
        g_free(goals(&whole, o.seed, o.parallel));
    if (!o.plot && !o.report && !o.pattern && !o.table && !o.check) /* make check */
        g_free(goals(&brief, o.seed, o.parallel));
    return failures ? 1 : 0;
}
