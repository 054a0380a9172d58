/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-handle.c - what the guest has open: numbers, and the home's descriptors behind them
 *
 * As with inodes the guest's numbers are slots with a generation, checked together with the inode
 * that the request names. A handle lives until the guest has released it and no request uses it.
 *
 * A program may have as many files open as its limit says; here these are all in one process, with the same limit and
 * descriptors of its own besides. So when three quarters of the descriptors are in use, handles on the same file that were
 * opened in the same way have one in common: offsets are the guest's, and who has it open was asked for each. Only flock
 * belongs to an opening: whoever locks gets a descriptor of his own. */
#include "deputy/files-impl.h"

#include <sys/resource.h>

/* A descriptor that several handles have. */
struct FilesCommon {
    FilesInode *inode;
    int flags, fd, refs;
};

struct FilesHandles {
    GMutex lock;
    int crowded;        /* descriptors from here on are shared */
    GHashTable *common; /* the FilesCommon, by inode and flags */
    struct HandleSlot {
        FilesHandle *handle;
        guint32 generation, next_free;
    } *slots;
    guint32 count, room, first_free;
};

static guint common_hash(gconstpointer key)
{
    const FilesCommon *c = key;

    return g_direct_hash(c->inode) ^ (guint)c->flags;
}

static gboolean common_equal(gconstpointer left, gconstpointer right)
{
    const FilesCommon *a = left, *b = right;

    return a->inode == b->inode && a->flags == b->flags;
}

static int crowded_from(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > G_MAXINT)
        return G_MAXINT;
    return (int)(limit.rlim_cur / 4 * 3);
}

FilesHandles *files_handles_new(Files *files)
{
    FilesHandles *t = g_new0(FilesHandles, 1);

    g_mutex_init(&t->lock);
    t->crowded = crowded_from();
    t->common = g_hash_table_new(common_hash, common_equal);
    t->room = 256;
    t->slots = g_new0(struct HandleSlot, t->room);
    t->count = 1; /* 0 is no handle */
    return t;
}

/* With the table locked. */
static void put_common(FilesHandles *t, FilesCommon *c)
{
    if (--c->refs)
        return;
    g_hash_table_remove(t->common, c);
    close(c->fd);
    g_free(c);
}

/* With the table locked: the handle has what others like it have; fd, of its own, is closed or becomes that. */
static void share(FilesHandles *t, FilesHandle *h)
{
    FilesCommon key = { .inode = h->inode, .flags = h->flags };
    FilesCommon *c = g_hash_table_lookup(t->common, &key);

    if (c) {
        close(h->fd);
        c->refs++;
    } else {
        c = g_memdup2(&key, sizeof(key));
        c->fd = h->fd;
        c->refs = 1;
        g_hash_table_add(t->common, c);
    }
    h->fd = c->fd;
    h->common = c;
}

int files_handle_own_fd(FilesHandle *h)
{
    int fd;

    if (!h->common)
        return h->fd;
    g_mutex_lock(&h->lock);
    if (h->own_fd < 0)
        h->own_fd = files_fd_reopen(h->fd, h->flags);
    fd = h->own_fd;
    g_mutex_unlock(&h->lock);
    return fd;
}

static void free_handle(FilesHandle *h)
{
    if (!h->common)
        close(h->fd);
    if (h->own_fd >= 0)
        close(h->own_fd);
    if (h->plain_fd >= 0)
        close(h->plain_fd);
    g_free(h->entries);
    g_mutex_clear(&h->lock);
    g_free(h);
}

void files_handles_free(FilesHandles *t)
{
    for (guint32 s = 0; s < t->count; s++)
        if (t->slots[s].handle) {
            if (t->slots[s].handle->common)
                put_common(t, t->slots[s].handle->common);
            free_handle(t->slots[s].handle);
        }
    g_hash_table_destroy(t->common);
    g_free(t->slots);
    g_mutex_clear(&t->lock);
    g_free(t);
}

static guint32 take_slot(FilesHandles *t)
{
    guint32 slot = t->first_free;

    if (slot) {
        t->first_free = t->slots[slot].next_free;
        return slot;
    }
    if (t->count == t->room) {
        t->slots = g_renew(struct HandleSlot, t->slots, t->room * 2);
        memset(t->slots + t->room, 0, t->room * sizeof(*t->slots));
        t->room *= 2;
    }
    return t->count++;
}

guint64 files_handle_add(Files *files, FilesInode *inode, int fd, int flags)
{
    FilesHandles *t = files->handles;
    FilesHandle *h = g_new0(FilesHandle, 1);
    guint32 slot;
    guint64 fh;

    h->inode = inode;
    h->fd = fd;
    h->flags = flags;
    h->own_fd = -1;
    h->plain_fd = -1;
    h->refs = 1;
    g_mutex_init(&h->lock);
    files_inode_opened(files->inodes, inode);
    g_mutex_lock(&t->lock);
    if (fd >= t->crowded && !(flags & O_DIRECTORY) && !files->switch_ids)
        share(t, h);
    slot = take_slot(t);
    t->slots[slot].handle = h;
    fh = (guint64)t->slots[slot].generation << 32 | slot;
    g_mutex_unlock(&t->lock);
    return fh;
}

/* With the table locked: the slot of fh if it is open on inode id. */
static struct HandleSlot *slot_of(FilesHandles *t, guint64 fh, guint64 id)
{
    guint32 slot = (guint32)fh;

    if (slot >= t->count || !t->slots[slot].handle || t->slots[slot].generation != fh >> 32 ||
        t->slots[slot].handle->inode->id != id)
        return NULL;
    return &t->slots[slot];
}

FilesHandle *files_handle_get(Files *files, guint64 fh, guint64 id)
{
    FilesHandles *t = files->handles;
    FilesHandle *h = NULL;
    struct HandleSlot *slot;

    g_mutex_lock(&t->lock);
    slot = slot_of(t, fh, id);
    if (slot) {
        h = slot->handle;
        h->refs++;
    }
    g_mutex_unlock(&t->lock);
    return h;
}

void files_handle_put(Files *files, FilesHandle *h)
{
    FilesInode *inode = h->inode;
    gboolean last;

    g_mutex_lock(&files->handles->lock);
    last = --h->refs == 0;
    if (last && h->common)
        put_common(files->handles, h->common);
    g_mutex_unlock(&files->handles->lock);
    if (!last)
        return;
    free_handle(h);
    files_inode_closed(files->inodes, inode);
}

void files_handles_each(FilesHandles *t, const FilesInode *folder, void (*each)(FilesInode *inode, void *user), void *user)
{
    g_mutex_lock(&t->lock);
    for (guint32 s = 1; s < t->count; s++) {
        FilesInode *inode = t->slots[s].handle ? t->slots[s].handle->inode : NULL;
        if (inode && (!folder || inode->parent == folder))
            each(inode, user);
    }
    g_mutex_unlock(&t->lock);
}

gboolean files_handle_close(Files *files, guint64 fh, guint64 id)
{
    FilesHandles *t = files->handles;
    FilesHandle *h;
    struct HandleSlot *slot;

    g_mutex_lock(&t->lock);
    slot = slot_of(t, fh, id);
    if (!slot) {
        g_mutex_unlock(&t->lock);
        return FALSE;
    }
    h = slot->handle;
    slot->handle = NULL;
    if (++slot->generation) {
        slot->next_free = t->first_free;
        t->first_free = (guint32)fh;
    }
    g_mutex_unlock(&t->lock);
    files_handle_put(files, h);
    return TRUE;
}
