/* SPDX-License-Identifier: GPL-2.0-or-later */
/* churn.c - random operations on one file, by several ways, against a model in memory
 *
 *     churn FILE OTHER_NAME SEED ROUNDS [map]
 *
 * OTHER_NAME is the same file by another path (natively); after each round it must hold what the
 * model says. Ways: write, pwrite, append, truncate, shared map, fallocate, copy_file_range, open
 * and close, rename. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM (3 * 1024 * 1024)

static unsigned char model[ROOM], buffer[ROOM];
static long size;
static unsigned long long state;
static const char *path, *other;
static int fd = -1;
static char log_line[64][120];
static int log_at;

static unsigned long random_below(unsigned long n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return n ? state % n : 0;
}

static void fail(const char *what)
{
    fprintf(stderr, "churn: %s (%s), size %ld\n", what, strerror(errno), size);
    for (int i = 0; i < 64; i++)
        if (log_line[(log_at + i) % 64][0])
            fprintf(stderr, "  %s\n", log_line[(log_at + i) % 64]);
    exit(1);
}

static void note(const char *what, long a, long b)
{
    snprintf(log_line[log_at++ % 64], sizeof(log_line[0]), "%s %ld %ld", what, a, b);
}

static void set_size(long new_size)
{
    if (new_size > size)
        memset(model + size, 0, new_size - size);
    size = new_size;
}

static void fill(long at, long n)
{
    if (at + n > size)
        set_size(at + n);
    for (long i = 0; i < n; i++)
        model[at + i] = random_below(256);
}

static void check(int from, const char *who)
{
    struct stat st;
    long got = 0;

    if (fstat(from, &st) < 0 || st.st_size != size) {
        note("size seen", st.st_size, size);
        fail(who);
    }
    while (got < size) {
        ssize_t n = pread(from, buffer + got, ROOM - got, got);
        if (n <= 0)
            fail("read");
        got += n;
    }
    for (long i = 0; i < size; i++)
        if (buffer[i] != model[i]) {
            note("differs at", i, buffer[i]);
            fail(who);
        }
}

static void reopen(void)
{
    note("reopen", 0, 0);
    if (fd >= 0 && close(fd) < 0)
        fail("close");
    fd = open(path, O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        fail("open");
}

static void do_map(long at, long n)
{
    unsigned char *map;

    if (at + n > size)
        n = size - at;
    if (n <= 0)
        return;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        fail("mmap");
    fill(at, n);
    memcpy(map + at, model + at, n);
    if (random_below(2) && msync(map, size, MS_SYNC) < 0)
        fail("msync");
    munmap(map, size);
}

static void do_append(long n)
{
    int a = open(path, O_WRONLY | O_APPEND);
    long at = size;

    if (a < 0)
        fail("open to append");
    fill(at, n);
    if (write(a, model + at, n) != n)
        fail("append");
    close(a);
}

static void do_copy(long at, long n)
{
    off_t in = random_below(size + 1), out = at;

    if (in + n > size)
        n = size - in;
    if (n <= 0 || labs(in - out) < n)
        return;
    note("copy from", in, n);
    while (n > 0) {
        long was = in, to = out;
        ssize_t done = copy_file_range(fd, &in, fd, &out, n, 0);
        if (done <= 0)
            fail("copy_file_range");
        if (to + done > size)
            set_size(to + done);
        memcpy(model + to, model + was, done);
        n -= done;
    }
}

static void do_rename(void)
{
    char name[4096];

    snprintf(name, sizeof(name), "%s.renamed", path);
    if (rename(path, name) < 0 || rename(name, path) < 0)
        fail("rename");
}

static void step(int maps)
{
    long at = random_below(ROOM / 2), n = random_below(random_below(8) ? 9000 : ROOM / 2);
    unsigned long what = random_below(12);

    note("operation", what, at);
    note("      length", n, size);
    switch (what) {
    case 0: case 1: case 2:
        fill(at, n);
        if (pwrite(fd, model + at, n, at) != n)
            fail("pwrite");
        break;
    case 3:
        if (ftruncate(fd, at) < 0)
            fail("ftruncate");
        set_size(at);
        break;
    case 4:
        if (truncate(path, at / 8) < 0)
            fail("truncate");
        set_size(at / 8);
        break;
    case 5:
        if (size + n < ROOM)
            do_append(n);
        break;
    case 6: case 7:
        if (maps)
            do_map(at, n);
        break;
    case 8:
        if (n && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, n) < 0)
            fail("punch");
        if (at < size)
            memset(model + at, 0, at + n > size ? size - at : n);
        break;
    case 9:
        do_copy(at, n);
        break;
    case 10:
        reopen();
        break;
    default:
        do_rename();
    }
}

int main(int argc, char **argv)
{
    long rounds = argc > 4 ? atol(argv[4]) : 0;

    if (argc < 5)
        return 2;
    path = argv[1];
    other = argv[2];
    state = strtoull(argv[3], NULL, 0) * 2654435761u + 88172645463325252ull;
    reopen();
    if (ftruncate(fd, 0) < 0)
        fail("ftruncate");
    for (long i = 0; i < rounds; i++) {
        step(argc > 5);
        check(fd, "the job's view");
        if (argc > 5 && fsync(fd) < 0)
            fail("fsync");
        int o = open(other, O_RDONLY);
        if (o < 0)
            fail("open natively");
        check(o, "home's view");
        close(o);
    }
    printf("%ld rounds\n", rounds);
    return 0;
}
