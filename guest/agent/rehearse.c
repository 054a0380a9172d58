/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rehearse.c - a program's start, done once for nothing while nobody waits for it
 *
 * Where there is no KVM, code that runs for the first time is translated first, which takes many times as long as
 * to run it: half of the time of a program's start. A guest that was started ahead has nothing to do; so it mounts a FUSE
 * file system that holds this very program, serves it to itself, starts it from there as it will start the job's, by the same
 * functions, and forgets it all. The namespaces are the rehearsal's own: the job will find neither mounts nor process numbers
 * of it.
 */
#include "rehearse.h"

#include "console.h"
#include "departure.h"
#include "ends.h"
#include "mounts.h"
#include "network.h"
#include "program.h"
#include "random.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fuse.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/init"
#define LONGEST_MS 500
#define READ_MAX (128 << 10)
#define REQUEST_MAX (READ_MAX + 4096)
#define NOBODY 65534

enum { ROOT = FUSE_ROOT_ID, PROGRAM, LINK, FIRST_FOLDER, NODES = FIRST_FOLDER + 3 };     /* node numbers */

static const char *const folders[] = { "proc", "sys", "dev" };

static struct fuse_attr attributes(uint64_t node, off_t size)
{
    static const uint32_t modes[] = { [ROOT] = S_IFDIR | 0755, [PROGRAM] = S_IFREG | 0755, [LINK] = S_IFLNK | 0777 };

    return (struct fuse_attr) {
        .ino = node, .size = (uint64_t)size, .mode = node < FIRST_FOLDER ? modes[node] : modes[ROOT], .nlink = 1, .blksize = 4096,
    };
}

static void answer(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
    struct fuse_out_header head = { .error = -error, .unique = unique };
    struct iovec parts[] = { { &head, sizeof head }, { (void *)data, error ? 0 : size } };

    head.len = (uint32_t)(parts[0].iov_len + parts[1].iov_len);
    if (writev(fuse, parts, 2) < 0)
        _exit(1);
}

static void answer_init(int fuse, const struct fuse_in_header *in)
{
    const struct fuse_init_in *wanted = (const void *)(in + 1);
    struct fuse_init_out out = {
        .major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = wanted->max_readahead, .max_write = READ_MAX,
        .flags = wanted->flags & (FUSE_ASYNC_READ | FUSE_PARALLEL_DIROPS | FUSE_BIG_WRITES | FUSE_EXPLICIT_INVAL_DATA),
        .max_background = 64, .congestion_threshold = 48, .time_gran = 1,
    };

    answer(fuse, in->unique, 0, &out, sizeof out);
}

/* Number of the node in the root, 0: there is none of that name. */
static uint64_t find(const char *name)
{
    for (uint64_t i = 0; i < NODES - FIRST_FOLDER; i++)
        if (strcmp(name, folders[i]) == 0)
            return FIRST_FOLDER + i;
    return strcmp(name, "program") == 0 ? PROGRAM : strcmp(name, "link") == 0 ? LINK : 0;
}

static void answer_lookup(int fuse, const struct fuse_in_header *in, off_t size)
{
    const char *name = (const char *)(in + 1);
    struct fuse_entry_out out = { .entry_valid = 60, .attr_valid = 60 };

    out.nodeid = find(name);
    if (out.nodeid)
        out.attr = attributes(out.nodeid, size);
    answer(fuse, in->unique, out.nodeid ? 0 : ENOENT, &out, sizeof out);
}

/* bytes: room for READ_MAX. */
static void answer_read(int fuse, const struct fuse_in_header *in, int file, void *bytes)
{
    const struct fuse_read_in *wanted = (const void *)(in + 1);
    ssize_t size = pread(file, bytes, wanted->size < READ_MAX ? wanted->size : READ_MAX, (off_t)wanted->offset);

    answer(fuse, in->unique, size < 0 ? EIO : 0, bytes, size < 0 ? 0 : (size_t)size);
}

/* The home's part: a root with this program, a symbolic link to it, and places for the guest's own mounts. Its buffers are its own: the agent's are locked, used or
 * not. */
static void serve(int fuse, int file, off_t size) __attribute__((noreturn));
static void serve(int fuse, int file, off_t size)
{
    uint8_t *request = malloc(REQUEST_MAX + READ_MAX);
    const struct fuse_in_header *in = (const void *)request;

    while (request && read(fuse, request, REQUEST_MAX) > 0) {
        struct fuse_attr_out attr = { .attr_valid = 60 };
        struct fuse_open_out open = { .fh = 1, .open_flags = FOPEN_KEEP_CACHE };

        switch (in->opcode) {
        case FUSE_INIT:
            answer_init(fuse, in);
            break;
        case FUSE_LOOKUP:
            answer_lookup(fuse, in, size);
            break;
        case FUSE_GETATTR:
            attr.attr = attributes(in->nodeid < NODES ? in->nodeid : ROOT, size);
            answer(fuse, in->unique, 0, &attr, sizeof attr);
            break;
        case FUSE_OPEN:
            answer(fuse, in->unique, 0, &open, sizeof open);
            break;
        case FUSE_READ:
            answer_read(fuse, in, file, request + REQUEST_MAX);
            break;
        case FUSE_READLINK:
            answer(fuse, in->unique, 0, "program", strlen("program"));
            break;
        case FUSE_RELEASE:
            answer(fuse, in->unique, 0, NULL, 0);
            break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
            break;
        default:
            answer(fuse, in->unique, ENOSYS, NULL, 0);
        }
    }
    _exit(0);
}

/* What a home would say. */
static void describe(WireStart *start)
{
    static char name[] = "program", word[] = REHEARSAL, path[] = "PATH=/";
    static char *arguments[] = { name, word, NULL }, *environment[] = { path, NULL };

    *start = (WireStart) {
        .argv = { .items = arguments, .count = 2 }, .env = { .items = environment, .count = 1 }, .cwd = "/", .program = "/link",
        .uid = NOBODY, .gid = NOBODY, .umask = 022, .sid = 20001, .ppid = 20002, .pid = 20003, .pgid = 20003,
        .stdio = { WIRE_PIPE, WIRE_PIPE, WIRE_PIPE },
    };
    for (unsigned i = 0; i < WIRE_RLIMITS && i < RLIM_NLIMITS; i++) {
        struct rlimit limit;

        if (getrlimit((__rlimit_resource_t)i, &limit) == 0) {
            start->rlimits[i].current = limit.rlim_cur;
            start->rlimits[i].maximum = limit.rlim_max;
        }
    }
}

/* As the warden does it, but that the home is its child. */
static bool perform(int fuse, int file, off_t size)
{
    int reports[2], proc = open(JOB_PROC, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    WireStart start;
    Program program = { .start = &start, .terminal = -1, .proc = proc };
    Ends ends = { 0 };
    Report report = { .kind = REPORT_BORN };

    describe(&start);
    if (pipe2(reports, O_CLOEXEC) < 0 || ends_streams(&program, &ends) < 0 || mounts_home(fuse, 0, false) < 0)
        return false;
    if (fork() == 0)
        serve(fuse, file, size);
    close(fuse);
    program.report = reports[1];
    if (mounts_enter() < 0)
        return false;
    access("/nothing", R_OK);
    if (program_start(&program) < 0)
        return false;
    while (report.kind != REPORT_EXITED && report.kind != REPORT_FAILED)
        if (read(reports[0], &report, sizeof report) != sizeof report)
            return false;
    return report.kind == REPORT_EXITED && report.value == 0;
}

static void rehearse_inside(void) __attribute__((noreturn));
static void rehearse_inside(void)
{
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), file = open(SELF, O_RDONLY | O_CLOEXEC);
    struct stat it;

    if (fuse < 0 || file < 0 || fstat(file, &it) < 0 || !perform(fuse, file, it.st_size))
        say("the rehearsal did not succeed");
    _exit(0); /* and with this process its namespaces, and whoever is in them */
}

static void rehearse_files(void)
{
    int child = -1;
    struct clone_args arguments = {
        .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&child,
    };
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    struct pollfd ended;

    if (pid == 0)
        rehearse_inside();
    if (pid < 0)
        return;
    ended = (struct pollfd) { .fd = child, .events = POLLIN };
    if (poll(&ended, 1, LONGEST_MS) <= 0)
        kill((pid_t)pid, SIGKILL);
    waitpid((pid_t)pid, NULL, 0);
    close(child);
}

/* With its own randomness: that does it no harm. */
static void rehearse_seed(void)
{
    uint8_t bytes[32];

    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) == sizeof bytes)
        random_seed(bytes, sizeof bytes);
}

void rehearse(void)
{
    rehearse_files();
    network_rehearse();
    rehearse_seed();
    departure_report(); /* what the boot has used need not be in each guest that begins from here */
}

/* Something of what every program does when it begins. */
int rehearse_program(const char *self)
{
    int pair[2], file = open(self, O_RDONLY | O_CLOEXEC);
    struct stat it;
    const volatile uint8_t *mapped;
    unsigned sum = 0;

    if (file < 0 || fstat(file, &it) < 0 || pipe(pair) < 0)
        return 1;
    mapped = mmap(NULL, (size_t)it.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED)
        return 1;
    for (off_t at = 0; at < it.st_size; at += 32 << 10)
        sum += mapped[at];
    ((uint8_t *)mapped)[0] = (uint8_t)sum;
    mprotect((void *)mapped, 4096, PROT_READ);
    munmap((void *)mapped, (size_t)it.st_size);
    return write(pair[1], "x", 1) != 1;
}
