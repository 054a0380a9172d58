/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.c - the agent's own file systems, and those that the program sees
 *
 * The agent stays in the initramfs. The warden has a mount namespace of its own, in which the home's tree takes the
 * place of the initramfs. /proc, /sys and /dev are the guest's; they are made before the home's files are there, and
 * moved where the home has a directory for them.
 */
#include "mounts.h"

#include "console.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define READ_AHEAD_KB "4096"
#define READ_AT_ONCE "262144"   /* bytes: half of what the port's buffers hold, so that one comes while another is copied */
#define PLAIN (MS_NOSUID | MS_NOEXEC)

typedef struct {
    const char *type, *where;
    unsigned long flags;
    const char *options;
} Mount;

static const Mount boot[] = {
    { "devtmpfs", "/dev", PLAIN, NULL },
    { "proc", "/proc", PLAIN | MS_NODEV, NULL },
    { "sysfs", "/sys", PLAIN | MS_NODEV, NULL },
};

static const Mount job[] = {
    { "proc", JOB_PROC, PLAIN | MS_NODEV, NULL },
    { "sysfs", "/job/sys", PLAIN | MS_NODEV | MS_RDONLY, NULL },
    { "tmpfs", "/job/dev", PLAIN, "mode=755,size=1m" },
    { "devpts", "/job/dev/pts", PLAIN, "newinstance,ptmxmode=0666,mode=620,gid=5" },
    { "tmpfs", "/job/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777" },
    { "mqueue", "/job/dev/mqueue", PLAIN | MS_NODEV, NULL },
};

static const struct {
    const char *name;
    unsigned major, minor;
} devices[] = {
    { JOB_NULL, 1, 3 },
    { "/job/dev/zero", 1, 5 },
    { "/job/dev/full", 1, 7 },
    { "/job/dev/random", 1, 8 },
    { "/job/dev/urandom", 1, 9 },
    { "/job/dev/tty", 5, 0 },
};

static const struct {
    const char *target, *name;
} links[] = {
    { "pts/ptmx", "/job/dev/ptmx" },
    { "/proc/self/fd", "/job/dev/fd" },
    { "/proc/self/fd/0", "/job/dev/stdin" },
    { "/proc/self/fd/1", "/job/dev/stdout" },
    { "/proc/self/fd/2", "/job/dev/stderr" },
};

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

static int mount_one(const Mount *it)
{
    if (mkdir(it->where, 0755) < 0 && errno != EEXIST)
        return -1;
    return mount(it->type, it->where, it->type, it->flags, it->options);
}

void mounts_boot(void)
{
    for (size_t i = 0; i < COUNT(boot); i++)
        if (mount_one(&boot[i]) < 0 && errno != EBUSY)
            die("cannot mount %s", boot[i].where);
}

void mounts_prepare(void)
{
    mode_t before = umask(0);

    mkdir("/job", 0755);
    mkdir(JOB_ROOT, 0755);
    for (size_t i = 0; i < COUNT(job); i++)
        if (mount_one(&job[i]) < 0)
            die("cannot mount %s", job[i].where);
    for (size_t i = 0; i < COUNT(devices); i++)
        if (mknod(devices[i].name, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0)
            die("cannot make %s", devices[i].name);
    for (size_t i = 0; i < COUNT(links); i++)
        if (symlink(links[i].target, links[i].name) < 0)
            die("cannot make %s", links[i].name);
    umask(before);
}

static int open_bdi(const char *device, const char *setting)
{
    char path[300];

    snprintf(path, sizeof path, "/sys/class/bdi/%s/%s", device, setting);
    return open(path, O_WRONLY | O_CLOEXEC);
}

static void set_and_close(int fd, const char *value)
{
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        say("the home's files could not be tuned: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* Lets all memory become dirty: by default a FUSE file system may have one percent of what may be dirty, lest a server
 * that hangs fill the machine. Here the machine is the job's own, and its files are all there is to write. And reads far
 * ahead: with 128 KiB, Linux's own, whoever reads a file that lies a network away would wait half of the time. What is
 * mapped is read by 128 KiB all the same (docs/kernel.md, 42-read-ahead). */
static void tune_files(void)
{
    DIR *folder = opendir("/sys/class/bdi");
    const struct dirent *entry;

    while (folder && (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        set_and_close(open_bdi(entry->d_name, "max_ratio"), "100");
        set_and_close(open_bdi(entry->d_name, "read_ahead_kb"), READ_AHEAD_KB);
    }
    if (folder)
        closedir(folder);
}

int mounts_home(int fuse, uint32_t root_dev, bool read_only)
{
    /* nosuid: who is root here is not root at home. */
    unsigned long flags = MS_NOSUID | MS_NODEV | (read_only ? MS_RDONLY : 0);
    char options[150];
    int plain = snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other,max_read=" READ_AT_ONCE,
                         fuse);

    /* The home's file systems keep their device numbers (docs/kernel.md), if the kernel can do that. */
    snprintf(options + plain, sizeof options - (size_t)plain, ",auto_submounts,server_dev=%" PRIu32, root_dev);
    if (mount("home:/", JOB_ROOT, "fuse.sojourn", flags, options) == 0)
        return 0;
    if (errno != EINVAL)
        return -1;
    options[plain] = 0;
    return mount("home:/", JOB_ROOT, "fuse.sojourn", flags, options);
}

int mounts_enter(void)
{
    static const char *const moved[][2] = {
        { JOB_PROC, JOB_ROOT "/proc" },
        { "/job/sys", JOB_ROOT "/sys" },
        { "/job/dev", JOB_ROOT "/dev" },
    };

    for (size_t i = 0; i < COUNT(moved); i++)
        if (mount(moved[i][0], moved[i][1], NULL, MS_MOVE, NULL) < 0)
            say("the home's tree has no place for %s, errno %d", moved[i][0], errno);
    tune_files();       /* home has answered FUSE_INIT, which sets what may be read ahead, before any other question */
    if (chdir(JOB_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
        return -1;
    return chdir("/");
}
