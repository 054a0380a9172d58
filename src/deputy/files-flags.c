/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-flags.c - flags of files (chattr, lsattr), project numbers and generations: the ioctl commands that pass
 *
 * Of the many commands of file systems only these have an argument of a fixed size and mean the same everywhere. All
 * others are answered as a file system does that does not know them. Home decides who may: a worker has the rights of
 * whoever asks.
 *
 * Some commands have a long in their name and an int as argument, so their number depends on the guest's word. */
#include "deputy/files-impl.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

/* What a 32-bit guest says. */
#define GETFLAGS_32 _IOR('f', 1, guint32)
#define SETFLAGS_32 _IOW('f', 2, guint32)
#define GETVERSION_32 _IOR('v', 1, guint32)

typedef struct {
    unsigned int command; /* as home's kernel knows it; 0: none that passes */
    size_t in, out;
} Command;

static Command command_of(unsigned int cmd)
{
    switch (cmd) {
    case FS_IOC_GETFLAGS:
    case GETFLAGS_32:
        return (Command){ FS_IOC_GETFLAGS, 0, sizeof(int) };
    case FS_IOC_SETFLAGS:
    case SETFLAGS_32:
        return (Command){ FS_IOC_SETFLAGS, sizeof(int), 0 };
    case FS_IOC_GETVERSION:
    case GETVERSION_32:
        return (Command){ FS_IOC_GETVERSION, 0, sizeof(int) };
    case FS_IOC_FSGETXATTR:
        return (Command){ FS_IOC_FSGETXATTR, 0, sizeof(struct fsxattr) };
    case FS_IOC_FSSETXATTR:
        return (Command){ FS_IOC_FSSETXATTR, sizeof(struct fsxattr), 0 };
    default:
        return (Command){ 0 };
    }
}

void files_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
                    struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                    size_t out_size)
{
    union {
        long number; /* in case a file system writes what the command's name says */
        struct fsxattr attributes;
    } value = { 0 };
    Command command = command_of(cmd);
    Files *files = files_of(req);
    FilesHandle *handle;
    int error = 0;

    if (!command.command || in_size < command.in || out_size < command.out) {
        fuse_reply_err(req, ENOTTY);
        return;
    }
    handle = files_handle_get(files, fi->fh, ino);
    if (!handle)
        error = EBADF;
    else if (command.in && files->read_only)
        error = EROFS;
    if (!error) {
        memcpy(&value, in, command.in);
        error = ioctl(handle->fd, command.command, &value) < 0 ? errno : 0;
    }
    if (!error && command.in)
        files_forget_attributes(files, ino);
    if (error)
        fuse_reply_err(req, error);
    else
        fuse_reply_ioctl(req, 0, &value, command.out);
    if (handle)
        files_handle_put(files, handle);
}
