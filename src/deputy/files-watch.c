/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-watch.c - what happens at home to the names and attributes that the guest believes
 *
 * Without this the guest may believe a name or an attribute for a second only. Folders that it has looked into are
 * watched (inotify); what is seen in a watched folder is believed for a minute, and the guest is told when something
 * changes: FUSE_NOTIFY_INVAL_INODE of the file, or of the folder when names come or go.
 *
 * Goals:
 *  - Nothing is told late. Before an answer, or a byte of a stream or socket, leaves for the guest, what has happened
 *    until then is told (files_watch_catch_up): a job that home tells of its change sees the change. While nothing
 *    leaves, a thread tells within milliseconds.
 *  - Nothing is believed wrongly. A folder is watched before it is looked at. A look that something happened beside, in
 *    the folder or, for the attributes of folders, to any (rounds), is good for a second. What is told while an answer is under
 *    way the guest's kernel puts in order: it believes no answer to a question that is older than the last invalidation
 *    (docs/kernel.md, 41-beliefs).
 *  - The cost is bounded. What was told is not told again before the guest has asked again (told), so there are never
 *    more messages than inodes, be home as busy, or cut off, as it may. There are at most max_watches watches; what
 *    cannot be watched is believed for a second.
 *
 * Not watched: network file systems, whose other users nobody tells of; what has several hard links, whose changes are
 * told where they were made; files that changed less than two seconds ago (own writes, times that are not settled). What
 * inotify is silent about is seen after a minute: times of reading, and of writing through shared mappings at home. A
 * file system that is mounted or unmounted counts as a change of everything.
 *
 * The job's own changes come back as events: names are expected (FilesOwn), and consumed before the change is answered;
 * attributes are those that the guest was told, or are being changed by it just then.
 *
 * Order of locks: this one, then those of inodes and handles. files_watch_drop is called with these held, and takes a
 * lock that guards nothing else. */
#include "deputy/files-impl.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define EVENTS (NAMES | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_ONLYDIR | IN_MASK_CREATE)
#define MOST_WATCHES 16384
#define PAUSE_US 3000
#define SETTLED_NS (2 * G_GINT64_CONSTANT(1000000000))

enum { UNTRIED = 0, UNWATCHED = -1 };

struct FilesWatch {
    Files *files;
    GMutex lock;
    int events, mounts, wake;
    guint64 rounds;          /* counts what happened to folders; from 1 */
    GHashTable *ids;         /* watch → id of the folder */
    FilesOwn *own;           /* names that the job is changing just now */
    guint max_watches;
    GMutex drop_lock;
    GArray *dropped;         /* watches of folders that the guest has forgotten */
    gint some_dropped, ending;
    GThread *thread;
};

/* ---- watching ---- */

static gboolean may_be_watched(int fd)
{
    static const guint32 local[] = { 0xef53 /* ext */, 0x58465342 /* XFS */, 0x9123683e /* btrfs */, 0xf2f52010 /* F2FS */,
                                     0x01021994 /* tmpfs */, 0x794c7630 /* overlay */, 0x2fc12fc1 /* ZFS */ };
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(local); i++)
        if ((guint32)fs.f_type == local[i])
            return TRUE;
    return FALSE;
}

/* With the lock held. */
static void drop_old(FilesWatch *w)
{
    if (!g_atomic_int_get(&w->some_dropped))
        return;
    g_mutex_lock(&w->drop_lock);
    for (guint i = 0; i < w->dropped->len; i++) {
        int wd = g_array_index(w->dropped, int, i);
        g_hash_table_remove(w->ids, GINT_TO_POINTER(wd));
        inotify_rm_watch(w->events, wd);
    }
    g_array_set_size(w->dropped, 0);
    g_atomic_int_set(&w->some_dropped, 0);
    g_mutex_unlock(&w->drop_lock);
}

/* With the lock held: watches the folder at path, which the workers' directory makes one of a descriptor. */
static void add(FilesWatch *w, FilesInode *folder, const char *path, guint32 flags)
{
    int wd = -1;

    drop_old(w);
    if (g_hash_table_size(w->ids) < w->max_watches)
        wd = inotify_add_watch(w->events, path, EVENTS | flags);
    if (wd > 0)
        g_hash_table_replace(w->ids, GINT_TO_POINTER(wd), g_memdup2(&folder->id, sizeof(folder->id)));
    g_atomic_int_set(&folder->wd, wd > 0 ? wd : UNWATCHED);
}

void files_watch_look(Files *files, FilesInode *folder, int fd)
{
    FilesWatch *w = files->watch;

    if (!w)
        return;
    g_mutex_lock(&w->lock);
    if (folder && fd >= 0 && folder->wd == UNTRIED) {
        if (may_be_watched(fd))
            add(w, folder, files_fd_name(fd).text, 0);
        else
            g_atomic_int_set(&folder->wd, UNWATCHED);
    }
    if (!files_current.look.rounds)
        files_current.look = (FilesLook){ .rounds = w->rounds, .folder = folder, .folder_rounds = folder ? folder->rounds : 0,
                                          .folder_events = folder ? folder->events : 0 };
    g_mutex_unlock(&w->lock);
}

void files_watch_child(Files *files, const FilesNode *parent, const char *name, FilesInode *folder, struct statx *stx)
{
    FilesWatch *w = files->watch;
    g_autofree char *path = NULL;
    struct statx now;

    if (!w || folder->hollow || g_atomic_int_get(&folder->wd) != UNTRIED || g_atomic_int_get(&parent->inode->wd) <= 0 ||
        folder->dev != parent->inode->dev)
        return;
    path = g_strdup_printf("%d/%s", parent->fd, name);
    g_mutex_lock(&w->lock);
    if (folder->wd == UNTRIED)
        add(w, folder, path, IN_DONT_FOLLOW);
    g_mutex_unlock(&w->lock);
    if (folder->wd <= 0)
        return;
    if (statx(parent->fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, &now) == 0 && files_inode_is(folder, &now)) {
        *stx = now;
        files_inode_seen(files->inodes, folder, stx);
    } else {
        files_watch_drop(w, folder->wd); /* it is another folder's */
        g_atomic_int_set(&folder->wd, UNWATCHED);
    }
}

void files_watch_drop(FilesWatch *w, int wd)
{
    if (!w || wd <= 0)
        return;
    g_mutex_lock(&w->drop_lock);
    g_array_append_val(w->dropped, wd);
    g_atomic_int_set(&w->some_dropped, 1);
    g_mutex_unlock(&w->drop_lock);
}

/* ---- believing ---- */

/* What happens to the inode is told by the folder's watch; nothing happened there since this request's look began. */
static gboolean grant(Files *files, FilesInode *folder, FilesInode *inode, gboolean anywhere)
{
    FilesWatch *w = files->watch;
    gboolean good;

    if (!w || !files_current.look.rounds || g_atomic_int_get(&folder->wd) <= 0)
        return FALSE;
    g_mutex_lock(&w->lock);
    good = anywhere ? files_current.look.rounds == w->rounds
                    : files_current.look.folder == folder && files_current.look.folder_rounds == folder->rounds;
    inode->told = FALSE; /* be it believed for a second only */
    g_mutex_unlock(&w->lock);
    return good;
}

gboolean files_watch_names(Files *files, FilesInode *folder)
{
    return grant(files, folder, folder, FALSE);
}

gboolean files_watch_attributes(Files *files, FilesInode *folder, FilesInode *inode, const struct statx *stx)
{
    gint64 ctime = stx->stx_ctime.tv_sec * G_GINT64_CONSTANT(1000000000) + stx->stx_ctime.tv_nsec;

    if (!files_current.asks)
        return FALSE;
    if (S_ISDIR(inode->type))
        return grant(files, inode, inode, TRUE);
    if (!folder || folder->mount != inode->mount || !(S_ISREG(inode->type) || S_ISLNK(inode->type)))
        return FALSE;
    return grant(files, folder, inode, FALSE) && stx->stx_nlink == 1 && g_get_real_time() * 1000 - ctime >= SETTLED_NS;
}

/* ---- telling ---- */

static void tell(FilesWatch *w, FilesInode *inode)
{
    if (S_ISDIR(inode->type)) {
        inode->rounds++;
        w->rounds++;
    }
    if (inode->told)
        return;
    inode->told = TRUE;
    files_forget_attributes(w->files, inode->id);
}

static void tell_handle(FilesInode *inode, void *user)
{
    tell(user, inode);
}

static void tell_id(FilesWatch *w, guint64 id)
{
    FilesInode *folder = files_inodes_get(w->files->inodes, id);

    if (!folder)
        return;
    tell(w, folder);
    files_inodes_put(w->files->inodes, folder);
}

/* Nobody knows what has changed. Attributes come again with their names, but those of open files. */
static void tell_all(FilesWatch *w)
{
    GHashTableIter iter;
    gpointer id;

    g_hash_table_iter_init(&iter, w->ids);
    while (g_hash_table_iter_next(&iter, NULL, &id))
        tell_id(w, *(guint64 *)id);
    files_handles_each(w->files->handles, NULL, tell_handle, w);
}

/* Whether the job itself is changing that name in that way. */
static gboolean is_own(FilesWatch *w, const struct inotify_event *event)
{
    for (FilesOwn *own = w->own; own; own = own->next)
        if (own->folder->wd == event->wd && own->left && strcmp(own->name, event->name) == 0) {
            own->left--;
            return TRUE;
        }
    return FALSE;
}

/* Something happened to the file folder/name. */
static void child_changed(FilesWatch *w, FilesInode *folder, const char *name)
{
    int fd = files_inode_fd(w->files->inodes, folder);
    FilesInode *child = NULL;
    struct statx stx;

    if (fd >= 0 && statx(fd, name, AT_SYMLINK_NOFOLLOW, FILES_STATX, &stx) == 0)
        child = files_inodes_find(w->files->inodes, &stx);
    if (!child || !files_inode_known(w->files->inodes, child, &stx)) {
        folder->rounds++; /* a look at it may be under way */
        if (child)
            tell(w, child);
    }
    if (child)
        files_inodes_put(w->files->inodes, child);
    if (fd >= 0)
        files_inode_done(w->files->inodes, folder);
}

static void folder_changed(FilesWatch *w, FilesInode *folder)
{
    struct statx stx;
    int fd = files_inode_fd_if_open(w->files->inodes, folder);

    if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, FILES_STATX, &stx) < 0 ||
        !files_inode_known(w->files->inodes, folder, &stx))
        tell(w, folder);
    if (fd >= 0)
        files_inode_done(w->files->inodes, folder);
}

static void take_event(FilesWatch *w, const struct inotify_event *event)
{
    guint64 *id = g_hash_table_lookup(w->ids, GINT_TO_POINTER(event->wd));
    FilesInode *folder = id ? files_inodes_get(w->files->inodes, *id) : NULL;

    if (event->mask & IN_Q_OVERFLOW)
        tell_all(w);
    if (!folder)
        return;
    folder->events++;
    if (event->mask & IN_IGNORED) {
        g_hash_table_remove(w->ids, GINT_TO_POINTER(event->wd));
        g_atomic_int_set(&folder->wd, UNWATCHED);
        tell(w, folder);
    } else if (event->mask & NAMES) {
        if (!is_own(w, event)) {
            tell(w, folder);
            files_handles_each(w->files->handles, folder, tell_handle, w);
        }
    } else if (event->len) {
        child_changed(w, folder, event->name);
    } else {
        folder_changed(w, folder);
    }
    files_inodes_put(w->files->inodes, folder);
}

/* With the lock held: tells all that has happened. */
static void catch_up(FilesWatch *w)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t size;

    while ((size = read(w->events, buffer, sizeof(buffer))) > 0)
        for (char *at = buffer; at < buffer + size;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            take_event(w, event);
            at += sizeof(*event) + event->len;
        }
}

void files_watch_catch_up(Files *files)
{
    FilesWatch *w = files->watch;

    if (!w)
        return;
    g_mutex_lock(&w->lock);
    catch_up(w);
    g_mutex_unlock(&w->lock);
}

gboolean files_watch_still(Files *files, const FilesInode *folder, const FilesLook *look)
{
    FilesWatch *w = files->watch;
    gboolean still;

    g_mutex_lock(&w->lock);
    catch_up(w);
    still = look->folder == folder && look->rounds == w->rounds && look->folder_rounds == folder->rounds &&
            look->folder_events == folder->events && g_atomic_int_get(&folder->wd) > 0;
    g_mutex_unlock(&w->lock);
    return still;
}

/* ---- the job's own changes ---- */

void files_watch_own(Files *files, FilesOwn *own, FilesInode *folder, const char *name, int events)
{
    FilesWatch *w = files->watch;

    *own = (FilesOwn){ .folder = folder, .name = name, .left = events, .events = events };
    if (!w)
        return;
    g_mutex_lock(&w->lock);
    own->next = w->own;
    w->own = own;
    g_mutex_unlock(&w->lock);
}

void files_watch_own_done(Files *files, FilesOwn *own, gboolean success)
{
    FilesWatch *w = files->watch;

    if (!w)
        return;
    g_mutex_lock(&w->lock);
    catch_up(w);
    for (FilesOwn **p = &w->own; *p; p = &(*p)->next)
        if (*p == own) {
            *p = own->next;
            break;
        }
    if (!success && own->left != own->events) /* that was somebody else's */
        tell(w, own->folder);
    g_mutex_unlock(&w->lock);
}

/* ---- life ---- */

/* Tells while nothing else goes to the guest. */
static gpointer watch_run(gpointer data)
{
    FilesWatch *w = data;
    struct pollfd fds[3] = { { w->events, POLLIN, 0 }, { w->mounts, POLLPRI, 0 }, { w->wake, POLLIN, 0 } };

    while (!g_atomic_int_get(&w->ending)) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        g_mutex_lock(&w->lock);
        if (fds[1].revents)
            tell_all(w);
        catch_up(w);
        g_mutex_unlock(&w->lock);
        if (!g_atomic_int_get(&w->ending))
            g_usleep(PAUSE_US);
    }
    return NULL;
}

/* A quarter of what the user may have in all programs. */
static guint watches_allowed(void)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents("/proc/sys/fs/inotify/max_user_watches", &text, NULL, NULL))
        return 1024;
    return (guint)MIN(g_ascii_strtoull(text, NULL, 10) / 4, MOST_WATCHES);
}

FilesWatch *files_watch_new(Files *files)
{
    FilesWatch *w;
    int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (events < 0)
        return NULL;
    w = g_new0(FilesWatch, 1);
    g_mutex_init(&w->lock);
    g_mutex_init(&w->drop_lock);
    w->files = files;
    w->events = events;
    w->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC);
    w->rounds = 1;
    w->ids = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    w->dropped = g_array_new(FALSE, FALSE, sizeof(int));
    w->max_watches = watches_allowed();
    w->thread = g_thread_new("files-watch", watch_run, w);
    return w;
}

void files_watch_end(FilesWatch *w)
{
    if (!w)
        return;
    g_atomic_int_set(&w->ending, TRUE);
    if (eventfd_write(w->wake, 1) == 0)
        g_thread_join(w->thread);
}

void files_watch_free(FilesWatch *w)
{
    if (!w)
        return;
    close(w->events);
    close(w->wake);
    if (w->mounts >= 0)
        close(w->mounts);
    g_hash_table_destroy(w->ids);
    g_array_unref(w->dropped);
    g_mutex_clear(&w->lock);
    g_mutex_clear(&w->drop_lock);
    g_free(w);
}
