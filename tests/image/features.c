/* SPDX-License-Identifier: GPL-2.0-or-later */
/* features.c - an init that tries, as TAP, what programs and the agent expect of the guest's kernel */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PID_HIGH 4000000

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

static int readable(const char *path) {
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text);

    if (fd >= 0)
        close(fd);
    return size > 0;
}

/* Runs a function in a child and says whether it returned non-zero. */
static int in_child(int (*function)(void)) {
    int status = -1;
    pid_t pid = fork();

    if (!pid)
        _exit(!function());
    waitpid(pid, &status, 0);
    return status == 0;
}

static void file_systems(void) {
    static const char *const mounts[][2] = {
        {"sysfs", "/sys"}, {"tmpfs", "/tmp"}, {"devpts", "/dev/pts"},
        {"mqueue", "/dev/mqueue"}, {"binfmt_misc", "/proc/sys/fs/binfmt_misc"},
    };
    char text[80];

    for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
        mkdir(mounts[i][1], 0755);
        snprintf(text, sizeof text, "mount %s", mounts[i][0]);
        ok(!mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL), text);
    }
    ok(!access("/dev/fuse", R_OK | W_OK) && !access("/dev/ptmx", R_OK | W_OK), "/dev/fuse and /dev/ptmx");
    ok(!access("/dev/net/tun", R_OK | W_OK), "/dev/net/tun");
}

static void proc_files(void) {
    static const char *const files[] = {
        "/proc/self/smaps", "/proc/self/io", "/proc/self/limits", "/proc/self/mountinfo", "/proc/self/auxv",
        "/proc/self/oom_score_adj", "/proc/self/pagemap", "/proc/self/timens_offsets", "/proc/self/uid_map", "/proc/cpuinfo", "/proc/meminfo",
        "/proc/vmstat", "/proc/stat", "/proc/loadavg", "/proc/net/tcp", "/proc/net/if_inet6", "/proc/net/unix",
        "/proc/sys/kernel/random/uuid", "/proc/sysvipc/shm", "/proc/sys/vm/overcommit_memory",
    };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        ok(readable(files[i]), files[i]);
    ok(!access("/proc/self/task/1/children", R_OK), "/proc/self/task/1/children");
}

static void descriptors(void) {
    struct io_uring_params params = {0};
    struct uffdio_api api = {.api = UFFD_API};
    sigset_t set;
    aio_context_t aio = 0;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ok(eventfd(0, EFD_CLOEXEC) >= 0, "eventfd");
    ok(signalfd(-1, &set, SFD_CLOEXEC) >= 0, "signalfd");
    ok(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC) >= 0, "timerfd");
    ok(epoll_create1(EPOLL_CLOEXEC) >= 0, "epoll");
    ok(inotify_init1(IN_CLOEXEC) >= 0, "inotify");
    ok(fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY) >= 0, "fanotify");
    ok((fd = open("/tmp", O_RDONLY | O_CLOEXEC)) >= 0 && !fcntl(fd, F_NOTIFY, DN_CREATE), "dnotify");
    ok(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING) >= 0, "memfd");
    fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    ok(fd >= 0 && syscall(SYS_ioctl, fd, UFFDIO_API, &api) == 0, "userfaultfd");
    ok(syscall(SYS_io_uring_setup, 4, &params) >= 0, "io_uring");
    ok(!syscall(SYS_io_setup, 4, &aio), "aio");
    ok(syscall(SYS_pidfd_open, getpid(), 0) >= 0, "pidfd");
}

static void sharing(void) {
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    uint32_t word = 0;

    ok(semget(IPC_PRIVATE, 1, 0600) >= 0, "System V IPC");
    ok(mq_open("/x", O_CREAT | O_RDWR, 0600, &attr) != (mqd_t)-1, "POSIX message queues");
    ok(!syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), "priority inheriting futexes");
    ok(!syscall(SYS_set_robust_list, NULL, sizeof(void *) * 3), "robust futexes");
    ok(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0, "membarrier");
    ok(syscall(SYS_kcmp, getpid(), getpid(), 2, 0, 0) == 0, "kcmp");
    ok(syscall(SYS_rseq, NULL, 0, 0, 0) < 0 && errno != ENOSYS, "rseq");
    ok(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0) == 0, "process_vm_readv");
}

static int seccomp_strict(void) {
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && (prctl(PR_SET_SECCOMP, 2, NULL) < 0 && errno == EFAULT);
}

static int new_namespaces(void) {
    return !unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | 0x80);
}

/* The agent gives the program its number at home. */
static int high_number(void) {
    pid_t wanted = PID_HIGH;
    struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&wanted, .set_tid_size = 1};
    int status = -1;
    long pid;

    if (!write_file("/proc/sys/kernel/pid_max", "4194304"))
        return 0;
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (!pid)
        _exit(getpid() != PID_HIGH);
    waitpid((pid_t)pid, &status, 0);
    return pid == PID_HIGH && status == 0;
}

static int connects(int family) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } address = {.any = {.sa_family = (sa_family_t)family}};
    socklen_t size = sizeof address;
    int server = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (family == AF_INET6)
        address.v6.sin6_addr = in6addr_loopback;
    return !bind(server, &address.any, family == AF_UNIX ? sizeof(sa_family_t) : size) && !listen(server, 1) &&
           !getsockname(server, &address.any, &size) && !connect(client, &address.any, size);
}

static void loopback_up(void) {
    struct {
        char name[16];
        short flags;
        char rest[22];
    } request = {.name = "lo", .flags = 1 /* IFF_UP */};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ok(!syscall(SYS_ioctl, fd, 0x8914 /* SIOCSIFFLAGS */, &request), "loopback");
    close(fd);
}

static void devices(void) {
    ok(!access("/dev/hwrng", R_OK), "virtio-rng");
    ok(!access("/dev/vport1p1", R_OK | W_OK) || !access("/dev/vport0p1", R_OK | W_OK) || !access("/dev/vport2p1", R_OK | W_OK),
       "a virtio-serial port");
    ok(write_file("/sys/module/page_reporting/parameters/page_reporting_order", "0"), "free page reporting, of single pages");
}

int main(void) {
    tap_begin();
    file_systems();
    loopback_up();
    proc_files();
    descriptors();
    sharing();
    ok(in_child(seccomp_strict), "seccomp filters");
    ok(in_child(new_namespaces), "namespaces");
    ok(high_number(), "a process with a number beyond four million");
    ok(!setxattr("/tmp", "trusted.x", "y", 1, 0), "extended attributes on tmpfs");
    ok(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &(unsigned){0}, 0, 0) == 0, "prctl PR_SET_MM");
    ok(!madvise(mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4 << 20, MADV_HUGEPAGE),
       "large pages for who asks");
    ok(connects(AF_INET), "IPv4");
    ok(connects(AF_INET6), "IPv6");
    ok(connects(AF_UNIX), "UNIX sockets");
    ok(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0, "netlink");
    devices();
    tap_end();
}
