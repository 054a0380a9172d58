/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-impl.h - what the parts of the file server share; the one file that includes libfuse */
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <linux/fuse.h>

#include "deputy/files-closet.h"
#include "deputy/files-inode.h"
#include "deputy/files-lock.h"
#include "deputy/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX_IO (1024 * 1024)                   /* data of one READ or WRITE */
#define FILES_BUFFER (FILES_MAX_IO + 64 * 1024)      /* a worker's buffer for what it answers */
#define FILES_MAX_REQUEST (FILES_MAX_IO + 64 * 1024) /* the largest request that is looked at */

typedef struct FilesQueue FilesQueue;
typedef struct FilesHandles FilesHandles;
typedef struct FilesHandle FilesHandle;
typedef struct FilesBare FilesBare;
typedef struct FilesAgain FilesAgain;
typedef struct FilesWatch FilesWatch;
typedef struct FilesAhead FilesAhead;

struct Files {
    gboolean read_only;
    FilesCache cache;
    gboolean switch_ids;
    FilesReply reply;
    void *user;
    struct fuse_session *session;
    FilesInodes *inodes;
    FilesHandles *handles;
    FilesLocks *locks;
    FilesQueue *queue;
    FilesCloset *closet; /* for descriptors, when they are short; or NULL */
    FilesAgain *again;
    guint64 dev_device; /* of home's /dev, see files-refuse.c */
    gboolean submounts; /* the guest's kernel understands FUSE_ATTR_SUBMOUNT */
    guint64 init_flags; /* what the guest's kernel offered in INIT */
    FilesBare *bare;    /* NULL if the guest's kernel has no use for it */
    FilesWatch *watch;  /* NULL until INIT, and if the guest's kernel has no use for it, or nothing is believed */
    FilesWatch *watching; /* the same, from the beginning */
    FilesAhead *ahead; /* NULL where nothing is listed ahead */
    gint init_done;
    gint ended; /* no more answers */
};

/* ---- files.c ---- */

extern const struct fuse_lowlevel_ops files_ops;

/* Seconds that the guest may believe names and attributes; it is told when what is watched changes. */
double files_timeout(const Files *files, gboolean watched);

/* Tells the guest that its attributes of inode id are stale (its pages follow by AUTO_INVAL). Never
 * more than that: to drop pages the guest may have to wait for a reply that is behind us. */
void files_forget_attributes(Files *files, guint64 id);

/* ---- files-check.c ---- */

/* Whether a raw request is well-formed: its length right, its names ended, every size in it within
 * it, so that libfuse, which trusts the kernel, may be given it. 0, or the errno to answer. */
int files_check(const void *request, size_t size);

/* ---- files-channel.c: the queue, the workers, the messages out ---- */

/* When a request first looked into a folder (files-watch.c): what had happened by then. */
typedef struct {
    guint64 rounds;           /* to names, anywhere; 0: it has not looked */
    const FilesInode *folder; /* that folder, NULL: no certain one */
    guint folder_rounds, folder_events;
} FilesLook;

/* What the current thread works at, and its buffer of FILES_BUFFER bytes. */
typedef struct {
    Files *files;
    guint64 unique;
    char *buffer;
    gboolean in_init;
    guint32 pid;    /* the guest's thread that asked */
    gboolean tries; /* a refusal is not the last word yet */
    int refused;    /* that came, while it was not: an errno */
    gboolean again; /* it walks its path for the second time (files-again.c) */
    gboolean asks;  /* for names or attributes, and changes none */
    gboolean lists; /* opens a folder, and would have its listing, too */
    gboolean ahead; /* nobody has asked: what the guest knows must be left alone (files-ahead.c) */
    FilesLook look;
} FilesCurrent;

extern _Thread_local FilesCurrent files_current;

FilesQueue *files_queue_new(Files *files, guint workers);
void files_queue_push(FilesQueue *queue, const void *request, size_t size);
void files_queue_free(FilesQueue *queue);

/* There may be something to do ahead (files-ahead.c). */
void files_queue_wake(FilesQueue *queue);

/* Answers a request that libfuse does not know: error (positive) or size bytes of data. */
void files_answer(Files *files, guint64 unique, int error, const void *data, size_t size);

extern const struct fuse_custom_io files_custom_io;

/* ---- files-again.c: second walks after ESTALE ---- */

FilesAgain *files_again_new(void);
void files_again_free(FilesAgain *again);

/* A request of the guest's thread pid is about to be answered with ESTALE. */
void files_again_begin(FilesAgain *again, guint32 pid);

/* Whether that happened, and the thread is still on the walk that followed. */
gboolean files_again_is(FilesAgain *again, guint32 pid);

/* The walk has come to its end. */
void files_again_end(FilesAgain *again, guint32 pid);

/* ---- files-cred.c: whose rights a worker uses ---- */

/* Makes a new thread one of its own: umask, working directory (/proc/self/fd, so that "N" names
 * descriptor N) and, for switch_ids, identity. 0 or -errno. */
int files_cred_thread(gboolean switch_ids);

/* Opens /proc/self/fd for this. 0 or -errno. */
int files_cred_init(void);

/* The thread acts as this user and group from now on, if it is to switch at all. */
void files_cred_become(uid_t uid, gid_t gid);

/* The thread has these supplementary groups from now on, if it is to switch at all. */
void files_cred_groups(const gid_t *groups, int count);

/* Sets the thread's umask for what it creates next. */
void files_cred_umask(mode_t mask);

/* Around what must not depend on the requesting process's rights. */
void files_cred_enter(void);
void files_cred_leave(void);

/* Opens a descriptor's file anew, from any thread: a descriptor, or -1 and errno. */
int files_fd_reopen(int fd, int flags);

/* "N", the name of descriptor fd in the working directory. */
typedef struct {
    char text[12];
} FilesFdName;
FilesFdName files_fd_name(int fd);

/* ---- files-refuse.c: the home's file systems that no job enters ---- */

/* The device of home's /dev, if it is a file system of its own, else 0. */
guint64 files_dev_device(int root_fd);

/* Whether descriptor fd (O_PATH will do) is on a refused file system. */
gboolean files_refused(guint64 dev_device, int fd);

/* ---- files-bare.c: files without extended attributes ---- */

/* Our guest's kernel: FUSE_ATTR_NO_XATTR is understood; it itself (guest/kernel/patches). */
#define FILES_NO_XATTR_FLAG (G_GUINT64_CONSTANT(1) << 62)
#define FILES_ATTR_NO_XATTR (1u << 31)

FilesBare *files_bare_new(void);
void files_bare_free(FilesBare *bare);

/* Whether the inode, *stx now, has neither ACL nor security attribute and asking gives ENODATA.
 * It is looked at as name in the folder fd; or, name NULL, as descriptor fd; or, that -1, not at
 * all. */
gboolean files_bare(Files *files, FilesInode *inode, const struct statx *stx, int fd,
                    const char *name);

/* ---- files-ahead.c: listings made before they are asked for ---- */

#define FILES_AHEAD_S 5 /* so old may a listing be that is given to the guest */

FilesAhead *files_ahead_new(Files *files);
void files_ahead_free(FilesAhead *ahead);

/* Main loop, an OPENDIR that takes a listing: answers it if there is one that is good. */
gboolean files_ahead_answer(Files *files, const struct fuse_in_header *head);

/* The guest is given that answer, with the folder's listing: what it may open next is wanted. */
void files_ahead_given(Files *files, FilesInode *folder, const char *answer, size_t size);

/* A worker that has nothing else to do makes one: FALSE if none is wanted. */
gboolean files_ahead_work(Files *files);

/* Forgets what an answer that is not given says of inodes. */
void files_ahead_forget(Files *files, const char *answer, size_t size);

/* Whether a request, already checked, may change anything; when it comes, and when it is done. */
gboolean files_ahead_changes(const struct fuse_in_header *head);
void files_ahead_begin(Files *files);
void files_ahead_end(Files *files);

/* ---- files-dir.c: the listing in the answer to OPENDIR ---- */

/* Our guest's kernel (guest/kernel/patches/41-beliefs): it takes a listing of so many bytes behind the answer to an
 * OPENDIR with that flag; the answer's flag says that it is there, and that there is no handle. */
#define FILES_OPENDIR_LISTS (G_GUINT64_CONSTANT(1) << 60)
#define FILES_OPEN_LISTING (1u << 30)
#define FILES_OPEN_LISTED (1u << 30)
#define FILES_LISTING_MAX 32768

/* An inode of the guest's together with a descriptor of it, for the time of a request. */
typedef struct {
    Files *files;
    FilesInode *inode;
    int fd;
} FilesNode;

/* The whole answer, with the listing of a folder, of which fd is a descriptor that nothing was read of: its size, or 0 if
 * it has no room; then all is as before. buffer has FILES_BUFFER bytes. */
size_t files_list_whole(FilesNode *folder, int fd, char *buffer);

/* ---- files-watch.c: what happens at home to what the guest believes ---- */

/* Our guest's kernel: invalidating a folder outdates its names (guest/kernel/patches/41-beliefs). */
#define FILES_INVAL_NAMES (G_GUINT64_CONSTANT(1) << 61)

/* Starts watching: NULL if the user may not. Before the sandbox closes. end: before the workers are, nothing is told
 * any more; free: when the inodes have gone. */
FilesWatch *files_watch_new(Files *files);
void files_watch_end(FilesWatch *watch);
void files_watch_free(FilesWatch *watch);

/* The current request is about to look at names or attributes: in folder, of which fd is an O_PATH descriptor; or
 * anywhere (NULL). */
void files_watch_look(Files *files, FilesInode *folder, int fd);

/* The same for the attributes of a folder that was just found as parent/name and is *stx, or now is. */
void files_watch_child(Files *files, const FilesNode *parent, const char *name, FilesInode *folder, struct statx *stx);

/* A folder is forgotten; the inodes may be locked. */
void files_watch_drop(FilesWatch *watch, int wd);

/* Whether the guest will be told when names in folder come or go, or attributes of the inode, seen in folder (NULL:
 * not known where), change: what this request has seen may be believed for long. Attributes only where the guest's
 * kernel knows what came between question and answer: LOOKUP, READDIRPLUS, GETATTR. */
gboolean files_watch_names(Files *files, FilesInode *folder);
gboolean files_watch_attributes(Files *files, FilesInode *folder, FilesInode *inode, const struct statx *stx);

/* Whether nothing has happened to the folder, or to names anywhere, since that look; tells what has. */
gboolean files_watch_still(Files *files, const FilesInode *folder, const FilesLook *look);

/* Tells the guest what has happened until now. */
void files_watch_catch_up(Files *files);

/* The job changes a name in folder, which makes so many events; own is the caller's until it is done. */
typedef struct FilesOwn {
    FilesInode *folder;
    const char *name;
    int left, events;
    struct FilesOwn *next;
} FilesOwn;
void files_watch_own(Files *files, FilesOwn *own, FilesInode *folder, const char *name, int events);
void files_watch_own_done(Files *files, FilesOwn *own, gboolean success);

/* ---- files-handle.c: what the guest has open ---- */

struct FilesHandle {
    FilesInode *inode;
    int fd;
    int flags;   /* access mode, O_APPEND */
    int refs;
    gint locked; /* lock owners have used it */
    GMutex lock; /* of what follows */
    gboolean released;
    int place;     /* where fd is put away, if it is -1 */
    GList idle;    /* in the list of those that may be put away, if it has data */
    int plain_fd;  /* without O_APPEND, for pages that are written back; -1: not needed yet */
    char *entries; /* directory: what getdents64 gave last */
    size_t entries_at, entries_end;
    gint64 next; /* offset of the entry at entries_at */
};

FilesHandles *files_handles_new(Files *files);
void files_handles_free(FilesHandles *handles);

/* A handle for fd (taken over) on inode, whose descriptor is in use; its number for the guest. */
guint64 files_handle_add(Files *files, FilesInode *inode, int fd, int flags);

/* The handle with that number if it is open on inode id, held until files_handle_put, else NULL. */
FilesHandle *files_handle_get(Files *files, guint64 fh, guint64 id);
void files_handle_put(Files *files, FilesHandle *handle);

/* Calls back, with the handles locked, for what is open in folder (NULL: anywhere), as far as that is known. */
void files_handles_each(FilesHandles *handles, const FilesInode *folder, void (*each)(FilesInode *inode, void *user),
                        void *user);

/* The guest closed it; FALSE if there is no such handle. */
gboolean files_handle_close(Files *files, guint64 fh, guint64 id);

/* ---- files-attr.c ---- */

void files_fill_attr(const Files *files, const FilesInode *inode, const struct statx *stx,
                     struct fuse_attr *attr);

/* The entry name (NULL: none) of parent. */
void files_fill_entry(Files *files, const FilesNode *parent, const char *name, FilesInode *inode,
                      const struct statx *stx, struct fuse_entry_out *out);

/* The answer that parent has no such name: FALSE if it is not to be believed at all. */
gboolean files_fill_nothing(Files *files, const FilesNode *parent, struct fuse_entry_out *out);

/* Attributes of an inode by the handle if that is not NULL; 0 or -errno. */
int files_stat(Files *files, FilesInode *inode, FilesHandle *handle, struct statx *stx);

void files_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set,
                      struct fuse_file_info *fi);
void files_op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void files_op_statfs(fuse_req_t req, fuse_ino_t ino);
void files_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void files_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                       size_t size, int flags);
void files_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void files_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* ---- files-name.c ---- */

/* Finds inode id (and opens it, if with_fd): 0 or -errno. Give it back with files_node_put in
 * either case. */
int files_node_get(Files *files, guint64 id, gboolean with_fd, FilesNode *node);
void files_node_put(FilesNode *node);

/* Whether a single component may be used as a name: 0 or -errno. */
int files_name_check(const char *name);

/* Looks parent/name up: the inode, held, with a lookup counted, and its attributes; 0 or -errno. */
int files_look(Files *files, const FilesNode *parent, const char *name, FilesInode **inode,
               struct statx *stx);

void files_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void files_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void files_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void files_op_readlink(fuse_req_t req, fuse_ino_t ino);
void files_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev);
void files_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void files_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void files_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void files_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void files_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void files_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                     const char *new_name, unsigned int flags);

/* ---- files-open.c ---- */

/* O_TMPFILE, which libfuse does not know: a raw request, already checked. */
void files_tmpfile(Files *files, const void *request);

void files_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                     struct fuse_file_info *fi);

/* ---- files-data.c ---- */

void files_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                   struct fuse_file_info *fi);
void files_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
                    struct fuse_file_info *fi);
void files_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void files_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                        struct fuse_file_info *fi);
void files_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
                    struct fuse_file_info *fi);
void files_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
                              struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
                              struct fuse_file_info *fi_out, size_t length, int flags);

/* ---- files-flags.c ---- */

void files_op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int cmd, void *arg,
                    struct fuse_file_info *fi, unsigned flags, const void *in, size_t in_size,
                    size_t out_size);

/* ---- files-lock-op.c ---- */

/* The locks' callback: answers the guest. */
void files_lock_done(const FilesLockRequest *request, int error, void *user);

/* A handle is about to be released: what was locked through it, also by flock if flocked, falls
 * now. */
void files_release_locks(Files *files, guint64 ino, guint64 fh, gboolean flocked);

void files_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void files_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock,
                    int sleep);
void files_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int operation);

/* ---- files-dir.c ---- */

void files_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *fi);
void files_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                          struct fuse_file_info *fi);
void files_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void files_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);

/* The Files of a request. */
static inline Files *files_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}
