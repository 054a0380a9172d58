/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.c - what each init here begins, says and ends with: TAP on the console */
#include "tap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static int count;

void tap_begin(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("\n"); /* the firmware may have left half a line */
    mkdir("/dev", 0755);
    mkdir("/proc", 0555);
    if (mount("dev", "/dev", "devtmpfs", 0, NULL) || mount("proc", "/proc", "proc", 0, NULL))
        printf("# mount: %m\n");
}

bool ok(bool good, const char *format, ...) {
    int error = errno;
    va_list list;

    printf("%sok %d - ", good ? "" : "not ", ++count);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    if (good)
        printf("\n");
    else
        printf(" (%s)\n", strerror(error));
    return good;
}

void ok_log(void) {
    static const char *const bad[] = {"WARNING", "BUG", "Busy inodes", "leak", "ida_free", "possible recursive",
                                      "circular locking", "INFO: task"};
    static char text[1 << 18];
    int size = klogctl(3, text, sizeof text - 1);
    bool clean = size > 0;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        clean = clean && !strstr(text, bad[i]);
    ok(clean, "the kernel has nothing to complain about");
}

void tap_plan(void) {
    printf("1..%d\n", count);
    fflush(stdout);
}

void tap_end(void) {
    tap_plan();
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}
