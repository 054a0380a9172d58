/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock-wait.c - requests for locks that wait until home grants them
 *
 * A lock that must wait gets a thread, which sits in F_OFD_SETLKW, so that the home's kernel keeps
 * the queue. A request is interruptible from the moment it is expected (before it is even queued) to
 * its answer. A thread is woken by a signal, again and again until it has noticed, since a signal
 * that comes just before the system call is lost; a helper thread does that, and also tries, a
 * hundred times a second, the locks of those that wait beyond MAX_THREADS. */
#include "deputy/files-lock-private.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>

#define MAX_THREADS 128
#define HELP_US 10000
#define WAKE_SIGNAL (SIGRTMIN + 7)
#define DEADLOCK_DEPTH 10 /* as in the kernel */
#define DEADLOCK_STEPS 100000 /* looked at, at most, for one request */

LockWait *lock_wait_find(FilesLocks *t, guint64 unique)
{
    return g_hash_table_lookup(t->waits, &unique);
}

LockWait *lock_wait_expect(FilesLocks *t, guint64 unique)
{
    LockWait *w = lock_wait_find(t, unique);

    if (!w) {
        w = g_new0(LockWait, 1);
        w->unique = unique;
        w->locks = t;
        g_hash_table_add(t->waits, w);
    }
    return w;
}

void lock_wait_forget(FilesLocks *t, guint64 unique)
{
    LockWait *w = lock_wait_find(t, unique);

    if (!w || w->waiting)
        return;
    if (w->interrupted)
        t->interrupted--;
    g_hash_table_remove(t->waits, w);
    g_free(w);
}

/* ---- deadlocks ---- */

static LockWait *wait_of(FilesLocks *t, guint64 owner)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        LockWait *w = value;
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
        LockOwner *o = value;
        LockRange range;
        LockWait *w;
        if (!lock_owner_is_in_the_way(o, r->inode, r->owner, &r->lock, &range))
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

/* ---- waiting ---- */

/* The wait is over; returns what is answered. */
static int end_wait(FilesLocks *t, LockWait *w, int error)
{
    if (w->owner) {
        error = lock_owner_settle(w->owner, &w->request, error);
        lock_owner_unref(w->owner);
    }
    if (w->interrupted)
        t->interrupted--;
    g_hash_table_remove(t->waits, w);
    return error;
}

static void wake_up(int number)
{
}

void lock_waits_prepare(void)
{
    struct sigaction action = { .sa_handler = wake_up };

    sigaction(WAKE_SIGNAL, &action, NULL);
}

static int try_once(LockWait *w, gboolean wait)
{
    if (w->owner)
        return lock_at_home(w->owner->fd, &w->request.lock, wait ? F_OFD_SETLKW : F_OFD_SETLK);
    return flock(w->request.fd, w->request.operation | (wait ? 0 : LOCK_NB)) < 0 ? errno : 0;
}

static void *waiter(void *data)
{
    LockWait *w = data;
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
        LockWait *w = value;
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
        LockWait *w = l->data;
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

static gboolean start_thread(LockWait *w)
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

int lock_wait_begin(FilesLocks *t, const FilesLockRequest *r, LockOwner *o)
{
    LockWait *w = lock_wait_expect(t, r->unique);
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

void lock_wait_interrupt(FilesLocks *t, LockWait *w)
{
    if (w->interrupted)
        return;
    w->interrupted = TRUE;
    t->interrupted++;
    if (w->waiting && w->threaded)
        pthread_kill(w->thread, WAKE_SIGNAL);
    g_cond_broadcast(&t->change);
}

void lock_waits_end(FilesLocks *t)
{
    GHashTableIter iter;
    gpointer value;

    t->ending = TRUE;
    g_hash_table_iter_init(&iter, t->waits);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        lock_wait_interrupt(t, value);
    while (t->threads || t->polled)
        g_cond_wait(&t->change, &t->lock);
}
