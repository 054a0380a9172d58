/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tsc.c - say the rate of this machine's time stamp counter in kHz, for tsc_early_khz= of a guest that is emulated */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

static int64_t now(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Both clocks at one moment: the closest pair of a few, for this process may be put aside in between. */
static void both(int64_t *ns, uint64_t *ticks) {
    int64_t best = INT64_MAX;

    for (int i = 0; i < 16; i++) {
        int64_t before = now();
        uint64_t at = __rdtsc();
        int64_t after = now();

        if (after - before < best) {
            best = after - before;
            *ns = before + best / 2;
            *ticks = at;
        }
    }
}

int main(void) {
    int64_t ns[2];
    uint64_t ticks[2];

    both(&ns[0], &ticks[0]);
    usleep(200000);
    both(&ns[1], &ticks[1]);
    printf("%" PRIu64 "\n", (ticks[1] - ticks[0]) * 1000000 / (uint64_t)(ns[1] - ns[0]));
    return 0;
}
