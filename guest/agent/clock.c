/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - the guest's wall clock
 *
 * What home says is late by the time that it was under way. So it may be believed at once when the guest is behind it: a
 * guest that was frozen is put forward. That the guest is ahead of it proves nothing until the last AHEAD_KEPT messages
 * agree: then it is ahead by what the least late of them says. By little, it is slowed down, so that no program sees time
 * go back; by much, it is put back. The monotonic clock is never touched.
 */
#include "clock.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define MS 1000000
#define IGNORED_NS (2 * MS)
#define SLOWED_NS (200 * MS)
#define AHEAD_KEPT 6

static int64_t ahead[AHEAD_KEPT];
static unsigned ahead_count;

static int64_t ns_of(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void set_to(int64_t ns)
{
    struct timespec time = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

    clock_settime(CLOCK_REALTIME, &time);
}

/* How much the guest is ahead at least, as far as is known. */
static int64_t least_ahead(int64_t now_ahead)
{
    int64_t least = now_ahead;

    ahead[ahead_count++ % AHEAD_KEPT] = now_ahead;
    if (ahead_count < AHEAD_KEPT)
        return 0;
    for (int i = 0; i < AHEAD_KEPT; i++)
        if (ahead[i] < least)
            least = ahead[i];
    return least;
}

void clock_follow(uint64_t realtime_ns)
{
    struct timespec now;
    int64_t by;

    clock_gettime(CLOCK_REALTIME, &now);
    by = least_ahead(ns_of(now) - (int64_t)realtime_ns);
    if (ns_of(now) < (int64_t)realtime_ns) {
        ahead_count = 0;
        if ((int64_t)realtime_ns - ns_of(now) > IGNORED_NS)
            set_to((int64_t)realtime_ns);
    } else if (by > SLOWED_NS) {
        ahead_count = 0;
        set_to(ns_of(now) - by);
    } else if (by > IGNORED_NS) {
        struct timeval slower = { -1, (suseconds_t)(1000000 - by / 1000) };

        ahead_count = 0;
        adjtime(&slower, NULL);
    }
}

void clock_set(uint64_t realtime_ns)
{
    ahead_count = 0;
    set_to((int64_t)realtime_ns);
}
