/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-cred.c - whose rights, umask and directory a worker thread has
 *
 * Ids, groups, umask and working directory belong to a process by POSIX, to a thread by Linux. The
 * workers use that: each has a umask of its own (the home's file system applies it, so that default
 * ACLs count as they do at home), a working directory of its own (/proc/self/fd, where "N" is a
 * name of descriptor N, which lets system calls that want a name act on an O_PATH descriptor), and,
 * when the deputy is root, the requesting process's user and group for file access; supplementary
 * groups only when a refused request is tried again (files-channel.c). The C library would spread
 * the latter over all threads, so the system calls are made directly. Changing from uid 0 takes
 * root's file capabilities away and going back returns them. */
#include "deputy/files-impl.h"

#include <grp.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int fd_folder = -1;

static _Thread_local struct {
    gboolean switches;
    uid_t uid;
    gid_t gid;
    mode_t mask;
    int entered;
} self;

int files_cred_init(void)
{
    if (fd_folder < 0)
        fd_folder = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd_folder < 0 ? -errno : 0;
}

int files_cred_thread(gboolean switch_ids)
{
    if (unshare(CLONE_FS) < 0 || fchdir(fd_folder) < 0)
        return -errno;
    self.mask = 022;
    umask(self.mask);
    if (!switch_ids)
        return 0;
    if (syscall(SYS_setgroups, 0, NULL) < 0)
        return -errno;
    self.switches = TRUE;
    self.uid = 0;
    self.gid = (gid_t)-1;
    return 0;
}

static void set_ids(uid_t uid, gid_t gid)
{
    syscall(SYS_setfsgid, gid);
    syscall(SYS_setfsuid, uid);
}

void files_cred_become(uid_t uid, gid_t gid)
{
    if (!self.switches || (self.uid == uid && self.gid == gid))
        return;
    self.uid = uid;
    self.gid = gid;
    set_ids(uid, gid);
}

void files_cred_groups(const gid_t *groups, int count)
{
    if (self.switches)
        syscall(SYS_setgroups, count, groups);
}

void files_cred_enter(void)
{
    if (self.switches && self.uid != 0 && !self.entered++)
        set_ids(0, 0);
}

void files_cred_leave(void)
{
    if (self.switches && self.uid != 0 && !--self.entered)
        set_ids(self.uid, self.gid);
}

void files_cred_umask(mode_t mask)
{
    mask &= 0777;
    if (self.mask == mask)
        return;
    self.mask = mask;
    umask(mask);
}

FilesFdName files_fd_name(int fd)
{
    FilesFdName name;

    g_snprintf(name.text, sizeof(name.text), "%d", fd);
    return name;
}

int files_fd_reopen(int fd, int flags)
{
    return openat(fd_folder, files_fd_name(fd).text, flags);
}
