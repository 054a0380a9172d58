/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-handle.c - what the guest has open: numbers, and the home's descriptors behind them
 *
 * As with inodes the guest's numbers are slots with a generation, checked together with the inode
 * that the request names. A handle lives until the guest has released it and no request uses it.
 *
 * When descriptors are short, those of handles that no request uses are put away, the oldest first (files-closet.c). */
#include "deputy/files-impl.h"

struct FilesHandles {
    GMutex lock;
    struct HandleSlot {
        FilesHandle *handle;
        guint32 generation, next_free;
    } *slots;
    guint32 count, room, first_free;
    FilesCloset *closet; /* may be NULL */
    guint at_hand;       /* descriptors that are here */
    GQueue idle;         /* handles that no request uses and whose descriptor is here, the oldest first */
};

FilesHandles *files_handles_new(Files *files)
{
    FilesHandles *t = g_new0(FilesHandles, 1);

    g_mutex_init(&t->lock);
    g_queue_init(&t->idle);
    t->closet = files->closet;
    t->room = 256;
    t->slots = g_new0(struct HandleSlot, t->room);
    t->count = 1; /* 0 is no handle */
    return t;
}

/* ---- descriptors that are put away: all with the table locked ---- */

static void idle_remove(FilesHandles *t, FilesHandle *h)
{
    if (h->idle.data)
        g_queue_unlink(&t->idle, &h->idle);
    h->idle.data = NULL;
}

static void idle_add(FilesHandles *t, FilesHandle *h)
{
    if (!t->closet || h->fd < 0)
        return;
    h->idle.data = h;
    g_queue_push_tail_link(&t->idle, &h->idle);
}

/* If there are too many, those that are idle are put away. */
static void make_room(FilesHandles *t)
{
    while (t->closet && t->at_hand > files_closet_share(t->closet) && t->idle.head) {
        FilesHandle *h = t->idle.head->data;

        h->place = files_closet_put(t->closet, h->fd);
        if (h->place < 0)
            return;
        h->fd = -1;
        t->at_hand--;
        idle_remove(t, h);
    }
}

/* The handle is about to be used: FALSE if its descriptor cannot be had. */
static gboolean bring(FilesHandles *t, FilesHandle *h)
{
    idle_remove(t, h);
    if (h->fd >= 0)
        return TRUE;
    h->fd = files_closet_take(t->closet, h->place);
    if (h->fd < 0)
        return FALSE;
    t->at_hand++;
    make_room(t);
    return TRUE;
}

static void free_handle(FilesHandles *t, FilesHandle *h)
{
    if (h->fd >= 0)
        close(h->fd);
    else
        files_closet_drop(t->closet, h->place);
    if (h->plain_fd >= 0)
        close(h->plain_fd);
    g_free(h->entries);
    g_mutex_clear(&h->lock);
    g_free(h);
}

void files_handles_free(FilesHandles *t)
{
    for (guint32 s = 0; s < t->count; s++)
        if (t->slots[s].handle)
            free_handle(t, t->slots[s].handle);
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
    h->plain_fd = -1;
    h->refs = 1;
    g_mutex_init(&h->lock);
    files_inode_opened(files->inodes, inode);
    g_mutex_lock(&t->lock);
    slot = take_slot(t);
    t->slots[slot].handle = h;
    t->at_hand++;
    make_room(t);
    idle_add(t, h);
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
    if (slot && bring(t, slot->handle)) {
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
    if (last && h->fd >= 0)
        files->handles->at_hand--;
    if (h->refs == 1 && !h->released)
        idle_add(files->handles, h);
    g_mutex_unlock(&files->handles->lock);
    if (!last)
        return;
    free_handle(files->handles, h);
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
    idle_remove(t, h);
    h->released = TRUE;
    slot->handle = NULL;
    if (++slot->generation) {
        slot->next_free = t->first_free;
        t->first_free = (guint32)fh;
    }
    g_mutex_unlock(&t->lock);
    files_handle_put(files, h);
    return TRUE;
}
