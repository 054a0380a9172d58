/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-channel.c - requests in, workers, replies out
 *
 * A request is looked at when it comes (files-check.c), then queued. A worker takes it, gives it to
 * libfuse, and the answer leaves by libfuse's writev callback in one piece. Three requests never
 * reach a worker: INIT (there must be no other before it is answered), INTERRUPT (it must
 * overtake), DESTROY (libfuse would accept a second INIT after it). Workers may change the order of
 * requests; where it matters the guest waits for the answer, but for RELEASE, whose locks therefore
 * fall before it is queued: the next request may ask for them.
 *
 * For a job of root, whose processes may change their user, a request says user and group but not
 * the supplementary groups. The guest's kernel knows them, and has checked with them already
 * (POSIX_ACL). So what home refuses is tried once more, with the groups of the files that it is
 * about: if one of them was meant, it is allowed now; if not, it is refused again. */
#include "deputy/files-impl.h"

#include <stdlib.h>

#define LARGE (128 * 1024) /* requests above this use buffers that are kept */
#define KEPT 16
#define MAX_GROUPS 2

typedef struct Item {
    struct Item *next;
    size_t size;
    gboolean large;
    guint64 data[]; /* aligned for FUSE's structures */
} Item;

struct FilesQueue {
    Files *files;
    GMutex lock;
    GCond wake;
    Item *first, **last;
    Item *kept;
    guint kept_count, idle;
    gboolean ending;
    GThread **threads;
    guint thread_count;
};

_Thread_local FilesCurrent files_current;

/* ---- out ---- */

/* Whether this refusal is not to be said yet. */
static gboolean hold_back(int error)
{
    if (!files_current.tries || (error != EACCES && error != EPERM))
        return FALSE;
    files_current.refused = error;
    return TRUE;
}

void files_answer(Files *files, guint64 unique, int error, const void *data, size_t size)
{
    struct fuse_out_header head = { .len = sizeof(head) + (error ? 0 : (guint32)size),
                                    .error = -error,
                                    .unique = unique };
    struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)data, size } };

    if (hold_back(error))
        return;
    files_watch_catch_up(files);
    if (error == ESTALE)
        files_again_begin(files->again, files_current.pid);
    if (!g_atomic_int_get(&files->ended))
        files->reply(iov, error || !size ? 1 : 2, files->user);
}

/* What libfuse 3.14 cannot say in its INIT reply is put in here: flags above its protocol 7.31. */
static void extend_init(Files *files, const struct iovec *iov, int count)
{
    struct fuse_init_out *out = iov[1].iov_base;

    if (count < 2 || iov[1].iov_len < offsetof(struct fuse_init_out, flags) + sizeof(out->flags))
        return;
    if (files->submounts)
        out->flags |= FUSE_SUBMOUNTS;
    if (files->init_flags & FUSE_HANDLE_KILLPRIV_V2)
        out->flags |= FUSE_HANDLE_KILLPRIV_V2;
    if (files->init_flags & FILES_OPENDIR_LISTS && iov[1].iov_len >= sizeof(*out)) {
        out->flags |= FUSE_INIT_EXT;
        out->flags2 |= FILES_OPENDIR_LISTS >> 32;
    }
}

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *user)
{
    Files *files = user;
    const struct fuse_out_header *head = iov[0].iov_base;
    ssize_t size = 0;

    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    if (head->unique == files_current.unique && hold_back(-head->error))
        return size;
    if (head->unique)
        files_watch_catch_up(files);
    if (head->error == -ESTALE && head->unique == files_current.unique)
        files_again_begin(files->again, files_current.pid);
    if (files_current.in_init)
        extend_init(files, iov, count);
    if (!g_atomic_int_get(&files->ended))
        files->reply(iov, count, files->user);
    return size;
}

static ssize_t read_nothing(int fd, void *buffer, size_t size, void *user)
{
    errno = ENODEV; /* requests are given to libfuse, it never fetches them */
    return -1;
}

const struct fuse_custom_io files_custom_io = { .writev = write_reply, .read = read_nothing };

/* ---- workers ---- */

static void perform(Files *files, void *data, size_t size)
{
    struct fuse_buf buf = { .size = size, .mem = data };

    if (((const struct fuse_in_header *)data)->opcode == FUSE_TMPFILE)
        files_tmpfile(files, data);
    else
        fuse_session_process_buf(files->session, &buf);
}

static int add_group_of(Files *files, guint64 id, gid_t *groups, int count)
{
    struct statx stx;
    FilesNode node;

    if (files_node_get(files, id, FALSE, &node) == 0 &&
        files_inode_stat(files->inodes, node.inode, &stx) == 0)
        groups[count++] = stx.stx_gid;
    files_node_put(&node);
    return count;
}

/* The groups of what a request is about, and that which it wants to give; how many. */
static int groups_about(Files *files, const struct fuse_in_header *head, gid_t groups[MAX_GROUPS])
{
    const void *body = head + 1;
    int count = add_group_of(files, head->nodeid, groups, 0);

    switch (head->opcode) {
    case FUSE_SETATTR:
        if (((const struct fuse_setattr_in *)body)->valid & FATTR_GID)
            groups[count++] = ((const struct fuse_setattr_in *)body)->gid;
        break;
    case FUSE_RENAME:
    case FUSE_RENAME2: /* the folder stands first in both */
        count = add_group_of(files, ((const struct fuse_rename_in *)body)->newdir, groups, count);
        break;
    case FUSE_LINK:
        count = add_group_of(files, ((const struct fuse_link_in *)body)->oldnodeid, groups, count);
        break;
    }
    return count;
}

static gboolean takes_listing(const Files *files, const struct fuse_in_header *head)
{
    return head->opcode == FUSE_OPENDIR && files->init_flags & FILES_OPENDIR_LISTS &&
           ((const struct fuse_open_in *)(head + 1))->open_flags & FILES_OPEN_LISTING;
}

static void process(Files *files, void *data, size_t size)
{
    const struct fuse_in_header *head = data;

    files_current.unique = head->unique;
    files_current.pid = head->pid;
    files_current.look.rounds = 0;
    files_current.asks = head->opcode == FUSE_LOOKUP || head->opcode == FUSE_READDIRPLUS ||
                         head->opcode == FUSE_GETATTR || head->opcode == FUSE_OPENDIR;
    files_current.lists = takes_listing(files, head);
    files_current.again = files_again_is(files->again, head->pid);
    if (files_current.again && head->opcode != FUSE_LOOKUP) /* another ESTALE begins anew */
        files_again_end(files->again, head->pid);
    if (files->switch_ids)
        files_cred_become(head->uid, head->gid);
    files_current.tries = files->switch_ids && head->uid != 0;
    files_current.refused = 0;
    perform(files, data, size);
    files_current.tries = FALSE;
    if (files_current.refused) {
        gid_t groups[MAX_GROUPS];
        files_cred_groups(groups, groups_about(files, head, groups));
        perform(files, data, size);
        files_cred_groups(NULL, 0);
    }
    if (files_ahead_changes(head))
        files_ahead_end(files);
}

static void recycle(FilesQueue *q, Item *item)
{
    if (item->large && q->kept_count < KEPT) {
        item->next = q->kept;
        q->kept = item;
        q->kept_count++;
    } else {
        free(item);
    }
}

static gpointer worker(gpointer data)
{
    FilesQueue *q = data;
    gboolean worked;

    files_current.files = q->files;
    files_current.buffer = g_malloc(FILES_BUFFER);
    if (files_cred_thread(q->files->switch_ids) < 0)
        g_error("cannot give a file worker its own umask and directory: %s", g_strerror(errno));
    g_mutex_lock(&q->lock);
    while (!q->ending) {
        Item *item = q->first;
        if (!item) {
            g_mutex_unlock(&q->lock);
            worked = files_ahead_work(q->files);
            g_mutex_lock(&q->lock);
            if (worked || q->first || q->ending)
                continue;
            q->idle++;
            g_cond_wait(&q->wake, &q->lock);
            q->idle--;
            continue;
        }
        q->first = item->next;
        if (!q->first)
            q->last = &q->first;
        g_mutex_unlock(&q->lock);
        process(q->files, item->data, item->size);
        g_mutex_lock(&q->lock);
        recycle(q, item);
    }
    g_mutex_unlock(&q->lock);
    g_free(files_current.buffer);
    return NULL;
}

FilesQueue *files_queue_new(Files *files, guint workers)
{
    FilesQueue *q = g_new0(FilesQueue, 1);

    q->files = files;
    g_mutex_init(&q->lock);
    g_cond_init(&q->wake);
    q->last = &q->first;
    q->thread_count = workers;
    q->threads = g_new0(GThread *, workers);
    for (guint i = 0; i < workers; i++)
        q->threads[i] = g_thread_new("files", worker, q);
    return q;
}

static Item *new_item(FilesQueue *q, size_t size)
{
    Item *item = NULL;

    if (size > LARGE) {
        g_mutex_lock(&q->lock);
        item = q->kept;
        if (item) {
            q->kept = item->next;
            q->kept_count--;
        }
        g_mutex_unlock(&q->lock);
    }
    if (!item)
        item = malloc(sizeof(*item) + (size > LARGE ? FILES_MAX_REQUEST : size));
    if (!item)
        return NULL;
    item->next = NULL;
    item->size = size;
    item->large = size > LARGE;
    return item;
}

void files_queue_push(FilesQueue *q, const void *request, size_t size)
{
    const struct fuse_in_header *head = request;
    Item *item = new_item(q, size);

    if (!item) {
        files_answer(q->files, head->unique, ENOMEM, NULL, 0);
        return;
    }
    memcpy(item->data, request, size);
    g_mutex_lock(&q->lock);
    *q->last = item;
    q->last = &item->next;
    if (q->idle)
        g_cond_signal(&q->wake);
    g_mutex_unlock(&q->lock);
}

void files_queue_wake(FilesQueue *q)
{
    g_mutex_lock(&q->lock);
    if (q->idle)
        g_cond_signal(&q->wake);
    g_mutex_unlock(&q->lock);
}

void files_queue_free(FilesQueue *q)
{
    Item *lists[2];

    g_mutex_lock(&q->lock);
    q->ending = TRUE;
    g_cond_broadcast(&q->wake);
    g_mutex_unlock(&q->lock);
    for (guint i = 0; i < q->thread_count; i++)
        g_thread_join(q->threads[i]);
    lists[0] = q->first;
    lists[1] = q->kept;
    for (int l = 0; l < 2; l++)
        for (Item *item = lists[l], *next; item; item = next) {
            next = item->next;
            free(item);
        }
    g_free(q->threads);
    g_mutex_clear(&q->lock);
    g_cond_clear(&q->wake);
    g_free(q);
}

/* ---- in ---- */

static void init(Files *files, const void *request, size_t size)
{
    const struct fuse_init_in *in = (const void *)((const struct fuse_in_header *)request + 1);
    const struct fuse_in_header *head = request;
    struct fuse_buf buf = { .size = size, .mem = (void *)request };

    if (files->init_done) {
        files_answer(files, head->unique, EIO, NULL, 0);
        return;
    }
    files->init_flags = in->flags;
    if (in->flags & FUSE_INIT_EXT && size >= sizeof(*head) + sizeof(*in))
        files->init_flags |= (guint64)in->flags2 << 32;
    if (files->init_flags & FILES_NO_XATTR_FLAG && files->cache != FILES_CACHE_NONE)
        files->bare = files_bare_new();
    if (files->init_flags & FILES_INVAL_NAMES)
        files->watch = files->watching;
    if (files->watch && files->init_flags & FILES_OPENDIR_LISTS && !files->switch_ids)
        files->ahead = files_ahead_new(files);
    files->submounts = (in->flags & FUSE_SUBMOUNTS) != 0;
    files_current.in_init = TRUE;
    fuse_session_process_buf(files->session, &buf);
    files_current.in_init = FALSE;
    g_atomic_int_set(&files->init_done, TRUE);
}

void files_request(Files *files, const void *request, size_t size)
{
    const struct fuse_in_header *head = request;
    const struct fuse_release_in *release;
    int error;

    if (size < sizeof(*head))
        return;
    error = files_check(request, size);
    if (!error && head->opcode != FUSE_INIT && !g_atomic_int_get(&files->init_done))
        error = EIO;
    if (error) {
        if (head->opcode != FUSE_FORGET && head->opcode != FUSE_BATCH_FORGET &&
            head->opcode != FUSE_INTERRUPT)
            files_answer(files, head->unique, error, NULL, 0);
        return;
    }
    if (files_ahead_changes(head))
        files_ahead_begin(files);
    switch (head->opcode) {
    case FUSE_OPENDIR:
        if (takes_listing(files, head) && files_ahead_answer(files, head))
            files_queue_wake(files->queue);
        else
            files_queue_push(files->queue, request, size);
        break;
    case FUSE_INIT:
        init(files, request, size);
        break;
    case FUSE_DESTROY:
        files_answer(files, head->unique, 0, NULL, 0);
        break;
    case FUSE_INTERRUPT:
        files_locks_interrupt(files->locks,
                              ((const struct fuse_interrupt_in *)(head + 1))->unique);
        break;
    case FUSE_SETLKW:
        files_locks_expect(files->locks, head->unique);
        files_queue_push(files->queue, request, size);
        break;
    case FUSE_RELEASE:
        release = (const void *)(head + 1);
        files_release_locks(files, head->nodeid, release->fh,
                            (release->release_flags & FUSE_RELEASE_FLOCK_UNLOCK) != 0);
        files_queue_push(files->queue, request, size);
        break;
    default:
        files_queue_push(files->queue, request, size);
    }
}
