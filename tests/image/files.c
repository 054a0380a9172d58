/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - an init that serves a few files to itself through /dev/fuse: who may, what can be polled, ranges that move
 *
 * The root has a folder, a file in it, a pipe and a socket. The server refuses every ACCESS. Attributes and names are good
 * for an hour: what is refused is refused because the server was asked. Results are TAP on the console.
 */
#include "served.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE 4096
#define SIZE (8 * PIECE)

enum { ROOT = 1, FOLDER, INSIDE, FIFO, SOCKET };

static const char *const names[] = {NULL, NULL, "folder", "inside", "fifo", "socket"};

typedef struct {
    volatile int asked[64]; /* by opcode */
    volatile mode_t folder; /* permissions of FOLDER */
    volatile size_t size;   /* of INSIDE */
    char data[2 * SIZE];
} Shared;
static Shared *shared;

/* The server */

static struct fuse_attr attributes(uint64_t node) {
    const mode_t modes[] = {0,          S_IFDIR | 0755, S_IFDIR | shared->folder, S_IFREG | 0666,
                            S_IFIFO | 0666, S_IFSOCK | 0666};

    return (struct fuse_attr){
        .ino = node + 100, .mode = modes[node], .nlink = 1, .size = node == INSIDE ? shared->size : 0, .blksize = 4096};
}

static void answer_lookup(int fuse, const struct fuse_in_header *head, const char *name) {
    struct fuse_entry_out entry = {.entry_valid = 3600, .attr_valid = 3600};

    for (uint64_t node = FOLDER; node <= SOCKET; node++)
        if (!strcmp(name, names[node])) {
            entry.nodeid = node;
            entry.attr = attributes(node);
        }
    reply(fuse, head->unique, entry.nodeid ? 0 : ENOENT, &entry, sizeof entry);
}

/* Ranges are taken out and put in. */
static void move_range(const struct fuse_fallocate_in *in) {
    char *at = shared->data + in->offset;
    size_t rest = shared->size - in->offset;

    if (in->mode == FALLOC_FL_COLLAPSE_RANGE) {
        memmove(at, at + in->length, rest - in->length);
        shared->size -= in->length;
    } else {
        memmove(at + in->length, at, rest);
        memset(at, 0, in->length);
        shared->size += in->length;
    }
}

static void answer(int fuse, const struct fuse_in_header *head, const void *data) {
    const struct fuse_init_in *init = data;
    const struct fuse_read_in *in = data;
    const struct fuse_write_in *write_in = data;
    struct fuse_init_out init_out = {.major = FUSE_KERNEL_VERSION, .minor = 36, .max_write = PIECE};
    struct fuse_attr_out attr = {.attr_valid = 3600, .attr = attributes(head->nodeid)};
    struct fuse_open_out opened = {.open_flags = FOPEN_KEEP_CACHE};
    struct fuse_write_out written = {0};

    switch (head->opcode) {
    case FUSE_INIT:
        init_out.max_readahead = init->max_readahead;
        reply(fuse, head->unique, 0, &init_out, sizeof init_out);
        break;
    case FUSE_LOOKUP:
        answer_lookup(fuse, head, data);
        break;
    case FUSE_SETATTR:
        shared->folder = ((const struct fuse_setattr_in *)data)->mode & 07777;
        attr.attr = attributes(head->nodeid);
        /* fall through */
    case FUSE_GETATTR:
        reply(fuse, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(fuse, head->unique, 0, &opened, sizeof opened);
        break;
    case FUSE_READ:
        reply(fuse, head->unique, 0, shared->data + in->offset,
              in->offset >= shared->size ? 0 : in->size < shared->size - in->offset ? in->size : shared->size - in->offset);
        break;
    case FUSE_WRITE:
        memcpy(shared->data + write_in->offset, write_in + 1, write_in->size);
        written.size = write_in->size;
        reply(fuse, head->unique, 0, &written, sizeof written);
        break;
    case FUSE_FALLOCATE:
        move_range(data);
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    case FUSE_ACCESS:
        reply(fuse, head->unique, EACCES, NULL, 0);
        break;
    case FUSE_FSYNC:
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    default:
        reply_plainly(fuse, head);
    }
}

static void serve(int fuse) {
    static char buffer[FUSE_MIN_READ_BUFFER + 2 * PIECE];

    for (;;) {
        const struct fuse_in_header *head = served_next(fuse, buffer, sizeof buffer, NULL);

        if (!head)
            continue;
        if (head->opcode < 64)
            shared->asked[head->opcode]++;
        answer(fuse, head, buffer + sizeof *head);
    }
}

/* The tests */

static bool refused(const char *path, int flags) {
    int before = shared->asked[FUSE_ACCESS], fd = open(path, flags | O_NONBLOCK);

    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == EACCES && shared->asked[FUSE_ACCESS] == before + 1;
}

static bool can_open(const char *path) {
    int before = shared->asked[FUSE_ACCESS], fd = open(path, O_RDONLY);

    return fd >= 0 && !close(fd) && shared->asked[FUSE_ACCESS] == before;
}

static bool connection_refused(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/mnt/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), before = shared->asked[FUSE_ACCESS];
    bool result = connect(fd, (struct sockaddr *)&name, sizeof name) < 0 && errno == EACCES;

    close(fd);
    return result && shared->asked[FUSE_ACCESS] == before + 1;
}

static void test_access(void) {
    ok(can_open("/mnt/folder/inside"), "through an open folder nobody is asked");
    ok(!chmod("/mnt/folder", 0600) && refused("/mnt/folder/inside", O_RDONLY),
       "through a closed one home is, though the name is known");
    ok(!chmod("/mnt/folder", 0755) && can_open("/mnt/folder/inside"), "it is open again");
    ok(refused("/mnt/fifo", O_RDONLY) && refused("/mnt/fifo", O_WRONLY), "a pipe is not opened without asking");
    ok(connection_refused(), "nor a socket connected to");
}

static void test_poll(int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    char value[64];
    int before = shared->asked[FUSE_IOCTL];

    ok(epoll_ctl(epoll_create1(0), EPOLL_CTL_ADD, fd, &event) < 0 && errno == EPERM, "epoll does not take files");
    ok(!isatty(fd) && errno == ENOTTY && shared->asked[FUSE_IOCTL] == before, "whether a file is a terminal is not asked");
    ok(ioctl(fd, _IOR('x', 1, int), value) < 0 && errno == ENOTTY && shared->asked[FUSE_IOCTL] == before + 1,
       "other commands are");
}

static void test_ranges(int fd) {
    char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), byte = 0;
    struct stat status;
    bool good = map != MAP_FAILED && map[3 * PIECE] == 'd';

    if (!good) {
        ok(false, "a file is mapped");
        return;
    }
    map[4 * PIECE] = 'X';
    good = !fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, PIECE, 2 * PIECE) && !fstat(fd, &status);
    ok(good && status.st_size == 6 * PIECE, "a range is taken out");
    ok(map[0] == 'a' && map[PIECE] == 'd' && map[2 * PIECE] == 'X', "mapped pages have moved");
    ok(pread(fd, &byte, 1, 2 * PIECE) == 1 && byte == 'X', "and what is read");
    map[3 * PIECE] = 'Y';
    good = !fallocate(fd, FALLOC_FL_INSERT_RANGE, PIECE, PIECE) && !fstat(fd, &status);
    ok(good && status.st_size == 7 * PIECE, "a range is put in");
    ok(map[PIECE] == 0 && map[2 * PIECE] == 'd' && map[4 * PIECE] == 'Y' && map[6 * PIECE] == 'h', "and all has moved");
}

/* As an ordinary user: root may walk anywhere. */
static int test_all(void) {
    int fd = open("/mnt/folder/inside", O_RDWR | O_CLOEXEC);

    ok(fd >= 0, "a file");
    test_access();
    test_poll(fd);
    test_ranges(fd);
    tap_plan();
    return 0;
}

int main(void) {
    pid_t pid;

    tap_begin();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared->folder = 0755;
    shared->size = SIZE;
    for (int i = 0; i < SIZE; i++)
        shared->data[i] = (char)('a' + i / PIECE);
    ok(served_mount("", serve), "mount");
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(setuid(1000) || test_all());
    waitpid(pid, NULL, 0);
    reboot(RB_AUTOBOOT);
    return 1;
}
