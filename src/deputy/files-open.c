/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-open.c - regular files: opening and creating
 *
 * A file is opened by its O_PATH descriptor, which is known to be a regular file, so a name that
 * turns into a FIFO, a device or a link meanwhile does no harm.
 *
 * What the guest keeps cached is decided at OPEN (close-to-open consistency): if the file's stamps
 * are those that its pages were filled from, they stay; if somebody at home changed it, the guest
 * is told to drop its attributes before it gets the answer. */
#include "deputy/files-impl.h"

#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define EXEC_FLAG 0x20 /* the kernel's __FMODE_EXEC: it opens a program to run it */
#define KEPT_FLAGS (O_APPEND | O_SYNC | O_DSYNC | O_NOATIME)

/* ---- opening ---- */

/* How the home's file is opened for a guest's open flags. */
static int home_flags(const Files *files, int flags)
{
    int result = (flags & (O_ACCMODE | KEPT_FLAGS)) | O_CLOEXEC;

    if (files->cache == FILES_CACHE_WRITEBACK) {
        if ((flags & O_ACCMODE) == O_WRONLY) /* pages are read before a part of them is written */
            result = (result & ~O_ACCMODE) | O_RDWR;
        result &= ~O_APPEND; /* the guest's kernel knows the size and positions itself */
    }
    return result;
}

static int open_node(const FilesNode *node, int flags)
{
    FilesFdName name = files_fd_name(node->fd);
    int fd = open(name.text, flags);

    if (fd < 0 && errno == EACCES && (flags & O_ACCMODE) == O_RDWR)
        return -EACCES;
    return fd < 0 ? -errno : fd;
}

/* Not every O_WRONLY file may be read: then the guest's writeback has to do without. */
static int open_for_guest(const Files *files, const FilesNode *node, int flags)
{
    int fd = open_node(node, home_flags(files, flags) | (flags & O_TRUNC));

    if (fd == -EACCES && files->cache == FILES_CACHE_WRITEBACK && (flags & O_ACCMODE) == O_WRONLY)
        fd = open_node(node, (flags & (O_ACCMODE | KEPT_FLAGS | O_TRUNC) & ~O_APPEND) | O_CLOEXEC);
    return fd;
}

static gboolean writes(int flags)
{
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;
}

/* Whether the guest may open this at all: 0 or -errno. */
static int may_open(const Files *files, const FilesNode *node, int flags)
{
    if (S_ISDIR(node->inode->type))
        return -EISDIR;
    if (S_ISLNK(node->inode->type))
        return -ELOOP;
    if (!S_ISREG(node->inode->type))
        return -ENXIO;
    if (files->read_only && writes(flags))
        return -EROFS;
    if (flags & EXEC_FLAG &&
        syscall(SYS_faccessat2, node->fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH) < 0)
        return -errno;
    return 0;
}

/* The name that the guest opened may be another file's by now, though the guest still believes it.
 * Said once: ESTALE makes its kernel look the name up again. If it comes back with the same inode,
 * that is meant (a descriptor opened again by /proc/self/fd), or it was replaced after that. */
static gboolean replaced(Files *files, FilesInode *inode, const struct statx *stx)
{
    if (stx->stx_nlink == 0)
        return !files_inode_lost(files->inodes, inode) && !files_current.again;
    return !files_current.again && files_inode_moved(files->inodes, inode);
}

/* The answer to an open: whether the guest keeps its pages, and whether it must say when it closes.
 * It need not if it only reads: there is nothing to write and no lock to drop. (If a lock is made
 * after this, the guest's kernel says it nevertheless: docs/kernel.md, 40-round-trips.) */
static guint32 cache_decision(Files *files, FilesInode *inode, const struct statx *stx, int flags)
{
    FilesStampState state = files_inode_check(files->inodes, inode, stx, TRUE);
    guint32 result = 0;

    if (state == FILES_STAMP_CHANGED)
        files_forget_attributes(files, inode->id);
    if (state == FILES_STAMP_SAME && files->cache != FILES_CACHE_NONE)
        result |= FOPEN_KEEP_CACHE;
    if ((flags & O_ACCMODE) == O_RDONLY && !files_locks_on(files->locks, inode->id))
        result |= FOPEN_NOFLUSH;
    return result;
}

/* How offset and length of direct reads and writes must be aligned at home, as the guest's kernel wants to hear it
 * (docs/kernel.md, 25-files). They are made in the ordinary way here, so only it can refuse what home would. Memory may be
 * aligned in any way: what home says of that is stricter than what newer kernels do. */
static guint32 direct_alignment(int fd, int flags)
{
    struct statx stx;

    if (!(flags & O_DIRECT) || statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) < 0 ||
        !(stx.stx_mask & STATX_DIOALIGN) || stx.stx_dio_offset_align > G_MAXUINT16)
        return 0;
    return stx.stx_dio_offset_align | 1 << 16;
}

/* Opens a node: its descriptor, or -errno; *out is filled. */
static int open_inode(Files *files, const FilesNode *node, int flags, struct fuse_open_out *out)
{
    struct statx before, stx;
    int fd, error = may_open(files, node, flags);

    *out = (struct fuse_open_out){ 0 };
    if (error)
        return error;
    if (flags & O_TRUNC && statx(node->fd, "", AT_EMPTY_PATH, FILES_STATX, &before) < 0)
        return -errno;
    fd = open_for_guest(files, node, flags);
    if (fd == -EACCES && flags & EXEC_FLAG) { /* it may be run, though not read: root's deputy can */
        files_cred_enter();
        fd = open_for_guest(files, node, flags);
        files_cred_leave();
    }
    if (fd < 0)
        return fd;
    if (statx(fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0)
        error = -errno;
    else if (replaced(files, node->inode, &stx))
        error = -ESTALE;
    if (error) {
        close(fd);
        return error;
    }
    if (flags & O_TRUNC) {
        files_inode_own_begin(files->inodes, node->inode, &before);
        files_watch_catch_up(files);
        files_inode_own_end(files->inodes, node->inode, &stx);
        if (stx.stx_mode != before.stx_mode)
            files_forget_attributes(files, node->inode->id);
    }
    out->open_flags = cache_decision(files, node->inode, &stx, flags);
    out->padding = direct_alignment(fd, flags);
    out->fh = files_handle_add(files, node->inode, fd, home_flags(files, flags));
    return 0;
}

void files_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    struct fuse_open_out out;
    FilesNode node;
    int error = files_node_get(files, ino, TRUE, &node);

    if (!error)
        error = open_inode(files, &node, fi->flags, &out);
    if (error)
        fuse_reply_err(req, -error);
    else
        fuse_reply_buf(req, (const char *)&out, sizeof(out));
    files_node_put(&node);
}

/* ---- creating ---- */

typedef struct {
    struct fuse_entry_out entry;
    struct fuse_open_out open;
} CreateOut;

/* Fills the answer for fd (taken over), which has just been made as parent/name, or, name NULL,
 * without one. */
static int finish_create(Files *files, const FilesNode *parent, const char *name, int fd, int flags,
                         CreateOut *out)
{
    struct statx stx;
    FilesInode *inode;
    int path = open(files_fd_name(fd).text, O_PATH | O_CLOEXEC);

    if (path < 0 || statx(fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0) {
        int error = errno;
        close(fd);
        if (path >= 0)
            close(path);
        return -error;
    }
    inode = files_inodes_look(files->inodes, parent->inode, name, &stx, FALSE, path);
    files_inode_fd(files->inodes, inode); /* there is one: it was just given */
    files_fill_entry(files, parent, name, inode, &stx, &out->entry);
    out->open = (struct fuse_open_out){ .open_flags =
                                            cache_decision(files, inode, &stx, flags),
                                        .padding = direct_alignment(fd, flags) };
    out->open.fh = files_handle_add(files, inode, fd, home_flags(files, flags));
    files_inode_done(files->inodes, inode);
    files_inodes_put(files->inodes, inode);
    return 0;
}

/* O_CREAT on a name that exists: looked up, then opened like any other. */
static int open_existing(Files *files, const FilesNode *parent, const char *name, int flags,
                         CreateOut *out)
{
    struct statx stx;
    FilesNode node = { files, NULL, -1 };
    int error = files_look(files, parent, name, &node.inode, &stx);

    if (error)
        return error;
    files_fill_entry(files, parent, name, node.inode, &stx, &out->entry);
    node.fd = files_inode_fd(files->inodes, node.inode);
    error = node.fd < 0 ? node.fd : open_inode(files, &node, flags, &out->open);
    if (!error && flags & O_TRUNC && files_inode_stat(files->inodes, node.inode, &stx) == 0)
        files_fill_entry(files, parent, name, node.inode, &stx, &out->entry);
    if (error)
        files_inodes_forget(files->inodes, node.inode->id, 1);
    files_node_put(&node);
    return error;
}

static int create(Files *files, const FilesNode *parent, const char *name, mode_t mode, int flags,
                  CreateOut *out)
{
    for (int tries = 0; tries < 16; tries++) {
        int fd, error;
        FilesOwn own;

        files_watch_look(files, parent->inode, parent->fd);
        files_watch_own(files, &own, parent->inode, name, 1);
        fd = openat(parent->fd, name, home_flags(files, flags) | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 07777);
        error = errno;
        files_watch_own_done(files, &own, fd >= 0);
        errno = error;
        if (fd >= 0)
            return finish_create(files, parent, name, fd, flags, out);
        if (errno != EEXIST || flags & O_EXCL)
            return -errno;
        error = open_existing(files, parent, name, flags, out);
        if (error != -ENOENT && error != -ESTALE) /* it went away again: make it */
            return error;
    }
    return -ESTALE;
}

void files_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesNode node = { 0 };
    CreateOut out;
    int error = files_name_check(name);

    if (!error)
        error = files_node_get(files, parent, TRUE, &node);
    if (!error && files->read_only) {
        error = fi->flags & O_EXCL ? -EROFS : open_existing(files, &node, name, fi->flags, &out);
        if (error == -ENOENT)
            error = -EROFS;
    } else if (!error) {
        files_cred_umask(fuse_req_ctx(req)->umask);
        error = create(files, &node, name, mode, fi->flags, &out);
    }
    if (error)
        fuse_reply_err(req, -error);
    else
        fuse_reply_buf(req, (const char *)&out, sizeof(out));
    files_node_put(&node);
}

void files_tmpfile(Files *files, const void *request)
{
    const struct fuse_in_header *head = request;
    const struct fuse_create_in *in = (const void *)(head + 1);
    int error, flags = (int)in->flags;
    FilesNode node = { 0 };
    CreateOut out;

    error = files->read_only ? -EROFS : files_node_get(files, head->nodeid, TRUE, &node);
    if (!error) {
        int fd;
        files_cred_umask(in->umask);
        fd = open(files_fd_name(node.fd).text,
                  home_flags(files, flags) | O_TMPFILE | (flags & O_EXCL), in->mode & 07777);
        error = fd < 0 ? -errno : finish_create(files, &node, NULL, fd, flags, &out);
    }
    files_answer(files, head->unique, -error, &out, sizeof(out));
    files_node_put(&node);
}
