/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - what the job uses, told to home now and then
 *
 * Once a second while the job computes; when nothing changes, half as often each time, down to once in about a minute.
 */
#include "usage.h"

#include "common/wire.h"
#include "loop.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PAUSE_MS 1000
#define PAUSE_MAX_MS 64000
#define CPU_STEP_NS 20000000u
#define MEMORY_STEP (1u << 20)
#define WORK_NS 200000000u  /* processor time that is worth a rest: what is done then takes some itself */

void usage_start(Usage *usage, Link *link)
{
    *usage = (Usage) { .link = link, .pause_ms = PAUSE_MS, .next_ms = now_ms() + PAUSE_MS };
    usage->processors = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    usage->fd = open("/proc/uptime", O_RDONLY | O_CLOEXEC);
}

/* "UPTIME IDLE", seconds with two decimals, the second added up over processors, as hundredths. */
static uint64_t hundredths(const char **text)
{
    uint64_t whole = strtoull(*text, (char **)text, 10);

    if (**text != '.')
        return whole * 100;
    return whole * 100 + strtoull(*text + 1, (char **)text, 10);
}

static void usage_measure(const Usage *usage, uint64_t *ret_cpu_ns, uint64_t *ret_memory)
{
    char text[100];
    const char *at = text;
    ssize_t size = pread(usage->fd, text, sizeof text - 1, 0);
    struct sysinfo info;
    uint64_t up, idle;

    sysinfo(&info);
    *ret_memory = (uint64_t)(info.totalram - info.freeram) * info.mem_unit;
    text[size > 0 ? size : 0] = 0;
    up = hundredths(&at) * usage->processors;
    idle = hundredths(&at);
    *ret_cpu_ns = up > idle ? (up - idle) * 10000000 : 0;
}

static bool differs(uint64_t a, uint64_t b, uint64_t step)
{
    return a > b ? a - b >= step : b - a >= step;
}

/* Unchanged since the last look. */
static void usage_settle(Usage *usage)
{
    if (!differs(usage->cpu_ns, usage->rested_cpu_ns, WORK_NS)
        && !differs(usage->memory_bytes, usage->rested_memory_bytes, MEMORY_STEP))
        return;
    usage->rested_cpu_ns = usage->cpu_ns;
    usage->rested_memory_bytes = usage->memory_bytes;
    usage->rests = true;
}

bool usage_rests(Usage *usage)
{
    bool rests = usage->rests;

    usage->rests = false;
    return rests;
}

int usage_tick(Usage *usage, uint64_t now)
{
    WireMessage message = { .type = WIRE_USAGE };
    uint8_t bytes[32];

    if (usage->fd < 0)
        return -1;
    if (now < usage->next_ms)
        return (int)(usage->next_ms - now);
    usage_measure(usage, &message.usage.cpu_ns, &message.usage.memory_bytes);
    if (differs(message.usage.cpu_ns, usage->cpu_ns, CPU_STEP_NS)
        || differs(message.usage.memory_bytes, usage->memory_bytes, MEMORY_STEP)) {
        usage->pause_ms = PAUSE_MS;
        usage->cpu_ns = message.usage.cpu_ns;
        usage->memory_bytes = message.usage.memory_bytes;
        link_send(usage->link, LINK_CONTROL, bytes, wire_encode(&message, bytes, sizeof bytes));
    } else {
        if (usage->pause_ms > PAUSE_MS)
            usage_settle(usage);
        if (usage->pause_ms < PAUSE_MAX_MS)
            usage->pause_ms *= 2;
    }
    usage->next_ms = now + usage->pause_ms;
    return (int)usage->pause_ms;
}
