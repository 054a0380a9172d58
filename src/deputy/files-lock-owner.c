/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock-owner.c - what one lock owner of the guest holds at home
 *
 * An owner has an open file description per inode, its locks are OFD locks of that, and its ranges
 * are written down beside them: to name the process in the way for F_GETLK (the kernel says -1 for
 * OFD locks) and to find deadlocks, which the kernel does not look for among OFD locks.
 * All of it with the table's lock held. */
#include "deputy/files-lock-private.h"

#include <errno.h>
#include <unistd.h>

guint lock_owner_hash(gconstpointer p)
{
    const LockOwner *o = p;
    return (guint)((o->inode * 31 ^ o->owner) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) >> 32);
}

gboolean lock_owner_equal(gconstpointer a, gconstpointer b)
{
    const LockOwner *x = a, *y = b;
    return x->inode == y->inode && x->owner == y->owner;
}

void lock_owner_unref(LockOwner *o)
{
    if (--o->refs)
        return;
    if (o->fd >= 0)
        close(o->fd);
    g_array_free(o->ranges, TRUE);
    g_free(o);
}

LockOwner *lock_owner_find(FilesLocks *t, guint64 inode, guint64 owner)
{
    LockOwner key = { .inode = inode, .owner = owner };
    return g_hash_table_lookup(t->owners, &key);
}

/* ---- ranges ---- */

static gint64 lock_end(const struct flock *l)
{
    return l->l_len ? l->l_start + l->l_len - 1 : G_MAXINT64;
}

/* The owner's ranges after a lock or unlock that home has granted. */
static void note_range(LockOwner *o, const struct flock *l)
{
    gint64 start = l->l_start, end = lock_end(l);

    for (guint i = o->ranges->len; i-- > 0;) {
        LockRange r = g_array_index(o->ranges, LockRange, i);
        if (r.end < start || r.start > end)
            continue;
        g_array_remove_index_fast(o->ranges, i);
        if (r.start < start) {
            LockRange left = { r.start, start - 1, r.type, r.pid };
            g_array_append_val(o->ranges, left);
        }
        if (r.end > end) {
            LockRange right = { end + 1, r.end, r.type, r.pid };
            g_array_append_val(o->ranges, right);
        }
    }
    if (l->l_type != F_UNLCK) {
        LockRange r = { start, end, l->l_type, l->l_pid };
        g_array_append_val(o->ranges, r);
    }
}

gboolean lock_owner_is_in_the_way(const LockOwner *o, guint64 inode, guint64 self, const struct flock *l,
                                  LockRange *range)
{
    if (o->inode != inode || o->owner == self)
        return FALSE;
    for (guint i = 0; i < o->ranges->len; i++) {
        LockRange r = g_array_index(o->ranges, LockRange, i);
        if (r.end >= l->l_start && r.start <= lock_end(l) &&
            (r.type == F_WRLCK || l->l_type == F_WRLCK)) {
            *range = r;
            return TRUE;
        }
    }
    return FALSE;
}

/* ---- the descriptor ---- */

/* Opens a description for the owner, for reading and writing if that is possible, else as the
 * handle is. */
static void open_owner(FilesLocks *t, LockOwner *o, const FilesLockRequest *r)
{
    o->fd = t->reopen(r->fd, O_RDWR | O_CLOEXEC);
    if (o->fd >= 0) {
        o->readable = o->writable = TRUE;
        return;
    }
    o->fd = t->reopen(r->fd, r->access | O_CLOEXEC);
    if (o->fd < 0) { /* rights may be gone since the handle was opened */
        o->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
        o->shared = TRUE;
    }
    o->readable = r->access != O_WRONLY;
    o->writable = r->access != O_RDONLY;
}

/* Makes the owner's description again, because it lacks the access that this handle has; its locks
 * move over. */
static void upgrade_owner(FilesLocks *t, LockOwner *o, const FilesLockRequest *r)
{
    int old = o->fd;

    o->shared = FALSE;
    open_owner(t, o, r);
    close(old);
    for (guint i = 0; i < o->ranges->len; i++) {
        LockRange range = g_array_index(o->ranges, LockRange, i);
        struct flock l = { .l_type = range.type,
                           .l_whence = SEEK_SET,
                           .l_start = range.start,
                           .l_len = range.end == G_MAXINT64 ? 0 : range.end - range.start + 1 };
        if (fcntl(o->fd, F_OFD_SETLK, &l) < 0)
            continue; /* taken in between: as lost as a lock can be */
    }
}

LockOwner *lock_owner_get(FilesLocks *t, const FilesLockRequest *r)
{
    LockOwner *o = lock_owner_find(t, r->inode, r->owner);

    if (!o) {
        o = g_new0(LockOwner, 1);
        o->inode = r->inode;
        o->owner = r->owner;
        o->refs = 1;
        o->ranges = g_array_new(FALSE, FALSE, sizeof(LockRange));
        open_owner(t, o, r);
        if (o->fd < 0) {
            int error = errno;
            lock_owner_unref(o);
            errno = error;
            return NULL;
        }
        g_hash_table_add(t->owners, o);
    } else if ((r->lock.l_type == F_WRLCK && !o->writable) ||
               (r->lock.l_type == F_RDLCK && !o->readable)) {
        upgrade_owner(t, o, r);
    }
    o->handle = r->handle;
    o->refs++;
    return o;
}

int lock_at_home(int fd, const struct flock *lock, int command)
{
    struct flock l = *lock;

    l.l_pid = 0;
    return fcntl(fd, command, &l) < 0 ? errno : 0;
}

void lock_owner_drop(FilesLocks *t, LockOwner *o)
{
    struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    g_hash_table_remove(t->owners, o);
    o->dropped = TRUE;
    if (o->shared || o->refs > 1)
        lock_at_home(o->fd, &all, F_OFD_SETLK);
    g_array_set_size(o->ranges, 0);
    lock_owner_unref(o);
}

int lock_owner_settle(LockOwner *o, const FilesLockRequest *r, int error)
{
    struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    if (error)
        return error;
    if (o->dropped) { /* closed while it waited: the lock must not outlive that */
        lock_at_home(o->fd, &all, F_OFD_SETLK);
        return EBADF;
    }
    note_range(o, &r->lock);
    return 0;
}
