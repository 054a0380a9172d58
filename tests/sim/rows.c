/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rows.c - rows of figures, worked out by several processes (see rows.h) */
#include "rows.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

WorldResult rows_world(const Plan *plan, gboolean best, double settle_s, guint32 seed)
{
    const WorldOptions options = {.best = best, .noise = 0.05, .parallel = 4, .settle_s = settle_s, .seed = seed};

    return world_run(plan, &options);
}

/* The world where jobs start where it is best. */
typedef struct {
    const Plan *plan;
    guint32 seed;
    double makespan_s;
} Best;

static gpointer work_out_best(gpointer user)
{
    Best *best = user;
    WorldResult result = rows_world(best->plan, TRUE, 0, best->seed);

    best->makespan_s = result.makespan_s;
    g_array_unref(result.curve);
    return NULL;
}

/* Both worlds at a time. */
static Row work_out(const RowSpec *spec)
{
    g_autoptr(Plan) plan = plan_new(spec->pattern, spec->nodes, spec->jobs, spec->equal, spec->seed);
    Best best = {plan, spec->seed, 0};
    GThread *thread = g_thread_new("best", work_out_best, &best);
    Row row = {.bound = plan_bound(plan), .ideal = plan_ideal(plan), .stay_s = plan_stay(plan)};

    row.move = rows_world(plan, FALSE, 0, spec->seed);
    g_clear_pointer(&row.move.curve, g_array_unref);
    g_thread_join(thread);
    row.best_s = best.makespan_s;
    return row;
}

static void give_up(const char *what)
{
    perror(what);
    exit(2);
}

/* Starts a process for a row; returns where it will write it. A row is less than what a pipe holds. */
static int start(const RowSpec *spec)
{
    int ends[2];
    pid_t child = -1;

    fflush(NULL);
    if (pipe(ends) < 0 || (child = fork()) < 0)
        give_up("sim: a process for a row");
    if (child == 0) {
        Row row = work_out(spec);

        _exit(write(ends[1], &row, sizeof row) == sizeof row ? 0 : 1);
    }
    close(ends[1]);
    return ends[0];
}

/* Waits until one of the rows from first to end that are under way is done, and takes it: its index. */
static guint finish_one(const int *ends, guint first, guint end, Row *rows)
{
    g_autofree struct pollfd *polled = g_new0(struct pollfd, end - first);
    guint done = first;

    for (guint i = first; i < end; i++)
        polled[i - first] = (struct pollfd){.fd = ends[i], .events = POLLIN};
    if (poll(polled, end - first, -1) <= 0)
        give_up("sim: waiting for a row");
    while (!polled[done - first].revents)
        done++;
    if (read(ends[done], &rows[done], sizeof rows[done]) != sizeof rows[done])
        give_up("sim: a row");
    close(ends[done]);
    wait(NULL);
    return done;
}

void rows_run(const RowSpec *specs, guint n, guint parallel, void (*told)(const RowSpec *spec, const Row *row, gpointer user),
              gpointer user)
{
    g_autofree int *ends = g_new(int, n + 1); /* -1: done */
    g_autofree Row *rows = g_new0(Row, n + 1);
    guint begun = 0, running = 0;

    for (guint next = 0; next < n;) {
        for (; begun < n && running < parallel; running++, begun++)
            ends[begun] = start(&specs[begun]);
        ends[finish_one(ends, next, begun, rows)] = -1;
        running--;
        for (; next < begun && ends[next] < 0; next++)
            told(&specs[next], &rows[next], user);
    }
}

void rows_head(GString *text)
{
    g_string_append_printf(text, "%-8s %6s %6s | %8s %8s | %8s %8s %8s | %7s %7s | %5s %4s %6s | %8s %8s\n", "pattern", "nodes", "jobs",
                           "bound s", "ideal s", "stay s", "move s", "best s", "/ bound", "/ ideal", "moves", "most", "even s",
                           "B/s each", "B/s most");
}

void rows_line(GString *text, const RowSpec *spec, const Row *row)
{
    g_string_append_printf(text, "%-8s %6u %6u | %8.0f %8.0f | %8.0f %8.0f %8.0f | %7.3f %7.3f | %5.2f %4u %6.0f | %8.0f %8.0f\n",
                           spec->pattern, spec->nodes, spec->jobs, row->bound, row->ideal, row->stay_s, row->move.makespan_s,
                           row->best_s, row->best_s / row->bound, row->best_s / row->ideal, row->move.per_job, row->move.most_moves,
                           row->move.even_s, row->move.bytes_sent, row->move.bytes_most);
}
