/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-data.c - regular files that are open: reading, writing, closing
 *
 * Writes bracket themselves with stamps, so that the job's own do not look like somebody's. */
#include "deputy/files-impl.h"

#include <sys/stat.h>

#define MAX_COPY (32 * 1024 * 1024) /* of one COPY_FILE_RANGE: a worker must come back */

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
    files_watch_catch_up(files);
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
