/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clockwork.c - says what its clocks say, a hundred times a second, and watches that they never go back
 *
 * usage: clockwork
 * Prints lines of three numbers: CLOCK_MONOTONIC, CLOCK_BOOTTIME and CLOCK_REALTIME in nanoseconds. In between it looks at
 * the monotonic clock again and again. Ends when its input ends, with "verdict ok" or a sentence.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_NS 10000000
#define LOOKS_NS 1000000

static int64_t now(clockid_t clock)
{
    struct timespec it;

    clock_gettime(clock, &it);
    return (int64_t)it.tv_sec * 1000000000 + it.tv_nsec;
}

/* Looks for a millisecond; the last time seen. */
static int64_t look(int64_t last)
{
    int64_t until = last + LOOKS_NS, seen;

    do {
        seen = now(CLOCK_MONOTONIC);
        if (seen < last) {
            printf("verdict wrong: the monotonic clock went back by %" PRId64 " ns\n", last - seen);
            exit(1);
        }
        last = seen;
    } while (last < until);
    return last;
}

int main(void)
{
    struct pollfd input = { .fd = 0, .events = POLLIN };
    int64_t last = now(CLOCK_MONOTONIC), next = last;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while (poll(&input, 1, 0) == 0) {
        struct timespec pause = { 0, PERIOD_NS - LOOKS_NS };

        if (last >= next) {
            next = last + PERIOD_NS;
            printf("%" PRId64 " %" PRId64 " %" PRId64 "\n", now(CLOCK_MONOTONIC), now(CLOCK_BOOTTIME), now(CLOCK_REALTIME));
        }
        nanosleep(&pause, NULL);
        last = look(last);
    }
    printf("verdict ok\n");
    return 0;
}
