/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rows.h - one pattern at one size, with the balancer and without: a row of figures; many of them at a time */
#pragma once

#include "world.h"

typedef struct {
    const char *pattern;
    guint nodes, jobs;
    gboolean equal;
    guint32 seed;
} RowSpec;

typedef struct {
    double bound, ideal;        /* plan_bound, plan_ideal */
    double stay_s;              /* makespan when nothing moves */
    double best_s;              /* when jobs start where it is best, and move */
    WorldResult move;           /* when jobs start at home, and move; without its curve */
} Row;

/* Works n rows out, in so many processes at a time; told is called for each as soon as it and all before it are done. */
void rows_run(const RowSpec *specs, guint n, guint parallel, void (*told)(const RowSpec *spec, const Row *row, gpointer user),
              gpointer user);

/* The head of a table of them, and a line of it (each with its newline). */
void rows_head(GString *text);
void rows_line(GString *text, const RowSpec *spec, const Row *row);

/* A world of a plan with the usual noise and moves at a time. best: jobs start where it is best; settle_s: see world.h. */
WorldResult rows_world(const Plan *plan, gboolean best, double settle_s, guint32 seed);
