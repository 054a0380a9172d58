/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sim.c - the balancer on clusters of 10 to 10,000 nodes that there are not: figures, goals, a plot */
#include "plot.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    char *pattern, *plot;
    int nodes, jobs, seed;
    gboolean equal, check, table;
} SimOptions;

static guint failures;

static WorldResult run(const Plan *plan, gboolean best, double settle_s, guint32 seed)
{
    const WorldOptions options = {.best = best, .noise = 0.05, .parallel = 4,
                                  .settle_s = settle_s, .seed = seed};

    return world_run(plan, &options);
}

static void print_head(void)
{
    printf("%-8s %6s %6s | %8s %8s | %8s %8s %8s | %7s %7s | %5s %4s %6s | %8s %8s\n", "pattern", "nodes", "jobs", "bound s",
           "ideal s", "stay s", "move s", "best s", "/ bound", "/ ideal", "moves", "most", "even s", "B/s each", "B/s most");
}

static void print_goal(gboolean met, const char *text)
{
    printf("%-7s %s\n", met ? "met" : "NOT MET", text);
    failures += !met;
}

/* One pattern at one size: nothing moves; jobs move; they also start where it is best. */
typedef struct {
    double bound, ideal, best_s;
    WorldResult move;
} Row;

static Row row(const char *pattern, guint nodes, guint jobs, gboolean equal, guint32 seed)
{
    g_autoptr(Plan) plan = plan_new(pattern, nodes, jobs, equal, seed);
    double bound = plan_bound(plan), ideal = plan_ideal(plan), stay = plan_stay(plan);
    WorldResult move = run(plan, FALSE, 0, seed), best = run(plan, TRUE, 0, seed);

    printf("%-8s %6u %6u | %8.0f %8.0f | %8.0f %8.0f %8.0f | %7.3f %7.3f | %5.2f %4u %6.0f | %8.0f %8.0f\n", pattern, nodes,
           jobs, bound, ideal, stay, move.makespan_s, best.makespan_s, best.makespan_s / bound,
           best.makespan_s / ideal, move.per_job, move.most_moves, move.even_s, move.bytes_sent, move.bytes_most);
    fflush(stdout);
    g_array_unref(best.curve);
    g_array_unref(move.curve);
    move.curve = NULL;
    return (Row){bound, ideal, best.makespan_s, move};
}

static WorldResult hotspot(guint nodes, guint jobs, guint32 seed, double settle_s)
{
    g_autoptr(Plan) plan = plan_new("hotspot", nodes, jobs, TRUE, seed);
    WorldResult result = run(plan, FALSE, settle_s, seed);

    printf("hot spot: %u jobs on one of %u nodes: even after %.0f s (its link alone needs %.0f s), %.2f moves a job, at most %u; %" G_GUINT64_FORMAT
           " requests refused, %" G_GUINT64_FORMAT " to a node that had not the memory\n",
           jobs, nodes, result.even_s, plan_outflow(plan), result.per_job, result.most_moves, result.refused, result.overrun);
    fflush(stdout);
    return result;
}

/* The first minute of a cluster where every node has its share. */
static WorldResult even(guint nodes, guint32 seed)
{
    g_autoptr(Plan) plan = plan_new("even", nodes, nodes * 4, FALSE, seed);

    return run(plan, FALSE, 60, seed);
}

static void goals(guint nodes, guint jobs, guint hot, guint small, guint large, guint32 seed)
{
    g_autofree char *text = NULL;
    Row result = row("sweeps", nodes, jobs, FALSE, seed);
    WorldResult hot_spot, few, many;

    text = g_strdup_printf("sweeps: makespan within 10 %% of what no schedule can beat (%.1f %%)",
                           (result.best_s / result.bound - 1) * 100);
    print_goal(result.best_s <= 1.1 * result.bound, text);
    print_goal(result.move.per_job <= 3, "at most 3 migrations a job on average, though all start at home");
    result = row("batches", nodes, jobs, FALSE, seed);
    g_free(text);
    text = g_strdup_printf("batches: makespan within 10 %% of a perfect balancer's (%.1f %%)",
                           (result.best_s / result.ideal - 1) * 100);
    print_goal(result.best_s <= 1.1 * result.ideal, text);
    print_goal(result.move.per_job <= 3, "at most 3 migrations a job on average, though all start at home");
    hot_spot = hotspot(nodes, hot, seed, 0);
    print_goal(hot_spot.even_s >= 0 && hot_spot.overrun == 0,
               "a hot spot dissolves without any node being asked to take more than it can");
    g_array_unref(hot_spot.curve);
    few = even(small, seed);
    many = even(large, seed);
    g_free(text);
    text = g_strdup_printf("traffic a node equal within 20 %% at %u and %u nodes (%.0f and %.0f B/s)", small, large,
                           few.bytes_sent, many.bytes_sent);
    print_goal(MAX(few.bytes_sent, many.bytes_sent) <= 1.2 * MIN(few.bytes_sent, many.bytes_sent), text);
    g_array_unref(few.curve);
    g_array_unref(many.curve);
}

static void table(guint32 seed)
{
    static const char *const patterns[] = {"sweeps", "batches", "day", "even"};
    static const guint sizes[] = {10, 100, 1000, 10000};

    for (guint s = 0; s < G_N_ELEMENTS(sizes); s++)
        for (guint p = 0; p < G_N_ELEMENTS(patterns); p++)
            row(patterns[p], sizes[s], sizes[s] * 10, FALSE, seed);
}

static gboolean draw(const char *path, guint32 seed)
{
    static const guint sizes[] = {10, 100, 1000};
    g_autoptr(GError) error = NULL;
    Plot *plot = plot_new("One node has five jobs for every node of the cluster", "seconds",
                          "slowness of the worst node / mean of all jobs");

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *label = g_strdup_printf("%u nodes", sizes[i]);
        WorldResult result = hotspot(sizes[i], sizes[i] * 5, seed, 900);

        plot_add(plot, label, (double *)(void *)result.curve->data, result.curve->len);
        g_array_unref(result.curve);
    }
    if (plot_write(plot, path, &error))
        return TRUE;
    fprintf(stderr, "sim: %s\n", error->message);
    return FALSE;
}

int main(int argc, char **argv)
{
    SimOptions o = {.nodes = 100, .jobs = 1000, .seed = 1};
    const GOptionEntry entries[] = {
        {"pattern", 0, 0, G_OPTION_ARG_STRING, &o.pattern, "batches, sweeps, day, even, hotspot", "NAME"},
        {"nodes", 0, 0, G_OPTION_ARG_INT, &o.nodes, "Nodes (100)", "N"},
        {"jobs", 0, 0, G_OPTION_ARG_INT, &o.jobs, "Jobs (1000)", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &o.seed, "Another world", "N"},
        {"equal", 0, 0, G_OPTION_ARG_NONE, &o.equal, "All nodes alike", NULL},
        {"check", 0, 0, G_OPTION_ARG_NONE, &o.check, "The goals, at 1,000 nodes; exit status 1 if one is not met", NULL},
        {"table", 0, 0, G_OPTION_ARG_NONE, &o.table, "All patterns from 10 to 10,000 nodes", NULL},
        {"plot", 0, 0, G_OPTION_ARG_FILENAME, &o.plot, "Draw how a hot spot dissolves", "FILE.svg"},
        {NULL}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || o.nodes < 2 || o.jobs < 1) {
        fprintf(stderr, "sim: %s\n", error ? error->message : "two nodes and one job at least");
        return 2;
    }
    if (o.plot && !draw(o.plot, o.seed))
        return 1;
    if (o.plot)
        return 0;
    print_head();
    if (o.table)
        table(o.seed);
    else if (o.check)
        goals(1000, 10000, 5000, 100, 10000, o.seed);
    else if (!o.pattern) /* the small run of make check */
        goals(50, 500, 250, 50, 500, o.seed);
    else if (g_str_equal(o.pattern, "hotspot"))
        g_array_unref(hotspot(o.nodes, o.jobs, o.seed, 0).curve);
    else {
        g_autoptr(Plan) known = plan_new(o.pattern, 2, 1, TRUE, 1);

        if (!known) {
            fprintf(stderr, "sim: there is no pattern %s\n", o.pattern);
            return 2;
        }
        row(o.pattern, o.nodes, o.jobs, o.equal, o.seed);
    }
    return failures ? 1 : 0;
}
