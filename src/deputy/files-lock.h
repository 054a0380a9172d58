/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-lock.h - the guest's file locks, held at home */
#pragma once

#include <fcntl.h>
#include <glib.h>

typedef struct FilesLocks FilesLocks;

typedef enum {
    FILES_LOCK_GET,   /* what is in the way? */
    FILES_LOCK_SET,   /* set or remove, or EAGAIN */
    FILES_LOCK_SETW,  /* set, waiting */
    FILES_LOCK_FLOCK, /* flock(2); waits unless operation has LOCK_NB */
} FilesLockKind;

typedef struct {
    FilesLockKind kind;
    guint64 inode, handle; /* the guest's numbers */
    guint64 owner;         /* the guest's: a process, or an open file for its OFD locks */
    guint64 unique;        /* the request, by which it can be interrupted */
    int fd;                /* the handle's descriptor at home, valid until done is called */
    int access;            /* its O_ACCMODE */
    struct flock lock;     /* SEEK_SET; l_pid the guest's; GET: the answer */
    int operation;         /* of flock(2) */
    void *data;            /* the caller's */
} FilesLockRequest;

/* done is called once for each request, from the calling or another thread, with 0 or an errno.
 * reopen opens a descriptor's file again with other flags, -1 and errno on failure. */
FilesLocks *files_locks_new(void (*done)(const FilesLockRequest *request, int error, void *user),
                            int (*reopen)(int fd, int flags), void *user);

/* Interrupts every wait, then drops every lock. */
void files_locks_free(FilesLocks *locks);

/* Executes a request; never waits itself. */
void files_lock(FilesLocks *locks, const FilesLockRequest *request);

/* A request that may wait is on its way: from now on it can be interrupted. */
void files_locks_expect(FilesLocks *locks, guint64 unique);

/* It will not come after all. */
void files_locks_unexpect(FilesLocks *locks, guint64 unique);

/* Ends the wait of a request with EINTR, if it is expected or waits; else nothing. */
void files_locks_interrupt(FilesLocks *locks, guint64 unique);

/* A process closed a descriptor of the inode: all its locks on it fall (POSIX). */
void files_locks_drop_owner(FilesLocks *locks, guint64 inode, guint64 owner);

/* Whether anybody of the guest has locks on the inode (a process or open file; not flock). */
gboolean files_locks_on(FilesLocks *locks, guint64 inode);

/* A handle is gone: what was locked through it and still stands (OFD locks of the guest) falls. */
void files_locks_drop_handle(FilesLocks *locks, guint64 inode, guint64 handle);

/* For tests: owners that hold a descriptor, requests that wait. */
void files_locks_count(FilesLocks *locks, guint *owners, guint *waiting);
