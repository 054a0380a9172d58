/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steady.c - writes a numbered line every few milliseconds, checks its own memory, its files and its clock meanwhile
 *
 * usage: steady LINES MIB FILE INPUT [MS]
 * Numbered lines go to stdout and to FILE; MIB of memory are written at random places and checked against what must be
 * there; INPUT is read again and again and must always have the same sum. Ends with "verdict ok" or a sentence.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void fail(const char *what, long at)
{
    printf("verdict wrong: %s at %ld\n", what, at);
    exit(1);
}

/* Each page is filled with a word made of its number and how often it was written. */
static uint64_t word_of(size_t page, uint32_t writes)
{
    return (page + 1) * 0x9e3779b97f4a7c15u ^ ((uint64_t)writes << 32 | writes);
}

static void write_page(uint64_t *memory, uint32_t *writes, size_t page)
{
    uint64_t word = word_of(page, ++writes[page]);

    for (size_t i = 0; i < PAGE / 8; i++)
        memory[page * (PAGE / 8) + i] = word;
}

static void check_page(const uint64_t *memory, const uint32_t *writes, size_t page)
{
    uint64_t word = word_of(page, writes[page]);

    for (size_t i = 0; i < PAGE / 8; i++)
        if (memory[page * (PAGE / 8) + i] != word)
            fail("memory", (long)page);
}

static uint64_t sum_of(const char *path)
{
    static unsigned char buffer[65536];
    int fd = open(path, O_RDONLY);
    uint64_t sum = 1469598103934665603u;
    ssize_t got;

    if (fd < 0)
        fail("input cannot be opened", 0);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < got; i++)
            sum = (sum ^ buffer[i]) * 1099511628211u;
    if (got < 0)
        fail("input cannot be read", 0);
    close(fd);
    return sum;
}

static uint64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    long lines = argc > 4 ? atol(argv[1]) : 0;
    size_t pages = argc > 4 ? (size_t)atol(argv[2]) * (1 << 20) / PAGE : 0;
    long pause_ms = argc > 5 ? atol(argv[5]) : 10;
    uint64_t *memory = malloc(pages * PAGE + 8), last = monotonic_ns(), sum;
    uint32_t *writes = calloc(pages + 1, sizeof *writes);
    FILE *file = argc > 4 ? fopen(argv[3], "w") : NULL;

    if (!lines || !memory || !writes || !file) {
        fprintf(stderr, "usage: steady LINES MIB FILE INPUT [MS]\n");
        return 2;
    }
    sum = sum_of(argv[4]);
    for (size_t page = 0; page < pages; page++)
        write_page(memory, writes, page);
    for (long line = 1; line <= lines; line++) {
        uint64_t now = monotonic_ns();

        if (now < last)
            fail("clock went back", line);
        last = now;
        for (int i = 0; pages && i < 16; i++) {
            check_page(memory, writes, next_random() % pages);
            write_page(memory, writes, next_random() % pages);
        }
        if (line % 50 == 0 && sum_of(argv[4]) != sum)
            fail("input", line);
        if (printf("%ld\n", line) < 0 || fflush(stdout) || fprintf(file, "%ld\n", line) < 0 || fflush(file))
            fail("output", line);
        usleep((useconds_t)pause_ms * 1000);
    }
    for (size_t page = 0; page < pages; page++)
        check_page(memory, writes, page);
    if (fclose(file))
        fail("closing the file", lines);
    puts("verdict ok");
    return 0;
}
