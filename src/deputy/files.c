/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - the home's file tree, served to a guest: the session and its table of operations
 *
 * The guest mounts FUSE and sends its raw requests over the link; this answers them with the system
 * calls of a process that has exactly the user's rights, so that what may be read, written or run
 * is decided by home's kernel and by nothing else. libfuse's low-level API turns a request into a
 * call and a result into a reply; what libfuse 3.14 does not know (O_TMPFILE, submounts) is added
 * on the wire, before and after it (files-channel.c).
 *
 *     files-channel.c  queue, workers, replies          files-check.c   is a request well-formed?
 *     files-inode.c    what the guest knows: inodes     files-handle.c  what it has open
 *     files-walk.c     descriptors of these             files-stamp.c   what its caches go back to
 *     files-name.c files-dir.c files-attr.c files-open.c files-data.c files-flags.c files-lock-op.c   the operations
 *     files-lock.c     locks at home                    files-refuse.c  what is never entered
 *     files-cred.c     whose rights a worker has        files-bare.c    what has no xattrs
 *     files-again.c    second walks after ESTALE        files-watch.c   what happens at home to what is believed
 *     files-ahead.c    listings before they are asked for
 *     files-closet.c   descriptors that are put away
 *
 * Trust: every byte from the guest may be a lie. Requests are checked for their form before libfuse
 * sees them; inodes and handles are numbers in tables, never pointers; names are single components
 * that are never followed; only regular files and directories are opened.
 *
 * Consistency. By default a written byte is at home when write() returns, names and attributes are
 * believed for a second, or, in a folder that is watched, until home changes them (files-watch.c);
 * pages until the file is opened again and found changed (files-open.c), or its times are seen to
 * have changed, or a lock is got on it. A name that does not exist is asked for each time, unless
 * its folder is watched. cache=none believes nothing: every look and every read asks home first; pages
 * exist (else there would be no shared mmap) but are checked each time. cache=writeback lets the
 * guest hold back writes until fsync, close or memory pressure; it then believes its own sizes and
 * times of files, so it is for files that nobody at home changes meanwhile (and SEEK_DATA does not
 * see what is held back).
 *
 * For a job of root (switch_ids) the guest's kernel checks permissions as well (POSIX_ACL, which is
 * exact for home's ACLs): names that one process looked up stay cached for others with fewer
 * rights. Otherwise it does not: all processes have the same user's rights at home, and home's word
 * is final.
 *
 * The sandbox must allow: syscalls.c lists the system calls; by Landlock everything beneath the
 * root that the user may use (re-opening by /proc/self/fd is judged by the file, not by /proc).
 * files_new opens the root and /proc/self/fd and starts the workers; later only waiting locks start
 * threads. */
#include "deputy/files-impl.h"

#include "common/error.h"

#include <sys/resource.h>
#include <sys/stat.h>

#define DEFAULT_WORKERS 8
#define ROOT_DESCRIPTORS (1 << 20)
#define IDLE_DESCRIPTORS 16384 /* O_PATH descriptors kept, at most; less if the limit is low */

double files_timeout(const Files *files, gboolean watched)
{
    if (files->cache == FILES_CACHE_NONE)
        return 0;
    if (files_current.ahead) /* the guest may be given it so much later */
        return watched ? 60 - FILES_AHEAD_S : 0;
    return watched ? 60 : 1;
}

void files_catch_up(Files *files)
{
    files_watch_catch_up(files);
}

void files_forget_attributes(Files *files, guint64 id)
{
    fuse_lowlevel_notify_inval_inode(files->session, id, -1, 0);
}

/* ---- the session ---- */

static void want(struct fuse_conn_info *conn, unsigned int wanted, unsigned int unwanted)
{
    conn->want = (conn->want & ~unwanted) | (wanted & conn->capable);
}

static void op_init(void *user, struct fuse_conn_info *conn)
{
    Files *files = user;

    want(conn,
         FUSE_CAP_ASYNC_READ | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS |
             FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_DONT_MASK | FUSE_CAP_AUTO_INVAL_DATA |
             FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_ASYNC_DIO |
             FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_CACHE_SYMLINKS,
         FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
             FUSE_CAP_SPLICE_MOVE | FUSE_CAP_EXPORT_SUPPORT);
    if (files->cache == FILES_CACHE_WRITEBACK)
        want(conn, FUSE_CAP_WRITEBACK_CACHE, 0);
    if (files->cache == FILES_CACHE_NONE)
        want(conn, 0, FUSE_CAP_CACHE_SYMLINKS);
    if (files->switch_ids)
        want(conn, FUSE_CAP_POSIX_ACL, 0);
    conn->max_write = FILES_MAX_IO;
    conn->max_readahead = FILES_MAX_IO;
    conn->max_background = 256;
    conn->congestion_threshold = 192;
}

const struct fuse_lowlevel_ops files_ops = {
    .init = op_init,
    .lookup = files_op_lookup,
    .forget = files_op_forget,
    .forget_multi = files_op_forget_multi,
    .getattr = files_op_getattr,
    .setattr = files_op_setattr,
    .readlink = files_op_readlink,
    .mknod = files_op_mknod,
    .mkdir = files_op_mkdir,
    .symlink = files_op_symlink,
    .unlink = files_op_unlink,
    .rmdir = files_op_rmdir,
    .rename = files_op_rename,
    .link = files_op_link,
    .open = files_op_open,
    .create = files_op_create,
    .read = files_op_read,
    .write = files_op_write,
    .flush = files_op_flush,
    .release = files_op_release,
    .fsync = files_op_fsync,
    .fallocate = files_op_fallocate,
    .lseek = files_op_lseek,
    .copy_file_range = files_op_copy_file_range,
    .ioctl = files_op_ioctl,
    .getlk = files_op_getlk,
    .setlk = files_op_setlk,
    .flock = files_op_flock,
    .opendir = files_op_opendir,
    .readdir = files_op_readdir,
    .readdirplus = files_op_readdirplus,
    .releasedir = files_op_releasedir,
    .fsyncdir = files_op_fsyncdir,
    .statfs = files_op_statfs,
    .access = files_op_access,
    .getxattr = files_op_getxattr,
    .setxattr = files_op_setxattr,
    .listxattr = files_op_listxattr,
    .removexattr = files_op_removexattr,
};

/* libfuse wants a descriptor to belong to a session; all I/O goes through the callbacks. */
static struct fuse_session *new_session(Files *files)
{
    char *argv[] = { (char *)"sojourn", NULL };
    struct fuse_args args = FUSE_ARGS_INIT(1, argv);
    struct fuse_session *session = fuse_session_new(&args, &files_ops, sizeof(files_ops), files);
    int fd = session ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;

    fuse_opt_free_args(&args);
    if (session && (fd < 0 || fuse_session_custom_io(session, &files_custom_io, fd) != 0)) {
        if (fd >= 0)
            close(fd);
        fuse_session_destroy(session);
        session = NULL;
    }
    return session;
}

/* ---- life ---- */

/* Raises the soft limit to the hard one, which root may exceed; how many idle descriptors are then kept. */
static guint descriptor_room(void)
{
    struct rlimit limit, higher = { ROOT_DESCRIPTORS, ROOT_DESCRIPTORS };

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 256;
    if (limit.rlim_max < higher.rlim_max && setrlimit(RLIMIT_NOFILE, &higher) == 0)
        limit = higher;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return (guint)CLAMP(limit.rlim_cur / 4, 64, IDLE_DESCRIPTORS);
}

static gboolean is_refused(int fd, void *user)
{
    return files_refused(((Files *)user)->dev_device, fd);
}

static void forgotten(int wd, void *user)
{
    files_watch_drop(((Files *)user)->watching, wd);
}

static int open_root(Files *files, const char *root, GError **error)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "cannot serve the directory %s to the job: %s", root, g_strerror(errno));
        return -1;
    }
    files->dev_device = files_dev_device(fd);
    if (files_refused(files->dev_device, fd)) {
        close(fd);
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "cannot serve %s to the job: the guest has its own %s; choose another root",
                    root, root);
        return -1;
    }
    return fd;
}

Files *files_new(const FilesOptions *options, FilesReply reply, void *user, GError **error)
{
    Files *files = g_new0(Files, 1);
    FilesWalk walk = { .refused = is_refused, .forgotten = forgotten, .user = files };
    int root = files_cred_init();

    if (root < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "cannot open /proc/self/fd: %s; mount /proc", g_strerror(-root));
        g_free(files);
        return NULL;
    }
    files->read_only = options->read_only;
    files->cache = options->cache;
    files->switch_ids = options->switch_ids;
    files->reply = reply;
    files->user = user;
    root = open_root(files, options->root, error);
    files->session = root < 0 ? NULL : new_session(files);
    files->inodes = files->session ? files_inodes_new(root, descriptor_room()) : NULL;
    if (!files->inodes) {
        if (error && !*error)
            g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                        "cannot set up the job's files: %s", g_strerror(errno));
        if (files->session)
            fuse_session_destroy(files->session);
        if (root >= 0)
            close(root);
        g_free(files);
        return NULL;
    }
    if (files->switch_ids) {
        walk.enter = files_cred_enter;
        walk.leave = files_cred_leave;
    }
    files->closet = files_closet_new();
    files_inodes_set_closet(files->inodes, files->closet);
    files->handles = files_handles_new(files);
    files->watching = files->cache == FILES_CACHE_THROUGH ? files_watch_new(files) : NULL;
    files_inodes_set_walk(files->inodes, &walk);
    files->locks = files_locks_new(files_lock_done, files_fd_reopen, files);
    files->again = files_again_new();
    files->queue = files_queue_new(files, options->workers ? options->workers : DEFAULT_WORKERS);
    return files;
}

void files_free(Files *files)
{
    if (!files)
        return;
    g_atomic_int_set(&files->ended, TRUE);
    files_watch_end(files->watching);
    files_queue_free(files->queue);
    files_locks_free(files->locks);
    fuse_session_destroy(files->session);
    files_handles_free(files->handles);
    files_bare_free(files->bare);
    files_again_free(files->again);
    files_ahead_free(files->ahead);
    files_inodes_free(files->inodes);
    files_watch_free(files->watching);
    files_closet_free(files->closet);
    g_free(files);
}
