/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.c - an init that reads and writes the first virtio port: how much a read takes, what interrupts, what is lost
 *
 * The host has put a file into the port, 32-bit numbers that count up, and keeps what is written there.
 */
#include "tap.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"
#define SIZE (8u << 20)     /* of the file */
#define WRITES 200
#define HELD_MAX_KIB 6000   /* 10,000 with a buffer for each entry of a ring of 1024 */

static uint32_t numbers[16384];

/* Interrupts of virtio devices so far. */
static long interrupts(void)
{
    char line[512];
    long all = 0;
    FILE *file = fopen("/proc/interrupts", "r");

    while (file && fgets(line, sizeof line, file))
        if (strstr(line, "virtio"))
            all += strtol(strchr(line, ':') + 1, NULL, 10);
    if (file)
        fclose(file);
    return all;
}

/* KiB that the kernel holds for small objects, buffers of ports among them. */
static long held(void)
{
    char line[128];
    long kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "SUnreclaim: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static int open_port(void)
{
    int fd = -1;

    for (int i = 0; i < 1000 && fd < 0; i++) {
        fd = open(PORT, O_RDWR);
        if (fd < 0)
            usleep(10000);
    }
    return fd;
}

/* All that there is, with a pause now and then in which the host fills all the room again: that there is something to be
 * read is known by then. */
static void read_all(int fd)
{
    size_t done = 0, largest = 0;
    long interrupted = 0, pauses = 0;
    uint32_t next = 0, wrong = 0;

    usleep(300000);
    while (done < SIZE) {
        struct pollfd poller = { .fd = fd, .events = POLLIN };

        if (poll(&poller, 1, 10000) != 1)
            break;
        ssize_t size = read(fd, numbers, sizeof numbers);
        if (size <= 0 || size % 4)
            break;
        for (ssize_t i = 0; i < size / 4; i++)
            wrong += numbers[i] != next++;
        done += (size_t)size;
        if ((size_t)size > largest)
            largest = (size_t)size;
        if (done / (1 << 20) != (done - (size_t)size) / (1 << 20)) {
            long before = interrupts();
            usleep(100000);
            interrupted += interrupts() - before;
            pauses++;
        }
    }
    printf("# %zu bytes, at most %zu at once, %ld interrupts in %ld pauses\n", done, largest, interrupted, pauses);
    ok(interrupted <= pauses, "who has not read everything is not interrupted");
    ok(done == SIZE && wrong == 0, "all bytes come, in order");
    ok(largest == sizeof numbers, "a read takes what many buffers hold");
}

static void write_many(int fd)
{
    long before = interrupts();
    int good = 1;

    memset(numbers, 'x', 1000);
    for (int i = 0; i < WRITES; i++)
        good &= write(fd, numbers, 1000) == 1000;
    usleep(100000);
    printf("# %ld interrupts for %d writes\n", interrupts() - before, WRITES);
    ok(good, "all is written");
    ok(interrupts() - before < WRITES / 4, "what was sent does not interrupt");

    /* More than the queue holds: who has to wait is told when there is room. */
    for (int i = 0; i < 400; i++)
        good &= write(fd, numbers, 32768) == 32768;
    ok(good, "who fills the queue gets on");
}

int main(void)
{
    tap_begin();
    int fd = open_port();
    ok(fd >= 0, "there is a port");
    printf("# %ld KiB\n", held());
    ok(held() >= 0 && held() < HELD_MAX_KIB, "no more buffers are set aside for it than are of use");
    if (fd >= 0) {
        read_all(fd);
        write_many(fd);
    }
    sleep(1);   /* what is on its way out ends with the machine */
    tap_end();
}
