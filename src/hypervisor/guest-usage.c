/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-usage.c - what a guest uses of this machine, looked at once a second for each
 *
 * Files of /proc are kept open: to find and open them costs ten times as much as to read them, and with a hundred idle
 * guests that would be most of what the controller does. A file of a process that has ended says so, also when its number is
 * another's by then. What was found is found anew now and then, for a QEMU that has just begun has not all its threads yet.
 */
#include "guest-usage.h"

#include "guest-process.h"
#include "hypervisor-internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 60
#define FIRST_LOOKS 2

typedef struct {
    int pid;
    clockid_t clock; /* of the whole process */
    int memory;      /* statm */
    GArray *vcpus;   /* schedstat of each CPU's thread */
    guint looks;     /* left */
} Meter;

static void meter_free(gpointer data)
{
    Meter *meter = data;

    if (meter->memory >= 0)
        close(meter->memory);
    for (guint i = 0; i < meter->vcpus->len; i++)
        close(g_array_index(meter->vcpus, int, i));
    g_array_unref(meter->vcpus);
    g_free(meter);
}

GHashTable *guest_meters_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, meter_free);
}

/* QEMU names them "CPU 0/KVM", "CPU 0/TCG", or "ALL CPUs/TCG" where they share a thread. */
static gboolean is_vcpu(const char *tasks, const char *tid)
{
    g_autofree char *path = g_build_filename(tasks, tid, "comm", NULL), *name = NULL;

    return g_file_get_contents(path, &name, NULL, NULL) &&
           (g_str_has_prefix(name, "CPU ") || g_str_has_prefix(name, "ALL CPUs"));
}

static void meter_find_vcpus(Meter *meter)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", meter->pid);
    g_autoptr(GDir) list = g_dir_open(tasks, 0, NULL);
    const char *tid;

    while (list && (tid = g_dir_read_name(list)))
        if (is_vcpu(tasks, tid)) {
            g_autofree char *path = g_build_filename(tasks, tid, "schedstat", NULL);
            int fd = open(path, O_RDONLY | O_CLOEXEC);

            if (fd >= 0)
                g_array_append_val(meter->vcpus, fd);
        }
}

/* NULL: there is no such guest. */
static Meter *meter_new(Hypervisor *hv, const char *id, guint looks)
{
    int pid = guest_pid(hv, id);
    g_autofree char *statm = g_strdup_printf("/proc/%d/statm", pid);
    Meter *meter;

    if (pid <= 1)
        return NULL;
    meter = g_new0(Meter, 1);
    meter->pid = pid;
    meter->looks = looks;
    meter->vcpus = g_array_new(FALSE, FALSE, sizeof(int));
    meter->memory = open(statm, O_RDONLY | O_CLOEXEC);
    if (meter->memory >= 0 && clock_getcpuclockid(pid, &meter->clock) == 0)
        meter_find_vcpus(meter);
    return meter;
}

/* Two numbers from the beginning of a file. */
static gboolean read_two(int fd, guint64 *ret_a, guint64 *ret_b)
{
    char text[100];
    ssize_t size = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);

    if (size <= 0)
        return FALSE;
    text[size] = 0;
    return sscanf(text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, ret_a, ret_b) == 2;
}

static gboolean meter_read(const Meter *meter, GuestUsage *ret_usage)
{
    GuestUsage usage = {.pid = meter->pid};
    guint64 size, resident, run, wait;
    struct timespec cpu;

    if (!read_two(meter->memory, &size, &resident) || !size || clock_gettime(meter->clock, &cpu) < 0)
        return FALSE;
    usage.rss_bytes = resident * sysconf(_SC_PAGESIZE);
    usage.cpu_ns = (guint64)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
    for (guint i = 0; i < meter->vcpus->len; i++)
        if (read_two(g_array_index(meter->vcpus, int, i), &run, &wait)) {
            usage.vcpu_run_ns += run;
            usage.vcpu_wait_ns += wait;
        }
    *ret_usage = usage;
    return TRUE;
}

gboolean guest_usage(Hypervisor *hv, const char *id, GuestUsage *ret_usage)
{
    GHashTable *meters = hypervisor_meters(hv);
    Meter *meter = g_hash_table_lookup(meters, id);

    if (meter && meter->looks && meter->looks-- && meter_read(meter, ret_usage))
        return TRUE;
    meter = meter_new(hv, id, meter ? LOOKS : FIRST_LOOKS);
    if (meter && meter_read(meter, ret_usage)) {
        g_hash_table_replace(meters, g_strdup(id), meter);
        return TRUE;
    }
    if (meter)
        meter_free(meter);
    g_hash_table_remove(meters, id);
    return FALSE;
}
