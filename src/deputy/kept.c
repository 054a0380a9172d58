/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kept.c - the output of a detached job, kept in the user's state directory, bounded
 *
 * A process of its own reads the pipe that the detached front writes to, and writes it to a file.
 * When that has KEPT_SIZE bytes it becomes ID.old, in place of the one before. So at least the last
 * KEPT_SIZE bytes are there, and never more than twice as many. The file that is being written is
 * locked; so who shows it knows whether more may come. Files that have not been written for a week
 * are removed when the next job is detached.
 */
#include "kept.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_SIZE (4 << 20)
#define KEPT_SECONDS (7 * 24 * 3600)
#define LOOK_US 100000 /* how often it is looked whether there is more */

static char *folder(void)
{
    return g_build_filename(g_get_user_state_dir(), "sojourn", "output", NULL);
}

char *kept_path(const char *id)
{
    g_autofree char *where = folder();

    return g_build_filename(where, id, NULL);
}

static void remove_old(const char *where)
{
    g_autoptr(GDir) dir = g_dir_open(where, 0, NULL);
    time_t limit = time(NULL) - KEPT_SECONDS;
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(where, name, NULL);
        struct stat st;

        if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_mtime < limit)
            unlink(path);
    }
}

/* A new file, locked before it has its name. */
static int begin(const char *path)
{
    g_autofree char *new = g_strconcat(path, ".new", NULL), *old = g_strconcat(path, ".old", NULL);
    int fd = open(new, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0 && (flock(fd, LOCK_EX | LOCK_NB) < 0 || (rename(path, old) < 0 && errno != ENOENT) ||
                    rename(new, path) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void write_all(int fd, const char *bytes, gssize size)
{
    while (size > 0) {
        gssize part = write(fd, bytes, (gsize) size);

        if (part < 0 && errno != EINTR)
            return; /* a full disk loses output, not the job */
        bytes += MAX(part, 0);
        size -= MAX(part, 0);
    }
}

static void keep(const char *path, int fd, int from)
{
    static char bytes[65536];
    gint64 written = 0;
    gssize size;

    while ((size = read(from, bytes, sizeof bytes)) != 0) {
        if (size < 0 && errno != EINTR)
            break;
        if (size < 0)
            continue;
        if (written + size > KEPT_SIZE) {
            int next = begin(path);
            if (next >= 0) {
                close(fd);
                fd = next;
                written = 0;
            }
        }
        write_all(fd, bytes, size);
        written += size;
    }
    close(fd);
}

void kept_start(const char *id, int fd)
{
    g_autofree char *where = folder(), *path = kept_path(id);
    int file = g_mkdir_with_parents(where, 0700) == 0 ? begin(path) : -1;
    pid_t child;

    if (file < 0) {
        log_error("the output of the job cannot be kept in %s: %s", where, g_strerror(errno));
        file = open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    child = fork();
    if (child == 0) {
        setsid();
        dup2(fd, STDIN_FILENO);
        dup2(file, STDOUT_FILENO);
        closefrom(STDERR_FILENO);
        remove_old(where);
        keep(path, STDOUT_FILENO, STDIN_FILENO);
        _exit(0);
    }
    if (child < 0)
        log_error("the output of the job cannot be kept: %s", g_strerror(errno));
    if (file >= 0)
        close(file);
    close(fd);
}

/* ---- showing ---- */

/* Copies what is there from where fd stands. */
static void copy(int fd)
{
    char bytes[65536];
    gssize size;

    while ((size = read(fd, bytes, sizeof bytes)) > 0)
        write_all(STDOUT_FILENO, bytes, size);
}

static gboolean is_done(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return FALSE;
    flock(fd, LOCK_UN);
    return TRUE;
}

static gboolean same_file(int fd, int other)
{
    struct stat a, b;

    return fstat(fd, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

gboolean kept_show(const char *id)
{
    g_autofree char *path = kept_path(id), *old_path = g_strconcat(path, ".old", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC), old = open(old_path, O_RDONLY | O_CLOEXEC);

    if (old >= 0 && fd >= 0 && !same_file(fd, old))
        copy(old);
    if (old >= 0)
        close(old);
    if (fd < 0)
        return FALSE;
    for (;;) {
        gboolean done = is_done(fd);
        int next;

        copy(fd);
        if (!done) {
            g_usleep(LOOK_US);
            continue;
        }
        next = open(path, O_RDONLY | O_CLOEXEC); /* it has become the old one, or it was the last */
        if (next < 0 || same_file(fd, next)) {
            if (next >= 0)
                close(next);
            close(fd);
            return TRUE;
        }
        close(fd);
        fd = next;
    }
}
