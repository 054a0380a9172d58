/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock.c - the guest's file locks, held at home
 *
 * All processes of a job are one process at home, where POSIX locks of one process never conflict.
 * So each lock owner of the guest gets an open file description of its own per inode, and its locks
 * are OFD locks of that: they conflict with each other and with everybody's at home. What the guest
 * calls an owner is a process for POSIX locks and an open file for its own OFD locks; the guest
 * does not say which. The first fall at FLUSH (a process closes any descriptor of the file), the
 * second when the handle they were made through is released; doing both for each owner is right for
 * both. flock(2) belongs to an open file, in the guest as at home: it is done on the handle's
 * descriptor. */
#include "deputy/files-lock-private.h"

#include <errno.h>
#include <sys/file.h>

/* ---- requests ---- */

/* An owner but self that holds what is in the way of the lock; *range is set. */
static LockOwner *in_the_way(FilesLocks *t, guint64 inode, guint64 self, const struct flock *l,
                             LockRange *range)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, t->owners);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (lock_owner_is_in_the_way(value, inode, self, l, range))
            return value;
    return NULL;
}

static int get(FilesLocks *t, FilesLockRequest *r)
{
    LockOwner *o = lock_owner_find(t, r->inode, r->owner), *other;
    struct flock wanted = r->lock, l = r->lock;
    LockRange range;

    l.l_pid = 0;
    if (fcntl(o ? o->fd : r->fd, F_OFD_GETLK, &l) < 0)
        return errno;
    r->lock = l;
    if (l.l_type == F_UNLCK || l.l_pid != -1)
        return 0;
    r->lock.l_pid = 0;
    other = in_the_way(t, r->inode, r->owner, &wanted, &range);
    if (other)
        r->lock.l_pid = range.pid;
    return 0;
}

/* TRUE if answered with *error, FALSE if it waits. */
static gboolean set(FilesLocks *t, const FilesLockRequest *r, int *error)
{
    LockOwner *o;

    if (r->lock.l_type == F_UNLCK && !lock_owner_find(t, r->inode, r->owner)) {
        *error = 0;
        return TRUE;
    }
    o = lock_owner_get(t, r);
    if (!o) {
        *error = errno;
        return TRUE;
    }
    *error = lock_owner_settle(o, r, lock_at_home(o->fd, &r->lock, F_OFD_SETLK));
    if ((*error == EAGAIN || *error == EACCES) && r->kind == FILES_LOCK_SETW) {
        *error = lock_wait_begin(t, r, o);
        if (!*error)
            return FALSE;
    }
    lock_owner_unref(o);
    return TRUE;
}

static gboolean set_flock(FilesLocks *t, const FilesLockRequest *r, int *error)
{
    *error = flock(r->fd, r->operation | LOCK_NB) < 0 ? errno : 0;
    if (*error == EWOULDBLOCK && !(r->operation & LOCK_NB)) {
        *error = lock_wait_begin(t, r, NULL);
        return *error != 0;
    }
    return TRUE;
}

void files_lock(FilesLocks *t, const FilesLockRequest *request)
{
    FilesLockRequest r = *request;
    gboolean answered = TRUE;
    int error = 0;

    g_mutex_lock(&t->lock);
    if (r.kind == FILES_LOCK_GET)
        error = get(t, &r);
    else if (r.kind == FILES_LOCK_FLOCK)
        answered = set_flock(t, &r, &error);
    else
        answered = set(t, &r, &error);
    if (answered)
        lock_wait_forget(t, r.unique);
    g_mutex_unlock(&t->lock);
    if (answered)
        t->done(&r, error, t->user);
}

void files_locks_expect(FilesLocks *t, guint64 unique)
{
    g_mutex_lock(&t->lock);
    lock_wait_expect(t, unique);
    g_mutex_unlock(&t->lock);
}

void files_locks_unexpect(FilesLocks *t, guint64 unique)
{
    g_mutex_lock(&t->lock);
    lock_wait_forget(t, unique);
    g_mutex_unlock(&t->lock);
}

void files_locks_interrupt(FilesLocks *t, guint64 unique)
{
    LockWait *w;

    g_mutex_lock(&t->lock);
    w = lock_wait_find(t, unique);
    if (w)
        lock_wait_interrupt(t, w);
    g_mutex_unlock(&t->lock);
}

void files_locks_drop_owner(FilesLocks *t, guint64 inode, guint64 owner)
{
    LockOwner *o;

    g_mutex_lock(&t->lock);
    o = lock_owner_find(t, inode, owner);
    if (o)
        lock_owner_drop(t, o);
    g_mutex_unlock(&t->lock);
}

gboolean files_locks_on(FilesLocks *t, guint64 inode)
{
    GHashTableIter iter;
    gpointer value;
    gboolean found = FALSE;

    g_mutex_lock(&t->lock);
    g_hash_table_iter_init(&iter, t->owners);
    while (!found && g_hash_table_iter_next(&iter, NULL, &value))
        found = ((LockOwner *)value)->inode == inode;
    g_mutex_unlock(&t->lock);
    return found;
}

void files_locks_drop_handle(FilesLocks *t, guint64 inode, guint64 handle)
{
    GHashTableIter iter;
    gpointer value;
    GSList *found = NULL;

    g_mutex_lock(&t->lock);
    g_hash_table_iter_init(&iter, t->owners);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        LockOwner *o = value;
        if (o->inode == inode && o->handle == handle)
            found = g_slist_prepend(found, o);
    }
    for (GSList *l = found; l; l = l->next)
        lock_owner_drop(t, l->data);
    g_mutex_unlock(&t->lock);
    g_slist_free(found);
}

void files_locks_count(FilesLocks *t, guint *owners, guint *waiting)
{
    g_mutex_lock(&t->lock);
    *owners = g_hash_table_size(t->owners);
    *waiting = t->threads + t->polled;
    g_mutex_unlock(&t->lock);
}

/* ---- life ---- */

FilesLocks *files_locks_new(void (*done)(const FilesLockRequest *request, int error, void *user),
                            int (*reopen)(int fd, int flags), void *user)
{
    FilesLocks *t = g_new0(FilesLocks, 1);

    lock_waits_prepare();
    g_mutex_init(&t->lock);
    g_cond_init(&t->change);
    t->owners = g_hash_table_new(lock_owner_hash, lock_owner_equal);
    t->waits = g_hash_table_new(g_int64_hash, g_int64_equal);
    t->done = done;
    t->reopen = reopen;
    t->user = user;
    return t;
}

void files_locks_free(FilesLocks *t)
{
    GHashTableIter iter;
    gpointer value;

    g_mutex_lock(&t->lock);
    lock_waits_end(t);
    g_cond_broadcast(&t->change);
    g_mutex_unlock(&t->lock);
    if (t->helper)
        g_thread_join(t->helper);
    g_hash_table_iter_init(&iter, t->owners);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        lock_owner_unref(value);
    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        g_free(value);
    g_hash_table_destroy(t->owners);
    g_hash_table_destroy(t->waits);
    g_cond_clear(&t->change);
    g_mutex_clear(&t->lock);
    g_free(t);
}
