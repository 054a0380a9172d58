/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock-private.h - the table of lock owners and of requests that wait, for files-lock*.c only
 *
 * Everything here is used with the table's lock held, unless its comment says otherwise. */
#pragma once

#include <pthread.h>

#include "deputy/files-lock.h"

/* What an owner has locked. */
typedef struct {
    gint64 start, end; /* inclusive */
    short type;
    pid_t pid;
} LockRange;

/* An owner and what it has of one inode. */
typedef struct {
    guint64 inode, owner; /* the key */
    guint64 handle;       /* through which it locked last */
    int fd;
    gboolean writable, readable;
    gboolean shared; /* fd is a copy of the handle's: closing it would not drop the locks */
    gboolean dropped;
    guint refs;
    GArray *ranges;
} LockOwner;

/* A request that may wait. */
typedef struct {
    guint64 unique; /* the key */
    gboolean interrupted;
    gboolean waiting; /* the rest is valid */
    gboolean threaded;
    pthread_t thread;
    FilesLockRequest request;
    LockOwner *owner; /* NULL for flock */
    FilesLocks *locks;
} LockWait;

struct FilesLocks {
    GMutex lock;
    GCond change;
    GHashTable *owners; /* LockOwner → itself */
    GHashTable *waits;  /* LockWait → itself */
    guint threads, polled, interrupted;
    gboolean ending;
    GThread *helper;
    void (*done)(const FilesLockRequest *request, int error, void *user);
    int (*reopen)(int fd, int flags);
    void *user;
};

/* ---- owners: files-lock-owner.c ---- */

/* For the table of owners: by inode and owner. */
guint lock_owner_hash(gconstpointer owner);
gboolean lock_owner_equal(gconstpointer a, gconstpointer b);

/* The owner, borrowed; NULL: it holds nothing. */
LockOwner *lock_owner_find(FilesLocks *t, guint64 inode, guint64 owner);

/* The owner of a request, with a descriptor that will do for it, referenced; NULL and errno. */
LockOwner *lock_owner_get(FilesLocks *t, const FilesLockRequest *r);

/* Gives a reference back; with the last one the descriptor is closed. */
void lock_owner_unref(LockOwner *o);

/* Whether the owner, not self, holds what is in the way of the lock; *range is set. */
gboolean lock_owner_is_in_the_way(const LockOwner *o, guint64 inode, guint64 self, const struct flock *l,
                                  LockRange *range);

/* Home has answered for an owner with 0 or an errno: notes what it has now. Returns what the guest is told. */
int lock_owner_settle(LockOwner *o, const FilesLockRequest *r, int error);

/* All its locks fall, and it leaves the table. */
void lock_owner_drop(FilesLocks *t, LockOwner *o);

/* fcntl's command (F_OFD_SETLK or the waiting one) for a lock; 0 or an errno. Needs no table. */
int lock_at_home(int fd, const struct flock *lock, int command);

/* ---- waits: files-lock-wait.c ---- */

/* Makes the signal that wakes threads known to the process. Needs no table. */
void lock_waits_prepare(void);

/* The request of this number, expected or waiting, borrowed; NULL if there is none. */
LockWait *lock_wait_find(FilesLocks *t, guint64 unique);

/* The same, entered if it was not there: it can be interrupted from now on. */
LockWait *lock_wait_expect(FilesLocks *t, guint64 unique);

/* It does not wait after all. */
void lock_wait_forget(FilesLocks *t, guint64 unique);

/* A request that cannot be granted now; o, NULL for flock, is taken over on success. 0: it waits, and done is called
 * in time; else the errno to answer with (EDEADLK, EINTR). */
int lock_wait_begin(FilesLocks *t, const FilesLockRequest *r, LockOwner *o);

/* Has it answered with EINTR. */
void lock_wait_interrupt(FilesLocks *t, LockWait *w);

/* Interrupts all and returns when the last is answered. */
void lock_waits_end(FilesLocks *t);
