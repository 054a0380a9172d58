/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-check.c - raw FUSE requests are well-formed, or go no further
 *
 * libfuse trusts whoever sends requests, because that is the kernel. Here it is a guest, which may
 * send anything. So before libfuse sees a request its length is compared with what the operation
 * needs: a fixed part, then so many names (ended by a NUL, within the request), then data of the
 * size that the fixed part says. Operations that are not in the table are answered ENOSYS.
 *
 * Some fields are limited, too: how much is read or written at once, and the protocol's version,
 * since libfuse lays out its structures by it. */
#include "deputy/files-impl.h"

typedef struct {
    guint8 known, fixed, names;
} Shape;

/* fixed part, number of names */
static const Shape shapes[] = {
    [FUSE_LOOKUP] = { 1, 0, 1 },
    [FUSE_FORGET] = { 1, sizeof(struct fuse_forget_in), 0 },
    [FUSE_GETATTR] = { 1, sizeof(struct fuse_getattr_in), 0 },
    [FUSE_SETATTR] = { 1, sizeof(struct fuse_setattr_in), 0 },
    [FUSE_READLINK] = { 1, 0, 0 },
    [FUSE_SYMLINK] = { 1, 0, 2 },
    [FUSE_MKNOD] = { 1, sizeof(struct fuse_mknod_in), 1 },
    [FUSE_MKDIR] = { 1, sizeof(struct fuse_mkdir_in), 1 },
    [FUSE_UNLINK] = { 1, 0, 1 },
    [FUSE_RMDIR] = { 1, 0, 1 },
    [FUSE_RENAME] = { 1, sizeof(struct fuse_rename_in), 2 },
    [FUSE_LINK] = { 1, sizeof(struct fuse_link_in), 1 },
    [FUSE_OPEN] = { 1, sizeof(struct fuse_open_in), 0 },
    [FUSE_READ] = { 1, sizeof(struct fuse_read_in), 0 },
    [FUSE_WRITE] = { 1, sizeof(struct fuse_write_in), 0 },
    [FUSE_STATFS] = { 1, 0, 0 },
    [FUSE_RELEASE] = { 1, sizeof(struct fuse_release_in), 0 },
    [FUSE_FSYNC] = { 1, sizeof(struct fuse_fsync_in), 0 },
    [FUSE_SETXATTR] = { 1, FUSE_COMPAT_SETXATTR_IN_SIZE, 1 },
    [FUSE_GETXATTR] = { 1, sizeof(struct fuse_getxattr_in), 1 },
    [FUSE_LISTXATTR] = { 1, sizeof(struct fuse_getxattr_in), 0 },
    [FUSE_REMOVEXATTR] = { 1, 0, 1 },
    [FUSE_FLUSH] = { 1, sizeof(struct fuse_flush_in), 0 },
    [FUSE_INIT] = { 1, offsetof(struct fuse_init_in, flags2), 0 },
    [FUSE_OPENDIR] = { 1, sizeof(struct fuse_open_in), 0 },
    [FUSE_READDIR] = { 1, sizeof(struct fuse_read_in), 0 },
    [FUSE_RELEASEDIR] = { 1, sizeof(struct fuse_release_in), 0 },
    [FUSE_FSYNCDIR] = { 1, sizeof(struct fuse_fsync_in), 0 },
    [FUSE_GETLK] = { 1, sizeof(struct fuse_lk_in), 0 },
    [FUSE_SETLK] = { 1, sizeof(struct fuse_lk_in), 0 },
    [FUSE_SETLKW] = { 1, sizeof(struct fuse_lk_in), 0 },
    [FUSE_ACCESS] = { 1, sizeof(struct fuse_access_in), 0 },
    [FUSE_CREATE] = { 1, sizeof(struct fuse_create_in), 1 },
    [FUSE_INTERRUPT] = { 1, sizeof(struct fuse_interrupt_in), 0 },
    [FUSE_DESTROY] = { 1, 0, 0 },
    [FUSE_IOCTL] = { 1, sizeof(struct fuse_ioctl_in), 0 },
    [FUSE_BATCH_FORGET] = { 1, sizeof(struct fuse_batch_forget_in), 0 },
    [FUSE_FALLOCATE] = { 1, sizeof(struct fuse_fallocate_in), 0 },
    [FUSE_READDIRPLUS] = { 1, sizeof(struct fuse_read_in), 0 },
    [FUSE_RENAME2] = { 1, sizeof(struct fuse_rename2_in), 2 },
    [FUSE_LSEEK] = { 1, sizeof(struct fuse_lseek_in), 0 },
    [FUSE_COPY_FILE_RANGE] = { 1, sizeof(struct fuse_copy_file_range_in), 0 },
    [FUSE_TMPFILE] = { 1, sizeof(struct fuse_create_in), 1 },
};

/* The part after count names, or NULL if they do not end within the request. */
static const char *after_names(const char *p, const char *end, int count)
{
    while (count--) {
        p = memchr(p, 0, end - p);
        if (!p)
            return NULL;
        p++;
    }
    return p;
}

static int check_init(const struct fuse_init_in *in)
{
    if (in->major != FUSE_KERNEL_VERSION || in->minor < 31)
        return EPROTO;
    return 0;
}

/* Sizes in the fixed part, against the rest bytes that follow it and its names. */
static int check_sizes(guint32 opcode, const void *in, size_t rest)
{
    const struct fuse_lk_in *lk = in;
    const struct fuse_read_in *read = in;

    switch (opcode) {
    case FUSE_INIT:
        return check_init(in);
    case FUSE_WRITE:
        return ((const struct fuse_write_in *)in)->size == rest && rest <= FILES_MAX_IO ? 0
                                                                                        : EINVAL;
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        return read->size <= FILES_MAX_IO && (gint64)read->offset >= 0 ? 0 : EINVAL;
    case FUSE_SETXATTR:
        return ((const struct fuse_setxattr_in *)in)->size == rest ? 0 : EINVAL;
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
        return ((const struct fuse_getxattr_in *)in)->size <= FILES_MAX_IO ? 0 : E2BIG;
    case FUSE_IOCTL:
        return ((const struct fuse_ioctl_in *)in)->in_size <= rest ? 0 : EINVAL;
    case FUSE_BATCH_FORGET:
        return ((const struct fuse_batch_forget_in *)in)->count <=
                       rest / sizeof(struct fuse_forget_one)
                   ? 0
                   : EINVAL;
    case FUSE_GETLK:
    case FUSE_SETLK:
    case FUSE_SETLKW:
        return (gint64)lk->lk.start >= 0 && (gint64)lk->lk.end >= (gint64)lk->lk.start ? 0 : EINVAL;
    default:
        return 0;
    }
}

int files_check(const void *request, size_t size)
{
    const struct fuse_in_header *head = request;
    const char *in = (const char *)(head + 1), *end = (const char *)request + size;
    const char *rest;

    if (size < sizeof(*head) || head->len != size || size > FILES_MAX_REQUEST)
        return EINVAL;
    if (head->opcode >= G_N_ELEMENTS(shapes) || !shapes[head->opcode].known)
        return ENOSYS;
    if (size - sizeof(*head) < shapes[head->opcode].fixed)
        return EINVAL;
    rest = after_names(in + shapes[head->opcode].fixed, end, shapes[head->opcode].names);
    if (!rest)
        return EINVAL;
    return check_sizes(head->opcode, in, end - rest);
}
