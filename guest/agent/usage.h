/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.h - what the job uses, told to home now and then */
#pragma once

#include "common/link.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    Link *link;
    int fd;             /* /proc/uptime; -1: not started */
    uint64_t processors, next_ms;
    uint32_t pause_ms;
    uint64_t cpu_ns, memory_bytes;
    uint64_t rested_cpu_ns, rested_memory_bytes;    /* at the last rest */
    bool rests;         /* it has come to rest, and nobody has asked yet */
} Usage;

void usage_start(Usage *usage, Link *link);
/* Sends a USAGE if it is time and something changed. Milliseconds until it wants to be called again; -1: no need. */
int usage_tick(Usage *usage, uint64_t now_ms);
/* Whether the job has done something and now, for some seconds, nothing: true once for each such rest. */
bool usage_rests(Usage *usage);
