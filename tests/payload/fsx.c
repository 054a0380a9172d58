/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fsx.c - payloads that do operations at random to a file and compare it with a shadow in memory, as the known fsx does
 *
 * The file never has more than SIZE bytes. Whatever is beyond its end is zero in the shadow, so that an extension shows what
 * was left there. After each change a part of the file is read, at times all of it, through read or through a mapping.
 */
#include "payload.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (256u * 1024)

typedef struct {
    int fd, second;             /* two descriptions of one file */
    const char *path;
    size_t length;
    char shadow[SIZE];
    bool maps, reopens;
    char history[16][64];
    unsigned steps;
} Fsx;

static void __attribute__((format(printf, 2, 3))) note(Fsx *x, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(x->history[x->steps++ % 16], sizeof x->history[0], format, arguments);
    va_end(arguments);
}

/* What led here is printed, oldest first. */
static void differs(const Fsx *x, size_t at, int found)
{
    for (unsigned i = x->steps > 16 ? x->steps - 16 : 0; i < x->steps; i++)
        dprintf(1, "%u: %s\n", i, x->history[i % 16]);
    dprintf(1, "byte %zu is %d instead of %d, length %zu\n", at, found, x->shadow[at], x->length);
    MUST(!"the file is as its shadow");
}

static void compare(const Fsx *x, const char *bytes, size_t from, size_t size)
{
    if (memcmp(bytes, x->shadow + from, size) == 0)
        return;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != x->shadow[from + i])
            differs(x, from + i, bytes[i]);
}

static int either(const Fsx *x)
{
    return next_number() % 2 ? x->fd : x->second;
}

static void look(Fsx *x, size_t from, size_t size)
{
    static char bytes[SIZE];
    struct stat status;

    MUST(fstat(either(x), &status) == 0);
    if ((size_t)status.st_size != x->length) {
        note(x, "size is %lld", (long long)status.st_size);
        differs(x, 0, 0);
    }
    if (from >= x->length)
        return;
    size = size < x->length - from ? size : x->length - from;
    MUST(pread(either(x), bytes, size, (off_t)from) == (ssize_t)size);
    compare(x, bytes, from, size);
}

static void look_mapped(Fsx *x)
{
    char *at;

    if (x->length == 0)
        return;
    at = mmap(NULL, x->length, PROT_READ, next_number() % 2 ? MAP_SHARED : MAP_PRIVATE, either(x), 0);
    MUST(at != MAP_FAILED);
    compare(x, at, 0, x->length);
    MUST(munmap(at, x->length) == 0);
}

static void change_bytes(Fsx *x, size_t from, size_t size)
{
    for (size_t i = 0; i < size; i++)
        x->shadow[from + i] = (char)next_number();
    if (from + size > x->length)
        x->length = from + size;
}

static void step_write(Fsx *x, size_t from, size_t size)
{
    note(x, "write %zu at %zu", size, from);
    change_bytes(x, from, size);
    MUST(pwrite(either(x), x->shadow + from, size, (off_t)from) == (ssize_t)size);
}

static void step_truncate(Fsx *x, size_t length)
{
    note(x, "truncate from %zu to %zu", x->length, length);
    MUST(next_number() % 2 ? ftruncate(either(x), (off_t)length) == 0 : truncate(x->path, (off_t)length) == 0);
    memset(x->shadow + length, 0, SIZE - length);
    x->length = length;
}

static void step_map_write(Fsx *x, size_t from, size_t size)
{
    size_t start_page = from & ~(size_t)4095;
    char *at;

    if (!x->maps || from + size > x->length)
        return;
    note(x, "mapped write %zu at %zu", size, from);
    at = mmap(NULL, from + size - start_page, PROT_READ | PROT_WRITE, MAP_SHARED, either(x), (off_t)start_page);
    MUST(at != MAP_FAILED);
    change_bytes(x, from, size);
    memcpy(at + from - start_page, x->shadow + from, size);
    if (next_number() % 2)
        MUST(msync(at, from + size - start_page, MS_SYNC) == 0);
    MUST(munmap(at, from + size - start_page) == 0);
}

static void step_allocate(Fsx *x, size_t from, size_t size)
{
    int how = (int)(next_number() % 3);

    if (how == 0) {
        note(x, "allocate %zu at %zu", size, from);
        MUST(fallocate(either(x), 0, (off_t)from, (off_t)size) == 0);
        x->length = from + size > x->length ? from + size : x->length;
        return;
    }
    note(x, "%s %zu at %zu", how == 1 ? "punch" : "zero", size, from);
    MUST(fallocate(either(x), how == 1 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
                   (off_t)from, (off_t)size) == 0);
    if (from < x->length)
        memset(x->shadow + from, 0, from + size < x->length ? size : x->length - from);
}

static void step_copy(Fsx *x, size_t from, size_t size)
{
    size_t to = next_number() % (SIZE - size);
    off_t in = (off_t)from, out = (off_t)to;

    if (from + size > x->length || (to < from + size && from < to + size))
        return;
    note(x, "copy %zu from %zu to %zu", size, from, to);
    for (size_t left = size; left;) {
        ssize_t moved = copy_file_range(either(x), &in, either(x), &out, left, 0);

        MUST(moved > 0);
        left -= (size_t)moved;
    }
    memcpy(x->shadow + to, x->shadow + from, size);
    x->length = to + size > x->length ? to + size : x->length;
}

static void step_append(Fsx *x, size_t size)
{
    int fd;

    if (x->length + size > SIZE)
        return;
    fd = open(x->path, O_WRONLY | O_APPEND);
    note(x, "append %zu", size);
    change_bytes(x, x->length, size);
    MUST(fd >= 0 && write(fd, x->shadow + x->length - size, size) == (ssize_t)size && close(fd) == 0);
}

static void step_reopen(Fsx *x)
{
    note(x, "reopen");
    MUST(close(x->second) == 0);
    x->second = open(x->path, O_RDWR);
    MUST(x->second >= 0);
}

static void step(Fsx *x)
{
    size_t size = next_number() % (next_number() % 4 ? 5000 : 60000) + 1, from = next_number() % (SIZE - size);

    switch (next_number() % 10) {
    case 0: case 1: case 2: step_write(x, from, size); break;
    case 3: step_truncate(x, from); break;
    case 4: step_map_write(x, from, size); break;
    case 5: step_allocate(x, from, size); break;
    case 6: step_copy(x, from, size); break;
    case 7: step_append(x, size); break;
    case 8: if (x->reopens) step_reopen(x); break;
    case 9: note(x, "sync"); MUST(fdatasync(either(x)) == 0); break;
    }
    look(x, from, size);
    if (next_number() % 16 == 0)
        look(x, 0, SIZE);
    if (x->maps && next_number() % 16 == 0)
        look_mapped(x);
}

static void fsx(const char *path, bool maps, bool reopens, uint64_t seed)
{
    static Fsx x;

    x = (Fsx) { .path = path, .maps = maps, .reopens = reopens };
    while (seed--)
        next_number();
    x.fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0644);
    x.second = open(path, O_RDWR);
    MUST(x.fd >= 0 && x.second >= 0);
    while (more())
        for (int i = 0; i < 20; i++)
            step(&x);
    look(&x, 0, SIZE);
    MUST(close(x.fd) == 0 && close(x.second) == 0);
}

CASE(random_operations)
{
    fsx("random", false, false, 1);
}

CASE(random_operations_mapped)
{
    fsx("mapped", true, false, 1000);
}

CASE(random_operations_reopened)
{
    fsx("reopened", true, true, 2000);
}
