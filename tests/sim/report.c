/* SPDX-License-Identifier: GPL-2.0-or-later */
/* report.c - the figures of docs/balancing.md, made anew (see report.h) */
#include "report.h"

#include "rows.h"

#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#define BEGIN "<!-- figures: made by build/sim --report, not by hand -->\n"
#define END "<!-- end of figures -->\n"

/* What is worked out: a world for the table, and others of the same kind for the spread. */
static const struct {
    const char *pattern;
    guint nodes, seeds;
} kinds[] = {
    {"sweeps", 10, 1},   {"batches", 10, 1},   {"islands", 10, 1},   {"day", 10, 1},  {"even", 10, 1},
    {"sweeps", 100, 5},  {"batches", 100, 5},  {"islands", 100, 5},  {"day", 100, 1}, {"even", 100, 1},
    {"sweeps", 1000, 3}, {"batches", 1000, 1}, {"islands", 1000, 1}, {"sweeps", 10000, 1},
};

typedef struct {
    double least, most;
} Spread;

static void widen(Spread *spread, double value)
{
    spread->least = spread->most > 0 ? MIN(spread->least, value) : value;
    spread->most = MAX(spread->most, value);
}

typedef struct {
    GString *table, *spreads;
    Spread bound, ideal, moves;
    guint most, worlds;
} Report;

static void told(const RowSpec *spec, const Row *row, gpointer user)
{
    Report *report = user;
    gsize before = report->table->len;

    if (spec->seed == 1) {
        rows_line(report->table, spec, row);
        report->bound = report->ideal = report->moves = (Spread){0, 0};
        report->most = report->worlds = 0;
        fputs(report->table->str + before, stdout);
        fflush(stdout);
    }
    widen(&report->bound, row->best_s / row->bound);
    widen(&report->ideal, row->best_s / row->ideal);
    widen(&report->moves, row->move.per_job);
    report->most = MAX(report->most, row->move.most_moves);
    report->worlds++;
}

/* The spread of the kind that has just been completed. */
static void spread_line(Report *report, const RowSpec *spec)
{
    if (report->worlds < 2)
        return;
    g_string_append_printf(report->spreads, "%-8s %6u %6u %7u | %.3f - %.3f | %.3f - %.3f | %.2f - %.2f %4u\n", spec->pattern,
                           spec->nodes, spec->jobs, report->worlds, report->bound.least, report->bound.most, report->ideal.least,
                           report->ideal.most, report->moves.least, report->moves.most, report->most);
}

static void told_of_many(const RowSpec *spec, const Row *row, gpointer user)
{
    told(spec, row, user);
    if (spec[1].seed <= spec->seed)
        spread_line(user, spec);
}

char *report_table(guint parallel, gboolean largest)
{
    g_autoptr(GArray) specs = g_array_new(TRUE, TRUE, sizeof(RowSpec));
    Report report = {.table = g_string_new(NULL), .spreads = g_string_new(NULL)};

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (guint seed = 1; seed <= kinds[i].seeds && (largest || kinds[i].nodes < 10000); seed++) {
            RowSpec spec = {kinds[i].pattern, kinds[i].nodes, kinds[i].nodes * 10, FALSE, seed};

            g_array_append_val(specs, spec);
        }
    }
    rows_head(report.table);
    fputs(report.table->str, stdout);
    g_string_append_printf(report.spreads, "\n%-8s %6s %6s %7s | %-13s | %-13s | %-11s %4s\n", "pattern", "nodes", "jobs", "worlds",
                           "/ bound", "/ ideal", "moves", "most");
    rows_run((const RowSpec *)(const void *)specs->data, specs->len, parallel, told_of_many, &report);
    fputs(report.spreads->str, stdout);
    g_string_append(report.table, report.spreads->str);
    g_string_free(report.spreads, TRUE);
    return g_string_free(report.table, FALSE);
}

/* Indented, as Markdown wants what is to stay as it is. */
static char *indented(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    GString *all = g_string_new("\n");

    for (guint i = 0; lines[i] && lines[i + 1]; i++)
        g_string_append_printf(all, "%s%s\n", *lines[i] ? "    " : "", lines[i]);
    g_string_append_c(all, '\n');
    return g_string_free(all, FALSE);
}

gboolean report_put(const char *path, const char *text, GError **error)
{
    g_autofree char *page = NULL, *made = NULL, *quoted = indented(text);
    const char *begin, *end;

    if (!g_file_get_contents(path, &page, NULL, error))
        return FALSE;
    begin = strstr(page, BEGIN);
    end = begin ? strstr(begin, END) : NULL;
    if (!end) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s has no place for the figures", path);
        return FALSE;
    }
    made = g_strdup_printf("%.*s%s%s%s", (int)(begin - page), page, BEGIN, quoted, end);
    return g_file_set_contents(path, made, -1, error);
}
