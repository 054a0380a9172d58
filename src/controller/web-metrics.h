/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-metrics.h - this node's figures as Prometheus reads them (text format 0.0.4): counts and sums, nothing of any one job */
#pragma once

#include "common/json.h"
#include "tally.h"

#define WEB_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* A count by state; the list ends with a NULL name. */
typedef struct {
    const char *name;
    guint64 count;
} WebMetricsState;

typedef struct {
    const char *version;
    const WebMetricsState *nodes;   /* of the cluster, this one included */
    const WebMetricsState *jobs;    /* at home here */
    guint64 guests;                 /* of jobs, here */
    double cpus, demand;            /* declared; wanted by the guests here */
    guint64 memory_bytes, memory_free_bytes;
    const Tally *tally;
    Json *traffic;                  /* between nodes, {PURPOSE:{bytes_in,bytes_out}} */
    double cpu_seconds, start_seconds;   /* of sojournd; since the epoch */
    guint64 resident_bytes;
    guint sessions, streams;        /* of the HTTP view */
} WebMetrics;

/* The text (g_free). */
char *web_metrics_print(const WebMetrics *metrics);
