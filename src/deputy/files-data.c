/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-data.c - regular files: opening, reading, writing
 *
 * A file is opened by its O_PATH descriptor, which is known to be a regular file, so a name that
 * turns into a FIFO, a device or a link meanwhile does no harm.
 *
 * What the guest keeps cached is decided at OPEN (close-to-open consistency): if the file's stamps
 * are those that its pages were filled from, they stay; if somebody at home changed it, the guest
 * is told to drop its attributes before it gets the answer. Writes bracket themselves with stamps,
 * so that the job's own do not look like somebody's. */
#include "deputy/files-impl.h"

#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define EXEC_FLAG 0x20 /* the kernel's __FMODE_EXEC: it opens a program to run it */
#define KEPT_FLAGS (O_APPEND | O_SYNC | O_DSYNC | O_NOATIME)
#define MAX_COPY (32 * 1024 * 1024) /* of one COPY_FILE_RANGE: a worker must come back */

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
        int fd = openat(parent->fd, name, home_flags(files, flags) | O_CREAT | O_EXCL | O_NOFOLLOW,
                        mode & 07777);
        int error;

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

/* ---- reading and writing ---- */

void files_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                   struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = files_handle_get(files, fi->fh, ino);
    size_t got = 0;
    int error = handle && !(handle->flags & O_DIRECTORY) ? 0 : EBADF;

    while (!error && got < size) {
        ssize_t n = pread(handle->fd, files_current.buffer + got, size - got, offset + (off_t)got);
        if (n < 0 && errno != EINTR)
            error = got ? 0 : errno;
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? n : 0;
    }
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_buf(req, files_current.buffer, got);
    if (handle)
        files_handle_put(files, handle);
}

/* The descriptor to write to. Pages that the guest's kernel writes back have a place of their own
 * and must not be appended; other writes follow O_APPEND, which fcntl may have changed. */
static int write_fd(FilesHandle *h, gboolean page, int flags)
{
    int fd = h->fd;

    if (!page && ((flags ^ h->flags) & O_APPEND) == 0)
        return fd;
    g_mutex_lock(&h->lock);
    if (page && h->flags & O_APPEND) {
        if (h->plain_fd < 0)
            h->plain_fd = open(files_fd_name(h->fd).text, O_WRONLY | O_CLOEXEC);
        fd = h->plain_fd;
    } else if (!page && ((flags ^ h->flags) & O_APPEND)) {
        int now = fcntl(h->fd, F_GETFL);
        if (fcntl(h->fd, F_SETFL, (now & ~O_APPEND) | (flags & O_APPEND)) < 0)
            fd = -1;
        else
            h->flags = (h->flags & ~O_APPEND) | (flags & O_APPEND);
    }
    g_mutex_unlock(&h->lock);
    return fd;
}

static int write_all(int fd, const char *data, size_t size, off_t offset, size_t *done)
{
    for (*done = 0; *done < size;) {
        ssize_t n = pwrite(fd, data + *done, size - *done, offset + (off_t)*done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return *done ? 0 : errno;
        *done += n;
    }
    return 0;
}

/* Stamps around a modification through a handle. */
static void begin(Files *files, FilesHandle *h, struct statx *before)
{
    if (statx(h->fd, "", AT_EMPTY_PATH, FILES_STATX, before) < 0)
        memset(before, 0, sizeof(*before));
    files_inode_own_begin(files->inodes, h->inode, before);
}

/* The guest knows that it changed size and times, but not that writing took the set-user-id bit. */
static void end(Files *files, FilesHandle *h, const struct statx *before)
{
    struct statx stx;

    if (statx(h->fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0)
        memset(&stx, 0, sizeof(stx));
    files_inode_own_end(files->inodes, h->inode, &stx);
    if (stx.stx_mode != before->stx_mode)
        files_forget_attributes(files, h->inode->id);
}

/* A handle that may be written through: 0 or an errno. */
static int get_for_writing(Files *files, guint64 fh, guint64 ino, FilesHandle **handle)
{
    *handle = files_handle_get(files, fh, ino);
    if (!*handle || (*handle)->flags & O_DIRECTORY || ((*handle)->flags & O_ACCMODE) == O_RDONLY)
        return EBADF;
    return files->read_only ? EROFS : 0;
}

void files_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    struct statx before;
    FilesHandle *handle;
    size_t done = 0;
    int fd, error = get_for_writing(files, fi->fh, ino, &handle);

    if (!error && offset < 0)
        error = EINVAL;
    if (!error) {
        int flags = files->cache == FILES_CACHE_WRITEBACK ? fi->flags & ~O_APPEND : fi->flags;
        fd = write_fd(handle, fi->writepage, flags);
        begin(files, handle, &before);
        error = fd < 0 ? EIO : write_all(fd, data, size, offset, &done);
        end(files, handle, &before);
    }
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_write(req, done);
    if (handle)
        files_handle_put(files, handle);
}

void files_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = files_handle_get(files, fi->fh, ino);
    int error = handle ? 0 : EBADF;

    files_locks_drop_owner(files->locks, ino, fi->lock_owner);
    if (handle && (handle->flags & O_ACCMODE) != O_RDONLY) {
        /* what close says at home (quota, a server's error) is said here */
        int copy = dup(handle->fd);
        if (copy >= 0 && close(copy) < 0 && errno != EINTR)
            error = errno;
    }
    fuse_reply_err(req, error);
    if (handle)
        files_handle_put(files, handle);
}

void files_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Files *files = files_of(req);

    files_handle_close(files, fi->fh, ino);
    fuse_reply_err(req, 0);
}

void files_op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = files_handle_get(files, fi->fh, ino);
    int error = handle ? 0 : EBADF;

    if (handle && (data_only ? fdatasync(handle->fd) : fsync(handle->fd)) < 0)
        error = errno;
    fuse_reply_err(req, error);
    if (handle)
        files_handle_put(files, handle);
}

void files_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                        struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    struct statx before;
    FilesHandle *handle;
    int error = get_for_writing(files, fi->fh, ino, &handle);

    if (!error) {
        begin(files, handle, &before);
        error = fallocate(handle->fd, mode, offset, length) < 0 ? errno : 0;
        end(files, handle, &before);
    }
    fuse_reply_err(req, error);
    if (handle)
        files_handle_put(files, handle);
}

void files_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
                    struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = files_handle_get(files, fi->fh, ino);
    int error = handle && !(handle->flags & O_DIRECTORY) ? 0 : EBADF;
    off_t at = 0;

    if (!error && whence != SEEK_DATA && whence != SEEK_HOLE)
        error = EINVAL;
    if (!error && (at = lseek(handle->fd, offset, whence)) < 0)
        error = errno;
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_lseek(req, at);
    if (handle)
        files_handle_put(files, handle);
}

void files_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
                              struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
                              struct fuse_file_info *fi_out, size_t length, int flags)
{
    Files *files = files_of(req);
    FilesHandle *in = files_handle_get(files, fi_in->fh, ino_in), *out;
    int error = get_for_writing(files, fi_out->fh, ino_out, &out);
    struct statx before;
    ssize_t done = 0;

    if (!error && (!in || in->flags & O_DIRECTORY))
        error = EBADF;
    if (!error) {
        begin(files, out, &before);
        done = copy_file_range(in->fd, &off_in, out->fd, &off_out, MIN(length, MAX_COPY), flags);
        error = done < 0 ? errno : 0;
        end(files, out, &before);
    }
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_write(req, done);
    if (in)
        files_handle_put(files, in);
    if (out)
        files_handle_put(files, out);
}
