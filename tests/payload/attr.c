/* SPDX-License-Identifier: GPL-2.0-or-later */
/* attr.c - payloads of attributes: modes, umask, owners, groups, nanoseconds, extended attributes, ACLs, statx, statfs */
#include "payload.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static mode_t mode_of(const char *path)
{
    struct stat status;

    MUST(lstat(path, &status) == 0);
    return status.st_mode & 07777;
}

static void touch(const char *path, mode_t mode)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, mode);

    MUST(fd >= 0 && close(fd) == 0);
}

CASE(modes_and_umask)
{
    static const mode_t masks[] = { 0, 022, 027, 077, 0777 };

    while (more())
        for (int i = 0; i < 5; i++) {
            umask(masks[i]);
            touch("f", 0666);
            MUST(mkdir("d", 0777) == 0 && mkfifo("p", 0666) == 0);
            MUST(mode_of("f") == (0666 & ~masks[i]) && mode_of("d") == (0777 & ~masks[i]) && mode_of("p") == (0666 & ~masks[i]));
            MUST(chmod("f", 0751) == 0 && mode_of("f") == 0751);
            MUST(fchmodat(AT_FDCWD, "f", 01640, 0) == 0 && mode_of("f") == 01640);
            MUST(unlink("f") == 0 && rmdir("d") == 0 && unlink("p") == 0);
        }
}

/* Who is not root is kept out by the mode, and by the mode alone. */
CASE(permissions)
{
    umask(022);
    while (more()) {
        touch("f", 0644);
        if (getuid() != 0) {
            MUST(chmod("f", 0) == 0);
            FAILS(EACCES, open("f", O_RDONLY));
            FAILS(EACCES, access("f", R_OK));
            MUST(chmod("f", 0200) == 0);
            FAILS(EACCES, open("f", O_RDWR));
            MUST(close(open("f", O_WRONLY)) == 0);
            MUST(mkdir("closed", 0755) == 0);
            touch("closed/inside", 0644);
            MUST(chmod("closed", 0600) == 0);
            FAILS(EACCES, unlink("closed/inside"));
            MUST(chmod("closed", 0500) == 0);
            MUST(access("closed/inside", R_OK) == 0);
            FAILS(EACCES, open("closed/new", O_CREAT | O_WRONLY, 0644));
            FAILS(EACCES, unlink("closed/inside"));
            MUST(chmod("closed", 0700) == 0 && unlink("closed/inside") == 0 && rmdir("closed") == 0);
            FAILS(EPERM, chown("f", 0, (gid_t)-1));
            FAILS(EPERM, chmod("/", 0755));
            FAILS(EACCES, open("/etc/shadow", O_RDONLY));
            FAILS(EACCES, open("/new-file", O_CREAT | O_WRONLY, 0644));
        }
        MUST(unlink("f") == 0);
    }
}

/* A file in another group of the user: chown to it is allowed, and a setgid folder hands it on. */
CASE(groups)
{
    gid_t groups[64], other = (gid_t)-1;
    int count = getgroups(64, groups);
    struct stat status;

    umask(022);
    for (int i = 0; i < count; i++)
        if (groups[i] != getgid())
            other = groups[i];
    fact("another group: %d", (int)other);
    while (more()) {
        MUST(mkdir("d", 0755) == 0);
        if (other != (gid_t)-1)
            MUST(chown("d", (uid_t)-1, other) == 0);
        MUST(chmod("d", 02775) == 0 && mode_of("d") == 02775);
        touch("d/f", 0664);
        MUST(mkdir("d/sub", 0755) == 0);
        MUST(stat("d/f", &status) == 0 && status.st_gid == (other != (gid_t)-1 ? other : getgid()));
        MUST(mode_of("d/sub") == 02755);
        if (getuid() != 0)
            FAILS(EPERM, chown("d/f", (uid_t)-1, 54321));
        MUST(unlink("d/f") == 0 && rmdir("d/sub") == 0 && rmdir("d") == 0);
    }
}

/* Writing to a set-user-ID file takes the bit away. */
CASE(set_user_id)
{
    umask(022);
    while (more()) {
        int fd = open("f", O_CREAT | O_RDWR, 0755);

        MUST(fd >= 0 && fchmod(fd, 06755) == 0 && mode_of("f") == 06755);
        MUST(write(fd, "x", 1) == 1);
        if (getuid() != 0)
            MUST(mode_of("f") == 0755);
        MUST(fchmod(fd, 04755) == 0 && ftruncate(fd, 0) == 0);
        if (getuid() != 0)
            MUST(mode_of("f") == 0755);
        MUST(close(fd) == 0 && unlink("f") == 0);
    }
}

/* Whoever closes a folder keeps out even who has just been in it. */
CASE(closed_folder)
{
    umask(022);
    while (more()) {
        int fd;

        MUST(mkdir("closed", 0755) == 0 && mkdir("closed/deep", 0755) == 0);
        touch("closed/inside", 0644);
        touch("closed/deep/file", 0644);
        fd = open("closed/inside", O_RDONLY);
        MUST(fd >= 0 && chmod("closed", 0600) == 0);
        if (getuid() != 0) {
            struct stat status;

            FAILS(EACCES, open("closed/inside", O_RDONLY));
            FAILS(EACCES, stat("closed/inside", &status));
            FAILS(EACCES, open("closed/deep/file", O_RDONLY));
            FAILS(EACCES, chdir("closed"));
        }
        MUST(chmod("closed", 0711) == 0 && close(open("closed/inside", O_RDONLY)) == 0);
        MUST(close(fd) == 0 && unlink("closed/inside") == 0 && unlink("closed/deep/file") == 0);
        MUST(rmdir("closed/deep") == 0 && rmdir("closed") == 0);
    }
}

/* What chattr and lsattr do, where home's file system has such flags. */
CASE(file_flags)
{
    umask(022);
    while (more()) {
        struct fsxattr attributes;
        int fd, folder, flags = 0, found = 0;

        touch("f", 0644);
        MUST(mkdir("folder", 0755) == 0);
        fd = open("f", O_RDWR), folder = open("folder", O_RDONLY | O_DIRECTORY);
        MUST(fd >= 0 && folder >= 0);
        FAILS(ENOTTY, ioctl(fd, _IOR('f', 99, int), &flags));
        FAILS(ENOTTY, ioctl(fd, TCGETS, &attributes));
        if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
            fact("no flags: %d", errno);
        } else {
            fact("flags of a file %x", flags);
            flags |= FS_NODUMP_FL | FS_NOATIME_FL;
            MUST(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0 && ioctl(fd, FS_IOC_GETFLAGS, &found) == 0 && found == flags);
            MUST(ioctl(folder, FS_IOC_GETFLAGS, &flags) == 0);
            fact("flags of a folder %x", flags);
            flags |= FS_NODUMP_FL;
            MUST(ioctl(folder, FS_IOC_SETFLAGS, &flags) == 0 && ioctl(folder, FS_IOC_GETFLAGS, &found) == 0);
            MUST(found == flags);
            MUST(ioctl(fd, FS_IOC_GETVERSION, &found) == 0);
            flags |= FS_IMMUTABLE_FL;
            if (getuid() != 0)
                FAILS(EPERM, ioctl(folder, FS_IOC_SETFLAGS, &flags));
            if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) == 0)
                fact("extended flags %x, project %u", attributes.fsx_xflags, attributes.fsx_projid);
        }
        MUST(close(fd) == 0 && close(folder) == 0 && unlink("f") == 0 && rmdir("folder") == 0);
    }
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

CASE(times)
{
    umask(022);
    while (more()) {
        struct timespec both[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
        struct timespec now[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
        struct timespec old[2] = { { -5, 1 }, { -86400, 999999999 } };
        struct stat a, b;
        int fd;

        touch("f", 0644);
        MUST(utimensat(AT_FDCWD, "f", both, 0) == 0 && stat("f", &a) == 0);
        MUST(a.st_atim.tv_sec == 1000000000 && a.st_atim.tv_nsec == 123456789);
        MUST(a.st_mtim.tv_sec == 1100000000 && a.st_mtim.tv_nsec == 987654321);
        fd = open("f", O_RDWR);
        MUST(fd >= 0 && futimens(fd, now) == 0 && fstat(fd, &b) == 0);
        MUST(b.st_atim.tv_nsec == 123456789 && b.st_mtim.tv_sec > 1100000000);
        MUST(!later(a.st_ctim, b.st_ctim));
        MUST(futimens(fd, old) == 0 && fstat(fd, &b) == 0);
        MUST(b.st_atim.tv_sec == -5 && b.st_mtim.tv_sec == -86400 && b.st_mtim.tv_nsec == 999999999);
        MUST(write(fd, "x", 1) == 1 && fstat(fd, &b) == 0 && b.st_mtim.tv_sec > 1100000000);
        MUST(close(fd) == 0 && symlink("nowhere", "s") == 0);
        MUST(utimensat(AT_FDCWD, "s", both, AT_SYMLINK_NOFOLLOW) == 0 && lstat("s", &b) == 0 && b.st_mtim.tv_nsec == 987654321);
        MUST(unlink("s") == 0 && unlink("f") == 0);
    }
}

/* Which times move at which change, as POSIX says. */
CASE(times_follow)
{
    umask(022);
    while (more()) {
        struct stat before, after, folder;

        MUST(mkdir("d", 0755) == 0);
        touch("d/f", 0644);
        MUST(stat("d/f", &before) == 0 && stat("d", &folder) == 0);
        sleep_ms(25);
        MUST(chmod("d/f", 0600) == 0 && stat("d/f", &after) == 0);
        MUST(later(after.st_ctim, before.st_ctim) && !later(after.st_mtim, before.st_mtim));
        before = after;
        sleep_ms(25);
        MUST(chown("d/f", (uid_t)-1, (gid_t)-1) == 0 && stat("d/f", &after) == 0 && later(after.st_ctim, before.st_ctim));
        before = after;
        sleep_ms(25);
        write_file("d/f", "more");
        MUST(stat("d/f", &after) == 0 && later(after.st_mtim, before.st_mtim) && later(after.st_ctim, before.st_ctim));
        MUST(stat("d", &after) == 0 && !later(after.st_mtim, folder.st_mtim));
        before = after;
        MUST(link("d/f", "d/g") == 0 && stat("d", &after) == 0 && later(after.st_mtim, folder.st_mtim));
        sleep_ms(25);
        MUST(stat("d/f", &before) == 0 && rename("d/g", "d/h") == 0 && unlink("d/h") == 0);
        MUST(stat("d/f", &after) == 0 && later(after.st_ctim, before.st_ctim) && after.st_nlink == 1);
        MUST(unlink("d/f") == 0 && rmdir("d") == 0);
    }
}

CASE(extended_attributes)
{
    char value[4096], names[1024];

    umask(022);
    touch("f", 0644);
    while (more()) {
        int result;

        errno = 0;
        result = setxattr("f", "user.one", "value", 5, 0);
        fact("user attributes: %d %s", result, result ? strerrorname_np(errno) : "");
        if (result < 0)
            break;
        FAILS(EEXIST, setxattr("f", "user.one", "x", 1, XATTR_CREATE));
        FAILS(ENODATA, setxattr("f", "user.two", "x", 1, XATTR_REPLACE));
        MUST(getxattr("f", "user.one", value, sizeof value) == 5 && memcmp(value, "value", 5) == 0);
        FAILS(ERANGE, getxattr("f", "user.one", value, 2));
        FAILS(ENODATA, getxattr("f", "user.two", value, sizeof value));
        fill(value, 2000, 61);
        MUST(setxattr("f", "user.long", value, 2000, 0) == 0 && setxattr("f", "user.empty", "", 0, 0) == 0);
        memset(value, 0, sizeof value);
        MUST(getxattr("f", "user.long", value, sizeof value) == 2000 && is_filled(value, 2000, 61));
        MUST(getxattr("f", "user.empty", value, sizeof value) == 0);
        MUST(listxattr("f", names, sizeof names) >= 30);
        FAILS(EOPNOTSUPP, setxattr("f", "wrong", "x", 1, 0));
        if (getuid() != 0)
            FAILS(EPERM, setxattr("f", "trusted.x", "x", 1, 0));
        MUST(removexattr("f", "user.one") == 0 && removexattr("f", "user.long") == 0 && removexattr("f", "user.empty") == 0);
        FAILS(ENODATA, removexattr("f", "user.one"));
    }
}

/* A default ACL goes before the umask, and is handed on. */
CASE(default_acl)
{
    static const struct { uint32_t version; struct { uint16_t tag, rights; uint32_t id; } entries[5]; } acl = {
        2, { { 1, 7, ~0u }, { 2, 7, 1234 }, { 4, 5, ~0u }, { 0x10, 7, ~0u }, { 0x20, 0, ~0u } } };
    char found[256];

    MUST(mkdir("d", 0755) == 0);
    while (more()) {
        int result = setxattr("d", "system.posix_acl_default", &acl, sizeof acl, 0);

        fact("ACLs: %d %s", result, result ? strerrorname_np(errno) : "");
        if (result < 0)
            break;
        umask(077);
        touch("d/f", 0666);
        MUST(mkdir("d/sub", 0777) == 0);
        umask(022);
        MUST(mode_of("d/f") == 0660 && mode_of("d/sub") == 0770);
        MUST(getxattr("d/f", "system.posix_acl_access", found, sizeof found) == sizeof acl);
        MUST(getxattr("d/sub", "system.posix_acl_default", found, sizeof found) == sizeof acl);
        MUST(chmod("d/f", 0600) == 0 && mode_of("d/f") == 0600);
        MUST(unlink("d/f") == 0 && rmdir("d/sub") == 0);
    }
}

CASE(statx_fields)
{
    umask(022);
    write_file("f", "12345");
    while (more()) {
        struct statx x;
        struct stat status;

        MUST(statx(AT_FDCWD, "f", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x) == 0 && stat("f", &status) == 0);
        MUST((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
        MUST(x.stx_size == 5 && x.stx_ino == status.st_ino && x.stx_nlink == 1 && x.stx_uid == getuid());
        MUST(makedev(x.stx_dev_major, x.stx_dev_minor) == status.st_dev);
        MUST(x.stx_mtime.tv_nsec == status.st_mtim.tv_nsec && x.stx_blocks == (uint64_t)status.st_blocks);
        fact("blksize %u mode %o", x.stx_blksize, x.stx_mode);
        FAILS(EINVAL, statx(AT_FDCWD, "f", 0x40000000, STATX_BASIC_STATS, &x));
        FAILS(ENOENT, statx(AT_FDCWD, "", 0, STATX_BASIC_STATS, &x));
    }
}

/* A file's number and device are those of home, so they are the same in each way that a suite is run on one file. */
CASE(same_file_same_number)
{
    struct stat status, again;

    while (more())
        for (int i = 0; i < 5; i++) {
            static const char *const files[] = { "/usr/share", "/", "/usr/bin", "/bin/sh", "/etc" };

            MUST(stat(files[i], &status) == 0 && stat(files[i], &again) == 0);
            MUST(status.st_ino == again.st_ino && status.st_dev == again.st_dev);
            fact("%s: device %x:%x inode %llu mode %o", files[i], major(status.st_dev), minor(status.st_dev),
                 (unsigned long long)status.st_ino, status.st_mode);
        }
}

CASE(file_system_size)
{
    while (more()) {
        struct statvfs vfs;
        struct statfs fs;

        MUST(statvfs(".", &vfs) == 0 && statfs(".", &fs) == 0);
        fact("block %lu fragment %lu names %lu blocks %llu files %llu", vfs.f_bsize, vfs.f_frsize, vfs.f_namemax,
             (unsigned long long)vfs.f_blocks, (unsigned long long)vfs.f_files);
        MUST(fs.f_blocks > 0 && fs.f_bavail <= fs.f_blocks);
        fact("longest name %ld path %ld", pathconf(".", _PC_NAME_MAX), pathconf(".", _PC_PATH_MAX));
    }
}

/* What is mounted read-only at home cannot be changed. */
CASE(read_only_mount)
{
    const char *folder = getenv("PAYLOAD_READ_ONLY");
    char path[4096];

    while (more()) {
        if (!folder)
            continue;
        snprintf(path, sizeof path, "%s/file", folder);
        MUST(file_is(path, "read only\n"));
        FAILS(EROFS, open(path, O_WRONLY));
        FAILS(EROFS, open(path, O_RDWR | O_CREAT, 0644));
        FAILS(EROFS, chmod(path, 0600));
        FAILS(EROFS, access(path, W_OK));
        FAILS(EROFS, unlink(path));
        FAILS(EROFS, truncate(path, 0));
        FAILS(EROFS, utimensat(AT_FDCWD, path, NULL, 0));
        snprintf(path, sizeof path, "%s/new", folder);
        FAILS(EROFS, open(path, O_CREAT | O_WRONLY, 0644));
        FAILS(EROFS, mkdir(path, 0755));
    }
}
