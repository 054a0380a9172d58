/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mount-local.c - runs a program over the deputy's file server, without a guest
 *
 *     mount-local [--root DIR] [--cache MODE] [--read-only] [--switch-ids] [--uid UID] [--chroot]
 *                 [--count]                 MOUNTPOINT PROGRAM [ARG]...
 *
 * The program runs in a mount namespace of its own in which MOUNTPOINT is DIR (default /) as the
 * file server gives it; with --chroot, MOUNTPOINT is its root, with a /proc and /dev of its own, as
 * in a guest. --uid: server and program are that user. The exit status is the program's; 77 if this
 * machine does not let us mount. */
#include "deputy/files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIP 77
#define REQUEST (1024 * 1024 + 64 * 1024)

static char *root = (char *)"/", *cache = (char *)"through";
static gboolean read_only, switch_ids, do_chroot, do_count;
static guint counts[64];
static int uid = -1, workers;

static const GOptionEntry entries[] = {
    { "root", 0, 0, G_OPTION_ARG_FILENAME, &root, "serve DIR", "DIR" },
    { "cache", 0, 0, G_OPTION_ARG_STRING, &cache, "none, through or writeback", "MODE" },
    { "read-only", 0, 0, G_OPTION_ARG_NONE, &read_only, "no modification", NULL },
    { "switch-ids", 0, 0, G_OPTION_ARG_NONE, &switch_ids, "act as the requester", NULL },
    { "chroot", 0, 0, G_OPTION_ARG_NONE, &do_chroot, "the mount is the program's root", NULL },
    { "uid", 0, 0, G_OPTION_ARG_INT, &uid, "be that user", "UID" },
    { "workers", 0, 0, G_OPTION_ARG_INT, &workers, "threads of the server", "N" },
    { "count", 0, 0, G_OPTION_ARG_NONE, &do_count, "count the requests of each kind", NULL },
    { NULL },
};

static void skip(const char *what)
{
    fprintf(stderr, "mount-local: %s: %s\n", what, strerror(errno));
    exit(SKIP);
}

static void become_user(void)
{
    gid_t gid = (gid_t)uid;

    if (uid >= 0 && (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
                     setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0))
        skip("cannot become the user");
}

static void enter_root(const char *mountpoint)
{
    g_autofree char *proc = g_build_filename(mountpoint, "proc", NULL);
    g_autofree char *dev = g_build_filename(mountpoint, "dev", NULL);
    g_autofree char *cwd = g_get_current_dir();

    if (mount("proc", proc, "proc", 0, NULL) < 0 ||
        mount("/dev", dev, NULL, MS_BIND | MS_REC, NULL) < 0 || chroot(mountpoint) < 0 ||
        (chdir(cwd) < 0 && chdir("/") < 0))
        skip("cannot make the mount a root");
}

/* The program's process: mounts, says so, waits for the server, becomes the program. */
static void run(int fuse, const char *mountpoint, char **argv, int ready, int go)
{
    char options[200], byte = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        skip("no mount namespace");
    g_snprintf(options, sizeof(options),
               "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,max_read=1048576", fuse);
    if (mount("sojourn", mountpoint, "fuse.sojourn", MS_NODEV, options) < 0)
        skip("cannot mount");
    close(fuse);
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        exit(SKIP);
    if (do_chroot)
        enter_root(mountpoint);
    become_user();
    execvp(argv[0], argv);
    fprintf(stderr, "mount-local: %s: %s\n", argv[0], strerror(errno));
    exit(127);
}

static void reply(const struct iovec *iov, int count, void *user)
{
    int fd = GPOINTER_TO_INT(user);
    const struct fuse_out_header *head = iov[0].iov_base;

    if (writev(fd, iov, count) < 0 && errno != ENOENT && errno != ENODEV && head->unique)
        fprintf(stderr, "mount-local: reply of %u bytes, error %d: %s\n", head->len, head->error,
                strerror(errno));
}

static gpointer serve(gpointer data)
{
    Files *files = ((gpointer *)data)[0];
    int fuse = GPOINTER_TO_INT(((gpointer *)data)[1]);
    g_autofree char *buffer = g_malloc(REQUEST);

    for (;;) {
        ssize_t n = read(fuse, buffer, REQUEST);
        if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT))
            continue;
        if (n <= 0)
            return NULL;
        counts[((struct fuse_in_header *)buffer)->opcode & 63]++;
        files_request(files, buffer, n);
    }
}

static FilesCache cache_mode(void)
{
    if (strcmp(cache, "none") == 0)
        return FILES_CACHE_NONE;
    return strcmp(cache, "writeback") == 0 ? FILES_CACHE_WRITEBACK : FILES_CACHE_THROUGH;
}

int main(int argc, char **argv)
{
    g_autoptr(GOptionContext) context = g_option_context_new("MOUNTPOINT PROGRAM [ARG]...");
    g_autoptr(GError) error = NULL;
    int ready[2], go[2], status, fuse;
    char byte;
    pid_t child;
    Files *files;
    GThread *thread;
    FilesOptions options;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_strict_posix(context, TRUE);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc < 3) {
        fprintf(stderr, "mount-local: %s\n", error ? error->message : "MOUNTPOINT PROGRAM");
        return 2;
    }
    fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0 || pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
        skip("/dev/fuse");
    child = fork();
    if (child == 0)
        run(fuse, argv[1], argv + 2, ready[1], go[0]);
    close(ready[1]);
    close(go[0]);
    if (read(ready[0], &byte, 1) != 1)
        return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                        : SKIP;
    become_user();
    options = (FilesOptions){ .root = root,
                              .read_only = read_only,
                              .cache = cache_mode(),
                              .switch_ids = switch_ids,
                              .workers = (guint)workers };
    files = files_new(&options, reply, GINT_TO_POINTER(fuse), &error);
    if (!files) {
        fprintf(stderr, "mount-local: %s\n", error->message);
        return 1;
    }
    thread = g_thread_new("fuse", serve, (gpointer[]){ files, GINT_TO_POINTER(fuse) });
    if (write(go[1], &byte, 1) != 1)
        return 1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    g_thread_join(thread);
    files_free(files);
    for (guint i = 0; i < 64; i++)
        if (do_count && counts[i])
            fprintf(stderr, "opcode %u: %u\n", i, counts[i]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
