/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-ahead.c - listings of folders that the guest is about to open, made before it asks
 *
 * Who lists a tree (ls -R, find, git status, rm -r) opens one folder after the other and does nothing in between. What takes
 * time then is not home's file system but to wake a worker, and after it the main loop, for each. So when the guest has
 * opened a folder in one that it has read, idle workers list the folders in it; the main loop answers with what there is.
 *
 * Goals:
 *  - Such an answer is as good as one that is made now. It is thrown away if anything has happened to the folder since
 *    it was begun, or names in any watched folder changed (`events', `rounds': files-watch.c), if the job has changed
 *    anything anywhere (`begun'), or if it is old (FILES_AHEAD_S). What happens later is told as ever, and overtakes it.
 *    What nobody tells home of (several hard links, times not settled) is not believed at all (files_timeout).
 *  - What the guest was told of an inode stays what files-inode.c thinks that it was told: a folder in which it knows
 *    anything is not listed ahead (files_current.ahead).
 *  - Bounded: LISTINGS at a time, of at most FILES_LISTING_MAX each; the oldest makes room for a new one. Each folder is
 *    wanted once for each time that the one above it is listed, MOST_WANTED altogether.
 *
 * Each entry of a listing counts as a lookup of its inode, which is forgotten with a listing that is thrown away.
 * A folder's time of reading may be that of the listing ahead. */
#include "deputy/files-impl.h"

#include <sys/stat.h>

#define LISTINGS 128
#define MOST_WANTED 512
#define GOOD_US (FILES_AHEAD_S * G_USEC_PER_SEC)

typedef struct {
    char *answer; /* to OPENDIR */
    size_t size;
    FilesLook look; /* when it was begun */
    guint begun;
    gint64 made_us;
} Listed;

struct FilesAhead {
    Files *files;
    GMutex lock;
    GQueue wanted;     /* of guint64 *, the ids of folders */
    GHashTable *ready; /* id of the folder → Listed */
    gboolean working;
    gint begun, done;  /* requests that change something */
};

/* ---- what a listing says ---- */

/* Calls back for each inode that is in an answer. */
static void each_entry(const char *answer, size_t size, void (*each)(const struct fuse_entry_out *entry, void *user), void *user)
{
    for (size_t at = sizeof(struct fuse_open_out); at < size;) {
        const struct fuse_direntplus *plus = (const struct fuse_direntplus *)(answer + at);
        if (plus->entry_out.nodeid)
            each(&plus->entry_out, user);
        at += FUSE_DIRENTPLUS_SIZE(plus);
    }
}

static void forget_entry(const struct fuse_entry_out *entry, void *user)
{
    files_inodes_forget(((Files *)user)->inodes, entry->nodeid, 1);
}

void files_ahead_forget(Files *files, const char *answer, size_t size)
{
    each_entry(answer, size, forget_entry, files);
}

static void free_listed(Listed *listed)
{
    g_free(listed->answer);
    g_free(listed);
}

static void throw_away(Files *files, Listed *listed)
{
    files_ahead_forget(files, listed->answer, listed->size);
    free_listed(listed);
}

/* ---- what there is ---- */

/* Takes what there is of that folder, or, id 0, what was made first: NULL if there is nothing. */
static Listed *take(FilesAhead *a, guint64 id)
{
    gpointer key, value, taken = NULL;
    Listed *listed = NULL;
    GHashTableIter iter;

    g_mutex_lock(&a->lock);
    g_hash_table_iter_init(&iter, a->ready);
    while (!id && g_hash_table_iter_next(&iter, &key, &value))
        if (!listed || ((Listed *)value)->made_us < listed->made_us) {
            listed = value;
            taken = key;
        }
    if (id)
        taken = &id;
    listed = NULL;
    if (taken && g_hash_table_steal_extended(a->ready, taken, &key, &value)) {
        listed = value;
        g_free(key);
    }
    g_mutex_unlock(&a->lock);
    return listed;
}

/* ---- what is wanted ---- */

static void want_entry(const struct fuse_entry_out *entry, void *user)
{
    if (S_ISDIR(entry->attr.mode) && !(entry->attr.flags & FUSE_ATTR_SUBMOUNT))
        g_queue_push_tail(user, g_memdup2(&entry->nodeid, sizeof(entry->nodeid)));
}

void files_ahead_given(Files *files, FilesInode *folder, const char *answer, size_t size)
{
    FilesAhead *a = files->ahead;
    FilesInode *parent = files_inode_parent(files->inodes, folder, NULL);
    GQueue fresh = G_QUEUE_INIT;

    g_atomic_int_set(&folder->listed, TRUE);
    if (a && parent && g_atomic_int_get(&parent->listed))
        each_entry(answer, size, want_entry, &fresh);
    if (parent)
        files_inodes_put(files->inodes, parent);
    if (!fresh.length)
        return;
    g_mutex_lock(&a->lock);
    while (fresh.length) /* they come before those that were wanted earlier */
        g_queue_push_head(&a->wanted, g_queue_pop_tail(&fresh));
    while (a->wanted.length > MOST_WANTED)
        g_free(g_queue_pop_tail(&a->wanted));
    g_mutex_unlock(&a->lock);
}

/* ---- workers ---- */

/* Lists a folder: NULL if that cannot be done ahead. */
static Listed *list_folder(Files *files, guint64 id)
{
    Listed *listed = NULL;
    FilesNode node;
    int fd = -1;

    files_current.unique = files_current.look.rounds = 0;
    files_current.asks = files_current.ahead = TRUE;
    files_current.again = files_current.tries = FALSE;
    if (files_node_get(files, id, TRUE, &node) == 0 && !node.inode->hollow && S_ISDIR(node.inode->type)) {
        files_watch_look(files, node.inode, node.fd);
        if (g_atomic_int_get(&node.inode->wd) > 0)
            fd = open(files_fd_name(node.fd).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (fd >= 0) {
        size_t size = files_list_whole(&node, fd, files_current.buffer);
        if (size) {
            listed = g_new(Listed, 1);
            *listed = (Listed){ .answer = g_memdup2(files_current.buffer, size), .size = size, .look = files_current.look,
                                .made_us = g_get_monotonic_time() };
        }
        close(fd);
    }
    files_node_put(&node);
    files_current.ahead = FALSE;
    return listed;
}

gboolean files_ahead_work(Files *files)
{
    FilesAhead *a = files->ahead;
    Listed *listed = NULL;
    guint64 *id = NULL;
    gboolean full = FALSE;
    gint begun;

    if (!a)
        return FALSE;
    g_mutex_lock(&a->lock);
    begun = g_atomic_int_get(&a->begun);
    if (!a->working && begun == g_atomic_int_get(&a->done))
        id = g_queue_pop_head(&a->wanted);
    a->working |= id != NULL;
    g_mutex_unlock(&a->lock);
    if (!id)
        return FALSE;
    listed = list_folder(files, *id);
    g_mutex_lock(&a->lock);
    a->working = FALSE;
    if (listed && begun == g_atomic_int_get(&a->begun) && !g_hash_table_contains(a->ready, id)) {
        listed->begun = begun;
        g_hash_table_insert(a->ready, g_steal_pointer(&id), g_steal_pointer(&listed));
        full = g_hash_table_size(a->ready) > LISTINGS;
    }
    g_mutex_unlock(&a->lock);
    if (full)
        listed = take(a, 0);
    if (listed)
        throw_away(files, listed);
    g_free(id);
    return TRUE;
}

/* ---- answering ---- */

static gboolean is_good(Files *files, FilesInode *folder, const Listed *listed)
{
    return listed->begun == (guint)g_atomic_int_get(&files->ahead->begun) &&
           g_get_monotonic_time() - listed->made_us < GOOD_US && files_watch_still(files, folder, &listed->look);
}

gboolean files_ahead_answer(Files *files, const struct fuse_in_header *head)
{
    Listed *listed = files->ahead && !files_again_is(files->again, head->pid) ? take(files->ahead, head->nodeid) : NULL;
    FilesInode *folder = listed ? files_inodes_get(files->inodes, head->nodeid) : NULL;
    gboolean good = folder && is_good(files, folder, listed);

    if (good) {
        struct fuse_out_header out = { .len = sizeof(out) + (guint32)listed->size, .unique = head->unique };
        struct iovec parts[] = { { &out, sizeof(out) }, { listed->answer, listed->size } };
        files->reply(parts, 2, files->user);
        files_ahead_given(files, folder, listed->answer, listed->size);
        free_listed(listed);
    } else if (listed) {
        throw_away(files, listed);
    }
    if (folder)
        files_inodes_put(files->inodes, folder);
    return good;
}

/* ---- changes ---- */

gboolean files_ahead_changes(const struct fuse_in_header *head)
{
    switch (head->opcode) {
    case FUSE_LOOKUP:
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_GETATTR:
    case FUSE_READLINK:
    case FUSE_READ:
    case FUSE_STATFS:
    case FUSE_RELEASE:
    case FUSE_FSYNC:
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
    case FUSE_FLUSH:
    case FUSE_OPENDIR:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case FUSE_RELEASEDIR:
    case FUSE_FSYNCDIR:
    case FUSE_GETLK:
    case FUSE_SETLK:
    case FUSE_SETLKW:
    case FUSE_ACCESS:
    case FUSE_INTERRUPT:
    case FUSE_LSEEK:
        return FALSE;
    case FUSE_OPEN:
        return (((const struct fuse_open_in *)(head + 1))->flags & O_TRUNC) != 0;
    default:
        return TRUE;
    }
}

void files_ahead_begin(Files *files)
{
    FilesAhead *a = files->ahead;
    Listed *listed;

    if (!a)
        return;
    g_atomic_int_inc(&a->begun);
    while ((listed = take(a, 0)))
        throw_away(files, listed);
}

void files_ahead_end(Files *files)
{
    if (files->ahead)
        g_atomic_int_inc(&files->ahead->done);
}

/* ---- life ---- */

FilesAhead *files_ahead_new(Files *files)
{
    FilesAhead *a = g_new0(FilesAhead, 1);

    a->files = files;
    g_mutex_init(&a->lock);
    g_queue_init(&a->wanted);
    a->ready = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return a;
}

void files_ahead_free(FilesAhead *a)
{
    Listed *listed;

    if (!a)
        return;
    while ((listed = take(a, 0)))
        free_listed(listed);
    g_hash_table_destroy(a->ready);
    g_queue_clear_full(&a->wanted, g_free);
    g_mutex_clear(&a->lock);
    g_free(a);
}
