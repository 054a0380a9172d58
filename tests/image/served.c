/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.c - a file system that a process of the guest serves through /dev/fuse */
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

bool served_mount(const char *options, void (*serve)(int fuse)) {
    char all[256];
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);

    mkdir("/mnt", 0755);
    snprintf(all, sizeof all, "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other%s", fuse, options);
    if (mount("served", "/mnt", "fuse", 0, all))
        return false;
    fflush(stdout);
    if (!fork())
        serve(fuse);
    close(fuse);
    return true;
}

const struct fuse_in_header *served_next(int fuse, void *buffer, size_t room, size_t *ret_size) {
    ssize_t size = read(fuse, buffer, room);

    if (size < 0 && errno == EAGAIN)
        usleep(200);
    if (size < 0 && errno == ENODEV)
        _exit(0);
    if (size < (ssize_t)sizeof(struct fuse_in_header))
        return NULL;
    if (ret_size)
        *ret_size = (size_t)size;
    return buffer;
}

void reply(int fuse, uint64_t unique, int error, const void *data, size_t size) {
    struct fuse_out_header head = {.len = sizeof head + (error ? 0 : size), .error = -error, .unique = unique};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)data, error ? 0 : size}};

    if (writev(fuse, parts, 2) < 0 && errno != ENOENT)
        printf("# reply: %m\n");
}

void reply_plainly(int fuse, const struct fuse_in_header *head) {
    switch (head->opcode) {
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FLUSH:
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    default:
        reply(fuse, head->unique, ENOSYS, NULL, 0);
    }
}
