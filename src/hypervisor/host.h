/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.h - facts about this machine that other nodes and the checks before a migration need */
#pragma once

#include "common/conf.h"

typedef struct {
    char *qemu_version;   /* "7.2.22 (Debian ...)": must be equal for microvm; "" if QEMU cannot be
                             run */
    guint64 tsc_khz;      /* conf's, the kernel's or measured; 0: no TSC */
    guint64 memory_total; /* bytes: conf's or the machine's */
    guint cpus;           /* conf's or the machine's */
    guint cpu_level;      /* 1 to 4: x86-64-v1 to v4 of the host's CPU */
} HostFacts;

/* Fills facts; runs `QEMU --version` once and measures for 50 ms: call it before the main loop. */
void host_facts(const Conf *conf, HostFacts *ret_facts);
void host_facts_clear(HostFacts *facts);

/* Bytes of memory that could be given to guests now: MemAvailable, bounded by what conf declares.
 */
guint64 host_memory_available(const Conf *conf);

/* The level nodes advertise for an acceleration (TCG emulates the same CPU everywhere), and the
 * named CPU model of a level: a cluster uses that of its lowest node (static). */
guint host_cpu_level(const HostFacts *facts, const char *accel);
const char *host_cpu_model(guint level);

/* Both rates are known and so near that no clock can be seen to go wrong by what is between them. */
gboolean host_same_tsc(guint64 khz, guint64 other);

/* The versions differ in a way that matters to a machine type. */
gboolean host_same_qemu(const char *version, const char *other, const char *machine);
