/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.h - the home's file tree, served to a guest as a FUSE file system */
#pragma once

#include <glib.h>
#include <sys/uio.h>

typedef struct Files Files;

typedef enum {
    FILES_CACHE_NONE,      /* strict: the guest asks again each time */
    FILES_CACHE_THROUGH,   /* default: a written byte is at home when write() returns */
    FILES_CACHE_WRITEBACK, /* the guest holds writes back until fsync or close */
} FilesCache;

typedef struct {
    const char *root;    /* the directory that the guest sees as / */
    gboolean read_only;  /* every modification is EROFS */
    FilesCache cache;
    gboolean switch_ids; /* the deputy is root and acts as the requesting process's uid and gid */
    guint workers;       /* threads; 0 = a default */
} FilesOptions;

/* Called with one whole FUSE message for the guest (a reply, or a notification with unique 0).
 * From worker threads, several at a time; the data is valid during the call only. */
typedef void (*FilesReply)(const struct iovec *iov, int count, void *user);

/* Opens the root and starts the workers. Call it before the sandbox closes (see files.c for what
 * the sandbox must leave open). NULL and *error if the root cannot be served. */
Files *files_new(const FilesOptions *options, FilesReply reply, void *user, GError **error);

/* Takes one raw FUSE request of the guest, of size bytes. It is copied; the call never blocks.
 * What is not a well-formed request is answered with an error if it has a header, else ignored. */
void files_request(Files *files, const void *request, size_t size);

/* An O_PATH descriptor of what the guest knows by that number, to be closed: the place of an
 * AF_UNIX socket, or the folder in which one is to be made. -errno: ESTALE, EROFS... */
int files_place(Files *files, guint64 node, gboolean make);

/* Tells the guest what home has changed until now, so that what is said to it next, in any way, finds it knowing. */
void files_catch_up(Files *files);

/* Answers no more, ends the workers and waiting locks, closes every file (locks fall with them). */
void files_free(Files *files);
