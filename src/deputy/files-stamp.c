/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-stamp.c - what the guest's pages and attributes of a file go back to
 *
 * Stamps: per inode the attributes that the guest's pages (data) and attributes (attr) go back to.
 * The job's own modifications move the stamps on, if nobody else's came between; so its own writes
 * do not cost it its cache. A stamp as young as the clock's tick proves nothing, since a second
 * change could bear the same time: such a one is never `the same'. When a file is opened the guest
 * is told so and drops its pages. When it is locked there is no way to say it but attributes: the
 * guest drops pages when it sees another mtime, so for a second it is shown one that is a
 * nanosecond off. */
#include "deputy/files-inode-impl.h"

#include <time.h>

#define TICK_NS (12 * 1000 * 1000) /* more than a tick of a kernel with HZ=100 */
#define SKEW_NS (1000 * 1000 * 1000)

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

gboolean files_inode_known(FilesInodes *t, FilesInode *inode, const struct statx *stx)
{
    struct FilesStamp now;
    gboolean known;

    files_stamp_of(&now, stx);
    g_mutex_lock(&t->lock);
    known = inode->own_writers || (inode->attr_known && stamp_is(&inode->attr, &now) && now_ns() - now.ctime > TICK_NS);
    g_mutex_unlock(&t->lock);
    return known;
}

void files_inode_seen(FilesInodes *t, FilesInode *inode, const struct statx *stx)
{
    g_mutex_lock(&t->lock);
    files_stamp_of(&inode->attr, stx);
    inode->attr_known = TRUE;
    g_mutex_unlock(&t->lock);
}

gboolean files_inode_skewed(const FilesInode *inode, const struct statx *stx)
{
    return inode->skew & 1 && now_ns() - files_stamp_ns(&stx->stx_mtime) < SKEW_NS;
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

    files_stamp_of(&now, stx);
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

    files_stamp_of(&now, stx);
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
    files_stamp_of(&inode->data, stx);
    files_stamp_of(&inode->attr, stx);
    inode->data_time = now_ns();
    g_mutex_unlock(&t->lock);
}
