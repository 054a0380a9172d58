/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-attr.c - attributes, extended attributes, access, file system statistics
 *
 * Where Linux has no call for an O_PATH descriptor, its name in /proc/self/fd is used, which is the
 * workers' directory (files-cred.c). */
#include "deputy/files-impl.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* ---- filling ---- */

/* An empty directory for a refused file system; for a refused file, one that says nothing. */
static void hollow_attr(const FilesInode *inode, struct fuse_attr *attr)
{
    attr->size = 0;
    attr->blocks = 0;
    attr->rdev = 0;
    if (S_ISDIR(inode->type)) {
        attr->mode = S_IFDIR | 0555;
        attr->nlink = 2;
    }
}

/* The kernel's 32-bit encoding, which FUSE uses. */
static guint32 device_number(guint32 major, guint32 minor)
{
    return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

void files_fill_attr(const Files *files, const FilesInode *inode, const struct statx *stx,
                     struct fuse_attr *attr)
{
    *attr = (struct fuse_attr){
        .ino = stx->stx_ino,
        .size = stx->stx_size,
        .blocks = stx->stx_blocks,
        .atime = stx->stx_atime.tv_sec,
        .mtime = stx->stx_mtime.tv_sec,
        .ctime = stx->stx_ctime.tv_sec,
        .atimensec = stx->stx_atime.tv_nsec,
        .mtimensec = stx->stx_mtime.tv_nsec,
        .ctimensec = stx->stx_ctime.tv_nsec,
        .mode = stx->stx_mode,
        .nlink = stx->stx_nlink,
        .uid = stx->stx_uid,
        .gid = stx->stx_gid,
        .rdev = device_number(stx->stx_rdev_major, stx->stx_rdev_minor),
        .blksize = stx->stx_blksize,
    };
    if (files_inode_skewed(inode, stx))
        attr->mtimensec ^= 1;
    if (inode->hollow)
        hollow_attr(inode, attr);
}

static void split_timeout(const Files *files, gboolean watched, guint64 *seconds, guint32 *ns)
{
    double timeout = files_timeout(files, watched);

    *seconds = (guint64)timeout;
    *ns = (guint32)((timeout - (double)*seconds) * 1e9);
}

void files_fill_entry(Files *files, const FilesNode *parent, const char *name, FilesInode *inode,
                      const struct statx *stx, struct fuse_entry_out *out)
{
    *out = (struct fuse_entry_out){ .nodeid = inode->id };
    split_timeout(files, name && files_watch_names(files, parent->inode), &out->entry_valid,
                  &out->entry_valid_nsec);
    split_timeout(files, files_watch_attributes(files, name ? parent->inode : NULL, inode, stx),
                  &out->attr_valid, &out->attr_valid_nsec);
    files_fill_attr(files, inode, stx, &out->attr);
    if (files_bare(files, inode, stx, name ? parent->fd : -1, name))
        out->attr.flags |= FILES_ATTR_NO_XATTR;
    if (!files->submounts || inode->hollow || !S_ISDIR(inode->type) ||
        (inode->dev == parent->inode->dev && inode->mount == parent->inode->mount))
        return;
    /* The guest mounts it; its kernel takes the device number from where directories have none. */
    out->attr.flags |= FUSE_ATTR_SUBMOUNT;
    out->attr.rdev = device_number(stx->stx_dev_major, stx->stx_dev_minor);
}

gboolean files_fill_nothing(Files *files, const FilesNode *parent, struct fuse_entry_out *out)
{
    *out = (struct fuse_entry_out){ 0 };
    if (!files_watch_names(files, parent->inode))
        return FALSE;
    split_timeout(files, TRUE, &out->entry_valid, &out->entry_valid_nsec);
    return TRUE;
}

/* Where the inode's changes are told, held; only who asks for attributes may believe them for long. */
static FilesInode *watched_folder(Files *files, FilesInode *inode)
{
    return files->watch && files_current.asks && !S_ISDIR(inode->type) ? files_inode_folder(files->inodes, inode)
                                                                       : NULL;
}

static void reply_attr(fuse_req_t req, FilesInode *inode, const struct statx *stx)
{
    Files *files = files_of(req);
    struct fuse_attr_out out = { 0 };
    int fd = files->bare ? files_inode_fd_if_open(files->inodes, inode) : -1;
    FilesInode *folder = watched_folder(files, inode);

    split_timeout(files, files_watch_attributes(files, folder, inode, stx), &out.attr_valid, &out.attr_valid_nsec);
    if (folder)
        files_inodes_put(files->inodes, folder);
    files_fill_attr(files, inode, stx, &out.attr);
    if (files_bare(files, inode, stx, fd, NULL))
        out.attr.flags |= FILES_ATTR_NO_XATTR;
    if (fd >= 0)
        files_inode_done(files->inodes, inode);
    files_inode_seen(files->inodes, inode, stx);
    fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

/* ---- getattr ---- */

int files_stat(Files *files, FilesInode *inode, FilesHandle *handle, struct statx *stx)
{
    if (!handle)
        return files_inode_stat(files->inodes, inode, stx);
    return statx(handle->fd, "", AT_EMPTY_PATH, FILES_STATX, stx) < 0 ? -errno : 0;
}

void files_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = fi ? files_handle_get(files, fi->fh, ino) : NULL;
    FilesInode *folder = NULL;
    struct statx stx;
    FilesNode node;
    int error = files_node_get(files, ino, FALSE, &node);

    if (!error && files->watch) {
        folder = files_inode_parent(files->inodes, node.inode, NULL);
        files_watch_look(files, folder, -1);
    }
    if (!error)
        error = files_stat(files, node.inode, handle, &stx);
    if (error)
        fuse_reply_err(req, -error);
    else
        reply_attr(req, node.inode, &stx);
    if (folder)
        files_inodes_put(files->inodes, folder);
    files_node_put(&node);
    if (handle)
        files_handle_put(files, handle);
}

/* ---- setattr ---- */

static int set_size(const FilesNode *node, FilesHandle *handle, off_t size)
{
    int fd, result;

    if (handle && (handle->flags & O_ACCMODE) != O_RDONLY)
        return ftruncate(handle->fd, size) < 0 ? -errno : 0;
    if (!S_ISREG(node->inode->type))
        return S_ISDIR(node->inode->type) ? -EISDIR : -EINVAL;
    fd = open(files_fd_name(node->fd).text, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    result = ftruncate(fd, size) < 0 ? -errno : 0;
    close(fd);
    return result;
}

static struct timespec time_to_set(int set, int now, const struct timespec *time)
{
    if (now)
        return (struct timespec){ .tv_nsec = UTIME_NOW };
    return set ? *time : (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(const FilesNode *node, const struct stat *st, int to_set)
{
    struct timespec times[2];

    times[0] = time_to_set(to_set & FUSE_SET_ATTR_ATIME, to_set & FUSE_SET_ATTR_ATIME_NOW,
                           &st->st_atim);
    times[1] = time_to_set(to_set & FUSE_SET_ATTR_MTIME, to_set & FUSE_SET_ATTR_MTIME_NOW,
                           &st->st_mtim);
    return utimensat(node->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static int set_attributes(const FilesNode *node, FilesHandle *handle, const struct stat *st,
                          int to_set)
{
    int error = 0;

    if (!to_set || to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) /* chown(-1, -1) still sets ctime */
        error = fchownat(node->fd, "", to_set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1,
                         to_set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1, AT_EMPTY_PATH) < 0
                    ? -errno
                    : 0;
    if (!error && to_set & FUSE_SET_ATTR_MODE) {
        if (S_ISLNK(node->inode->type))
            error = -EOPNOTSUPP;
        else if (fchmodat(AT_FDCWD, files_fd_name(node->fd).text, st->st_mode & 07777, 0) < 0)
            error = -errno;
    }
    if (!error && to_set & FUSE_SET_ATTR_SIZE)
        error = set_size(node, handle, st->st_size);
    if (!error && to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
                            FUSE_SET_ATTR_MTIME_NOW))
        error = set_times(node, st, to_set);
    return error;
}

void files_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                      struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    FilesHandle *handle = fi ? files_handle_get(files, fi->fh, ino) : NULL;
    struct statx before, after;
    FilesNode node = { 0 };
    int error = files->read_only ? -EROFS : files_node_get(files, ino, TRUE, &node);

    if (!error && statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &before) < 0)
        error = -errno;
    if (!error) {
        files_inode_own_begin(files->inodes, node.inode, &before);
        error = set_attributes(&node, handle, st, to_set);
        if (statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &after) < 0)
            after = before;
        files_watch_catch_up(files);
        files_inode_own_end(files->inodes, node.inode, &after);
    }
    if (error)
        fuse_reply_err(req, -error);
    else
        reply_attr(req, node.inode, &after);
    files_node_put(&node);
    if (handle)
        files_handle_put(files, handle);
}

/* ---- access, statfs ---- */

void files_op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    Files *files = files_of(req);
    FilesNode node;
    int error = files_node_get(files, ino, TRUE, &node);

    if (error == -EACCES && node.inode && node.inode->hollow)
        error = mask & W_OK ? -EACCES : 0;
    else if (!error && mask & W_OK && files->read_only)
        error = -EROFS;
    else if (!error &&
             syscall(SYS_faccessat2, node.fd, "", mask & 7, AT_EACCESS | AT_EMPTY_PATH) < 0)
        error = -errno;
    fuse_reply_err(req, -error);
    files_node_put(&node);
}

void files_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    Files *files = files_of(req);
    struct statvfs fs = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };
    FilesNode node;
    int error = files_node_get(files, ino, TRUE, &node);

    if (error == -EACCES && node.inode && node.inode->hollow)
        error = 0;
    else if (!error && fstatvfs(node.fd, &fs) < 0)
        error = -errno;
    if (error)
        fuse_reply_err(req, -error);
    else
        fuse_reply_statfs(req, &fs);
    files_node_put(&node);
}

/* ---- extended attributes ---- */

/* One extended attribute, or the list of all if name is NULL; size 0 asks for the length. */
static void read_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    FilesNode node;
    int error = files_node_get(files_of(req), ino, TRUE, &node);
    char *buffer = size ? files_current.buffer : NULL;
    ssize_t got = 0;

    if (!error) {
        const FilesFdName path = files_fd_name(node.fd);

        got = name ? getxattr(path.text, name, buffer, size) : listxattr(path.text, buffer, size);
        error = got < 0 ? -errno : 0;
    } else if (node.inode && node.inode->hollow) {
        error = name ? -ENODATA : 0;
    }
    if (error)
        fuse_reply_err(req, -error);
    else if (size)
        fuse_reply_buf(req, files_current.buffer, got);
    else
        fuse_reply_xattr(req, got);
    files_node_put(&node);
}

void files_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    read_xattr(req, ino, name, size);
}

void files_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    read_xattr(req, ino, NULL, size);
}

/* A change of extended attributes: value NULL removes. */
static void change_xattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                         size_t size, int flags)
{
    Files *files = files_of(req);
    FilesNode node = { 0 };
    struct statx before, after;
    int error = files->read_only ? -EROFS : files_node_get(files, ino, TRUE, &node);

    if (!error && statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &before) < 0)
        error = -errno;
    if (!error) {
        FilesFdName file = files_fd_name(node.fd);
        files_inode_own_begin(files->inodes, node.inode, &before);
        node.inode->bare = 0;
        if (value ? setxattr(file.text, name, value, size, flags) < 0
                  : removexattr(file.text, name) < 0)
            error = -errno;
        if (statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &after) < 0)
            after = before;
        files_watch_catch_up(files);
        files_inode_own_end(files->inodes, node.inode, &after);
        /* an ACL changes the mode; a guest that keeps times itself would not ask */
        if (!error && g_str_has_prefix(name, "system.posix_acl_"))
            files_forget_attributes(files, ino);
    }
    fuse_reply_err(req, -error);
    files_node_put(&node);
}

void files_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                       size_t size, int flags)
{
    change_xattr(req, ino, name, value, size, flags);
}

void files_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    change_xattr(req, ino, name, NULL, 0, 0);
}
