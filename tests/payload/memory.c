/* SPDX-License-Identifier: GPL-2.0-or-later */
/* memory.c - payloads that keep much memory, share it, protect it, move it and let their stacks grow */
#include "payload.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define MIB (1u << 20)

static char *map(size_t size, int flags)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    MUST(at != MAP_FAILED);
    return at;
}

CASE(heap)
{
    enum { BLOCKS = 2000 };
    static struct { char *at; size_t size; uint64_t seed; } blocks[BLOCKS];

    while (more())
        for (int i = 0; i < 300; i++) {
            size_t which = next_number() % BLOCKS;

            if (blocks[which].at)
                MUST(is_filled(blocks[which].at, blocks[which].size, blocks[which].seed));
            free(blocks[which].at);
            blocks[which].size = next_number() % 9000 + 1;
            blocks[which].seed = next_number();
            blocks[which].at = malloc(blocks[which].size);
            MUST(blocks[which].at != NULL);
            fill(blocks[which].at, blocks[which].size, blocks[which].seed);
        }
    for (int i = 0; i < BLOCKS; i++)
        MUST(!blocks[i].at || is_filled(blocks[i].at, blocks[i].size, blocks[i].seed));
}

CASE(pages_at_random)
{
    size_t pages = 24 * MIB / PAGE;
    uint64_t *memory = (uint64_t *)(void *)map(pages * PAGE, MAP_PRIVATE), *stamps = calloc(pages, sizeof *stamps);

    while (more())
        for (int i = 0; i < 400; i++) {
            size_t page = next_number() % pages;
            uint64_t *at = memory + page * (PAGE / 8);

            MUST(at[0] == stamps[page] && at[PAGE / 8 - 1] == stamps[page]);
            at[0] = at[PAGE / 8 - 1] = stamps[page] = next_number();
        }
    for (size_t page = 0; page < pages; page++)
        MUST(memory[page * (PAGE / 8)] == stamps[page]);
}

/* Pages of zeros are not sent as others are. */
CASE(pages_of_zeros)
{
    size_t pages = 16 * MIB / PAGE;
    char *memory = map(pages * PAGE, MAP_PRIVATE);
    uint64_t *seeds = calloc(pages, sizeof *seeds);
    static const char zeros[PAGE];

    while (more())
        for (int i = 0; i < 200; i++) {
            size_t page = next_number() % pages;
            char *at = memory + page * PAGE;

            MUST(seeds[page] ? is_filled(at, PAGE, seeds[page]) : memcmp(at, zeros, PAGE) == 0);
            seeds[page] = next_number() % 2 ? next_number() | 1 : 0;
            if (seeds[page])
                fill(at, PAGE, seeds[page]);
            else
                memset(at, 0, PAGE);
        }
    for (size_t page = 0; page < pages; page++)
        MUST(seeds[page] ? is_filled(memory + page * PAGE, PAGE, seeds[page])
                         : memcmp(memory + page * PAGE, zeros, PAGE) == 0);
}

CASE(address_space)
{
#ifdef __x86_64__
    size_t size = (size_t)1 << 40, step = (size_t)8 << 30;
#else
    size_t size = (size_t)1 << 29, step = (size_t)4 << 20;
#endif
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    MUST(at != MAP_FAILED);
    for (uint64_t round = 0; more(); round++) {
        for (size_t i = 0; i < size; i += step) {
            MUST(round == 0 || memcmp(at + i, &(uint64_t) { round - 1 + i }, 8) == 0);
            memcpy(at + i, &(uint64_t) { round + i }, 8);
        }
    }
    MUST(munmap(at, size) == 0);
}

static uint64_t deep(int depth)
{
    volatile uint64_t here[128];
    uint64_t below;

    for (int i = 0; i < 128; i += 16)
        here[i] = (uint64_t)depth * 31 + (uint64_t)i;
    below = depth > 0 ? deep(depth - 1) : 0;
    for (int i = 0; i < 128; i += 16)
        MUST(here[i] == (uint64_t)depth * 31 + (uint64_t)i);
    return below + 1;
}

CASE(stack_growth)
{
    struct rlimit limit;

    MUST(getrlimit(RLIMIT_STACK, &limit) == 0);
    while (more())
        MUST(deep(4000) == 4001);
}

CASE(shared_anonymous)
{
    enum { CHILDREN = 4, ADDS = 5000 };
    volatile uint64_t *shared = (volatile uint64_t *)(void *)map(PAGE, MAP_SHARED);
    uint64_t expected = 0;

    while (more()) {
        pid_t children[CHILDREN];

        for (int i = 0; i < CHILDREN; i++) {
            children[i] = fork();
            MUST(children[i] >= 0);
            if (children[i] == 0) {
                for (int n = 0; n < ADDS; n++)
                    __atomic_add_fetch(&shared[0], 1, __ATOMIC_SEQ_CST);
                _exit(0);
            }
        }
        for (int i = 0; i < CHILDREN; i++)
            joined(children[i]);
        expected += CHILDREN * ADDS;
        MUST(shared[0] == expected);
    }
}

CASE(copy_on_write)
{
    size_t size = 2 * MIB;
    char *at = map(size, MAP_PRIVATE);

    for (uint64_t round = 1; more(); round++) {
        pid_t child;

        fill(at, size, round);
        child = fork();
        MUST(child >= 0);
        if (child == 0) {
            MUST(is_filled(at, size, round));
            fill(at, size / 2, round + 1000);
            MUST(is_filled(at, size / 2, round + 1000) && is_filled(at + size / 2, 8, round + size / 2));
            _exit(0);
        }
        fill(at + size - PAGE, PAGE, 5);
        joined(child);
        MUST(is_filled(at, size - PAGE, round) && is_filled(at + size - PAGE, PAGE, 5));
    }
}

CASE(mremap_moves)
{
    size_t size = PAGE * 4;
    char *at = map(size, MAP_PRIVATE);

    fill(at, PAGE, 3);
    while (more()) {
        size_t new_size = PAGE * (2 + next_number() % 64);
        char *new = mremap(at, size, new_size, MREMAP_MAYMOVE);

        MUST(new != MAP_FAILED);
        at = new;
        size = new_size;
        MUST(is_filled(at, PAGE, 3));
        at[size - 1] = 1;
    }
}

static sigjmp_buf barrier_back;
static char *barrier_at;
static volatile sig_atomic_t barrier_hits;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    MUST(sig == SIGSEGV);
    if (info->si_addr == NULL)
        siglongjmp(barrier_back, 1);
    MUST((char *)info->si_addr >= barrier_at && (char *)info->si_addr < barrier_at + 64 * PAGE);
    MUST(info->si_code == SEGV_ACCERR);
    barrier_hits++;
    MUST(mprotect((char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE) == 0);
}

/* A garbage collector's write barrier: a page is made writable when it is written to. */
CASE(write_barrier)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    volatile char *nowhere = NULL;

    barrier_at = map(64 * PAGE, MAP_PRIVATE);
    MUST(sigaction(SIGSEGV, &action, NULL) == 0);
    while (more()) {
        MUST(mprotect(barrier_at, 64 * PAGE, PROT_READ) == 0);
        barrier_hits = 0;
        for (int i = 0; i < 64; i++) {
            barrier_at[i * (int)PAGE] = 1;
            barrier_at[i * (int)PAGE + 1] = 2;
        }
        MUST(barrier_hits == 64);
        if (sigsetjmp(barrier_back, 1) == 0) {
            *nowhere = 1;
            MUST(!"a write to nowhere came back");
        }
    }
}

CASE(dont_need)
{
    size_t size = 4 * MIB;
    char *at = map(size, MAP_PRIVATE);

    while (more()) {
        fill(at, size, 11);
        MUST(madvise(at + MIB, MIB, MADV_DONTNEED) == 0);
        for (size_t i = MIB; i < 2 * MIB; i += PAGE)
            MUST(at[i] == 0);
        MUST(is_filled(at, MIB, 11));
        MUST(madvise(at, size, MADV_FREE) == 0);
    }
}

CASE(memfd_seals)
{
    while (more()) {
        int fd = memfd_create("payload", MFD_ALLOW_SEALING | MFD_CLOEXEC);
        char *at;

        MUST(fd >= 0);
        MUST(ftruncate(fd, 8192) == 0);
        at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        MUST(at != MAP_FAILED);
        fill(at, 8192, 13);
        MUST(munmap(at, 8192) == 0);
        MUST(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE) == 0);
        FAILS(EPERM, pwrite(fd, "x", 1, 0));
        FAILS(EPERM, ftruncate(fd, 1));
        MUST(fcntl(fd, F_GET_SEALS) == (F_SEAL_SHRINK | F_SEAL_WRITE));
        MUST(close(fd) == 0);
    }
}

CASE(break_moves)
{
    while (more()) {
        char *before = sbrk(0), *at = sbrk(256 * 1024);

        MUST(at != (void *)-1);
        if (at != before)       /* somebody else moved it meanwhile: malloc */
            continue;
        fill(at, 256 * 1024, 17);
        MUST(is_filled(at, 256 * 1024, 17));
        MUST(sbrk(-256 * 1024) != (void *)-1);
        MUST(sbrk(0) == before);
    }
}

CASE(locked_memory)
{
    char *at = map(64 * 1024, MAP_PRIVATE);
    unsigned char resident[16];

    while (more()) {
        fill(at, 64 * 1024, 19);
        if (mlock(at, 64 * 1024) == 0) {
            MUST(mincore(at, 64 * 1024, resident) == 0);
            for (int i = 0; i < 16; i++)
                MUST(resident[i] & 1);
            MUST(munlock(at, 64 * 1024) == 0);
        }
        MUST(is_filled(at, 64 * 1024, 19));
    }
}

/* How much memory a program may ask for does not depend on where it runs. */
CASE(memory_to_be_had)
{
    while (more()) {
        char *at = mmap(NULL, 300 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        fact("300 MiB at once: %s", at != MAP_FAILED ? "yes" : "no");
        if (at == MAP_FAILED)
            break;
        at[0] = at[300 * MIB - 1] = 1;
        MUST(munmap(at, 300 * MIB) == 0);
        sleep_ms(100);
    }
}
