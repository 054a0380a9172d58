/* SPDX-License-Identifier: GPL-2.0-or-later */
/* differ.c - what a job may see that is not as at home: each prints what it finds, and docs/transparency.md says what and why
 *
 * These are no cases of the suite. "payload --differences" prints them all, and tests/payload/differences.sh compares what
 * they print natively and in a job with what the document says. A line that agrees in both has to leave the document.
 */
#include "payload.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *said(long result)
{
    static char text[64];

    snprintf(text, sizeof text, "%s", result < 0 ? strerrorname_np(errno) : "yes");
    return text;
}

static int fresh(const char *path)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_RDWR, 0644);

    MUST(fd >= 0);
    return fd;
}

/* When a file was made. */
static const char *birth_time(void)
{
    struct statx x;

    close(fresh("f"));
    MUST(statx(AT_FDCWD, "f", 0, STATX_BTIME, &x) == 0);
    return x.stx_mask & STATX_BTIME ? "yes" : "no";
}

/* Whether a change that home makes is told. The partner changes "page" all the time. */
static const char *inotify_of_home(void)
{
    int fd = inotify_init1(IN_NONBLOCK);
    char path[4096], events[4096];
    ssize_t got = -1;

    snprintf(path, sizeof path, "%s/page", partner_folder() ? partner_folder() : ".");
    MUST(fd >= 0);
    if (inotify_add_watch(fd, path, IN_MODIFY) < 0)
        return said(-1);
    for (int i = 0; i < 20 && got < 0; i++) {
        sleep_ms(50);
        got = read(fd, events, sizeof events);
    }
    close(fd);
    return got > 0 ? "yes" : "no";
}

/* Where on the disk a file lies (filefrag). */
static const char *extents(void)
{
    int fd = fresh("extents");
    struct fiemap map = { .fm_length = ~0ULL };
    const char *found = said(ioctl(fd, FS_IOC_FIEMAP, &map));

    close(fd);
    return found;
}

static const char *file_system_type(void)
{
    struct statfs fs;

    MUST(statfs(".", &fs) == 0);
    return fs.f_type == 0x65735546 ? "fuse" : "home's";
}

/* What is below /proc belongs to the guest: home's processes are not there. */
static const char *home_seen_in_proc(void)
{
    char path[64];
    const char *number = getenv("PAYLOAD_HOME_PROCESS");

    if (!number)
        return "nobody to look for";
    snprintf(path, sizeof path, "/proc/%s", number);
    return access(path, F_OK) == 0 ? "yes" : "no";
}

static const char *shared_memory_of_home(void)
{
    return access("/dev/shm/payload-of-home", F_OK) == 0 ? "yes" : "no";
}

static const char *privileged_programs(void)
{
    FILE *status = fopen("/proc/self/mountinfo", "r");
    char line[4096];
    bool no = false;

    MUST(status != NULL);
    while (fgets(line, sizeof line, status))
        no |= strstr(line, " / / ") != NULL && strstr(line, "nosuid") != NULL;
    fclose(status);
    return no ? "nosuid" : "yes";
}

static const char *kernel(void)
{
    struct utsname names;

    MUST(uname(&names) == 0);
    return getenv("PAYLOAD_KERNEL") && strcmp(getenv("PAYLOAD_KERNEL"), names.release) == 0 ? "home's" : "the guest's";
}

static const char *processors(void)
{
    const char *number = getenv("PAYLOAD_PROCESSORS");

    return number && sysconf(_SC_NPROCESSORS_ONLN) == atoi(number) ? "home's" : "the guest's";
}

static const char *memory(void)
{
    const char *number = getenv("PAYLOAD_PAGES");

    return number && labs(sysconf(_SC_PHYS_PAGES) - atol(number)) < 256 ? "home's" : "the guest's";
}

/* Whether there are sockets of bare packets, be they forbidden: a job has no network card. */
static const char *packet_sockets(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW, 0);

    if (fd < 0 && errno == EAFNOSUPPORT)
        return "EAFNOSUPPORT";
    if (fd >= 0)
        close(fd);
    return "known";
}

/* On which banks of memory a program wants to be. */
static const char *memory_policy(void)
{
    return said((int)syscall(SYS_get_mempolicy, NULL, NULL, 0UL, NULL, 0UL));
}

/* The session's keys, as keyctl and Kerberos know them. */
static const char *key_rings(void)
{
    return said((int)syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* the session's */, 1));
}

/* Programs that confine themselves to some folders. */
static const char *landlock(void)
{
    return said((int)syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1U /* which version? */));
}

/* Large pages that are set aside by the machine. */
static const char *huge_pages(void)
{
    return said(memfd_create("huge", MFD_HUGETLB));
}

/* Whether statx says a file's flags, too (lsattr asks by ioctl). */
static const char *flags_in_statx(void)
{
    int fd = fresh("flagged"), flags = FS_NODUMP_FL;
    struct statx stx;
    const char *found = "no";

    if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
        found = said(-1);
    else if (stx.stx_attributes & STATX_ATTR_NODUMP)
        found = "yes";
    close(fd);
    return found;
}

/* Whether a program runs that its user may execute, but not read. */
static const char *execute_only(void)
{
    char bytes[65536];
    int from = open("/bin/true", O_RDONLY), to = open("unread", O_CREAT | O_WRONLY, 0700), status = -1;
    ssize_t n;

    while ((n = read(from, bytes, sizeof bytes)) > 0)
        if (write(to, bytes, (size_t)n) != n)
            return "cannot be copied";
    close(from);
    close(to);
    chmod("unread", 0111);
    if (fork() == 0) {
        execl("unread", "true", NULL);
        _exit(errno);
    }
    wait(&status);
    errno = WEXITSTATUS(status);
    return said(errno ? -1 : 0);
}

static const char *block_devices(void)
{
    return access("/sys/block", F_OK) == 0 ? "seen" : "none";
}

static const char *control_groups(void)
{
    return access("/proc/self/cgroup", F_OK) == 0 ? "seen" : "none";
}

static const struct {
    const char *name;
    const char *(*find)(void);
} differences[] = {
    { "birth-time", birth_time },
    { "inotify-of-home", inotify_of_home },
    { "extents", extents },
    { "file-system-type", file_system_type },
    { "home-seen-in-proc", home_seen_in_proc },
    { "shared-memory-of-home", shared_memory_of_home },
    { "flags-in-statx", flags_in_statx },
    { "execute-only", execute_only },
    { "set-user-id-programs", privileged_programs },
    { "kernel", kernel },
    { "processors", processors },
    { "memory", memory },
    { "packet-sockets", packet_sockets },
    { "memory-policy", memory_policy },
    { "huge-pages", huge_pages },
    { "key-rings", key_rings },
    { "landlock", landlock },
    { "block-devices", block_devices },
    { "control-groups", control_groups },
};

int differences_run(void)
{
    for (size_t i = 0; i < sizeof differences / sizeof differences[0]; i++)
        printf("%s: %s\n", differences[i].name, differences[i].find());
    return 0;
}
