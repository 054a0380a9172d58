/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock-op.c - the guest's lock requests, and their answers, which may come much later */
#include "deputy/files-impl.h"

#include <stdlib.h>
#include <sys/file.h>

/* What an answer needs: kept until then. */
typedef struct {
    fuse_req_t req;
    FilesHandle *handle;
} Pending;

static void lock_request(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                         FilesLockRequest request)
{
    Files *files = files_of(req);
    FilesHandle *handle = files_handle_get(files, fi->fh, ino);
    Pending *pending;

    if (!handle || handle->flags & O_DIRECTORY) {
        files_locks_unexpect(files->locks, files_current.unique);
        fuse_reply_err(req, EBADF);
        if (handle)
            files_handle_put(files, handle);
        return;
    }
    if (request.kind != FILES_LOCK_FLOCK)
        g_atomic_int_set(&handle->locked, TRUE);
    pending = g_new(Pending, 1);
    *pending = (Pending){ req, handle };
    request.inode = ino;
    request.handle = fi->fh;
    request.owner = fi->lock_owner;
    request.unique = files_current.unique;
    request.fd = handle->fd;
    request.access = handle->flags & O_ACCMODE;
    request.data = pending;
    files_lock(files->locks, &request);
}

/* Whoever gets a lock wants to see what others wrote before it: if the file changed, the guest
 * drops its attributes now, and its pages when it sees the new ones. */
static void look_again(Files *files, FilesHandle *handle)
{
    struct statx stx;

    if (statx(handle->fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) == 0 &&
        files_inode_check(files->inodes, handle->inode, &stx, FALSE) == FILES_STAMP_CHANGED)
        files_forget_attributes(files, handle->inode->id);
}

void files_lock_done(const FilesLockRequest *request, int error, void *user)
{
    Files *files = user;
    Pending *pending = request->data;

    if (!error && request->kind != FILES_LOCK_GET)
        look_again(files, pending->handle);
    if (!error && request->kind == FILES_LOCK_GET)
        fuse_reply_lock(pending->req, &request->lock);
    else
        fuse_reply_err(pending->req, error);
    files_handle_put(files, pending->handle);
    g_free(pending);
}

void files_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock)
{
    lock_request(req, ino, fi, (FilesLockRequest){ .kind = FILES_LOCK_GET, .lock = *lock });
}

void files_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
                    int sleep)
{
    lock_request(req, ino, fi,
                 (FilesLockRequest){ .kind = sleep ? FILES_LOCK_SETW : FILES_LOCK_SET,
                                     .lock = *lock });
}

void files_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int operation)
{
    lock_request(req, ino, fi,
                 (FilesLockRequest){ .kind = FILES_LOCK_FLOCK, .operation = operation });
}

void files_release_locks(Files *files, guint64 ino, guint64 fh, gboolean flocked)
{
    FilesHandle *handle = files_handle_get(files, fh, ino);

    if (!handle)
        return;
    if (g_atomic_int_get(&handle->locked))
        files_locks_drop_handle(files->locks, ino, fh);
    if (flocked)
        flock(handle->fd, LOCK_UN); /* closing it is a worker's, and comes later */
    files_handle_put(files, handle);
}
