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
 * descriptor.
 *
 * Waiting: a lock that must wait gets a thread, which sits in F_OFD_SETLKW, so that the home's
 * kernel keeps the queue. A request is interruptible from the moment it is `expected' (before it is
 * even queued) to its answer. A thread is woken by a signal, again and again until it has noticed,
 * since a signal that comes just before the system call is lost; a helper thread does that, and
 * also tries, a hundred times a second, the locks of those that wait beyond MAX_THREADS.
 *
 * Ranges are written down per owner too: to name the process in the way for F_GETLK (the kernel
 * says -1 for OFD locks) and to find deadlocks, which the kernel does not look for among OFD
 * locks. */
#include "deputy/files-lock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_THREADS 128
#define HELP_US 10000
#define WAKE_SIGNAL (SIGRTMIN + 7)
#define DEADLOCK_DEPTH 10 /* as in the kernel */
#define DEADLOCK_STEPS 100000 /* looked at, at most, for one request */

typedef struct {
    gint64 start, end; /* inclusive */
    short type;
    pid_t pid;
} Range;

typedef struct {
    guint64 inode, owner; /* the key */
    guint64 handle;       /* through which it locked last */
    int fd;
    gboolean writable, readable;
    gboolean shared; /* fd is a copy of the handle's: closing it would not drop the locks */
    gboolean dropped;
    guint refs;
    GArray *ranges;
} Owner;

/* A request that may wait. */
typedef struct {
    guint64 unique; /* the key */
    gboolean interrupted;
    gboolean waiting; /* the rest is valid */
    gboolean threaded;
    pthread_t thread;
    FilesLockRequest request;
    Owner *owner; /* NULL for flock */
    FilesLocks *locks;
} Wait;

struct FilesLocks {
    GMutex lock;
    GCond change;
    GHashTable *owners; /* Owner → itself */
    GHashTable *waits;  /* Wait → itself */
    guint threads, polled, interrupted;
    gboolean ending;
    GThread *helper;
    void (*done)(const FilesLockRequest *request, int error, void *user);
    int (*reopen)(int fd, int flags);
    void *user;
};

/* ---- tables ---- */

static guint owner_hash(gconstpointer p)
{
    const Owner *o = p;
    return (guint)((o->inode * 31 ^ o->owner) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15) >> 32);
}

static gboolean owner_equal(gconstpointer a, gconstpointer b)
{
    const Owner *x = a, *y = b;
    return x->inode == y->inode && x->owner == y->owner;
}

static void owner_unref(Owner *o)
{
    if (--o->refs)
        return;
    if (o->fd >= 0)
        close(o->fd);
    g_array_free(o->ranges, TRUE);
    g_free(o);
}

static Owner *find_owner(FilesLocks *t, guint64 inode, guint64 owner)
{
    Owner key = { .inode = inode, .owner = owner };
    return g_hash_table_lookup(t->owners, &key);
}

static Wait *find_wait(FilesLocks *t, guint64 unique)
{
    return g_hash_table_lookup(t->waits, &unique);
}

static Wait *add_wait(FilesLocks *t, guint64 unique)
{
    Wait *w = find_wait(t, unique);

    if (!w) {
        w = g_new0(Wait, 1);
        w->unique = unique;
        w->locks = t;
        g_hash_table_add(t->waits, w);
    }
    return w;
}

/* ---- ranges ---- */

static gint64 lock_end(const struct flock *l)
{
    return l->l_len ? l->l_start + l->l_len - 1 : G_MAXINT64;
}

/* The owner's ranges after a lock or unlock that home has granted. */
static void note_range(Owner *o, const struct flock *l)
{
    gint64 start = l->l_start, end = lock_end(l);

    for (guint i = o->ranges->len; i-- > 0;) {
        Range r = g_array_index(o->ranges, Range, i);
        if (r.end < start || r.start > end)
            continue;
        g_array_remove_index_fast(o->ranges, i);
        if (r.start < start) {
            Range left = { r.start, start - 1, r.type, r.pid };
            g_array_append_val(o->ranges, left);
        }
        if (r.end > end) {
            Range right = { end + 1, r.end, r.type, r.pid };
            g_array_append_val(o->ranges, right);
        }
    }
    if (l->l_type != F_UNLCK) {
        Range r = { start, end, l->l_type, l->l_pid };
        g_array_append_val(o->ranges, r);
    }
}

/* Whether the owner, not self, holds what is in the way of the lock; *range is set. */
static gboolean is_in_the_way(const Owner *o, guint64 inode, guint64 self, const struct flock *l,
                              Range *range)
{
    if (o->inode != inode || o->owner == self)
        return FALSE;
    for (guint i = 0; i < o->ranges->len; i++) {
        Range r = g_array_index(o->ranges, Range, i);
        if (r.end >= l->l_start && r.start <= lock_end(l) &&
            (r.type == F_WRLCK || l->l_type == F_WRLCK)) {
            *range = r;
            return TRUE;
        }
    }
    return FALSE;
}

/* An owner but self that holds what is in the way of the lock; *range is set. */
static Owner *in_the_way(FilesLocks *t, guint64 inode, guint64 self, const struct flock *l,
                         Range *range)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, t->owners);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        if (is_in_the_way(value, inode, self, l, range))
            return value;
    return NULL;
}

static Wait *wait_of(FilesLocks *t, guint64 owner)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Wait *w = value;
        if (w->waiting && w->owner && w->owner->owner == owner)
            return w;
    }
    return NULL;
}

/* Whether whoever makes this request waits for the target, directly or by others that wait. All who
 * are in the way count, not only the first: when that one lets go, nobody looks again. */
static gboolean waits_for(FilesLocks *t, const FilesLockRequest *r, guint64 target, int depth,
                          int *steps)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, t->owners);
    while (depth < DEADLOCK_DEPTH && ++*steps < DEADLOCK_STEPS &&
           g_hash_table_iter_next(&iter, NULL, &value)) {
        Owner *o = value;
        Range range;
        Wait *w;
        if (!is_in_the_way(o, r->inode, r->owner, &r->lock, &range))
            continue;
        if (o->owner == target)
            return TRUE;
        w = wait_of(t, o->owner);
        if (w && waits_for(t, &w->request, target, depth + 1, steps))
            return TRUE;
    }
    return FALSE;
}

/* Whether a wait would close a circle of owners that wait for each other. */
static gboolean would_deadlock(FilesLocks *t, const FilesLockRequest *request)
{
    int steps = 0;

    return waits_for(t, request, request->owner, 0, &steps);
}

/* ---- an owner's descriptor ---- */

/* Opens a description for the owner, for reading and writing if that is possible, else as the
 * handle is. */
static void open_owner(FilesLocks *t, Owner *o, const FilesLockRequest *r)
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
static void upgrade_owner(FilesLocks *t, Owner *o, const FilesLockRequest *r)
{
    int old = o->fd;

    o->shared = FALSE;
    open_owner(t, o, r);
    close(old);
    for (guint i = 0; i < o->ranges->len; i++) {
        Range range = g_array_index(o->ranges, Range, i);
        struct flock l = { .l_type = range.type,
                           .l_whence = SEEK_SET,
                           .l_start = range.start,
                           .l_len = range.end == G_MAXINT64 ? 0 : range.end - range.start + 1 };
        if (fcntl(o->fd, F_OFD_SETLK, &l) < 0)
            continue; /* taken in between: as lost as a lock can be */
    }
}

/* The owner of a request, with a descriptor that will do for it, referenced; NULL and errno. */
static Owner *get_owner(FilesLocks *t, const FilesLockRequest *r)
{
    Owner *o = find_owner(t, r->inode, r->owner);

    if (!o) {
        o = g_new0(Owner, 1);
        o->inode = r->inode;
        o->owner = r->owner;
        o->refs = 1;
        o->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
        open_owner(t, o, r);
        if (o->fd < 0) {
            int error = errno;
            owner_unref(o);
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

static int set_at_home(int fd, const struct flock *lock, int command)
{
    struct flock l = *lock;

    l.l_pid = 0;
    return fcntl(fd, command, &l) < 0 ? errno : 0;
}

static void drop(FilesLocks *t, Owner *o)
{
    struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    g_hash_table_remove(t->owners, o);
    o->dropped = TRUE;
    if (o->shared || o->refs > 1)
        set_at_home(o->fd, &all, F_OFD_SETLK);
    g_array_set_size(o->ranges, 0);
    owner_unref(o);
}

/* ---- finishing ---- */

/* With the lock held: home has answered for an owner. */
static int settle(Owner *o, const FilesLockRequest *r, int error)
{
    struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    if (error)
        return error;
    if (o->dropped) { /* closed while it waited: the lock must not outlive that */
        set_at_home(o->fd, &all, F_OFD_SETLK);
        return EBADF;
    }
    note_range(o, &r->lock);
    return 0;
}

/* With the lock held: the wait is over. */
static int end_wait(FilesLocks *t, Wait *w, int error)
{
    if (w->owner) {
        error = settle(w->owner, &w->request, error);
        owner_unref(w->owner);
    }
    if (w->interrupted)
        t->interrupted--;
    g_hash_table_remove(t->waits, w);
    return error;
}

/* ---- waiting ---- */

static void wake_up(int number)
{
}

static int try_once(Wait *w, gboolean wait)
{
    if (w->owner)
        return set_at_home(w->owner->fd, &w->request.lock, wait ? F_OFD_SETLKW : F_OFD_SETLK);
    return flock(w->request.fd, w->request.operation | (wait ? 0 : LOCK_NB)) < 0 ? errno : 0;
}

static void *waiter(void *data)
{
    Wait *w = data;
    FilesLocks *t = w->locks;
    FilesLockRequest request = w->request;
    int error = EINTR;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, WAKE_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    g_mutex_lock(&t->lock);
    while (error == EINTR && !w->interrupted) {
        g_mutex_unlock(&t->lock);
        error = try_once(w, TRUE);
        g_mutex_lock(&t->lock);
    }
    error = end_wait(t, w, error);
    g_mutex_unlock(&t->lock);
    t->done(&request, error, t->user);
    g_mutex_lock(&t->lock);
    t->threads--;
    g_cond_broadcast(&t->change);
    g_mutex_unlock(&t->lock);
    g_free(w);
    return NULL;
}

/* Those whose wait the helper has ended, to be answered without the lock. */
static GSList *poll_waits(FilesLocks *t)
{
    GHashTableIter iter;
    gpointer value;
    GSList *ended = NULL;

    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Wait *w = value;
        if (w->waiting && w->threaded && w->interrupted)
            pthread_kill(w->thread, WAKE_SIGNAL);
        else if (w->waiting && !w->threaded)
            ended = g_slist_prepend(ended, w);
    }
    return ended;
}

/* Tries those of the list; what goes on waiting drops out. */
static void answer_polled(FilesLocks *t, GSList *list)
{
    for (GSList *l = list; l; l = l->next) {
        Wait *w = l->data;
        int error = w->interrupted ? EINTR : try_once(w, FALSE);
        if (error == EAGAIN || error == EACCES)
            continue;
        error = end_wait(t, w, error);
        t->polled--;
        g_mutex_unlock(&t->lock);
        t->done(&w->request, error, t->user);
        g_mutex_lock(&t->lock);
        g_free(w);
    }
    g_slist_free(list);
}

static gpointer help(gpointer data)
{
    FilesLocks *t = data;

    g_mutex_lock(&t->lock);
    while (!t->ending || t->threads || t->polled) {
        if (!t->polled && !t->interrupted)
            g_cond_wait(&t->change, &t->lock);
        else
            g_cond_wait_until(&t->change, &t->lock, g_get_monotonic_time() + HELP_US);
        answer_polled(t, poll_waits(t));
    }
    g_mutex_unlock(&t->lock);
    return NULL;
}

static gboolean start_thread(Wait *w)
{
    pthread_attr_t attr;
    gboolean started;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    started = pthread_create(&w->thread, &attr, waiter, w) == 0;
    pthread_attr_destroy(&attr);
    return started;
}

/* With the lock held: a request that cannot be granted now. 0 if it waits, or the errno. */
static int begin_wait(FilesLocks *t, const FilesLockRequest *r, Owner *o)
{
    Wait *w = add_wait(t, r->unique);
    int error = 0;

    if (w->waiting) /* a number that is in use: only a hostile guest does that */
        return EINVAL;
    if (w->interrupted)
        error = EINTR;
    else if (t->ending)
        error = EINTR;
    else if (o && would_deadlock(t, r))
        error = EDEADLK;
    if (error)
        return error;
    w->request = *r;
    w->owner = o;
    w->waiting = TRUE;
    if (!t->helper)
        t->helper = g_thread_new("file locks", help, t);
    w->threaded = t->threads < MAX_THREADS;
    if (w->threaded && start_thread(w)) {
        t->threads++;
    } else {
        w->threaded = FALSE;
        t->polled++;
        g_cond_broadcast(&t->change);
    }
    return 0;
}

static void forget_wait(FilesLocks *t, guint64 unique)
{
    Wait *w = find_wait(t, unique);

    if (!w || w->waiting)
        return;
    if (w->interrupted)
        t->interrupted--;
    g_hash_table_remove(t->waits, w);
    g_free(w);
}

/* ---- requests ---- */

static int get(FilesLocks *t, FilesLockRequest *r)
{
    Owner *o = find_owner(t, r->inode, r->owner), *other;
    struct flock wanted = r->lock, l = r->lock;
    Range range;

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
    Owner *o;

    if (r->lock.l_type == F_UNLCK && !find_owner(t, r->inode, r->owner)) {
        *error = 0;
        return TRUE;
    }
    o = get_owner(t, r);
    if (!o) {
        *error = errno;
        return TRUE;
    }
    *error = settle(o, r, set_at_home(o->fd, &r->lock, F_OFD_SETLK));
    if ((*error == EAGAIN || *error == EACCES) && r->kind == FILES_LOCK_SETW) {
        *error = begin_wait(t, r, o);
        if (!*error)
            return FALSE;
    }
    owner_unref(o);
    return TRUE;
}

static gboolean set_flock(FilesLocks *t, const FilesLockRequest *r, int *error)
{
    *error = flock(r->fd, r->operation | LOCK_NB) < 0 ? errno : 0;
    if (*error == EWOULDBLOCK && !(r->operation & LOCK_NB)) {
        *error = begin_wait(t, r, NULL);
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
        forget_wait(t, r.unique);
    g_mutex_unlock(&t->lock);
    if (answered)
        t->done(&r, error, t->user);
}

void files_locks_expect(FilesLocks *t, guint64 unique)
{
    g_mutex_lock(&t->lock);
    add_wait(t, unique);
    g_mutex_unlock(&t->lock);
}

void files_locks_unexpect(FilesLocks *t, guint64 unique)
{
    g_mutex_lock(&t->lock);
    forget_wait(t, unique);
    g_mutex_unlock(&t->lock);
}

static void interrupt(FilesLocks *t, Wait *w)
{
    if (w->interrupted)
        return;
    w->interrupted = TRUE;
    t->interrupted++;
    if (w->waiting && w->threaded)
        pthread_kill(w->thread, WAKE_SIGNAL);
    g_cond_broadcast(&t->change);
}

void files_locks_interrupt(FilesLocks *t, guint64 unique)
{
    Wait *w;

    g_mutex_lock(&t->lock);
    w = find_wait(t, unique);
    if (w)
        interrupt(t, w);
    g_mutex_unlock(&t->lock);
}

void files_locks_drop_owner(FilesLocks *t, guint64 inode, guint64 owner)
{
    Owner *o;

    g_mutex_lock(&t->lock);
    o = find_owner(t, inode, owner);
    if (o)
        drop(t, o);
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
        found = ((Owner *)value)->inode == inode;
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
        Owner *o = value;
        if (o->inode == inode && o->handle == handle)
            found = g_slist_prepend(found, o);
    }
    for (GSList *l = found; l; l = l->next)
        drop(t, l->data);
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
    struct sigaction action = { .sa_handler = wake_up };

    sigaction(WAKE_SIGNAL, &action, NULL);
    g_mutex_init(&t->lock);
    g_cond_init(&t->change);
    t->owners = g_hash_table_new(owner_hash, owner_equal);
    t->waits = g_hash_table_new(g_int64_hash, g_int64_equal);
    t->done = done;
    t->reopen = reopen;
    t->user = user;
    return t;
}

static void end_waits(FilesLocks *t)
{
    GHashTableIter iter;
    gpointer value;

    t->ending = TRUE;
    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        interrupt(t, value);
    while (t->threads || t->polled)
        g_cond_wait(&t->change, &t->lock);
}

void files_locks_free(FilesLocks *t)
{
    GHashTableIter iter;
    gpointer value;

    g_mutex_lock(&t->lock);
    end_waits(t);
    g_cond_broadcast(&t->change);
    g_mutex_unlock(&t->lock);
    if (t->helper)
        g_thread_join(t->helper);
    g_hash_table_iter_init(&iter, t->owners);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        owner_unref(value);
    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, &value, NULL))
        g_free(value);
    g_hash_table_destroy(t->owners);
    g_hash_table_destroy(t->waits);
    g_cond_clear(&t->change);
    g_mutex_clear(&t->lock);
    g_free(t);
}
