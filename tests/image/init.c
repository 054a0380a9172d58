/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init.c - an init that says what it finds, as TAP: kernel, processors, clocks, random numbers; then runs /program */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L

static long now(clockid_t id) {
    struct timespec ts;

    clock_gettime(id, &ts);
    return ts.tv_sec * 1000 + ts.tv_nsec / MS;
}

/* How long twenty sleeps of a millisecond take at best: 20 ticks of 4 ms if timers are as coarse as ticks. */
static long sleep_20_ms(void) {
    struct timespec ms = {.tv_nsec = MS};
    long best = 1000;

    for (int turn = 0; turn < 10 && best >= 60; turn++) {
        long start = now(CLOCK_MONOTONIC), took;

        for (int i = 0; i < 20; i++)
            nanosleep(&ms, NULL);
        took = now(CLOCK_MONOTONIC) - start;
        best = took < best ? took : best;
    }
    return best;
}

static int run_program(void) {
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        execl("/program", "program", NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv) {
    struct utsname name;
    char wanted[16] = "", byte, source[32] = "";
    int fd;
    long ms;

    (void)argc;
    uname(&name);
    if (!strcmp(argv[0], "program")) {
        printf("# program of %zu bits on %s\n", sizeof(long) * 8, name.machine);
        return 42;
    }
    tap_begin();
    ms = now(CLOCK_MONOTONIC);
    snprintf(wanted, sizeof wanted, "%s", getenv("machine") ? getenv("machine") : "");
    ok(getpid() == 1, "is process 1");
    printf("# uptime %ld ms\n", ms);
    ok(!strcmp(name.machine, wanted), "uname says the machine");
    ok(sysconf(_SC_NPROCESSORS_CONF) >= 1 && mkdir("/sys", 0555) + 1 && !mount("sys", "/sys", "sysfs", 0, NULL) &&
           sysconf(_SC_NPROCESSORS_ONLN) == atoi(getenv("cpus") ? getenv("cpus") : "0"),
       "has its processors");
    fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, source, sizeof source - 1) > 0)
        source[strcspn(source, "\n")] = 0;
    ms = sleep_20_ms();
    ok(ms >= 20 && ms < 60, "sleeps exactly: 20 times 1 ms in %ld ms, by %s", ms, source);
    ok(getrandom(&byte, 1, GRND_NONBLOCK) == 1 || !strcmp(getenv("rng") ? getenv("rng") : "", "no"), "has random numbers");
    ok(!access("/program", X_OK) && run_program() == 42, "runs a program");
    tap_end();
}
