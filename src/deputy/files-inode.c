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
 * Descriptors: nothing is opened when the guest merely looks. When a descriptor is needed the inode
 * is walked to from its parent, name by name, with O_PATH and O_NOFOLLOW, and what is found there
 * must be the same inode, or the answer is ESTALE (the guest's kernel then walks the path anew). A
 * descriptor that is not in use stays in a list, and the least recently used go when there are too
 * many. It is kept for certain where walking is no way back: while a handle is open, and when the
 * name is gone by the job's own unlink or rename (nameless).
 *
 * Symbolic links are never followed here and ".." is never used, so that neither can lead out of
 * the root; mount points of refused file systems are `hollow' and never get a descriptor.
 *
 * Stamps: per inode the attributes that the guest's pages (data) and attributes (attr) go back to.
 * The job's own modifications move the stamps on, if nobody else's came between; so its own writes
 * do not cost it its cache. A stamp as young as the clock's tick proves nothing, since a second
 * change could bear the same time: such a one is never `the same'. When a file is opened the guest
 * is told so and drops its pages. When it is locked there is no way to say it but attributes: the
 * guest drops pages when it sees another mtime, so for a second it is shown one that is a
 * nanosecond off.
 *
 * One mutex guards all; no system call is made under it but close. */
#include "deputy/files-inode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define FIRST_BUCKETS 1024
#define TICK_NS (12 * 1000 * 1000) /* more than a tick of a kernel with HZ=100 */
#define SKEW_NS (1000 * 1000 * 1000)
#define MAX_DEPTH 4096

typedef struct {
    FilesInode *inode; /* NULL: free */
    guint32 generation;
    guint32 next_free;
} Slot;

struct FilesInodes {
    GMutex lock;
    FilesInode *root;
    Slot *slots;
    guint32 slot_count, slot_room, first_free;
    FilesInode **buckets;
    guint bucket_count; /* a power of two */
    guint count;
    FilesInode lru; /* ring of inodes with an idle descriptor; newer of the head is the oldest */
    guint idle, max_idle;
    FilesWalk walk;
};

/* ---- keys ---- */

static guint64 stx_dev(const struct statx *stx)
{
    return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static gint64 stx_ns(const struct statx_timestamp *t)
{
    /* unsigned, because some file systems have times that do not fit; they are only compared */
    return (gint64)((guint64)t->tv_sec * 1000000000 + t->tv_nsec);
}

static gint64 stx_birth(const struct statx *stx)
{
    return stx->stx_mask & STATX_BTIME ? stx_ns(&stx->stx_btime) : 0;
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
            t->slots = g_renew(Slot, t->slots, t->slot_room);
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

/* ---- idle descriptors ---- */

static void lru_remove(FilesInodes *t, FilesInode *inode)
{
    if (!inode->newer)
        return;
    inode->newer->older = inode->older;
    inode->older->newer = inode->newer;
    inode->newer = inode->older = NULL;
    t->idle--;
}

static void close_fd(FilesInode *inode)
{
    if (inode->fd >= 0)
        close(inode->fd);
    inode->fd = -1;
}

static gboolean must_keep(const FilesInode *inode)
{
    return inode->nameless || inode->opens || !inode->parent;
}

/* Nobody uses the descriptor at the moment: keep it, or put it in the list of those that may go. */
static void lru_settle(FilesInodes *t, FilesInode *inode)
{
    if (inode->fd < 0 || inode->uses)
        return;
    lru_remove(t, inode);
    if (must_keep(inode))
        return;
    inode->older = t->lru.older;
    inode->newer = &t->lru;
    t->lru.older->newer = inode;
    t->lru.older = inode;
    t->idle++;
    while (t->idle > t->max_idle) {
        FilesInode *oldest = t->lru.newer;
        lru_remove(t, oldest);
        close_fd(oldest);
    }
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
    inode->fd = -1;
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

/* Frees the inode, and then its parents, as far as nothing needs them any more. */
static void reap(FilesInodes *t, FilesInode *inode)
{
    while (inode && !inode->refs && !inode->lookups) {
        FilesInode *parent = inode->parent;

        unchain(t, inode);
        free_slot(t, inode->id);
        lru_remove(t, inode);
        close_fd(inode);
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
    lru_settle(t, inode);
    if (old && old != parent) {
        old->refs--;
        reap(t, old);
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
    t->slots = g_new0(Slot, t->slot_room);
    t->slot_count = 1; /* id 0 is nobody's */
    t->bucket_count = FIRST_BUCKETS;
    t->buckets = g_new0(FilesInode *, t->bucket_count);
    t->lru.newer = t->lru.older = &t->lru;
    t->max_idle = max_fds;
    t->root = make(t, &stx);
    t->root->fd = root_fd;
    t->root->refs = 1;
    return t;
}

void files_inodes_set_walk(FilesInodes *t, const FilesWalk *walk)
{
    t->walk = *walk;
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

void files_inodes_free(FilesInodes *t)
{
    for (guint32 s = 0; s < t->slot_count; s++) {
        FilesInode *inode = t->slots[s].inode;
        if (inode) {
            close_fd(inode);
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
    reap(t, inode);
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

static void stamp_of(struct FilesStamp *stamp, const struct statx *stx)
{
    stamp->mtime = stx_ns(&stx->stx_mtime);
    stamp->ctime = stx_ns(&stx->stx_ctime);
    stamp->size = stx->stx_size;
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
    if (fd >= 0 && inode->fd < 0 && !inode->hollow)
        inode->fd = fd;
    else if (fd >= 0)
        close(fd);
    if (name)
        rename_inode(t, inode, parent, name);
    else if (!inode->name)
        inode->nameless = TRUE;
    stamp_of(&inode->attr, stx);
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
        reap(t, inode);
    }
    g_mutex_unlock(&t->lock);
}

/* ---- walking ---- */

/* The descriptor, if there is one, for use; else -1. */
static int use_fd(FilesInodes *t, FilesInode *inode)
{
    if (inode->fd < 0)
        return -1;
    inode->uses++;
    lru_remove(t, inode);
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
    lru_settle(t, inode);
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

void files_inode_opened(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->opens++;
    inode->refs++;
    lru_settle(t, inode);
    g_mutex_unlock(&t->lock);
}

void files_inode_closed(FilesInodes *t, FilesInode *inode)
{
    g_mutex_lock(&t->lock);
    inode->opens--;
    lru_settle(t, inode);
    inode->refs--;
    reap(t, inode);
    g_mutex_unlock(&t->lock);
}

/* ---- stamps ---- */

static gboolean stamp_is(const struct FilesStamp *a, const struct FilesStamp *b)
{
    return a->mtime == b->mtime && a->ctime == b->ctime && a->size == b->size;
}

static gint64 now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * G_GINT64_CONSTANT(1000000000) + t.tv_nsec;
}

void files_inode_seen(FilesInodes *t, FilesInode *inode, const struct statx *stx)
{
    g_mutex_lock(&t->lock);
    stamp_of(&inode->attr, stx);
    inode->attr_known = TRUE;
    g_mutex_unlock(&t->lock);
}

gboolean files_inode_skewed(const FilesInode *inode, const struct statx *stx)
{
    return inode->skew & 1 && now_ns() - stx_ns(&stx->stx_mtime) < SKEW_NS;
}

/* With the lock held: the guest is about to learn of *now. */
static void remember(FilesInode *inode, const struct FilesStamp *now, FilesStampState state,
                     gboolean open)
{
    if (!open && state == FILES_STAMP_CHANGED && inode->data_known &&
        inode->data.mtime == now->mtime && inode->data.size == now->size)
        inode->skew ^= 1;
    if (!open && state == FILES_STAMP_SAME)
        return;
    inode->data = *now;
    inode->data_known = inode->data_known || open;
    inode->data_time = now_ns();
}

FilesStampState files_inode_check(FilesInodes *t, FilesInode *inode, const struct statx *stx,
                                  gboolean open)
{
    FilesStampState state = FILES_STAMP_NEW;
    struct FilesStamp now;

    stamp_of(&now, stx);
    g_mutex_lock(&t->lock);
    if (inode->attr_known && !stamp_is(&inode->attr, &now))
        state = FILES_STAMP_CHANGED;
    else if (inode->data_known && stamp_is(&inode->data, &now) &&
             inode->data_time - MAX(now.mtime, now.ctime) > TICK_NS)
        state = FILES_STAMP_SAME;
    else if (!open)
        state = FILES_STAMP_CHANGED;
    inode->attr_known = state != FILES_STAMP_CHANGED;
    remember(inode, &now, state, open);
    g_mutex_unlock(&t->lock);
    return state;
}

void files_inode_own_begin(FilesInodes *t, FilesInode *inode, const struct statx *stx)
{
    struct FilesStamp now;

    stamp_of(&now, stx);
    g_mutex_lock(&t->lock);
    if (!inode->own_writers++) {
        inode->data_known = inode->data_known && stamp_is(&inode->data, &now);
        inode->attr_known = inode->attr_known && stamp_is(&inode->attr, &now);
    }
    g_mutex_unlock(&t->lock);
}

void files_inode_own_end(FilesInodes *t, FilesInode *inode, const struct statx *stx)
{
    g_mutex_lock(&t->lock);
    inode->own_writers--;
    stamp_of(&inode->data, stx);
    stamp_of(&inode->attr, stx);
    inode->data_time = now_ns();
    g_mutex_unlock(&t->lock);
}

void files_inodes_count(FilesInodes *t, guint *inodes, guint *descriptors)
{
    g_mutex_lock(&t->lock);
    *inodes = t->count;
    *descriptors = t->idle;
    g_mutex_unlock(&t->lock);
}
