/* SPDX-License-Identifier: GPL-2.0-or-later */
/* landlock.c - rules a process binds itself to, for good: the paths it may still use
 *
 * The ABI of the running kernel decides what is handled: 1 (5.13) paths, 2 (5.19) renames across
 * folders, 3 (6.2) truncation, 4 (6.7) TCP, 5 (6.10) ioctl of devices, 6 (6.12) abstract sockets
 * and signals. Debian 12 has 2. With ABI 1 a rename or link across folders would be refused always,
 * so that is the one thing that is worse on an older kernel. The installed header may be older than
 * the kernel: what it lacks is named here.
 */
#include "landlock.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#define ACCESS_NET_TCP 3ULL         /* LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP */
#define SCOPE_ABSTRACT 1ULL         /* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET */
#define SCOPE_SIGNALS 2ULL          /* LANDLOCK_SCOPE_SIGNAL */

/* struct landlock_ruleset_attr as of ABI 6; an older kernel is given the part it knows. */
struct attributes {
    guint64 handled_access_fs;
    guint64 handled_access_net;
    guint64 scoped;
};

struct Landlock {
    int fd;
    int abi;
    guint64 handled;
};

static const guint64 file_rights = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                   LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
static const guint64 read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
static const guint64 write_rights =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_REFER |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int) abi;
}

static guint64 handled_rights(int abi)
{
    guint64 rights = read_rights | write_rights | LANDLOCK_ACCESS_FS_EXECUTE;

    if (abi < 2)
        rights &= ~(guint64) LANDLOCK_ACCESS_FS_REFER;
    if (abi < 3)
        rights &= ~(guint64) LANDLOCK_ACCESS_FS_TRUNCATE;
    return rights;
}

Landlock *landlock_new(LandlockFlags flags, GError **error)
{
    int abi = landlock_abi();
    struct attributes attributes = { .handled_access_fs = handled_rights(abi) };
    gsize size = G_STRUCT_OFFSET(struct attributes, handled_access_net);

    if (abi >= 4) {
        size = G_STRUCT_OFFSET(struct attributes, scoped);
        attributes.handled_access_net = flags & LANDLOCK_NO_TCP ? ACCESS_NET_TCP : 0;
    }
    if (abi >= 6) {
        size = sizeof attributes;
        attributes.scoped = (flags & LANDLOCK_NO_ABSTRACT ? SCOPE_ABSTRACT : 0) |
                            (flags & LANDLOCK_NO_SIGNALS ? SCOPE_SIGNALS : 0);
    }
    long fd = abi ? syscall(SYS_landlock_create_ruleset, &attributes, size, 0) : -1;
    if (fd < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "this kernel has no Landlock (%s): start it with 'lsm=landlock,...' on its "
                    "command line",
                    g_strerror(errno));
        return NULL;
    }

    Landlock *landlock = g_new0(Landlock, 1);
    landlock->fd = (int) fd;
    landlock->abi = abi;
    landlock->handled = attributes.handled_access_fs;
    return landlock;
}

void landlock_free(Landlock *landlock)
{
    if (!landlock)
        return;
    close(landlock->fd);
    g_free(landlock);
}

gboolean landlock_allow(Landlock *landlock, const char *path, LandlockRights rights, GError **error)
{
    struct landlock_path_beneath_attr rule = { .parent_fd = open(path, O_PATH | O_CLOEXEC) };
    struct stat st;

    if (rule.parent_fd < 0 || fstat(rule.parent_fd, &st) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND, "cannot open %s for a Landlock rule: %s",
                    path, g_strerror(errno));
        if (rule.parent_fd >= 0)
            close(rule.parent_fd);
        return FALSE;
    }
    rule.allowed_access = (rights & LANDLOCK_READ ? read_rights : 0) |
                          (rights & LANDLOCK_WRITE ? write_rights : 0) |
                          (rights & LANDLOCK_EXECUTE ? LANDLOCK_ACCESS_FS_EXECUTE : 0);
    rule.allowed_access &= landlock->handled & (S_ISDIR(st.st_mode) ? ~0ULL : file_rights);

    gboolean done =
        !syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    if (!done)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot add a Landlock rule for %s: %s", path,
                    g_strerror(errno));
    close(rule.parent_fd);
    return done;
}

gboolean landlock_enforce(Landlock *landlock, GError **error)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(SYS_landlock_restrict_self, landlock->fd, 0) == 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot enter the Landlock rules: %s",
                g_strerror(errno));
    return FALSE;
}
