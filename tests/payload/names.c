/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.c - payloads of names in the home's tree: renaming, linking, removing, long and odd ones, deep and large folders */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static int make(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0644);

    MUST(fd >= 0);
    return fd;
}

/* A file is replaced again and again; whoever has the old one open goes on reading the old one. */
CASE(rename_over_open)
{
    char text[32], old_text[32], got[32];
    int old = -1;

    for (int round = 0; more(); round++) {
        int fd = make("new");

        snprintf(text, sizeof text, "round %d", round);
        MUST(write_all(fd, text, strlen(text)) && close(fd) == 0);
        MUST(rename("new", "file") == 0);
        FAILS(ENOENT, access("new", F_OK));
        MUST(file_is("file", text));
        if (old >= 0) {
            struct stat status;

            snprintf(old_text, sizeof old_text, "round %d", round - 1);
            MUST(fstat(old, &status) == 0 && status.st_nlink == 0);
            MUST(pread(old, got, sizeof got, 0) == (ssize_t)strlen(old_text) && memcmp(got, old_text, strlen(old_text)) == 0);
            close(old);
        }
        old = open("file", O_RDONLY);
        MUST(old >= 0);
    }
}

CASE(rename_flags)
{
    while (more()) {
        write_file("a", "A");
        write_file("b", "B");
        FAILS(EEXIST, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
        MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0);
        MUST(file_is("a", "B") && file_is("b", "A"));
        MUST(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) == 0);
        FAILS(ENOENT, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
        FAILS(EINVAL, renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE | RENAME_NOREPLACE));
        MUST(unlink("b") == 0 && unlink("c") == 0);
    }
}

CASE(rename_folders)
{
    while (more()) {
        MUST(mkdir("one", 0755) == 0 && mkdir("one/two", 0755) == 0 && mkdir("full", 0755) == 0);
        write_file("one/two/file", "inside");
        write_file("full/file", "x");
        FAILS(EINVAL, rename("one", "one/two/three"));
        FAILS(ENOTEMPTY, rename("one", "full"));
        FAILS(EISDIR, rename("full/file", "one"));
        FAILS(ENOTDIR, rename("one", "full/file"));
        FAILS(ENOTEMPTY, rmdir("one"));
        MUST(rename("one", "uno") == 0);
        MUST(file_is("uno/two/file", "inside"));
        MUST(rename("uno/two", "full/two") == 0 && file_is("full/two/file", "inside"));
        FAILS(ENOENT, access("uno/two/file", F_OK));
        MUST(unlink("full/two/file") == 0 && rmdir("full/two") == 0 && unlink("full/file") == 0);
        MUST(rmdir("full") == 0 && rmdir("uno") == 0);
    }
}

CASE(unnamed_files)
{
    while (more()) {
        int fd = open(".", O_TMPFILE | O_RDWR, 0640);
        struct stat status;
        char path[64];

        MUST(fd >= 0 && fstat(fd, &status) == 0 && status.st_nlink == 0);
        MUST(write(fd, "unnamed", 7) == 7);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        MUST(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
        MUST(fstat(fd, &status) == 0 && status.st_nlink == 1 && (status.st_mode & 07777) == 0640);
        MUST(file_is("named", "unnamed"));
        FAILS(EEXIST, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        MUST(unlink("named") == 0 && close(fd) == 0);
        fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        FAILS(ENOENT, linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        close(fd);
    }
}

/* A removed file lives as long as somebody has it open. */
CASE(unlinked_open)
{
    int fd = make("gone");
    char bytes[512];

    MUST(unlink("gone") == 0);
    for (uint64_t round = 0; more(); round++) {
        off_t at = (off_t)(round % 2000) * (off_t)sizeof bytes;
        struct stat status;

        fill(bytes, sizeof bytes, round);
        MUST(pwrite(fd, bytes, sizeof bytes, at) == sizeof bytes);
        memset(bytes, 0, sizeof bytes);
        MUST(pread(fd, bytes, sizeof bytes, at) == sizeof bytes && is_filled(bytes, sizeof bytes, round));
        MUST(fstat(fd, &status) == 0 && status.st_nlink == 0);
        MUST(fchmod(fd, round % 2 ? 0600 : 0644) == 0 && fsync(fd) == 0);
        FAILS(ENOENT, access("gone", F_OK));
    }
    MUST(ftruncate(fd, 0) == 0 && close(fd) == 0);
}

CASE(hard_links)
{
    while (more()) {
        struct stat one, two;

        write_file("one", "1");
        for (int i = 0; i < 20; i++) {
            char name[16];

            snprintf(name, sizeof name, "l%d", i);
            MUST(link("one", name) == 0);
            MUST(stat("one", &one) == 0 && stat(name, &two) == 0);
            MUST(one.st_ino == two.st_ino && one.st_dev == two.st_dev && one.st_nlink == (nlink_t)i + 2);
        }
        FAILS(EEXIST, link("one", "l0"));
        MUST(rename("one", "l0") == 0 && access("one", F_OK) == 0);     /* the same file: nothing happens */
        write_file("l7", "through another name");
        MUST(file_is("one", "through another name"));
        for (int i = 0; i < 20; i++) {
            char name[16];

            snprintf(name, sizeof name, "l%d", i);
            MUST(unlink(name) == 0);
        }
        MUST(stat("one", &one) == 0 && one.st_nlink == 1 && unlink("one") == 0);
    }
}

CASE(symbolic_links)
{
    char target[PATH_MAX], got[PATH_MAX];

    memset(target, 't', sizeof target);
    target[4095] = 0;
    while (more()) {
        MUST(symlink("loop", "loop") == 0);
        FAILS(ELOOP, open("loop", O_RDONLY));
        FAILS(ELOOP, chdir("loop"));
        MUST(unlink("loop") == 0);
        MUST(symlink(target, "long") == 0);
        MUST(readlink("long", got, sizeof got) == 4095 && memcmp(target, got, 4095) == 0);
        FAILS(ENAMETOOLONG, open("long", O_RDONLY));
        MUST(unlink("long") == 0);
        write_file("end", "the end");
        MUST(symlink("end", "s0") == 0);
        for (int i = 1; i < 42; i++) {
            char to[16], name[16];

            snprintf(to, sizeof to, "s%d", i - 1);
            snprintf(name, sizeof name, "s%d", i);
            MUST(symlink(to, name) == 0);
        }
        MUST(file_is("s39", "the end"));
        FAILS(ELOOP, open("s41", O_RDONLY));
        FAILS(ELOOP, open("s0", O_RDONLY | O_NOFOLLOW));
        for (int i = 0; i < 42; i++) {
            char name[16];

            snprintf(name, sizeof name, "s%d", i);
            MUST(unlink(name) == 0);
        }
        MUST(unlink("end") == 0);
        FAILS(EINVAL, readlink(".", got, sizeof got));
        FAILS(ENOENT, symlink("", "empty"));
    }
}

CASE(odd_names)
{
    char name[300];

    while (more()) {
        memset(name, 'n', sizeof name);
        name[255] = 0;
        MUST(close(make(name)) == 0 && unlink(name) == 0);
        name[255] = 'n';
        name[256] = 0;
        FAILS(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
        for (int byte = 1; byte < 256; byte++) {
            char odd[4] = { 'x', (char)byte, 'y', 0 };

            if (byte == '/')
                continue;
            if (byte % 16 == 1 || byte < 32 || byte > 250)
                MUST(close(make(odd)) == 0 && unlink(odd) == 0);
        }
        for (size_t i = 0; i < 4; i++) {
            static const char *const odd[] = { "...", " ", "-", "\xff\xfe" };

            MUST(mkdir(odd[i], 0700) == 0 && rmdir(odd[i]) == 0);
        }
    }
}

/* A path of more than PATH_MAX bytes is walked step by step. */
CASE(deep_paths)
{
    enum { DEPTH = 60 };
    char name[101], path[PATH_MAX * 2];

    memset(name, 'd', 100);
    name[100] = 0;
    while (more()) {
        int top = open(".", O_RDONLY | O_DIRECTORY), at = dup(top), next;

        MUST(top >= 0);
        for (int i = 0; i < DEPTH; i++) {
            MUST(mkdirat(at, name, 0755) == 0);
            next = openat(at, name, O_RDONLY | O_DIRECTORY);
            MUST(next >= 0 && close(at) == 0);
            at = next;
        }
        next = openat(at, "bottom", O_CREAT | O_WRONLY, 0644);
        MUST(next >= 0 && close(next) == 0 && unlinkat(at, "bottom", 0) == 0);
        MUST(fchdir(at) == 0);
        FAILS(ERANGE, getcwd(path, PATH_MAX) ? 0 : -1);
        MUST(fchdir(top) == 0);
        for (int i = 0; i < 45; i++)
            memcpy(path + i * 101, name, 100), path[i * 101 + 100] = '/';
        path[45 * 101 - 1] = 0;
        FAILS(ENAMETOOLONG, open(path, O_RDONLY));
        path[40 * 101 - 1] = 0;
        MUST(access(path, F_OK) == 0);
        for (int depth = DEPTH; depth > 0; depth--) {
            next = openat(at, "..", O_RDONLY | O_DIRECTORY);
            MUST(next >= 0 && unlinkat(next, name, AT_REMOVEDIR) == 0 && close(at) == 0);
            at = next;
        }
        close(at), close(top);
    }
}

/* Entries are removed while the folder is read: each is seen once. 100,000 entries in the long form. */
CASE(large_folder)
{
    int count = getenv("PAYLOAD_LONG") ? 100000 : 400;
    char name[32];

    do {
        DIR *folder;
        struct dirent *entry;
        int seen = 0;

        MUST(mkdir("large", 0755) == 0);
        for (int i = 0; i < count; i++) {
            snprintf(name, sizeof name, "large/entry-%06d", i);
            MUST(close(make(name)) == 0);
        }
        folder = opendir("large");
        MUST(folder != NULL);
        while ((entry = readdir(folder))) {
            if (entry->d_name[0] == '.')
                continue;
            MUST(strncmp(entry->d_name, "entry-", 6) == 0 && entry->d_type == DT_REG);
            MUST(unlinkat(dirfd(folder), entry->d_name, 0) == 0);
            seen++;
        }
        MUST(seen == count);
        rewinddir(folder);
        seen = 0;
        while ((entry = readdir(folder)))
            seen++;
        MUST(seen == 2);
        MUST(closedir(folder) == 0 && rmdir("large") == 0);
    } while (more());
}

CASE(places_in_a_folder)
{
    char name[32];

    MUST(mkdir("folder", 0755) == 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "folder/%d", i);
        MUST(close(make(name)) == 0);
    }
    while (more()) {
        DIR *folder = opendir("folder");
        struct { long at; char name[32]; } places[102];
        int count = 0;
        struct dirent *entry;

        MUST(folder != NULL);
        for (;;) {
            places[count].at = telldir(folder);
            entry = readdir(folder);
            if (!entry)
                break;
            MUST(count < 102);
            snprintf(places[count++].name, 32, "%.31s", entry->d_name);
        }
        MUST(count == 102);
        for (int i = 0; i < 40; i++) {
            int which = (int)(next_number() % 102);

            seekdir(folder, places[which].at);
            entry = readdir(folder);
            MUST(entry && strcmp(entry->d_name, places[which].name) == 0);
        }
        closedir(folder);
    }
}

/* A process in a folder that is removed or renamed. */
CASE(folder_under_the_feet)
{
    char path[PATH_MAX];
    int top = open(".", O_RDONLY | O_DIRECTORY);

    while (more()) {
        MUST(mkdir("here", 0755) == 0 && chdir("here") == 0);
        MUST(rename("../here", "../there") == 0);
        MUST(getcwd(path, sizeof path) && strcmp(strrchr(path, '/'), "/there") == 0);
        MUST(close(make("file")) == 0 && access("../there/file", F_OK) == 0 && unlink("file") == 0);
        MUST(rmdir("../there") == 0);
        FAILS(ENOENT, open("file", O_CREAT | O_WRONLY, 0644));
        FAILS(ENOENT, mkdir("below", 0755));
        FAILS(ENOENT, getcwd(path, sizeof path) ? 0 : -1);
        MUST(fchdir(top) == 0);
    }
}

CASE(kinds_of_open)
{
    write_file("file", "content");
    MUST(mkdir("folder", 0755) == 0);
    while (more()) {
        char text[8];
        int fd;

        FAILS(EEXIST, open("file", O_CREAT | O_EXCL | O_RDWR, 0644));
        FAILS(ENOTDIR, open("file", O_RDONLY | O_DIRECTORY));
        FAILS(EISDIR, open("folder", O_WRONLY));
        FAILS(ENOTDIR, open("file/below", O_RDONLY));
        FAILS(ENOENT, open("", O_RDONLY));
        FAILS(EISDIR, open("folder", O_CREAT | O_RDONLY, 0644));
        fd = open("file", O_PATH);
        MUST(fd >= 0);
        FAILS(EBADF, read(fd, text, 1));
        MUST(close(fd) == 0);
        fd = open("folder", O_RDONLY);
        MUST(fd >= 0);
        FAILS(EISDIR, read(fd, text, 1));
        MUST(close(fd) == 0);
        fd = open("file", O_RDONLY);
        FAILS(EBADF, write(fd, "x", 1));
        MUST((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);
        MUST(close(fd) == 0);
    }
}

CASE(temporary_files)
{
    while (more()) {
        char name[] = "temporary-XXXXXX", folder[] = "folder-XXXXXX", text[5] = "";
        int fd = mkstemp(name);
        FILE *file = tmpfile();
        struct stat status;

        MUST(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0600);
        MUST(close(fd) == 0 && unlink(name) == 0);
        MUST(mkdtemp(folder) && stat(folder, &status) == 0 && (status.st_mode & 07777) == 0700 && rmdir(folder) == 0);
        MUST(file && fputs("text", file) >= 0 && fseek(file, 0, SEEK_SET) == 0 && fgets(text, 5, file) && !strcmp(text, "text"));
        MUST(fclose(file) == 0);
    }
}

/* What the job itself changes is told. */
CASE(watched_folder)
{
    int watcher = inotify_init1(IN_NONBLOCK);

    MUST(mkdir("watched", 0755) == 0);
    MUST(watcher >= 0 && inotify_add_watch(watcher, "watched", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVED_TO) >= 0);
    while (more()) {
        char events[4096] __attribute__((aligned(8)));
        uint32_t seen = 0;
        ssize_t size;

        write_file("watched/a", "x");
        MUST(rename("watched/a", "watched/b") == 0 && unlink("watched/b") == 0);
        MUST((size = read(watcher, events, sizeof events)) > 0);
        for (char *at = events; at < events + size;) {
            const struct inotify_event *event = (const void *)at;

            seen |= event->mask;
            at += sizeof *event + event->len;
        }
        MUST(seen == (IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE));
        FAILS(EAGAIN, read(watcher, events, sizeof events));
    }
}
