/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-name.c - names: looking up, making, linking, renaming, removing
 *
 * Every call acts on one component in a directory's O_PATH descriptor and follows nothing. */
#include "deputy/files-impl.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* ---- nodes ---- */

int files_node_get(Files *files, guint64 id, gboolean with_fd, FilesNode *node)
{
    *node = (FilesNode){ files, files_inodes_get(files->inodes, id), -1 };
    if (!node->inode)
        return -ESTALE;
    if (!with_fd)
        return 0;
    node->fd = files_inode_fd(files->inodes, node->inode);
    return node->fd < 0 ? node->fd : 0;
}

void files_node_put(FilesNode *node)
{
    if (!node->inode)
        return;
    if (node->fd >= 0)
        files_inode_done(node->files->inodes, node->inode);
    files_inodes_put(node->files->inodes, node->inode);
    node->inode = NULL;
}

int files_name_check(const char *name)
{
    if (strlen(name) > NAME_MAX)
        return -ENAMETOOLONG;
    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    return 0;
}

/* A directory in which name is to be changed. */
static int writable_node(Files *files, guint64 id, const char *name, FilesNode *node)
{
    int error = files_name_check(name);

    *node = (FilesNode){ 0 };
    if (!error && files->read_only)
        error = -EROFS;
    return error ? error : files_node_get(files, id, TRUE, node);
}

/* ---- lookup ---- */

/* Opens parent/name: because it is in another mount than parent, *hollow says whether it is refused,
 * or because it must stay what it is. */
static int open_name(Files *files, const FilesNode *parent, const char *name, struct statx *stx,
                       gboolean *hollow)
{
    int fd = openat(parent->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (statx(fd, "", AT_EMPTY_PATH, FILES_STATX, stx) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *hollow = files_refused(files->dev_device, fd);
    return fd;
}

static gboolean other_mount(const FilesInode *inode, const struct statx *stx)
{
    if (stx->stx_mask & STATX_MNT_ID)
        return inode->mount != stx->stx_mnt_id;
    return inode->dev != makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static gboolean is_known(Files *files, const struct statx *stx)
{
    FilesInode *inode = files_inodes_find(files->inodes, stx);

    if (inode)
        files_inodes_put(files->inodes, inode);
    return inode != NULL;
}

int files_look(Files *files, const FilesNode *parent, const char *name, FilesInode **inode,
               struct statx *stx)
{
    gboolean hollow = FALSE;
    int fd = -1;

    files_watch_look(files, parent->inode, parent->fd);
    if (statx(parent->fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, stx) < 0)
        return -errno;
    if (files_current.ahead && (other_mount(parent->inode, stx) || is_known(files, stx)))
        return -EAGAIN;
    if (files_current.again || other_mount(parent->inode, stx)) {
        fd = open_name(files, parent, name, stx, &hollow);
        if (fd < 0)
            return fd;
    }
    *inode = files_inodes_look(files->inodes, parent->inode, name, stx, hollow, fd);
    if (S_ISDIR((*inode)->type))
        files_watch_child(files, parent, name, *inode, stx);
    return 0;
}

/* Answers with the entry parent/name. */
static void reply_entry(fuse_req_t req, const FilesNode *parent, const char *name)
{
    Files *files = files_of(req);
    struct fuse_entry_out out;
    FilesInode *inode;
    struct statx stx;
    int error = files_look(files, parent, name, &inode, &stx);

    if (error == -ENOENT && files_current.asks && files_fill_nothing(files, parent, &out)) {
        fuse_reply_buf(req, (const char *)&out, sizeof(out));
        return;
    }
    if (error) {
        fuse_reply_err(req, -error);
        return;
    }
    files_fill_entry(files, parent, name, inode, &stx, &out);
    fuse_reply_buf(req, (const char *)&out, sizeof(out));
    files_inodes_put(files->inodes, inode);
}

int files_place(Files *files, guint64 node, gboolean make)
{
    FilesNode place = { 0 };
    int fd = make && files->read_only ? -EROFS : files_node_get(files, node, TRUE, &place);

    if (fd == 0 && (fd = fcntl(place.fd, F_DUPFD_CLOEXEC, 3)) < 0)
        fd = -errno;
    files_node_put(&place);
    return fd;
}

void files_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    FilesNode node = { 0 };
    int error = files_name_check(name);

    if (!error)
        error = files_node_get(files_of(req), parent, TRUE, &node);
    if (error == -EACCES && node.inode && node.inode->hollow)
        error = -ENOENT;
    if (error)
        fuse_reply_err(req, -error);
    else
        reply_entry(req, &node, name);
    files_node_put(&node);
}

void files_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    files_inodes_forget(files_of(req)->inodes, ino, count);
    fuse_reply_none(req);
}

void files_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++)
        files_inodes_forget(files_of(req)->inodes, forgets[i].ino, forgets[i].nlookup);
    fuse_reply_none(req);
}

void files_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    FilesNode node;
    char target[PATH_MAX + 1];
    ssize_t size = 0;
    int error = files_node_get(files_of(req), ino, TRUE, &node);

    if (!error && !S_ISLNK(node.inode->type))
        error = -EINVAL;
    if (!error && (size = readlinkat(node.fd, "", target, PATH_MAX)) < 0)
        error = -errno;
    if (error)
        fuse_reply_err(req, -error);
    else
        fuse_reply_buf(req, target, size);
    files_node_put(&node);
}

/* ---- making ---- */

/* The guest's kernel lets mknod make devices only for root; home's refuses them for the user. */
/* Makes a name: a folder, a symbolic link to target, or what else the mode says. */
static void make(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev, const char *target)
{
    FilesNode node;
    FilesOwn own;
    int error = writable_node(files_of(req), parent, name, &node);

    if (!error) {
        files_watch_own(files_of(req), &own, node.inode, name, 1);
        files_cred_umask(fuse_req_ctx(req)->umask);
        if ((target ? symlinkat(target, node.fd, name)
             : S_ISDIR(mode) ? mkdirat(node.fd, name, mode & 07777)
                             : mknodat(node.fd, name, mode, dev)) < 0)
            error = -errno;
        files_watch_own_done(files_of(req), &own, !error);
    }
    if (error)
        fuse_reply_err(req, -error);
    else
        reply_entry(req, &node, name);
    files_node_put(&node);
}

void files_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
    make(req, parent, name, mode, dev, NULL);
}

void files_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    make(req, parent, name, S_IFDIR | mode, 0, NULL);
}

void files_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    make(req, parent, name, S_IFLNK, 0, target);
}

void files_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    Files *files = files_of(req);
    FilesNode folder, node = { 0 };
    struct statx before, after;
    FilesOwn own;
    int error = writable_node(files, parent, name, &folder);

    if (!error)
        error = files_node_get(files, ino, TRUE, &node);
    if (!error && statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &before) < 0)
        error = -errno;
    if (!error) {
        files_inode_own_begin(files->inodes, node.inode, &before);
        files_watch_own(files, &own, folder.inode, name, 1);
        if (linkat(AT_FDCWD, files_fd_name(node.fd).text, folder.fd, name, AT_SYMLINK_FOLLOW) < 0)
            error = -errno;
        files_watch_own_done(files, &own, !error);
        if (statx(node.fd, "", AT_EMPTY_PATH, FILES_STATX, &after) < 0)
            after = before;
        files_inode_own_end(files->inodes, node.inode, &after);
    }
    if (error)
        fuse_reply_err(req, -error);
    else
        reply_entry(req, &folder, name);
    files_node_put(&node);
    files_node_put(&folder);
}

/* ---- removing ---- */

/* What parent/name is, if the guest knows it: held, else NULL. */
static FilesInode *known(Files *files, const FilesNode *parent, const char *name,
                         struct statx *stx)
{
    if (statx(parent->fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, stx) < 0)
        return NULL;
    return files_inodes_find(files->inodes, stx);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
    Files *files = files_of(req);
    FilesInode *victim = NULL;
    FilesNode node;
    FilesOwn own;
    struct statx stx;
    int error = writable_node(files, parent, name, &node);

    if (!error) {
        gboolean pinned;
        victim = known(files, &node, name, &stx);
        pinned = victim && files_inode_pin(files->inodes, victim, node.inode, name) == 0;
        files_watch_own(files, &own, node.inode, name, 1);
        if (unlinkat(node.fd, name, flags) < 0) {
            error = -errno;
            if (pinned)
                files_inode_named(files->inodes, victim, node.inode, name);
        }
        files_watch_own_done(files, &own, !error);
    }
    fuse_reply_err(req, -error);
    if (victim)
        files_inodes_put(files->inodes, victim);
    files_node_put(&node);
}

void files_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, 0);
}

void files_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, AT_REMOVEDIR);
}

/* ---- renaming ---- */

typedef struct {
    FilesNode *from, *to;
    const char *name, *new_name;
    unsigned int flags;
} Rename;

/* Renames, and has the table follow: moved and target are what the two names were, if known. */
static int rename_known(Files *files, const Rename *r, FilesInode *moved, FilesInode *target)
{
    gboolean exchange = (r->flags & RENAME_EXCHANGE) != 0;
    int events = exchange || r->flags & RENAME_WHITEOUT ? 2 : 1, error = 0;
    FilesOwn from, to;
    gboolean pinned = target && target != moved && !exchange &&
                      files_inode_pin(files->inodes, target, r->to->inode, r->new_name) == 0;

    files_watch_own(files, &from, r->from->inode, r->name, events);
    files_watch_own(files, &to, r->to->inode, r->new_name, events);
    if (renameat2(r->from->fd, r->name, r->to->fd, r->new_name, r->flags) < 0)
        error = errno;
    files_watch_own_done(files, &to, !error);
    files_watch_own_done(files, &from, !error);
    if (error) {
        if (pinned)
            files_inode_named(files->inodes, target, r->to->inode, r->new_name);
        return -error;
    }
    if (moved)
        files_inode_named(files->inodes, moved, r->to->inode, r->new_name);
    if (target && exchange)
        files_inode_named(files->inodes, target, r->from->inode, r->name);
    return 0;
}

/* A rename changes ctime; that is the job's own doing and spoils nobody's cache. */
static int rename_stamped(Files *files, const Rename *r)
{
    struct statx before, after, other;
    FilesInode *moved = known(files, r->from, r->name, &before);
    FilesInode *target = known(files, r->to, r->new_name, &other);
    int error;

    if (moved)
        files_inode_own_begin(files->inodes, moved, &before);
    error = rename_known(files, r, moved, target);
    if (moved) {
        if (error || statx(r->to->fd, r->new_name, AT_SYMLINK_NOFOLLOW, FILES_STATX, &after) < 0 ||
            !files_inode_is(moved, &after))
            after = before;
        files_inode_own_end(files->inodes, moved, &after);
        files_inodes_put(files->inodes, moved);
    }
    if (target)
        files_inodes_put(files->inodes, target);
    return error;
}

void files_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                     const char *new_name, unsigned int flags)
{
    Files *files = files_of(req);
    FilesNode from, to = { 0 };
    int error = writable_node(files, parent, name, &from);

    if (!error)
        error = writable_node(files, new_parent, new_name, &to);
    if (!error)
        error = rename_stamped(files, &(Rename){ &from, &to, name, new_name, flags });
    fuse_reply_err(req, -error);
    files_node_put(&to);
    files_node_put(&from);
}
