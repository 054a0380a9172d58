/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.h - what the job uses, told to home now and then */
#pragma once

#include "common/link.h"

#include <stdint.h>

typedef struct {
    Link *link;
    int fd;             /* /proc/uptime; -1: not started */
    uint64_t processors, next_ms;
    uint32_t pause_ms;
    uint64_t cpu_ns, memory_bytes;
} Usage;

void usage_start(Usage *usage, Link *link);
/* Sends a USAGE if it is time and something changed. Milliseconds until it wants to be called again; -1: no need. */
int usage_tick(Usage *usage, uint64_t now_ms);
