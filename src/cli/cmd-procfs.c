/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-procfs.c - sojourn procfs: openMosix's files of /proc in a folder, for scripts that know no other way (libfuse)
 *
 * Theory of operation. What there is, is in procfs.h; here it is given to libfuse. Nothing is kept: each look-up, listing and
 * reading asks the controller anew, and the kernel is told to remember nothing, so what a user sees depends on the user alone.
 *
 * Rights are the controller's affair: it is asked on a connection made with the user and group of who opened the file, and
 * SO_PEERCRED tells it so. The opener counts, not who writes: a descriptor that a set-user-ID program has inherited orders
 * nothing that its opener could not. A user's mount is for that user alone (the kernel sees to it). Only root can mount for
 * all; then the connecting thread, and no other, is the user for the moment of connect(2). The C library would change all
 * threads, so the system calls are made directly; the saved user stays root, so nobody else can send it signals meanwhile.
 *
 * A write returns when what it orders is done. A signal ends the wait: a migration goes on, an expel or bring begins no further
 * move, as when the command is interrupted. So does the end of the mount.
 */
#define FUSE_USE_VERSION 314

#include "client.h"
#include "cmd.h"
#include "common/conf.h"
#include "common/error.h"
#include "common/log.h"
#include "common/rpc.h"
#include "procfs.h"

#include <fuse.h>
#include <fuse_lowlevel.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_MS 30000
#define ORDER_MS 0          /* as long as it takes */
#define THREADS 512         /* each may wait for a migration */
#define TEXT_MAX 256

typedef struct {
    uid_t uid;
    gid_t gid;
} Who;

/* An open file: what it said when it was last read from its beginning. */
typedef struct {
    ProcfsPlace place;
    Who who;
    GMutex lock;
    char *text;
} Open;

static char *socket_path, *said;     /* the controller's socket; libfuse's last message */
static struct fuse_session *session;

/* Asking */

static Who caller(void)
{
    const struct fuse_context *context = fuse_get_context();

    return (Who){ context->uid, context->gid };
}

static int connect_as(Who who, GError **error)
{
    int fd = -1;

    if (geteuid() == who.uid)
        return rpc_connect(socket_path, error);
    if (geteuid() == 0 && syscall(SYS_setresgid, -1, who.gid, -1) == 0 && syscall(SYS_setresuid, -1, who.uid, -1) == 0)
        fd = rpc_connect(socket_path, error);
    else
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "cannot ask as user %u", (guint) who.uid);
    if (getuid() == 0 && (syscall(SYS_setresuid, -1, 0, -1) < 0 || syscall(SYS_setresgid, -1, getgid(), -1) < 0))
        g_error("cannot be root again");
    return fd;
}

static gboolean gives_up(gpointer user)
{
    return fuse_interrupted() || fuse_session_exited(session);
}

/* NULL: -errno is in *ret_error. params is taken over. */
static Json *ask(Who who, const char *method, Json *params, guint timeout_ms, int *ret_error)
{
    g_autoptr(GError) error = NULL;
    Json *result = NULL;
    int fd = connect_as(who, &error);

    if (fd >= 0)
        result = rpc_call_fd(fd, method, params, timeout_ms, gives_up, NULL, &error);
    else
        json_unref(params);
    *ret_error = result ? 0 : g_error_matches(error, SJ_ERROR, SJ_ERROR_CUT) && gives_up(NULL) ? -EINTR : -sj_error_errno(error);
    return result;
}

static Json *ask_nodes(Who who, int *ret_error)
{
    return ask(who, "node.list", NULL, READ_MS, ret_error);
}

/* The row that a place is about (new reference): of node.list, or of job.list. ret_nodes (new reference) may be NULL. */
static Json *row_of(const ProcfsPlace *place, Who who, Json **ret_nodes, int *ret_error)
{
    g_autoptr(Json) nodes = ask_nodes(who, ret_error), jobs = NULL;
    Json *row;

    if (nodes && (place->kind == PROCFS_JOB || place->kind == PROCFS_REMOTE))
        jobs = ask(who, "job.list", NULL, READ_MS, ret_error);
    if (*ret_error)
        return NULL;
    row = place->kind == PROCFS_JOB      ? procfs_job(jobs, nodes, place->of)
          : place->kind == PROCFS_REMOTE ? procfs_guest(jobs, nodes, place->of)
          : place->kind == PROCFS_ADMIN  ? json_at(nodes, 0)
                                         : procfs_node(nodes, place->of);
    if (!row)
        *ret_error = -ENOENT;
    else if (ret_nodes)
        *ret_nodes = json_ref(nodes);
    return row ? json_ref(row) : NULL;
}

/* {"job": ID}: by its id, since a PID may look like the beginning of another job's. */
static Json *job_of(Json *row)
{
    return client_job(json_get_string(row, "id", ""));
}

/* What a file says (g_free). */
static char *text_of(const ProcfsPlace *place, Who who, int *ret_error)
{
    g_autoptr(Json) nodes = NULL, row = row_of(place, who, &nodes, ret_error), job = NULL;

    if (row && place->kind == PROCFS_JOB) {
        job = ask(who, "job.show", job_of(row), READ_MS, ret_error);
        if (!job)
            return NULL;
    }
    return row ? place->file->show(job ? job : row, nodes) : NULL;
}

/* Does what the text orders; 0 or -errno. */
static int carry_out(const ProcfsPlace *place, Who who, const char *text)
{
    g_autoptr(Json) row = NULL, result = NULL;
    ProcfsOrder order;
    int error = 0;

    row = row_of(place, who, NULL, &error);
    if (!row)
        return error;
    if (!place->file->order(text, &order))
        return -EINVAL;
    if (place->kind == PROCFS_JOB)
        json_set_string(order.params, "job", json_get_string(row, "id", ""));
    result = ask(who, order.method, order.params, ORDER_MS, &error);
    if (result && order.all && json_length(json_get(result, "stayed")))
        return -EBUSY;
    return error;
}

/* The file system */

static uid_t owner_of(Json *row)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];
    const char *name = json_get_string(row, "user", "root");

    if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) == 0 && found)
        return entry.pw_uid;
    return strtoul(name, NULL, 10);
}

static int fs_getattr(const char *path, struct stat *ret_stat, struct fuse_file_info *file)
{
    g_autoptr(Json) row = NULL;
    ProcfsPlace place;
    int error = 0;

    if (!procfs_place(path, &place))
        return -ENOENT;
    if (place.level == PROCFS_FOLDER && place.kind != PROCFS_ADMIN) {
        row = row_of(&place, caller(), NULL, &error);
        if (!row)
            return error;
    }
    memset(ret_stat, 0, sizeof *ret_stat);
    ret_stat->st_nlink = place.file ? 1 : 2;
    ret_stat->st_mode = !place.file ? S_IFDIR | 0555 : S_IFREG | (place.file->show ? 0444 : 0) | (place.file->order ? 0200 : 0);
    ret_stat->st_uid = row && place.kind != PROCFS_NODE ? owner_of(row) : 0;
    ret_stat->st_mtime = ret_stat->st_ctime = ret_stat->st_atime = g_get_real_time() / G_USEC_PER_SEC;
    return 0;
}

static void fill_nodes(Json *nodes, void *buffer, fuse_fill_dir_t fill)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < json_length(nodes); i++) {
        char *name = procfs_node_name(json_at(nodes, i));

        if (g_hash_table_add(seen, name)) /* two networks may have one number twice */
            fill(buffer, name, NULL, 0, 0);
    }
}

/* find: procfs_job or procfs_guest. */
static void fill_jobs(Json *jobs, Json *nodes, Json *(*find)(Json *jobs, Json *nodes, const char *of), void *buffer, fuse_fill_dir_t fill)
{
    for (guint i = 0; i < json_length(jobs); i++) {
        g_autofree char *pid = g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(json_at(jobs, i), "pid", 0));

        if (find(jobs, nodes, pid) == json_at(jobs, i))
            fill(buffer, pid, NULL, 0, 0);
    }
}

static int fs_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *file,
                      enum fuse_readdir_flags flags)
{
    g_autoptr(Json) nodes = NULL, jobs = NULL;
    ProcfsPlace place;
    int error = 0;

    if (!procfs_place(path, &place))
        return -ENOENT;
    if (place.level == PROCFS_ROOT || place.level == PROCFS_NODES || place.level == PROCFS_GUESTS)
        nodes = ask_nodes(caller(), &error);
    if (nodes && place.level != PROCFS_NODES)
        jobs = ask(caller(), "job.list", NULL, READ_MS, &error);
    if (error)
        return error;
    fill(buffer, ".", NULL, 0, 0);
    fill(buffer, "..", NULL, 0, 0);
    if (place.level == PROCFS_ROOT) {
        fill(buffer, "hpc", NULL, 0, 0);
        fill_jobs(jobs, nodes, procfs_job, buffer, fill);
    } else if (place.level == PROCFS_GUESTS) {
        fill_jobs(jobs, nodes, procfs_guest, buffer, fill);
    } else if (place.level == PROCFS_HPC) {
        fill(buffer, "admin", NULL, 0, 0);
        fill(buffer, "nodes", NULL, 0, 0);
        fill(buffer, "remote", NULL, 0, 0);
    } else if (place.level == PROCFS_NODES) {
        fill_nodes(nodes, buffer, fill);
    } else {
        for (const ProcfsFile *known = procfs_files(place.kind); known->name; known++)
            fill(buffer, known->name, NULL, 0, 0);
    }
    return 0;
}

static int fs_open(const char *path, struct fuse_file_info *file)
{
    int way = file->flags & O_ACCMODE;
    ProcfsPlace place;
    Open *open;

    if (!procfs_place(path, &place) || !place.file)
        return -ENOENT;
    if ((way != O_WRONLY && !place.file->show) || (way != O_RDONLY && !place.file->order))
        return -EACCES;
    open = g_new0(Open, 1);
    open->place = place;
    open->who = caller();
    g_mutex_init(&open->lock);
    file->fh = (uintptr_t) open;
    file->direct_io = 1; /* the size is not known before it is read */
    return 0;
}

/* Bytes of what it says, or -errno; its lock is held. */
static int read_text(Open *open, char *buffer, size_t size, off_t offset)
{
    gsize length;
    int error = 0;

    if (offset == 0)
        g_clear_pointer(&open->text, g_free);
    if (!open->text)
        open->text = text_of(&open->place, open->who, &error);
    if (!open->text)
        return error;
    length = strlen(open->text);
    if (offset < 0 || (gsize) offset >= length)
        return 0;
    size = MIN(size, length - offset);
    memcpy(buffer, open->text + offset, size);
    return size;
}

static int fs_read(const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *file)
{
    Open *open = (Open *) (uintptr_t) file->fh;
    int result;

    g_mutex_lock(&open->lock);
    result = read_text(open, buffer, size, offset);
    g_mutex_unlock(&open->lock);
    return result;
}

static int fs_write(const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *file)
{
    Open *open = (Open *) (uintptr_t) file->fh;
    char text[TEXT_MAX + 1];
    int error;

    if (size > TEXT_MAX || memchr(data, 0, size))
        return -EINVAL;
    memcpy(text, data, size);
    text[size] = 0;
    if (!*g_strstrip(text))
        return -EINVAL;
    error = carry_out(&open->place, open->who, text);
    return error ? error : (int) size;
}

static int fs_release(const char *path, struct fuse_file_info *file)
{
    Open *open = (Open *) (uintptr_t) file->fh;

    g_mutex_clear(&open->lock);
    g_free(open->text);
    g_free(open);
    return 0;
}

/* What a shell's > does before it writes. */
static int fs_truncate(const char *path, off_t size, struct fuse_file_info *file)
{
    return 0;
}

static int fs_mknod(const char *path, mode_t mode, dev_t device)
{
    return -EACCES;
}

static void *fs_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
    config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
    return NULL;
}

static const struct fuse_operations operations = {
    .getattr = fs_getattr, .readdir = fs_readdir, .open = fs_open,         .read = fs_read,   .write = fs_write,
    .release = fs_release, .init = fs_init,       .truncate = fs_truncate, .mknod = fs_mknod,
};

/* Mounting */

static void G_GNUC_PRINTF(2, 0) keep_message(enum fuse_log_level level, const char *format, va_list args)
{
    g_free(said);
    said = g_strdup_vprintf(format, args);
}

static gboolean check_folder(const char *folder)
{
    GStatBuf info;

    if (g_stat(folder, &info) < 0)
        log_error(errno == ENOTCONN ? "%s is a mount whose server is gone: fusermount3 -u %s" : "%s: %s", folder,
                  errno == ENOTCONN ? folder : g_strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        log_error("%s is no folder", folder);
    else if (access("/dev/fuse", R_OK | W_OK) < 0)
        log_error("/dev/fuse cannot be opened (%s): %s", g_strerror(errno),
                  errno == EACCES ? "chmod 666 /dev/fuse, which is what udev does" : "load the kernel's module fuse");
    else
        return TRUE;
    return FALSE;
}

static int serve(struct fuse *fuse, gboolean foreground)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    int result;

    session = fuse_get_session(fuse);
    fuse_loop_cfg_set_max_threads(config, THREADS);
    fuse_loop_cfg_set_idle_threads(config, 4);
    result = fuse_daemonize(foreground) == 0 && fuse_set_signal_handlers(session) == 0 ? fuse_loop_mt(fuse, config) : -1;
    fuse_remove_signal_handlers(session);
    fuse_loop_cfg_destroy(config);
    return result < 0 ? 1 : 0; /* the number of a signal is no failure: it was told to end */
}

static int mount_and_serve(const char *folder, gboolean all, gboolean foreground)
{
    g_autofree char *options = g_strconcat("-ofsname=sojourn,subtype=procfs,nosuid,nodev,noexec", all ? ",allow_other" : "", NULL);
    char *words[] = { (char *) "sojourn", options, NULL };
    struct fuse_args args = FUSE_ARGS_INIT(2, words);
    struct fuse *fuse;
    int status = 1;

    fuse_set_log_func(keep_message);
    fuse = fuse_new(&args, &operations, sizeof operations, NULL);
    if (!fuse || fuse_mount(fuse, folder) < 0) {
        log_error("%s cannot be mounted%s%s", folder, said ? ": " : geteuid() ? ": is the package fuse3 installed, and the folder yours?" : "",
                  said ? g_strstrip(said) : "");
    } else {
        fuse_set_log_func(NULL);
        status = serve(fuse, foreground);
        fuse_unmount(fuse);
    }
    if (fuse)
        fuse_destroy(fuse);
    fuse_opt_free_args(&args);
    return status;
}

int cmd_procfs(int argc, char **argv)
{
    gboolean foreground = FALSE, all = FALSE;
    const GOptionEntry options[] = {
        { "foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground, "Stay in the foreground until it is unmounted", NULL },
        { "allow-other", 0, 0, G_OPTION_ARG_NONE, &all, "For all users, each with the own rights (root only)", NULL },
        { NULL }
    };
    g_autofree char *folder = NULL;
    g_autoptr(Json) nodes = NULL;
    int status;

    if (!client_words(&argc, &argv, options, 1, 1))
        return 2;
    if (all && geteuid() != 0) {
        log_error("only root can mount it for others: it has to ask the controller in their names");
        return 1;
    }
    folder = g_canonicalize_filename(argv[1], NULL);
    if (!check_folder(folder))
        return 1;
    nodes = client_call("node.list", NULL, READ_MS, &status);
    if (!nodes)
        return status;
    socket_path = conf_socket();
    return mount_and_serve(folder, all, foreground);
}
