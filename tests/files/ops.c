/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ops.c - does many things to files in an empty directory and prints what came of each
 *
 *     ops DIRECTORY
 *
 * Run once natively and once through the file server as the same user; the two outputs must be
 * equal. So nothing is printed that differs between two runs (times, inode numbers). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static long show(const char *what, long result)
{
    printf("%s = %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
    return result;
}

#define T(call) show(#call, (long)(call))

static void look(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        printf("  %s: %s\n", path, strerrorname_np(errno));
        return;
    }
    printf("  %s: mode %o nlink %lu uid %u gid %u size %lld rdev %llx\n", path, st.st_mode,
           S_ISDIR(st.st_mode) ? 0ul : (unsigned long)st.st_nlink, st.st_uid, st.st_gid,
           S_ISDIR(st.st_mode) ? 0ll : (long long)st.st_size, (unsigned long long)st.st_rdev);
}

static void content(int fd)
{
    char buffer[256];
    ssize_t n = pread(fd, buffer, sizeof(buffer), 0);

    printf("  content %zd \"%.*s\"\n", n, n > 0 ? (int)n : 0, buffer);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
    char *names[4096];
    size_t n = 0;
    struct dirent *e;
    DIR *d = opendir(path);

    if (!d) {
        printf("  list %s: %s\n", path, strerrorname_np(errno));
        return;
    }
    while ((e = readdir(d)) && n < 4096)
        if (asprintf(&names[n], "%s:%d", e->d_name, e->d_type) > 0)
            n++;
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    printf("  list %s:", path);
    for (size_t i = 0; i < n; i++) {
        printf(" %s", names[i]);
        free(names[i]);
    }
    printf("\n");
}

static void names(void)
{
    char long_name[300], path[PATH_MAX];
    int fd;

    printf("== names\n");
    memset(long_name, 'n', sizeof(long_name));
    long_name[255] = 0;
    T(fd = open(long_name, O_CREAT | O_WRONLY, 0644) < 0);
    T(unlink(long_name));
    long_name[255] = 'n';
    long_name[256] = 0;
    T(open(long_name, O_CREAT | O_WRONLY, 0644));
    T(mkdir("a b\n\t\x01\xff\xfe'\"\\", 0755));
    T(rmdir("a b\n\t\x01\xff\xfe'\"\\"));
    T(mkdir("d", 0755));
    T(mkdir("d", 0755));
    T(mkdir("d/e", 0700));
    T(rmdir("d"));
    T(symlink("../outside/very long target", "d/link"));
    T(readlink("d/link", path, sizeof(path)));
    T(readlink("d", path, sizeof(path)));
    T(open("d/link", O_RDONLY));
    T(open("d/link", O_RDONLY | O_NOFOLLOW));
    T(symlink("loop", "loop"));
    T(open("loop", O_RDONLY));
    T(mkfifo("d/fifo", 0640));
    T(mknod("d/sock", S_IFSOCK | 0600, 0));
    T(open("d/sock", O_RDONLY));
    look("d/fifo");
    look("d/sock");
    look("d/link");
    list("d");
    T(unlink("d/e"));
    T(rmdir("d/link"));
    T(rmdir("."));
    T(rmdir("d/e/."));
    T(unlink("missing"));
    T(open("d/missing", O_RDONLY));
    T(open("missing/x", O_RDONLY));
    T(open("d/fifo/x", O_RDONLY));
    T(open("d/", O_RDONLY | O_CREAT, 0644));
    T(open("d", O_WRONLY));
    T(link("d", "d2"));
    T(link("d/link", "link2"));
    look("link2");
    T(rename("d", "d/e/inside"));
    T(rename("d", "dd"));
    T(rename("missing", "x"));
    T(rename("dd/link", "dd/e"));
    T(rename("dd/e", "dd/link"));
    T(renameat2(AT_FDCWD, "dd/link", AT_FDCWD, "dd/fifo", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "dd/link", AT_FDCWD, "dd/fifo", RENAME_EXCHANGE));
    look("dd/link");
    look("dd/fifo");
    T(renameat2(AT_FDCWD, "dd/e", AT_FDCWD, "dd/fifo", RENAME_EXCHANGE));
    list("dd");
    T(rename("dd/link", "dd/link"));
}

static void files(void)
{
    struct iovec iov[2] = { { (char *)"AB", 2 }, { (char *)"CD", 2 } };
    int fd, fd2, fd3;
    char buffer[16];

    printf("== files\n");
    T((fd = open("f", O_CREAT | O_EXCL | O_RDWR, 0666)) < 0);
    look("f");
    T(open("f", O_CREAT | O_EXCL | O_RDWR, 0666));
    T(write(fd, "hello world", 11));
    T(pwrite(fd, "W", 1, 6));
    T(pwritev(fd, iov, 2, 20));
    content(fd);
    T((fd2 = open("f", O_WRONLY | O_APPEND)) < 0);
    T(write(fd2, "end", 3));
    T(pwrite(fd2, "END", 3, 0));
    content(fd);
    T(lseek(fd2, 0, SEEK_CUR));
    T(fcntl(fd2, F_SETFL, 0));
    T(pwrite(fd2, "zero", 4, 0));
    content(fd);
    T(fcntl(fd, F_SETFL, O_APPEND));
    T(write(fd, "+", 1));
    content(fd);
    T(read(fd2, buffer, 1));
    T(ftruncate(fd, 5));
    look("f");
    T(ftruncate(fd, 40));
    T(pread(fd, buffer, 10, 35));
    T(truncate("f", 3));
    content(fd);
    T(truncate("f", -1));
    T(link("f", "g"));
    look("f");
    T(unlink("f"));
    look("g");
    content(fd);
    T(unlink("g"));
    T(write(fd, "still", 5));
    content(fd);
    T(fchmod(fd, 0600));
    T(ftruncate(fd, 2));
    content(fd);
    T((fd3 = open("/proc/self/fd/0", O_RDONLY)) < 0);
    close(fd3);
    snprintf(buffer, sizeof(buffer), "/proc/self/fd/%d", fd);
    T((fd3 = open(buffer, O_RDWR)) < 0);
    content(fd3);
    close(fd3);
    T(fsync(fd));
    T(fdatasync(fd2));
    close(fd);
    close(fd2);
    T((fd = open("f", O_CREAT | O_TRUNC | O_WRONLY, 0600)) < 0);
    T(write(fd, "x", 1));
    T(read(fd, buffer, 1));
    close(fd);
    T((fd = open("f", O_RDONLY | O_TRUNC)) < 0);
    look("f");
    T(write(fd, "x", 1));
    close(fd);
    T(open("f", O_RDONLY | O_DIRECTORY));
    T((fd = open("f", O_PATH)) < 0);
    T(read(fd, buffer, 1));
    close(fd);
}

static void unnamed(void)
{
    char path[64];
    int fd, fd2;

    printf("== unnamed files\n");
    T((fd = open(".", O_TMPFILE | O_RDWR, 0644)) < 0);
    if (fd < 0)
        return;
    T(write(fd, "tmp", 3));
    content(fd);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, path, AT_FDCWD, "linked", AT_SYMLINK_FOLLOW));
    look("linked");
    T((fd2 = open("linked", O_RDONLY)) < 0);
    content(fd2);
    T(write(fd, "more", 4));
    content(fd2);
    close(fd);
    close(fd2);
    T((fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600)) < 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, path, AT_FDCWD, "linked2", AT_SYMLINK_FOLLOW));
    close(fd);
    T(open("linked", O_TMPFILE | O_RDWR, 0644));
    T(open("missing", O_TMPFILE | O_RDWR, 0644));
}

static void print_times(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0)
        printf("  %s: %lld.%09ld %lld.%09ld\n", path, (long long)st.st_atim.tv_sec,
               st.st_atim.tv_nsec, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static void attributes(void)
{
    struct timespec t[2] = { { 1000000000, 123456789 }, { 1100000000, 987654321 } };
    struct timespec omit[2] = { { 0, UTIME_OMIT }, { 5, 5 } };
    struct timespec old[2] = { { -5, 1 }, { -1000000, 999999999 } };
    struct statvfs fs;
    char path[64];
    int fd;

    printf("== attributes\n");
    umask(027);
    T((fd = open("m", O_CREAT | O_RDWR, 0777)) < 0);
    T(mkdir("md", 0777));
    T(mkfifo("mf", 0666));
    look("m");
    look("md");
    look("mf");
    umask(022);
    T(chmod("m", 04755));
    look("m");
    T(chmod("m", 07777));
    T(write(fd, "suid is lost by this", 20));
    look("m");
    T(fchmod(fd, 06711));
    T(ftruncate(fd, 1));
    look("m");
    T(chmod("m", 0));
    T(open("m", O_RDONLY) < 0 ? -1 : 0);
    T(access("m", R_OK));
    T(access("m", X_OK));
    T(access("md", X_OK));
    T(access("missing", F_OK));
    T(chmod("m", 0644));
    T(faccessat(AT_FDCWD, "m", W_OK, AT_EACCESS));
    T(chown("m", -1, -1));
    T(chown("m", getuid(), getgid()));
    T(chown("m", 12345, -1));
    T(lchown("mf", -1, getgid()));
    look("m");
    T(utimensat(AT_FDCWD, "m", t, 0));
    print_times("m");
    T(utimensat(AT_FDCWD, "m", omit, 0));
    print_times("m");
    T(futimens(fd, old));
    print_times("m");
    T(symlink("nowhere", "ms"));
    T(utimensat(AT_FDCWD, "ms", t, AT_SYMLINK_NOFOLLOW));
    print_times("ms");
    T(utimensat(AT_FDCWD, "md", t, 0));
    print_times("md");
    T(fchmodat(AT_FDCWD, "ms", 0600, 0));
    T(chmod("md", 02775));
    T(close(open("md/inherits", O_CREAT | O_WRONLY, 0644)));
    T(mkdir("md/sub", 0755));
    look("md");
    look("md/inherits");
    look("md/sub");
    T(statvfs("md", &fs));
    printf("  namemax %lu bsize %lu\n", fs.f_namemax, fs.f_bsize);
    T(ioctl(fd, 0x7777, path) < 0 ? -1 : 0);
    close(fd);
}

static void xattrs(void)
{
    char value[65540], names[4096];
    int fd;

    printf("== extended attributes\n");
    T((fd = open("x", O_CREAT | O_RDWR, 0644)) < 0);
    T(setxattr("x", "user.a", "value", 5, 0));
    T(setxattr("x", "user.a", "value", 5, XATTR_CREATE));
    T(setxattr("x", "user.b", "value", 5, XATTR_REPLACE));
    T(fsetxattr(fd, "user.empty", "", 0, 0));
    T(getxattr("x", "user.a", value, sizeof(value)));
    T(getxattr("x", "user.a", value, 2));
    T(getxattr("x", "user.a", NULL, 0));
    T(getxattr("x", "user.none", value, sizeof(value)));
    T(listxattr("x", names, sizeof(names)));
    T(listxattr("x", names, 3));
    T(listxattr("x", NULL, 0));
    T(removexattr("x", "user.a"));
    T(removexattr("x", "user.a"));
    T(setxattr("x", "bad", "value", 5, 0));
    T(setxattr("x", "trusted.a", "v", 1, 0));
    T(setxattr("x", "user.big", value, 65537, 0));
    T(symlink("x", "xs"));
    T(lsetxattr("xs", "user.a", "v", 1, 0));
    T(lgetxattr("xs", "user.a", value, 10));
    T(llistxattr("xs", names, sizeof(names)));
    T(getxattr("x", "system.posix_acl_access", value, sizeof(value)));
    close(fd);
}

static void acls(void)
{
    /* user::rwx user:1234:rwx group::r-x mask::rwx other::--- */
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } e[5];
    } acl = {
        2, { { 1, 7, ~0u }, { 2, 7, 1234 }, { 4, 5, ~0u }, { 0x10, 7, ~0u }, { 0x20, 0, ~0u } }
    };
    char value[256];

    printf("== ACLs\n");
    T(mkdir("acl", 0755));
    T(setxattr("acl", "system.posix_acl_default", &acl, sizeof(acl), 0));
    umask(077);
    T(close(open("acl/f", O_CREAT | O_WRONLY, 0666)));
    T(mkdir("acl/d", 0777));
    umask(022);
    look("acl/f");
    look("acl/d");
    T(getxattr("acl/f", "system.posix_acl_access", value, sizeof(value)));
    T(getxattr("acl/d", "system.posix_acl_default", value, sizeof(value)));
    T(setxattr("acl/f", "system.posix_acl_access", &acl, sizeof(acl), 0));
    look("acl/f");
    T(chmod("acl/f", 0640));
    look("acl/f");
    T(removexattr("acl/f", "system.posix_acl_access"));
    look("acl/f");
}

static void space(void)
{
    struct stat st;
    int fd, fd2;
    off_t in = 4, out = 10;
    char buffer[16];

    printf("== space\n");
    T((fd = open("s", O_CREAT | O_RDWR, 0644)) < 0);
    T(fallocate(fd, 0, 0, 65536));
    look("s");
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 65536, 65536));
    look("s");
    T(pwrite(fd, "data", 4, 100000));
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536));
    T(fallocate(fd, FALLOC_FL_ZERO_RANGE, 98304, 4096));
    T(pread(fd, buffer, 4, 100000));
    printf("  zeroed: %d\n", buffer[0]);
    T(fallocate(fd, 0, -1, 10));
    T(fallocate(fd, 0, 0, 0));
    T(ftruncate(fd, 0));
    T(pwrite(fd, "far", 3, 5ll << 30) == 3);
    T(lseek(fd, 0, SEEK_DATA) == 5ll << 30);
    T(lseek(fd, 0, SEEK_HOLE));
    T(lseek(fd, (5ll << 30) + 3, SEEK_DATA));
    T(lseek(fd, 0, SEEK_END) == (5ll << 30) + 3);
    T(fstat(fd, &st));
    printf("  sparse: %d\n", st.st_blocks < 1000);
    T(pread(fd, buffer, 3, 5ll << 30));
    T(ftruncate(fd, 8));
    T(pwrite(fd, "01234567", 8, 0));
    T((fd2 = open("s2", O_CREAT | O_RDWR, 0644)) < 0);
    T(copy_file_range(fd, &in, fd2, &out, 4, 0));
    look("s2");
    T(pread(fd2, buffer, 4, 10));
    printf("  copied: %.4s\n", buffer);
    T(posix_fallocate(fd2, 0, 100));
    look("s2");
    close(fd);
    close(fd2);
}

static void maps(void)
{
    char *a, *b;
    int fd;

    printf("== maps\n");
    T((fd = open("map", O_CREAT | O_RDWR, 0644)) < 0);
    T(ftruncate(fd, 8192));
    a = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    b = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, fd, 0);
    T(a == MAP_FAILED || b == MAP_FAILED);
    memcpy(a + 4090, "across pages", 12);
    T(msync(a, 8192, MS_SYNC));
    printf("  %.12s\n", b + 4090);
    T(pwrite(fd, "through", 7, 0));
    printf("  %.7s\n", a);
    close(fd);
    memcpy(a, "CLOSED", 6);
    T(munmap(a, 8192));
    munmap(b, 8192);
    T((fd = open("map", O_RDONLY)) < 0);
    content(fd);
    close(fd);
}

static void directories(void)
{
    char name[64];
    struct dirent *e;
    DIR *d;
    int seen = 0, here;
    long at = 0;

    printf("== directories\n");
    T(mkdir("many", 0755));
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "many/file-with-a-name-%d", i);
        close(open(name, O_CREAT | O_WRONLY, 0644));
    }
    d = opendir("many");
    while ((e = readdir(d))) {
        seen++;
        if (seen == 1000)
            at = telldir(d);
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    }
    printf("  seen %d\n", seen);
    rewinddir(d);
    for (seen = 0; readdir(d);)
        seen++;
    printf("  after removal %d\n", seen);
    close(open("many/new", O_CREAT | O_WRONLY, 0644));
    rewinddir(d);
    for (seen = 0; readdir(d);)
        seen++;
    printf("  after creation %d\n", seen);
    seekdir(d, at);
    while (readdir(d))
        seen++;
    closedir(d);
    T(rmdir("many"));
    T((here = open(".", O_RDONLY | O_DIRECTORY)) < 0);
    T(mkdir("gone", 0755));
    T(chdir("gone"));
    T(rmdir("../gone"));
    list(".");
    T(open("x", O_CREAT | O_WRONLY, 0644));
    T(mkdir("y", 0755));
    look(".");
    T(fchdir(here));
    T(mkdir("moved", 0755));
    T(chdir("moved"));
    T(rename("../moved", "../dd/moved2"));
    T(close(open("inside", O_CREAT | O_WRONLY, 0644)));
    T(fchdir(here));
    list("dd/moved2");
    T(read(here, name, 1));
    T(fsync(here));
    close(here);
}

static void programs(void)
{
    int status, fd;
    FILE *f;

    printf("== programs\n");
    f = fopen("script", "w");
    if (f) {
        fprintf(f, "#!/bin/sh\nexit 3\n");
        fclose(f);
    }
    for (int mode = 0; mode < 3; mode++) {
        chmod("script", mode == 0 ? 0644 : mode == 1 ? 0755 : 0010);
        if (fork() == 0) {
            execl("./script", "script", NULL);
            _exit(errno == EACCES ? 126 : 125);
        }
        T(wait(&status) < 0);
        printf("  mode %d: exit %d\n", mode, WEXITSTATUS(status));
    }
    T(chmod("script", 0755));
    T((fd = open("script", O_WRONLY)) < 0);
    if (fork() == 0) {
        execl("./script", "script", NULL);
        _exit(errno == ETXTBSY ? 26 : 125);
    }
    T(wait(&status) < 0);
    printf("  while written: exit %d\n", WEXITSTATUS(status));
    close(fd);
    T(open("dd", O_RDONLY) < 0 ? -1 : 0);
}

static void fifos(void)
{
    char buffer[8] = "";
    int fd;

    printf("== fifos\n");
    T(mkfifo("pipe", 0600));
    if (fork() == 0) {
        fd = open("pipe", O_WRONLY);
        _exit(write(fd, "through", 7) != 7);
    }
    T((fd = open("pipe", O_RDONLY)) < 0);
    T(read(fd, buffer, 7));
    printf("  %s\n", buffer);
    T(read(fd, buffer, 7));
    close(fd);
    wait(NULL);
    T(open("pipe", O_WRONLY | O_NONBLOCK));
    T(unlink("pipe"));
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    umask(022);
    names();
    files();
    unnamed();
    attributes();
    xattrs();
    acls();
    space();
    maps();
    directories();
    programs();
    fifos();
    return 0;
}
