/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-again.c - which of the guest's threads walk a path for the second time, because of ESTALE
 *
 * When a request for the end of a path is answered with ESTALE the guest's kernel walks the path
 * once more, and asks for each name anew. If that ends in ESTALE too, the program gets the error,
 * which no local file system would give it; a file that is replaced all the time would do that. So
 * on the second walk what a name stands for is opened when it is looked up, and is good for the
 * request that follows, even if it is replaced or removed in between: at home, too, an open that
 * came a moment earlier would have had it.
 *
 * A thread is known by its number, which the guest's kernel puts into each request. It is
 * forgotten when a request of it other than a lookup is answered, or after a while. */
#include "deputy/files-impl.h"

#define PLACES 64
#define KEPT_US (10 * G_USEC_PER_SEC) /* from ESTALE to the end of the second walk */

typedef struct {
    guint32 pid; /* 0: free */
    gint64 until;
} Walk;

struct FilesAgain {
    GMutex lock;
    gint count;
    Walk walks[PLACES];
};

FilesAgain *files_again_new(void)
{
    FilesAgain *again = g_new0(FilesAgain, 1);

    g_mutex_init(&again->lock);
    return again;
}

void files_again_free(FilesAgain *again)
{
    g_mutex_clear(&again->lock);
    g_free(again);
}

static Walk *find(FilesAgain *again, guint32 pid)
{
    for (int i = 0; i < PLACES; i++)
        if (again->walks[i].pid == pid)
            return &again->walks[i];
    return NULL;
}

static void forget(FilesAgain *again, Walk *walk)
{
    walk->pid = 0;
    g_atomic_int_add(&again->count, -1);
}

void files_again_begin(FilesAgain *again, guint32 pid)
{
    gint64 now = g_get_monotonic_time();
    Walk *walk;

    if (!pid)
        return;
    g_mutex_lock(&again->lock);
    for (int i = 0; i < PLACES; i++)
        if (again->walks[i].pid && again->walks[i].until < now)
            forget(again, &again->walks[i]);
    walk = find(again, pid);
    if (!walk && (walk = find(again, 0)))
        g_atomic_int_add(&again->count, 1);
    if (walk)
        *walk = (Walk){ pid, now + KEPT_US };
    g_mutex_unlock(&again->lock);
}

gboolean files_again_is(FilesAgain *again, guint32 pid)
{
    gboolean is;

    if (!pid || !g_atomic_int_get(&again->count))
        return FALSE;
    g_mutex_lock(&again->lock);
    is = find(again, pid) != NULL;
    g_mutex_unlock(&again->lock);
    return is;
}

void files_again_end(FilesAgain *again, guint32 pid)
{
    Walk *walk;

    g_mutex_lock(&again->lock);
    walk = find(again, pid);
    if (walk)
        forget(again, walk);
    g_mutex_unlock(&again->lock);
}
