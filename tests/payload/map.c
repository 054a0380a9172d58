/* SPDX-License-Identifier: GPL-2.0-or-later */
/* map.c - payloads that map files: shared and private, beyond the end, without a name, between processes, beside write */
#include "payload.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static int sized(const char *path, off_t size)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

    MUST(fd >= 0 && ftruncate(fd, size) == 0);
    return fd;
}

static char *mapped(int fd, size_t size, int flags)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    MUST(at != MAP_FAILED);
    return at;
}

static void fill_half(void *data)
{
    int fd = open("shared", O_RDWR);
    char *at = mapped(fd, 16 * PAGE, MAP_SHARED);

    MUST(is_filled(at, 8 * PAGE, 51));
    fill(at + 8 * PAGE, 8 * PAGE, (uint64_t)(uintptr_t)data);
}

/* Two processes have one file in their memory, each through an open of its own. */
CASE(map_shared)
{
    for (uint64_t round = 0; more(); round++) {
        int fd = sized("shared", 16 * PAGE);
        char *at = mapped(fd, 16 * PAGE, MAP_SHARED);
        struct stat status;

        fill(at, 8 * PAGE, 51);
        joined(start(fill_half, (void *)(uintptr_t)round));
        MUST(is_filled(at + 8 * PAGE, 8 * PAGE, round));
        MUST(msync(at, 16 * PAGE, MS_SYNC) == 0 && fstat(fd, &status) == 0 && status.st_size == 16 * PAGE);
        MUST(munmap(at, 16 * PAGE) == 0 && close(fd) == 0);
        fd = open("shared", O_RDONLY);
        at = mmap(NULL, 16 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
        MUST(at != MAP_FAILED && is_filled(at, 8 * PAGE, 51) && is_filled(at + 8 * PAGE, 8 * PAGE, round));
        FAILS(EACCES, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
        MUST(munmap(at, 16 * PAGE) == 0 && close(fd) == 0);
    }
}

CASE(map_private)
{
    char bytes[PAGE];

    while (more()) {
        int fd = sized("private", 4 * PAGE);
        char *at;

        fill(bytes, PAGE, 53);
        MUST(pwrite(fd, bytes, PAGE, PAGE) == PAGE);
        at = mapped(fd, 4 * PAGE, MAP_PRIVATE);
        MUST(is_filled(at + PAGE, PAGE, 53));
        memset(at + PAGE, 7, PAGE);
        MUST(pread(fd, bytes, PAGE, PAGE) == PAGE && is_filled(bytes, PAGE, 53));
        MUST(at[PAGE] == 7 && at[2 * PAGE] == 0);
        MUST(munmap(at, 4 * PAGE) == 0 && close(fd) == 0);
    }
}

static sigjmp_buf back;
static volatile uintptr_t bus_at;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    (void)context;
    MUST(sig == SIGBUS);
    bus_at = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

/* What lies behind the end of a file cannot be touched, but the rest of its last page can. */
CASE(map_beyond_end)
{
    struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

    MUST(sigaction(SIGBUS, &action, NULL) == 0);
    while (more()) {
        int fd = sized("beyond", PAGE + 100);
        char *at = mapped(fd, 4 * PAGE, MAP_SHARED);

        MUST(at[PAGE + 99] == 0 && at[2 * PAGE - 1] == 0);
        bus_at = 0;
        if (sigsetjmp(back, 1) == 0) {
            *(volatile char *)(at + 3 * PAGE + 5) = 1;
            MUST(!"a page behind the end was written");
        }
        MUST(bus_at == (uintptr_t)at + 3 * PAGE + 5);
        MUST(ftruncate(fd, 4 * PAGE) == 0);
        at[3 * PAGE + 5] = 1;
        MUST(ftruncate(fd, PAGE) == 0);
        if (sigsetjmp(back, 1) == 0) {
            *(volatile char *)(at + 2 * PAGE) = 1;
            MUST(!"a page that was cut off was written");
        }
        MUST(ftruncate(fd, 4 * PAGE) == 0 && at[3 * PAGE + 5] == 0);
        MUST(munmap(at, 4 * PAGE) == 0 && close(fd) == 0);
    }
}

CASE(map_of_unlinked)
{
    int fd = sized("unlinked", 64 * PAGE);
    char *at = mapped(fd, 64 * PAGE, MAP_SHARED);

    MUST(unlink("unlinked") == 0 && close(fd) == 0);
    for (uint64_t round = 0; more(); round++) {
        fill(at, 64 * PAGE, round);
        sleep_ms(10);
        MUST(msync(at, 64 * PAGE, round % 2 ? MS_SYNC : MS_ASYNC) == 0);
        MUST(is_filled(at, 64 * PAGE, round));
    }
    MUST(munmap(at, 64 * PAGE) == 0);
}

/* What is written is in the mapping at once, and what is stored there is read at once. */
CASE(map_and_write)
{
    char bytes[PAGE];

    while (more()) {
        int fd = sized("both", 8 * PAGE);
        char *at = mapped(fd, 8 * PAGE, MAP_SHARED);

        for (int i = 0; i < 50; i++) {
            off_t where = (off_t)(next_number() % (7 * PAGE));
            uint64_t seed = next_number();

            fill(bytes, 512, seed);
            if (i % 2) {
                MUST(pwrite(fd, bytes, 512, where) == 512);
                MUST(is_filled(at + where, 512, seed));
            } else {
                memcpy(at + where, bytes, 512);
                memset(bytes, 0, 512);
                MUST(pread(fd, bytes, 512, where) == 512 && is_filled(bytes, 512, seed));
            }
        }
        MUST(munmap(at, 8 * PAGE) == 0 && close(fd) == 0);
    }
}

/* More is dirty than one request takes, and all of it arrives. */
CASE(map_much_dirty)
{
    size_t size = 6 << 20;

    for (uint64_t round = 0; more(); round++) {
        int fd = sized("much", (off_t)size);
        char *at = mapped(fd, size, MAP_SHARED);
        static char bytes[65536];

        fill(at, size, round);
        MUST(munmap(at, size) == 0 && close(fd) == 0);
        MUST(posix_fadvise(fd = open("much", O_RDONLY), 0, 0, POSIX_FADV_DONTNEED) == 0);
        for (size_t where = 0; where < size; where += sizeof bytes)
            MUST(read_all(fd, bytes, sizeof bytes) && is_filled(bytes, sizeof bytes, round + where));
        MUST(close(fd) == 0);
    }
}
