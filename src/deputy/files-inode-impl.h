/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-inode-impl.h - the table of inodes, as its own parts see it: files-inode.c, files-walk.c, files-stamp.c */
#pragma once

#include "deputy/files-inode.h"

typedef struct {
    FilesInode *inode; /* NULL: free */
    guint32 generation;
    guint32 next_free;
} FilesSlot;

struct FilesInodes {
    GMutex lock;
    FilesInode *root;
    FilesSlot *slots;
    guint32 slot_count, slot_room, first_free;
    FilesInode **buckets;
    guint bucket_count; /* a power of two */
    guint count;
    FilesInode lru; /* ring of inodes with an idle descriptor; newer of the head is the oldest */
    guint idle, max_idle;
    FilesInode kept; /* likewise of those whose descriptor must stay open: the oldest are put away */
    guint kept_idle;
    FilesCloset *closet; /* may be NULL */
    FilesWalk walk;
};

/* ---- files-inode.c; with the table locked ---- */

/* Frees the inode, and then its parents, as far as nothing needs them any more. */
void files_inode_reap(FilesInodes *table, FilesInode *inode);

/* ---- files-walk.c; with the table locked ---- */

/* Takes the inode out of the list of those whose descriptor may go. */
void files_walk_unlist(FilesInodes *table, FilesInode *inode);

/* Closes its descriptor, if there is one. */
void files_walk_close(FilesInodes *table, FilesInode *inode);

/* Nobody uses the descriptor at the moment: keeps it, or puts it in the list of those that may go. */
void files_walk_settle(FilesInodes *table, FilesInode *inode);

/* ---- files-stamp.c ---- */

/* A time in nanoseconds. */
static inline gint64 files_stamp_ns(const struct statx_timestamp *t)
{
    /* unsigned, because some file systems have times that do not fit; they are only compared */
    return (gint64)((guint64)t->tv_sec * 1000000000 + t->tv_nsec);
}

/* The stamp of *stx. */
static inline void files_stamp_of(struct FilesStamp *stamp, const struct statx *stx)
{
    stamp->mtime = files_stamp_ns(&stx->stx_mtime);
    stamp->ctime = files_stamp_ns(&stx->stx_ctime);
    stamp->size = stx->stx_size;
}
