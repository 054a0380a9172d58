/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - the guest's wall clock
 *
 * A guest that was frozen is behind: it is put forward at once. A guest that is ahead by little is slowed down, so that
 * no program sees time go back; by much, it is put back. The monotonic clock is never touched.
 */
#include "clock.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define MS 1000000
#define IGNORED_NS (2 * MS)     /* the message was under way about as long */
#define SLOWED_NS (200 * MS)

void clock_follow(uint64_t realtime_ns)
{
    struct timespec now, home = { (time_t)(realtime_ns / 1000000000), (long)(realtime_ns % 1000000000) };
    int64_t behind_ns;

    clock_gettime(CLOCK_REALTIME, &now);
    behind_ns = (int64_t)(home.tv_sec - now.tv_sec) * 1000000000 + (home.tv_nsec - now.tv_nsec);
    if (llabs(behind_ns) < IGNORED_NS)
        return;
    if (behind_ns < 0 && behind_ns > -SLOWED_NS) {
        struct timeval slower = { -1, (suseconds_t)(1000000 + behind_ns / 1000) };

        adjtime(&slower, NULL);
        return;
    }
    clock_settime(CLOCK_REALTIME, &home);
}
