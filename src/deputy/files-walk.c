/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-walk.c - the descriptors of what the guest knows: walking to an inode, keeping what is open
 *
 * Descriptors: nothing is opened when the guest merely looks. When a descriptor is needed the inode
 * is walked to from its parent, name by name, with O_PATH and O_NOFOLLOW, and what is found there
 * must be the same inode, or the answer is ESTALE (the guest's kernel then walks the path anew). A
 * descriptor that is not in use stays in a list, and the least recently used go when there are too
 * many. It is kept for certain where walking is no way back: while a handle is open, and when the
 * name is gone by the job's own unlink or rename (nameless); if these are too many, the least recently used are put away,
 * open (files-closet.c).
 *
 * Symbolic links are never followed here and ".." is never used, so that neither can lead out of
 * the root; mount points of refused file systems are `hollow' and never get a descriptor. */
#include "deputy/files-inode-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH 4096

/* ---- idle descriptors ---- */

void files_walk_unlist(FilesInodes *t, FilesInode *inode)
{
    if (!inode->newer)
        return;
    inode->newer->older = inode->older;
    inode->older->newer = inode->newer;
    inode->newer = inode->older = NULL;
    if (inode->kept)
        t->kept_idle--;
    else
        t->idle--;
}

static void list(FilesInode *ring, FilesInode *inode)
{
    inode->older = ring->older;
    inode->newer = ring;
    ring->older->newer = inode;
    ring->older = inode;
}

void files_walk_close(FilesInodes *t, FilesInode *inode)
{
    if (inode->fd >= 0)
        close(inode->fd);
    if (inode->place >= 0)
        files_closet_drop(t->closet, inode->place);
    inode->fd = inode->place = -1;
}

/* Those that must be kept are too many: the oldest are put away. */
static void put_away(FilesInodes *t)
{
    while (t->kept_idle > files_closet_share(t->closet)) {
        FilesInode *oldest = t->kept.newer;

        oldest->place = files_closet_put(t->closet, oldest->fd);
        if (oldest->place < 0)
            return;
        oldest->fd = -1;
        files_walk_unlist(t, oldest);
    }
}

static gboolean must_keep(const FilesInode *inode)
{
    return inode->nameless || inode->opens || !inode->parent;
}

void files_walk_settle(FilesInodes *t, FilesInode *inode)
{
    if (inode->place >= 0 && !must_keep(inode))
        files_walk_close(t, inode);
    if (inode->fd < 0 || inode->uses)
        return;
    files_walk_unlist(t, inode);
    inode->kept = must_keep(inode);
    if (inode->kept) {
        if (t->closet && inode != t->root) {
            list(&t->kept, inode);
            t->kept_idle++;
            put_away(t);
        }
        return;
    }
    list(&t->lru, inode);
    t->idle++;
    while (t->idle > t->max_idle) {
        FilesInode *oldest = t->lru.newer;
        files_walk_unlist(t, oldest);
        files_walk_close(t, oldest);
    }
}

static void enter(FilesInodes *t)
{
    if (t->walk.enter)
        t->walk.enter();
}

static void leave(FilesInodes *t)
{
    if (t->walk.leave)
        t->walk.leave();
}

/* ---- walking ---- */

/* The descriptor, if there is one, for use; else -1. */
static int use_fd(FilesInodes *t, FilesInode *inode)
{
    if (inode->place >= 0 && (inode->fd = files_closet_take(t->closet, inode->place)) >= 0)
        inode->place = -1;
    if (inode->fd < 0)
        return -1;
    inode->uses++;
    files_walk_unlist(t, inode);
    return inode->fd;
}

/* Opens parent/name and sees that it is the inode. */
static int open_checked(FilesInodes *t, const FilesInode *parent, int parent_fd, const char *name,
                        const FilesInode *inode)
{
    struct statx stx;
    gboolean entered = inode->mount != parent->mount || inode->dev != parent->dev;
    int fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error = 0;

    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
    if (statx(fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0)
        error = errno;
    else if (!files_inode_is(inode, &stx))
        error = ESTALE;
    else if (entered && t->walk.refused && t->walk.refused(fd, t->walk.user))
        error = ESTALE;
    if (error) {
        close(fd);
        return -error;
    }
    return fd;
}

static int walk(FilesInodes *t, FilesInode *inode, guint depth)
{
    FilesInode *parent;
    char *name;
    int fd, parent_fd;

    g_mutex_lock(&t->lock);
    if (inode->hollow) {
        g_mutex_unlock(&t->lock);
        return -EACCES;
    }
    fd = use_fd(t, inode);
    if (fd >= 0 || !inode->parent || inode->nameless || depth > MAX_DEPTH) {
        g_mutex_unlock(&t->lock);
        return fd >= 0 ? fd : -ESTALE;
    }
    parent = inode->parent;
    parent->refs++;
    name = g_strdup(inode->name);
    g_mutex_unlock(&t->lock);

    fd = parent_fd = walk(t, parent, depth + 1);
    if (parent_fd >= 0) {
        fd = open_checked(t, parent, parent_fd, name, inode);
        files_inode_done(t, parent);
    }
    files_inodes_put(t, parent);
    g_free(name);
    if (fd < 0)
        return fd;

    g_mutex_lock(&t->lock);
    if (inode->fd >= 0) { /* another thread was faster */
        close(fd);
        fd = use_fd(t, inode);
    } else {
        inode->fd = fd;
        inode->uses++;
    }
    g_mutex_unlock(&t->lock);
    return fd;
}

int files_inode_fd_if_open(FilesInodes *t, FilesInode *inode)
{
    int fd = -1;

    g_mutex_lock(&t->lock);
    if (!inode->hollow)
        fd = use_fd(t, inode);
    g_mutex_unlock(&t->lock);
    return fd;
}

int files_inode_fd(FilesInodes *t, FilesInode *inode)
{
    int fd = files_inode_fd_if_open(t, inode);

    if (fd >= 0)
        return fd;
    enter(t);
    fd = walk(t, inode, 0);
    leave(t);
    return fd;
}

void files_inode_done(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->uses--;
    files_walk_settle(t, inode);
    g_mutex_unlock(&t->lock);
}

int files_inode_stat(FilesInodes *t, FilesInode *inode, struct statx *stx)
{
    FilesInode *parent;
    char name[256];
    int fd, result = 0;

    g_mutex_lock(&t->lock);
    fd = use_fd(t, inode);
    if (fd >= 0 || !inode->parent || inode->nameless || !inode->name ||
        g_strlcpy(name, inode->name, sizeof(name)) >= sizeof(name)) {
        g_mutex_unlock(&t->lock);
        if (fd < 0)
            return -ESTALE;
        if (statx(fd, "", AT_EMPTY_PATH, FILES_STATX, stx) < 0)
            result = -errno;
        files_inode_done(t, inode);
        return result;
    }
    parent = inode->parent;
    parent->refs++;
    g_mutex_unlock(&t->lock);

    fd = files_inode_fd(t, parent);
    enter(t);
    if (fd < 0)
        result = fd;
    else if (statx(fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, stx) < 0)
        result = errno == ENOENT || errno == ENOTDIR ? -ESTALE : -errno;
    else if (!files_inode_is(inode, stx))
        result = -ESTALE;
    leave(t);
    if (fd >= 0)
        files_inode_done(t, parent);
    files_inodes_put(t, parent);
    return result;
}

/* ---- names, and who has it open ---- */

gboolean files_inode_moved(FilesInodes *t, FilesInode *inode)
{
    g_autofree char *name = NULL;
    FilesInode *parent;
    struct statx stx;
    gboolean moved;
    int fd;

    g_mutex_lock(&t->lock);
    parent = inode->parent;
    fd = parent && !inode->nameless ? use_fd(t, parent) : -1;
    if (fd >= 0) {
        parent->refs++;
        name = g_strdup(inode->name);
    }
    g_mutex_unlock(&t->lock);
    if (fd < 0)
        return FALSE;
    if (statx(fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, &stx) < 0)
        moved = errno == ENOENT;
    else
        moved = !files_inode_is(inode, &stx);
    files_inode_done(t, parent);
    files_inodes_put(t, parent);
    return moved;
}

FilesInode *files_inode_parent(FilesInodes *t, FilesInode *inode, char **ret_name)
{
    FilesInode *folder = NULL;

    g_mutex_lock(&t->lock);
    if (inode->parent && !inode->nameless) {
        folder = inode->parent;
        folder->refs++;
        if (ret_name)
            *ret_name = g_strdup(inode->name);
    }
    g_mutex_unlock(&t->lock);
    return folder;
}

FilesInode *files_inode_folder(FilesInodes *t, FilesInode *inode)
{
    g_autofree char *name = NULL;
    FilesInode *folder = files_inode_parent(t, inode, &name);
    struct statx stx;
    gboolean here;
    int fd;

    if (!folder)
        return NULL;
    fd = files_inode_fd(t, folder);
    here = fd >= 0 && statx(fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, &stx) == 0 && files_inode_is(inode, &stx);
    if (fd >= 0)
        files_inode_done(t, folder);
    if (here)
        return folder;
    files_inodes_put(t, folder);
    return NULL;
}

void files_inode_opened(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->opens++;
    inode->refs++;
    files_walk_settle(t, inode);
    g_mutex_unlock(&t->lock);
}

void files_inode_closed(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->opens--;
    files_walk_settle(t, inode);
    inode->refs--;
    files_inode_reap(t, inode);
    g_mutex_unlock(&t->lock);
}
