/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-inode.c - the table of what the guest knows of the home's file tree
 *
 * The guest names files by numbers that this table gave it. A number is a slot and the slot's
 * generation, so it is never given twice and one that a hostile guest makes up finds nothing. An
 * inode is found again by (device, inode number, mount, birth time): the mount, because a directory
 * that is reached by two bind mounts must be two directories in the guest; the birth time, because
 * file systems use inode numbers again.
 *
 * Life: an inode lives while the guest has looked it up more often than it has forgotten it
 * (lookups), or something here holds it (refs: requests, open handles, children). A child holds its
 * parent, so an inode can always be walked to again from the root.
 *
 * files-walk.c has their descriptors, files-stamp.c what the guest's caches go back to. One mutex guards all; no system call
 * is made under it but close, and what the closet needs when descriptors are short. */
#include "deputy/files-inode-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BUCKETS 1024

/* ---- keys ---- */

static guint64 stx_dev(const struct statx *stx)
{
    return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static gint64 stx_birth(const struct statx *stx)
{
    return stx->stx_mask & STATX_BTIME ? files_stamp_ns(&stx->stx_btime) : 0;
}

static guint64 stx_mount(const struct statx *stx)
{
    return stx->stx_mask & STATX_MNT_ID ? stx->stx_mnt_id : 0;
}

static guint hash(guint64 dev, guint64 ino, guint64 mount)
{
    guint64 h = (ino * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15)) ^ (dev << 17) ^ (mount << 40);
    h ^= h >> 29;
    h *= G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    return (guint)(h >> 32);
}

gboolean files_inode_is(const FilesInode *inode, const struct statx *stx)
{
    return inode->ino == stx->stx_ino && inode->dev == stx_dev(stx) &&
           inode->mount == stx_mount(stx) && inode->birth == stx_birth(stx) &&
           inode->type == (stx->stx_mode & S_IFMT);
}

static FilesInode *find(FilesInodes *t, const struct statx *stx)
{
    guint h = hash(stx_dev(stx), stx->stx_ino, stx_mount(stx)) & (t->bucket_count - 1);

    for (FilesInode *i = t->buckets[h]; i; i = i->chain)
        if (files_inode_is(i, stx))
            return i;
    return NULL;
}

static void grow_buckets(FilesInodes *t)
{
    guint count = t->bucket_count * 2;
    FilesInode **buckets = g_new0(FilesInode *, count);

    for (guint b = 0; b < t->bucket_count; b++) {
        FilesInode *i = t->buckets[b], *next;
        for (; i; i = next) {
            guint h = hash(i->dev, i->ino, i->mount) & (count - 1);
            next = i->chain;
            i->chain = buckets[h];
            buckets[h] = i;
        }
    }
    g_free(t->buckets);
    t->buckets = buckets;
    t->bucket_count = count;
}

/* ---- slots ---- */

static void take_slot(FilesInodes *t, FilesInode *inode)
{
    guint32 slot = t->first_free;

    if (slot) {
        t->first_free = t->slots[slot].next_free;
    } else {
        if (t->slot_count == t->slot_room) {
            t->slot_room *= 2;
            t->slots = g_renew(FilesSlot, t->slots, t->slot_room);
        }
        slot = t->slot_count++;
        t->slots[slot].generation = 0;
    }
    t->slots[slot].inode = inode;
    inode->id = (guint64)t->slots[slot].generation << 32 | slot;
}

static void free_slot(FilesInodes *t, guint64 id)
{
    guint32 slot = (guint32)id;

    t->slots[slot].inode = NULL;
    if (++t->slots[slot].generation == 0) /* never again: its numbers are used up */
        return;
    t->slots[slot].next_free = t->first_free;
    t->first_free = slot;
}

static FilesInode *by_id(FilesInodes *t, guint64 id)
{
    guint32 slot = (guint32)id;

    if (slot >= t->slot_count || !t->slots[slot].inode || t->slots[slot].inode->id != id)
        return NULL;
    return t->slots[slot].inode;
}

/* ---- life ---- */

static void set_name(FilesInode *inode, FilesInode *parent, const char *name)
{
    if (inode->parent != parent) {
        if (parent)
            parent->refs++;
        inode->parent = parent;
    }
    if (!inode->name || strcmp(inode->name, name) != 0) {
        g_free(inode->name);
        inode->name = g_strdup(name);
    }
    inode->nameless = FALSE;
}

static FilesInode *make(FilesInodes *t, const struct statx *stx)
{
    FilesInode *inode = g_new0(FilesInode, 1);
    guint h;

    inode->ino = stx->stx_ino;
    inode->dev = stx_dev(stx);
    inode->mount = stx_mount(stx);
    inode->birth = stx_birth(stx);
    inode->type = stx->stx_mode & S_IFMT;
    inode->fd = inode->place = -1;
    if (t->count >= t->bucket_count)
        grow_buckets(t);
    h = hash(inode->dev, inode->ino, inode->mount) & (t->bucket_count - 1);
    inode->chain = t->buckets[h];
    t->buckets[h] = inode;
    t->count++;
    take_slot(t, inode);
    return inode;
}

static void unchain(FilesInodes *t, FilesInode *inode)
{
    FilesInode **p = &t->buckets[hash(inode->dev, inode->ino, inode->mount) &
                                 (t->bucket_count - 1)];
    while (*p != inode)
        p = &(*p)->chain;
    *p = inode->chain;
    t->count--;
}

void files_inode_reap(FilesInodes *t, FilesInode *inode)
{
    while (inode && !inode->refs && !inode->lookups) {
        FilesInode *parent = inode->parent;

        if (inode->wd > 0 && t->walk.forgotten)
            t->walk.forgotten(inode->wd, t->walk.user);
        unchain(t, inode);
        free_slot(t, inode->id);
        files_walk_unlist(t, inode);
        files_walk_close(t, inode);
        g_free(inode->name);
        g_free(inode);
        if (parent)
            parent->refs--;
        inode = parent;
    }
}

/* A directory moved below its own former child, of which only half is known yet, must not become
 * its own ancestor; it keeps its old name, which then proves stale, and the guest looks again. */
static gboolean is_above(const FilesInode *inode, const FilesInode *below)
{
    for (; below; below = below->parent)
        if (below == inode)
            return TRUE;
    return FALSE;
}

static void rename_inode(FilesInodes *t, FilesInode *inode, FilesInode *parent, const char *name)
{
    FilesInode *old = inode->parent;

    if (inode == t->root || (old != parent && S_ISDIR(inode->type) && is_above(inode, parent)))
        return;
    set_name(inode, parent, name);
    files_walk_settle(t, inode);
    if (old && old != parent) {
        old->refs--;
        files_inode_reap(t, old);
    }
}

FilesInodes *files_inodes_new(int root_fd, guint max_fds)
{
    FilesInodes *t;
    struct statx stx;

    if (statx(root_fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0)
        return NULL;
    t = g_new0(FilesInodes, 1);
    g_mutex_init(&t->lock);
    t->slot_room = 1024;
    t->slots = g_new0(FilesSlot, t->slot_room);
    t->slot_count = 1; /* id 0 is nobody's */
    t->bucket_count = FIRST_BUCKETS;
    t->buckets = g_new0(FilesInode *, t->bucket_count);
    t->lru.newer = t->lru.older = &t->lru;
    t->kept.newer = t->kept.older = &t->kept;
    t->max_idle = max_fds;
    t->root = make(t, &stx);
    t->root->fd = root_fd;
    t->root->refs = 1;
    return t;
}

void files_inodes_set_closet(FilesInodes *t, FilesCloset *closet)
{
    t->closet = closet;
}

void files_inodes_set_walk(FilesInodes *t, const FilesWalk *walk)
{
    t->walk = *walk;
}

void files_inodes_free(FilesInodes *t)
{
    for (guint32 s = 0; s < t->slot_count; s++) {
        FilesInode *inode = t->slots[s].inode;
        if (inode) {
            files_walk_close(t, inode);
            g_free(inode->name);
            g_free(inode);
        }
    }
    g_free(t->slots);
    g_free(t->buckets);
    g_mutex_clear(&t->lock);
    g_free(t);
}

FilesInode *files_inodes_get(FilesInodes *t, guint64 id)
{
    FilesInode *inode;

    g_mutex_lock(&t->lock);
    inode = by_id(t, id);
    if (inode)
        inode->refs++;
    g_mutex_unlock(&t->lock);
    return inode;
}

void files_inodes_put(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->refs--;
    files_inode_reap(t, inode);
    g_mutex_unlock(&t->lock);
}

FilesInode *files_inodes_find(FilesInodes *t, const struct statx *stx)
{
    FilesInode *inode;

    g_mutex_lock(&t->lock);
    inode = find(t, stx);
    if (inode)
        inode->refs++;
    g_mutex_unlock(&t->lock);
    return inode;
}

FilesInode *files_inodes_look(FilesInodes *t, FilesInode *parent, const char *name,
                              const struct statx *stx, gboolean hollow, int fd)
{
    FilesInode *inode;

    g_mutex_lock(&t->lock);
    inode = find(t, stx);
    if (!inode) {
        inode = make(t, stx);
        inode->hollow = hollow;
    }
    inode->lookups++;
    inode->refs++;
    if (fd >= 0 && inode->fd < 0 && inode->place < 0 && !inode->hollow)
        inode->fd = fd;
    else if (fd >= 0)
        close(fd);
    if (name)
        rename_inode(t, inode, parent, name);
    else if (!inode->name)
        inode->nameless = TRUE;
    files_stamp_of(&inode->attr, stx);
    inode->attr_known = TRUE;
    g_mutex_unlock(&t->lock);
    return inode;
}

void files_inodes_forget(FilesInodes *t, guint64 id, guint64 count)
{
    FilesInode *inode;

    g_mutex_lock(&t->lock);
    inode = by_id(t, id);
    if (inode) {
        inode->lookups -= MIN(count, inode->lookups);
        files_inode_reap(t, inode);
    }
    g_mutex_unlock(&t->lock);
}

/* ---- names ---- */

void files_inode_named(FilesInodes *t, FilesInode *inode, FilesInode *parent, const char *name)
{
    g_mutex_lock(&t->lock);
    rename_inode(t, inode, parent, name);
    g_mutex_unlock(&t->lock);
}

int files_inode_pin(FilesInodes *t, FilesInode *inode, FilesInode *parent, const char *name)
{
    gboolean by_this_name;
    int fd;

    g_mutex_lock(&t->lock);
    by_this_name = inode->parent == parent && inode->name && strcmp(inode->name, name) == 0;
    g_mutex_unlock(&t->lock);
    if (!by_this_name)
        return 0;
    fd = files_inode_fd(t, inode);
    if (fd < 0)
        return fd;
    g_mutex_lock(&t->lock);
    inode->nameless = TRUE;
    g_mutex_unlock(&t->lock);
    files_inode_done(t, inode);
    return 0;
}

gboolean files_inode_lost(FilesInodes *t, FilesInode *inode)
{
    gboolean known;

    g_mutex_lock(&t->lock);
    known = inode->nameless;
    inode->nameless = TRUE;
    g_mutex_unlock(&t->lock);
    return known;
}

void files_inodes_count(FilesInodes *t, guint *inodes, guint *descriptors)
{
    g_mutex_lock(&t->lock);
    *inodes = t->count;
    *descriptors = t->idle;
    g_mutex_unlock(&t->lock);
}
