/* SPDX-License-Identifier: GPL-2.0-or-later */
/* data.c - payloads of what is in files: appending, holes, ranges, copies, sparse giants, synchronous writes */
#include "payload.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define KIB 1024

static int fresh(const char *path, int flags)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | flags, 0644);

    MUST(fd >= 0);
    return fd;
}

static void append_records(void *data)
{
    int mine = (int)(intptr_t)data, fd = open("log", O_WRONLY | O_APPEND);

    MUST(fd >= 0);
    for (int i = 0; i < 100; i++) {
        char line[32];
        int length = snprintf(line, sizeof line, "process %d line %03d\n", mine, i);

        MUST(write(fd, line, (size_t)length) == length);
    }
    close(fd);
}

CASE(appending_together)
{
    while (more()) {
        pid_t children[4];
        int next[4] = { 0 }, who, line, lines = 0;
        FILE *file;

        close(fresh("log", 0));
        for (int i = 0; i < 4; i++)
            children[i] = start(append_records, (void *)(intptr_t)i);
        for (int i = 0; i < 4; i++)
            joined(children[i]);
        file = fopen("log", "r");
        MUST(file != NULL);
        while (fscanf(file, "process %d line %d\n", &who, &line) == 2) {
            MUST(who >= 0 && who < 4 && line == next[who]++);
            lines++;
        }
        MUST(lines == 400);
        fclose(file);
    }
}

CASE(holes)
{
    char bytes[KIB];

    while (more()) {
        int fd = fresh("holes", 0);
        struct stat status;

        MUST(pwrite(fd, "data", 4, 1 << 20) == 4);
        MUST(fstat(fd, &status) == 0 && status.st_size == (1 << 20) + 4 && status.st_blocks < 1000);
        MUST(pread(fd, bytes, sizeof bytes, 12345) == sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            MUST(bytes[i] == 0);
        MUST(lseek(fd, 0, SEEK_DATA) == 1 << 20);
        MUST(lseek(fd, 0, SEEK_HOLE) == 0);
        MUST(lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 4);
        FAILS(ENXIO, lseek(fd, (1 << 20) + 4, SEEK_DATA));
        MUST(ftruncate(fd, 100) == 0 && ftruncate(fd, 5000) == 0);
        MUST(pread(fd, bytes, 4, 4996) == 4 && bytes[0] == 0);
        close(fd);
    }
}

CASE(allocated_ranges)
{
    static char bytes[64 * KIB];

    while (more()) {
        int fd = fresh("ranges", 0);
        struct stat status;

        MUST(fallocate(fd, 0, 0, 100 * KIB) == 0 && fstat(fd, &status) == 0 && status.st_size == 100 * KIB);
        MUST(status.st_blocks >= 200);
        MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 100 * KIB, 100 * KIB) == 0);
        MUST(fstat(fd, &status) == 0 && status.st_size == 100 * KIB);
        fill(bytes, sizeof bytes, 31);
        MUST(pwrite(fd, bytes, sizeof bytes, 0) == sizeof bytes);
        MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4 * KIB, 4 * KIB) == 0);
        MUST(fallocate(fd, FALLOC_FL_ZERO_RANGE, 16 * KIB, 100) == 0);
        memset(bytes, 1, sizeof bytes);
        MUST(pread(fd, bytes, sizeof bytes, 0) == sizeof bytes);
        MUST(is_filled(bytes, 4 * KIB, 31) && bytes[4 * KIB] == 0 && bytes[8 * KIB - 1] == 0);
        MUST(is_filled(bytes + 8 * KIB, 8 * KIB, 31 + 8 * KIB) && bytes[16 * KIB] == 0 && bytes[16 * KIB + 99] == 0);
        FAILS(EINVAL, fallocate(fd, 0, -1, 10));
        FAILS(EINVAL, fallocate(fd, 0, 0, 0));
        close(fd);
    }
}

/* Ranges that are taken out of a file and put in, where home's file system can do that; what is mapped moves with them. */
CASE(moved_ranges)
{
    enum { PIECE = 4 * KIB };

    while (more()) {
        int fd = fresh("moved", 0);
        static char bytes[16 * PIECE];
        struct stat status;
        char *map;

        for (int i = 0; i < 16; i++)
            memset(bytes + i * PIECE, 'a' + i, PIECE);
        MUST(write(fd, bytes, sizeof bytes) == sizeof bytes);
        map = mmap(NULL, sizeof bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        MUST(map != MAP_FAILED);
        map[5 * PIECE] = 'X';
        if (fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PIECE, 2 * PIECE) < 0) {
            fact("ranges cannot be taken out: %d", errno);
            MUST(munmap(map, sizeof bytes) == 0 && close(fd) == 0);
            return;
        }
        MUST(fstat(fd, &status) == 0 && status.st_size == 14 * PIECE);
        MUST(map[0] == 'a' && map[PIECE] == 'd' && map[3 * PIECE] == 'X' && map[13 * PIECE] == 'p');
        MUST(pread(fd, bytes, sizeof bytes, 0) == 14 * PIECE && bytes[3 * PIECE] == 'X' && bytes[3 * PIECE + 1] == 'f');
        map[4 * PIECE] = 'Y';
        MUST(fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * PIECE, PIECE) == 0);
        MUST(fstat(fd, &status) == 0 && status.st_size == 15 * PIECE);
        MUST(map[PIECE] == 'd' && map[2 * PIECE] == 0 && map[3 * PIECE] == 'e' && map[5 * PIECE] == 'Y');
        MUST(map[14 * PIECE] == 'p');
        MUST(pread(fd, bytes, PIECE, 2 * PIECE) == PIECE && bytes[0] == 0 && bytes[PIECE - 1] == 0);
        FAILS(EINVAL, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 1, PIECE));
        FAILS(EINVAL, fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PIECE, 20 * PIECE));
        FAILS(EINVAL, fallocate(fd, FALLOC_FL_INSERT_RANGE, 20 * PIECE, PIECE));
        MUST(pread(fd, bytes, 1, 14 * PIECE) == 1 && bytes[0] == 'p');
        MUST(munmap(map, 16 * PIECE) == 0 && close(fd) == 0);
    }
}

CASE(copied_ranges)
{
    static char bytes[200 * KIB];

    while (more()) {
        int from = fresh("from", 0), to = fresh("to", 0), ends[2];
        off_t in = 1000, out = 77;
        ssize_t moved;

        fill(bytes, sizeof bytes, 37);
        MUST(write_all(from, bytes, sizeof bytes));
        for (size_t left = 100 * KIB; left; left -= (size_t)moved)
            MUST((moved = copy_file_range(from, &in, to, &out, left, 0)) > 0);
        MUST(in == 1000 + 100 * KIB && out == 77 + 100 * KIB);
        memset(bytes, 0, sizeof bytes);
        MUST(pread(to, bytes, 100 * KIB, 77) == 100 * KIB);
        for (size_t i = 0; i < 100 * KIB - 1000; i += 1000) {
            char byte;

            MUST(pread(from, &byte, 1, (off_t)i + 1000) == 1 && byte == bytes[i]);
        }
        in = 0;
        MUST(lseek(to, 0, SEEK_SET) == 0);
        for (size_t left = 150 * KIB; left; left -= (size_t)moved)
            MUST((moved = sendfile(to, from, &in, left)) > 0);
        MUST(pread(to, bytes, 150 * KIB, 0) == 150 * KIB && is_filled(bytes, 150 * KIB, 37));
        MUST(pipe(ends) == 0);
        in = 5 * KIB;
        for (size_t left = 8 * KIB; left; left -= (size_t)moved)
            MUST((moved = splice(from, &in, ends[1], NULL, left, 0)) > 0);
        MUST(read_all(ends[0], bytes, 8 * KIB) && is_filled(bytes, 8 * KIB, 37 + 5 * KIB));
        close(ends[0]), close(ends[1]), close(from), close(to);
    }
}

CASE(giant_sparse_file)
{
    char bytes[4 * KIB];

    for (uint64_t round = 0; more(); round++) {
        int fd = fresh("giant", 0);
        off_t at = (5ll << 30) + (off_t)(round % 100) * 4097;
        struct stat status;

        fill(bytes, sizeof bytes, round);
        MUST(pwrite(fd, bytes, sizeof bytes, at) == sizeof bytes);
        MUST(fstat(fd, &status) == 0 && status.st_size == at + 4 * KIB && status.st_blocks < 1000);
        memset(bytes, 0, sizeof bytes);
        MUST(pread(fd, bytes, sizeof bytes, at) == sizeof bytes && is_filled(bytes, sizeof bytes, round));
        MUST(lseek(fd, -1, SEEK_END) == at + 4 * KIB - 1 && read(fd, bytes, 2) == 1);
        MUST(ftruncate(fd, 6ll << 30) == 0 && fstat(fd, &status) == 0 && status.st_size == 6ll << 30);
        close(fd);
        MUST(truncate("giant", 4097) == 0);
    }
    MUST(unlink("giant") == 0);
}

CASE(vectors)
{
    while (more()) {
        int fd = fresh("vectors", 0);
        char a[10] = "", b[10] = "";
        struct iovec out[3] = { { (char *)"one", 3 }, { (char *)"", 0 }, { (char *)"three", 5 } };
        struct iovec in[2] = { { a, 4 }, { b, 10 } };

        MUST(writev(fd, out, 3) == 8);
        MUST(preadv(fd, in, 2, 0) == 8 && memcmp(a, "onet", 4) == 0 && memcmp(b, "hree", 4) == 0);
        MUST(pwritev2(fd, out, 3, -1, RWF_APPEND) == 8);
        MUST(lseek(fd, 0, SEEK_CUR) == 16);
        MUST(pwritev2(fd, out, 1, 0, RWF_DSYNC) == 3);
        FAILS(EINVAL, preadv(fd, in, 2, -5));
        close(fd);
    }
}

CASE(synchronous_writes)
{
    static const int flags[] = { O_SYNC, O_DSYNC, 0 };
    char bytes[2 * KIB];

    while (more())
        for (int i = 0; i < 3; i++) {
            int fd = fresh("sync", flags[i]), folder = open(".", O_RDONLY);

            fill(bytes, sizeof bytes, 41);
            MUST(write_all(fd, bytes, sizeof bytes));
            MUST(fsync(fd) == 0 && fdatasync(fd) == 0 && sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
            MUST(fsync(folder) == 0 && syncfs(fd) == 0);
            MUST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
            memset(bytes, 0, sizeof bytes);
            MUST(pread(fd, bytes, sizeof bytes, 0) == sizeof bytes && is_filled(bytes, sizeof bytes, 41));
            close(fd), close(folder);
        }
}

CASE(direct)
{
    char *bytes = aligned_alloc(4096, 16 * KIB);

    while (more()) {
        int fd = open("direct", O_CREAT | O_TRUNC | O_RDWR | O_DIRECT, 0644), plain;

        MUST(fd >= 0);
        fill(bytes, 16 * KIB, 43);
        MUST(pwrite(fd, bytes, 16 * KIB, 4096) == 16 * KIB);
        plain = open("direct", O_RDWR);
        memset(bytes, 0, 16 * KIB);
        MUST(pread(plain, bytes, 16 * KIB, 4096) == 16 * KIB && is_filled(bytes, 16 * KIB, 43));
        MUST(pwrite(plain, "plain", 5, 4096) == 5);
        MUST(pread(fd, bytes, 4096, 4096) == 4096 && memcmp(bytes, "plain", 5) == 0);
        fact("a few bytes: %zd", pwrite(fd, bytes, 3, 0));
        fact("from anywhere: %zd", pread(fd, bytes, 4096, 1));
        fact("from behind the end: %zd", pread(fd, bytes, 3, 100000));
        close(fd), close(plain);
    }
    free(bytes);
}

CASE(shared_offset)
{
    write_file("offset", "0123456789abcdef");
    while (more()) {
        int fd = open("offset", O_RDONLY), twin = dup(fd), other = open("offset", O_RDONLY);
        char text[4];
        pid_t child = fork();

        if (child == 0) {
            MUST(read(fd, text, 4) == 4);
            _exit(0);
        }
        joined(child);
        MUST(lseek(twin, 0, SEEK_CUR) == 4 && read(twin, text, 4) == 4 && memcmp(text, "4567", 4) == 0);
        MUST(read(fd, text, 4) == 4 && memcmp(text, "89ab", 4) == 0);
        MUST(read(other, text, 4) == 4 && memcmp(text, "0123", 4) == 0);
        close(fd), close(twin), close(other);
    }
}

static void read_blocks(void *data)
{
    uint64_t block[64], last[8][64] = { { 0 } };
    int fd = open("blocks", O_RDONLY);

    (void)data;
    for (int i = 0; i < 300; i++) {
        MUST(pread(fd, block, sizeof block, (off_t)(i % 8) * (off_t)sizeof block) == sizeof block);
        for (int j = 0; j < 64; j++) {
            MUST(block[j] >= last[i % 8][j]);      /* what was read once is not older later */
            last[i % 8][j] = block[j];
        }
    }
}

CASE(reader_and_writer)
{
    uint64_t block[64];
    int fd = fresh("blocks", 0);

    memset(block, 0, sizeof block);
    for (int i = 0; i < 8; i++)
        MUST(write(fd, block, sizeof block) == sizeof block);
    for (uint64_t round = 1; more(); round++) {
        pid_t child = start(read_blocks, NULL);

        for (int i = 0; i < 100; i++) {
            for (int j = 0; j < 64; j++)
                block[j] = round * 1000 + (uint64_t)i;
            MUST(pwrite(fd, block, sizeof block, (off_t)(i % 8) * (off_t)sizeof block) == sizeof block);
        }
        joined(child);
    }
    close(fd);
}

CASE(lines_written_and_read)
{
    char line[64], wanted[64];

    while (more()) {
        FILE *file = fopen("lines", "w+");

        MUST(file != NULL);
        for (int i = 0; i < 500; i++)
            MUST(fprintf(file, "this is line number %d\n", i) > 0);
        rewind(file);
        for (int i = 0; i < 500; i++) {
            snprintf(wanted, sizeof wanted, "this is line number %d\n", i);
            MUST(fgets(line, sizeof line, file) && strcmp(line, wanted) == 0);
        }
        MUST(fgets(line, sizeof line, file) == NULL && fclose(file) == 0);
    }
}
