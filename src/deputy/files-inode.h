/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-inode.h - the table of what the guest knows of the home's file tree */
#pragma once

#include "deputy/files-closet.h"

#include <glib.h>
#include <sys/stat.h>

typedef struct FilesInodes FilesInodes;
typedef struct FilesInode FilesInode;

/* What FilesInode says to everybody; never changes while the inode is held. */
struct FilesInode {
    guint64 id;      /* the guest's name for it (nodeid); 1 is the root */
    guint64 ino;     /* inode number, device and mount at home */
    guint64 dev;
    guint64 mount;
    gint64 birth;    /* nanoseconds, 0 if the file system has none: tells a reused inode number */
    mode_t type;     /* S_IFMT bits */
    gint64 bare;     /* its ctime when it was seen to have no extended attributes (files-bare.c) */
    gboolean hollow; /* a mount point of a file system that is refused: an empty directory */
    gint skew;       /* odd: attributes show a time one nanosecond off, see files-inode.c */
    gint wd;         /* folder: its watch; 0 untried, -1 has none (files-watch.c) */
    guint rounds;    /* folder: counts what home did in it (files-watch.c) */
    guint events;    /* folder: counts what happened in it, be it the job's */
    gint listed;     /* folder: the guest has seen what is in it (files-ahead.c) */
    gboolean told;   /* the guest believes nothing of it for longer than a second (files-watch.c) */
    /* the rest belongs to files-inode.c */
    guint64 lookups;
    guint refs;
    guint uses;
    guint opens;
    guint own_writers;
    gboolean nameless;
    gboolean data_known, attr_known;
    int fd;
    int place;     /* in the closet, instead of fd */
    gboolean kept; /* the list that it is in, with an idle descriptor */
    FilesInode *parent;
    char *name;
    FilesInode *chain;
    FilesInode *newer, *older;
    struct FilesStamp {
        gint64 mtime, ctime; /* nanoseconds */
        guint64 size;
    } data, attr;
    gint64 data_time;
};

/* What an open found out about the guest's cached pages and attributes of a file. */
typedef enum {
    FILES_STAMP_SAME,    /* the guest's pages are good */
    FILES_STAMP_NEW,     /* its pages are not known to be good, its attributes are */
    FILES_STAMP_CHANGED, /* its attributes are stale, too */
} FilesStampState;

#define FILES_STATX (STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID)

/* A table whose inode 1 is the directory root_fd (O_PATH; taken over). At most max_fds O_PATH
 * descriptors are kept that nobody uses. NULL and errno if root_fd cannot be examined. */
FilesInodes *files_inodes_new(int root_fd, guint max_fds);

/* Where descriptors that must stay open may be put away when there are more than that (files-closet.c); may be NULL. */
void files_inodes_set_closet(FilesInodes *t, FilesCloset *closet);
void files_inodes_free(FilesInodes *table);

/* The inode with that id, held until files_inodes_put, or NULL if the guest has no such inode. */
FilesInode *files_inodes_get(FilesInodes *table, guint64 id);
void files_inodes_put(FilesInodes *table, FilesInode *inode);

/* The guest is told of parent/name, which is *stx: its inode, found or made, with one more lookup
 * counted, and held. Name may be NULL (O_TMPFILE): then fd, an O_PATH descriptor, is taken over
 * and kept as long as the inode has no name; else fd may be -1. */
FilesInode *files_inodes_look(FilesInodes *table, FilesInode *parent, const char *name,
                              const struct statx *stx, gboolean hollow, int fd);

/* The inode of *stx if the guest knows it, held, else NULL. */
FilesInode *files_inodes_find(FilesInodes *table, const struct statx *stx);

/* The guest forgets count lookups of inode id. */
void files_inodes_forget(FilesInodes *table, guint64 id, guint64 count);

/* An O_PATH descriptor of a held inode, to be given back with files_inode_done, or -errno
 * (ESTALE: it is no longer where it was; EACCES: a refused file system). */
int files_inode_fd(FilesInodes *table, FilesInode *inode);
void files_inode_done(FilesInodes *table, FilesInode *inode);

/* The same, but -1 if it is not open just now. */
int files_inode_fd_if_open(FilesInodes *table, FilesInode *inode);

/* Attributes of a held inode with one system call at best: 0 or -errno. */
int files_inode_stat(FilesInodes *table, FilesInode *inode, struct statx *stx);

/* Whether *stx is this very inode. */
gboolean files_inode_is(const FilesInode *inode, const struct statx *stx);

/* The inode goes by parent/name from now on (after a rename or link). */
void files_inode_named(FilesInodes *table, FilesInode *inode, FilesInode *parent,
                       const char *name);

/* parent/name is about to go (unlink, rename over it): if that is the name by which the inode is
 * reached, its descriptor is kept until it is forgotten or has another name. 0 or -errno. */
int files_inode_pin(FilesInodes *table, FilesInode *inode, FilesInode *parent, const char *name);

/* The file turned out to be deleted. TRUE if that was known (then or by an earlier call). From now
 * on its descriptor is kept. */
gboolean files_inode_lost(FilesInodes *table, FilesInode *inode);

/* Whether the name by which the inode was looked up is not its own any more. FALSE if that cannot
 * be said without opening its folder. */
gboolean files_inode_moved(FilesInodes *table, FilesInode *inode);

/* A handle is opened or closed on the inode: while there is one its descriptor is kept. The
 * descriptor must be in use (files_inode_fd) when the first is opened. */
void files_inode_opened(FilesInodes *table, FilesInode *inode);
void files_inode_closed(FilesInodes *table, FilesInode *inode);

/* The folder in which the inode was looked up, held, and its name there (to be freed; or NULL: not wanted). NULL if it has
 * no name. */
FilesInode *files_inode_parent(FilesInodes *table, FilesInode *inode, char **ret_name);

/* The same, but only if the inode is there still. */
FilesInode *files_inode_folder(FilesInodes *table, FilesInode *inode);

/* Whether the guest knows that the inode is *stx: it was told, or is about to be as it changes it just now. */
gboolean files_inode_known(FilesInodes *table, FilesInode *inode, const struct statx *stx);

/* Whether the times of *stx are to be shown one nanosecond off. */
gboolean files_inode_skewed(const FilesInode *inode, const struct statx *stx);

/* Stamps. seen: *stx goes to the guest as attributes. check: a file is opened, or else locked, and
 * is *stx now; says what that means for the guest's cache and remembers it for its pages. own_begin
 * and own_end bracket a modification by the job, with attributes before and after. */
void files_inode_seen(FilesInodes *table, FilesInode *inode, const struct statx *stx);
FilesStampState files_inode_check(FilesInodes *table, FilesInode *inode, const struct statx *stx,
                                  gboolean open);
void files_inode_own_begin(FilesInodes *table, FilesInode *inode, const struct statx *stx);
void files_inode_own_end(FilesInodes *table, FilesInode *inode, const struct statx *stx);

/* Numbers for tests and logs: inodes known, idle descriptors kept. */
void files_inodes_count(FilesInodes *table, guint *inodes, guint *descriptors);

/* What a walk needs from elsewhere, set once: enter and leave are called around what must not be
 * hindered by the requesting process's rights, refused says whether a mount just entered, of which
 * fd is an O_PATH descriptor, must be left alone; forgotten is called, with the table locked, when a
 * folder goes that had a watch. Each may be NULL. */
typedef struct {
    void (*enter)(void);
    void (*leave)(void);
    gboolean (*refused)(int fd, void *user);
    void (*forgotten)(int wd, void *user);
    void *user;
} FilesWalk;

void files_inodes_set_walk(FilesInodes *table, const FilesWalk *walk);
