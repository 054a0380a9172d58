/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reading.c - an init that serves a large file to itself: who reads it in order is far ahead, a fault in it reads little
 *
 * Results are TAP on the console.
 */
#include "served.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE (32 << 20)
#define FAR_KB "4096"
#define USUAL (128 << 10) /* Linux's own */

enum { ROOT = 1, LARGE };

typedef struct {
    volatile unsigned long end; /* how far it was read */
    volatile unsigned long bytes;
} Shared;
static Shared *shared;

static struct fuse_attr attributes(uint64_t node) {
    return (struct fuse_attr){.ino = node + 100, .nlink = 1, .blksize = 4096, .size = node == ROOT ? 0 : SIZE,
                              .mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0644};
}

static void answer_read(int fuse, const struct fuse_in_header *head, const struct fuse_read_in *in) {
    static char zeros[1 << 20];

    shared->bytes += in->size;
    if (in->offset + in->size > shared->end)
        shared->end = in->offset + in->size;
    reply(fuse, head->unique, 0, zeros, in->size);
}

static void answer(int fuse, const struct fuse_in_header *head, const void *data) {
    struct fuse_entry_out entry = {.nodeid = LARGE, .entry_valid = 100, .attr_valid = 100, .attr = attributes(LARGE)};
    struct fuse_attr_out attr = {.attr_valid = 100, .attr = attributes(head->nodeid)};
    struct fuse_open_out opened = {0};
    const struct fuse_init_in *in = data;
    struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .max_write = 1 << 20, .max_pages = 256, .max_readahead = 1 << 20,
                                 .flags = FUSE_MAX_PAGES | FUSE_ASYNC_READ};

    switch (head->opcode) {
    case FUSE_INIT:
        init.minor = in->minor;
        reply(fuse, head->unique, 0, &init, sizeof init);
        break;
    case FUSE_LOOKUP:
        reply(fuse, head->unique, 0, &entry, sizeof entry);
        break;
    case FUSE_GETATTR:
        reply(fuse, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_OPEN:
        reply(fuse, head->unique, 0, &opened, sizeof opened);
        break;
    case FUSE_READ:
        answer_read(fuse, head, data);
        break;
    default:
        reply_plainly(fuse, head);
    }
}

static void serve(int fuse) {
    static char buffer[(1 << 20) + 8192];

    for (;;) {
        const struct fuse_in_header *head = served_next(fuse, buffer, sizeof buffer, NULL);

        if (head)
            answer(fuse, head, head + 1);
    }
}

/* Lets the files of /mnt be read far ahead, as the agent does. */
static bool read_far(void) {
    DIR *folder;
    bool done = false;
    char path[300];

    mkdir("/sys", 0755);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    folder = opendir("/sys/class/bdi");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int fd;

        snprintf(path, sizeof path, "/sys/class/bdi/%s/read_ahead_kb", entry->d_name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        done = (fd >= 0 && write(fd, FAR_KB, strlen(FAR_KB)) > 0) || done;
        if (fd >= 0)
            close(fd);
    }
    if (folder)
        closedir(folder);
    return done;
}

int main(void) {
    static char piece[64 << 10];
    volatile char *map;
    int fd;

    tap_begin();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ok(served_mount("", serve) && access("/mnt/large", F_OK) == 0 && read_far(), "a file that may be read far ahead");
    fd = open("/mnt/large", O_RDONLY | O_CLOEXEC);
    map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    ok(map != MAP_FAILED && map[SIZE / 2] == 0 && shared->bytes > 0 && shared->bytes <= USUAL, "a fault reads 128 KiB around it");
    munmap((void *)map, SIZE);
    close(fd);
    fd = open("/mnt/large", O_RDONLY | O_CLOEXEC);
    shared->end = 0;
    for (int i = 0; i < 64; i++)
        if (read(fd, piece, sizeof piece) != sizeof piece)
            break;
    usleep(100000);
    printf("# after 4 MiB it was read up to %lu\n", shared->end);
    ok(shared->end >= 8 << 20, "who reads in order is megabytes ahead");
    close(fd);
    ok_log();
    tap_end();
}
