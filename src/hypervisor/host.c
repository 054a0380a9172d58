/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - facts about this machine that other nodes and the checks before a migration need */
#include "host.h"

#include "common/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <x86intrin.h>
#define HAVE_TSC 1
#endif

#define MEASURE_US 50000
#define TSC_TOLERANCE_PPM 200

/* A cluster uses one CPU model. TCG emulates every node's the same, and 7.2 does AVX badly. */
#define TCG_LEVEL 2
static const char *const models[] = {"qemu64", "Nehalem", "Haswell-noTSX",
                                     "Skylake-Server-noTSX-IBRS"};

static char *qemu_version(const Conf *conf)
{
    const char *argv[] = {conf->qemu, "--version", NULL};
    g_autofree char *out = NULL;
    g_autoptr(GError) error = NULL;
    const char *prefix = "QEMU emulator version ";

    if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
                      NULL, &error)) {
        log_warning("cannot run %s: %s", conf->qemu, error->message);
        return g_strdup("");
    }
    const char *at = strstr(out, prefix);
    return at ? g_strndup(at + strlen(prefix), strcspn(at + strlen(prefix), "\n")) : g_strdup("");
}

#ifdef HAVE_TSC
static guint64 raw_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (guint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Both clocks at (nearly) one moment: the try that took the shortest. */
static void read_clocks(guint64 *ret_tsc, guint64 *ret_ns)
{
    guint64 best = G_MAXUINT64;

    for (int i = 0; i < 20; i++) {
        guint64 before = __rdtsc(), ns = raw_ns(), after = __rdtsc();
        if (after - before < best) {
            best = after - before;
            *ret_tsc = before + best / 2;
            *ret_ns = ns;
        }
    }
}

static guint64 measure_tsc_khz(void)
{
    guint64 tsc[2], ns[2];

    read_clocks(&tsc[0], &ns[0]);
    g_usleep(MEASURE_US);
    read_clocks(&tsc[1], &ns[1]);
    return ((tsc[1] - tsc[0]) * 1000000 + (ns[1] - ns[0]) / 2) / (ns[1] - ns[0]);
}

/* What has to be there for a level, beyond the one below: x86-64 psABI, as far as CPUID tells it in
 * few words. */
static guint cpu_level(void)
{
    static const guint v2 =
        bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | bit_CMPXCHG16B;
    static const guint v3 = bit_FMA | bit_MOVBE | bit_AVX | bit_F16C | bit_OSXSAVE;
    static const guint v3_7 = bit_AVX2 | bit_BMI | bit_BMI2;
    static const guint v4_7 =
        bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
    guint a, b, c, d, b7 = 0, c1 = 0;

    if (!__get_cpuid(1, &a, &b, &c1, &d) || (c1 & v2) != v2)
        return 1;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
        b7 = b;
    if ((c1 & v3) != v3 || (b7 & v3_7) != v3_7)
        return 2;
    return (b7 & v4_7) == v4_7 ? 4 : 3;
}
#else
static guint64 measure_tsc_khz(void)
{
    return 0;
}

static guint cpu_level(void)
{
    return 1;
}
#endif

/* "Name:   123 kB" of /proc/meminfo, in bytes. */
static guint64 meminfo(const char *name)
{
    g_autofree char *text = NULL;
    const char *at;
    guint64 kib;

    if (!g_file_get_contents("/proc/meminfo", &text, NULL, NULL) || !(at = strstr(text, name)) ||
        sscanf(at + strlen(name), ": %" G_GUINT64_FORMAT, &kib) != 1)
        return 0;
    return kib << 10;
}

void host_facts(const Conf *conf, HostFacts *ret_facts)
{
    guint64 total = meminfo("MemTotal");

    ret_facts->qemu_version = qemu_version(conf);
    ret_facts->tsc_khz = conf->tsc_khz ? conf->tsc_khz : measure_tsc_khz();
    ret_facts->memory_total = conf->memory_bytes ? conf->memory_bytes : total;
    ret_facts->cpus = conf->cpus ? conf->cpus : g_get_num_processors();
    ret_facts->cpu_level = cpu_level();
}

void host_facts_clear(HostFacts *facts)
{
    g_clear_pointer(&facts->qemu_version, g_free);
}

guint64 host_memory_available(const Conf *conf)
{
    guint64 available = meminfo("MemAvailable");

    return conf->memory_bytes ? MIN(available, conf->memory_bytes) : available;
}

guint host_cpu_level(const HostFacts *facts, const char *accel)
{
    return g_str_equal(accel, "kvm") ? facts->cpu_level : TCG_LEVEL;
}

const char *host_cpu_model(guint level)
{
    return models[CLAMP(level, 1, G_N_ELEMENTS(models)) - 1];
}

gboolean host_same_tsc(guint64 khz, guint64 other)
{
    guint64 difference = khz > other ? khz - other : other - khz;

    return khz && other && difference * 1000000 <= MAX(khz, other) * TSC_TOLERANCE_PPM;
}

/* The versioned machine only needs the same major.minor or newer devices; microvm's ABI is that of
 * the very build. */
gboolean host_same_qemu(const char *version, const char *other, const char *machine)
{
    return g_str_equal(machine, "pc") ? *version && *other
                                      : *version && g_str_equal(version, other);
}
