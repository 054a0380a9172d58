/* SPDX-License-Identifier: GPL-2.0-or-later */
/* leaver.c - has a past before it is moved: reads a file, uses and frees memory; and says what of it is left
 *
 * usage: leaver MIB FREED-MIB FILE
 * Fills MIB of memory with noise, and another FREED-MIB; reads FILE; frees the
 * second part. Then prints "ready BYTES", its anonymous memory that is resident, and waits for a line. Ends with "verdict
 * ok" if its memory is as it was.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static uint64_t *noise(size_t bytes)
{
    uint64_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        exit(1);
    for (size_t i = 0; i < bytes / 8; i++)
        memory[i] = next();
    return memory;
}

static uint64_t sum_of(const uint64_t *memory, size_t bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < bytes / 8; i++)
        sum = sum * 31 + memory[i];
    return sum;
}

static void read_all(const char *path)
{
    static char buffer[1 << 18];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        printf("verdict wrong: %s cannot be read\n", path);
        exit(1);
    }
    while (read(fd, buffer, sizeof buffer) > 0)
        ;
    close(fd);
}

static unsigned long anonymous_bytes(void)
{
    char line[200];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");

    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    if (status)
        fclose(status);
    return kib << 10;
}

int main(int argc, char **argv)
{
    size_t kept = 0, freed = 0;
    uint64_t *memory, *more, sum;
    char line[10];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc != 4)
        return 2;
    kept = strtoul(argv[1], NULL, 10) << 20;
    freed = strtoul(argv[2], NULL, 10) << 20;
    memory = noise(kept);
    sum = sum_of(memory, kept);
    more = noise(freed);
    read_all(argv[3]);
    munmap(more, freed);
    printf("ready %lu\n", anonymous_bytes());
    if (!fgets(line, sizeof line, stdin))
        return 1;
    printf("verdict %s\n", sum_of(memory, kept) == sum ? "ok" : "wrong: its memory has changed");
    return 0;
}
