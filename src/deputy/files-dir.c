/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-dir.c - reading directories
 *
 * An offset that the guest sees is the one that home's file system gave (d_off of getdents64), so
 * it stays good for as long as it does at home, whatever is created or removed meanwhile. A handle
 * keeps what the last getdents64 returned and goes on there if the guest does; else it seeks.
 * Offset 0 always reads anew, so that rewinddir shows new entries. */
#include "deputy/files-impl.h"

#include <dirent.h>
#include <sys/stat.h>

#define ENTRIES 32768

/* ---- entries of the home's directory ---- */

/* The entry at offset, with the handle locked: NULL at the end or with *error set. */
static struct dirent64 *entry_at(FilesHandle *h, gint64 offset, int *error)
{
    *error = 0;
    if (!h->entries)
        h->entries = g_malloc(ENTRIES);
    if (offset == 0 || h->next != offset) {
        h->entries_at = h->entries_end = 0;
        if (lseek(h->fd, offset, SEEK_SET) < 0) {
            *error = -errno;
            return NULL;
        }
        h->next = offset;
    }
    if (h->entries_at == h->entries_end) {
        ssize_t got = getdents64(h->fd, h->entries, ENTRIES);
        h->entries_at = 0;
        h->entries_end = got > 0 ? got : 0;
        if (got <= 0) {
            *error = got < 0 ? -errno : 0;
            return NULL;
        }
    }
    return (struct dirent64 *)(h->entries + h->entries_at);
}

static void step(FilesHandle *h, const struct dirent64 *entry)
{
    h->entries_at += entry->d_reclen;
    h->next = entry->d_off;
}

/* ---- entries for the guest ---- */

typedef struct {
    Files *files;
    FilesNode folder;
    FilesHandle *handle;
    gboolean plus;
    char *at;
    size_t left;
    gboolean failed; /* ahead: it cannot be made now */
} Listing;

/* Attributes and a lookup with an entry. What cannot be looked up is listed without. */
static void add_entry_out(Listing *l, const char *name, struct fuse_entry_out *out)
{
    FilesInode *inode;
    struct statx stx;
    int error;

    memset(out, 0, sizeof(*out));
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return;
    error = files_look(l->files, &l->folder, name, &inode, &stx);
    l->failed |= files_current.ahead && error < 0;
    if (error < 0)
        return;
    files_fill_entry(l->files, &l->folder, name, inode, &stx, out);
    files_inodes_put(l->files->inodes, inode);
}

/* FALSE if the entry has no room any more. */
static gboolean add(Listing *l, guint64 ino, gint64 offset, guint type, const char *name)
{
    size_t head = l->plus ? FUSE_NAME_OFFSET_DIRENTPLUS : FUSE_NAME_OFFSET, length = strlen(name);
    size_t size = FUSE_DIRENT_ALIGN(head + length);
    struct fuse_dirent *entry = (struct fuse_dirent *)l->at;

    if (size > l->left)
        return FALSE;
    memset(l->at + size - 8, 0, 8); /* the padding, if any */
    if (l->plus) {
        struct fuse_direntplus *plus = (struct fuse_direntplus *)l->at;
        add_entry_out(l, name, &plus->entry_out);
        entry = &plus->dirent;
    }
    entry->ino = ino;
    entry->off = offset;
    entry->namelen = length;
    entry->type = type;
    memcpy(entry->name, name, length);
    l->at += size;
    l->left -= size;
    return TRUE;
}

static int list(Listing *l, gint64 offset)
{
    FilesHandle *h = l->handle;
    struct dirent64 *entry;
    char *start = l->at;
    int error;

    g_mutex_lock(&h->lock);
    while ((entry = entry_at(h, offset, &error)) != NULL) {
        if (!add(l, entry->d_ino, entry->d_off, entry->d_type, entry->d_name))
            break;
        step(h, entry);
        offset = entry->d_off;
        if (offset == 0) /* a file system without offsets: no way to go on but in order */
            break;
    }
    g_mutex_unlock(&h->lock);
    return l->at > start ? 0 : error;
}

/* ---- opening ---- */

/* Reads what is left of the folder fd, if it has room in so many bytes of the guest's, attributes included: how much
 * there is, or 0. */
static size_t read_whole(int fd, char *entries, size_t most)
{
    ssize_t got = getdents64(fd, entries, ENTRIES), size = got;
    size_t wanted = 0;
    char end[1024];

    for (ssize_t at = 0; at < size;) {
        const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
        wanted += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET_DIRENTPLUS + strlen(entry->d_name));
        if (wanted > most || entry->d_off == 0) /* a file system without offsets */
            return 0;
        at += entry->d_reclen;
    }
    return size > 0 && getdents64(fd, end, sizeof(end)) == 0 ? (size_t)size : 0;
}

size_t files_list_whole(FilesNode *folder, int fd, char *buffer)
{
    struct fuse_open_out out = { .open_flags = FILES_OPEN_LISTED };
    Listing l = { .files = folder->files, .folder = *folder, .plus = TRUE, .at = buffer + sizeof(out),
                  .left = FILES_LISTING_MAX };
    g_autofree char *entries = g_malloc(ENTRIES);
    size_t size = read_whole(fd, entries, FILES_LISTING_MAX);

    for (size_t at = 0; at < size && !l.failed;) {
        const struct dirent64 *entry = (const struct dirent64 *)(entries + at);
        add(&l, entry->d_ino, entry->d_off, entry->d_type, entry->d_name);
        at += entry->d_reclen;
    }
    if (!size || l.failed) {
        files_ahead_forget(folder->files, buffer, (size_t)(l.at - buffer));
        lseek(fd, 0, SEEK_SET);
        return 0;
    }
    if (files_watch_names(folder->files, folder->inode))
        out.open_flags |= FOPEN_CACHE_DIR;
    memcpy(buffer, &out, sizeof(out));
    return (size_t)(l.at - buffer);
}

/* Answers with the whole listing of the folder, which spares the guest three more questions: FALSE if it has no room. */
static gboolean answer_listed(fuse_req_t req, FilesNode *node, int fd)
{
    size_t size = files_list_whole(node, fd, files_current.buffer);

    if (!size)
        return FALSE;
    fuse_reply_buf(req, files_current.buffer, size);
    files_ahead_given(node->files, node->inode, files_current.buffer, size);
    return TRUE;
}

void files_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    struct fuse_open_out out = { 0 };
    FilesNode node;
    int fd = -1, error = files_node_get(files, ino, TRUE, &node);

    if (error == -EACCES && node.inode && node.inode->hollow && S_ISDIR(node.inode->type)) {
        fuse_reply_buf(req, (const char *)&out, sizeof(out)); /* handle 0: the empty directory */
        files_node_put(&node);
        return;
    }
    if (!error) {
        files_watch_look(files, node.inode, node.fd);
        fd = open(files_fd_name(node.fd).text,
                  O_RDONLY | O_DIRECTORY | O_CLOEXEC | (fi->flags & O_NOATIME));
        if (fd < 0)
            error = -errno;
    }
    if (error) {
        fuse_reply_err(req, -error);
    } else if (files_current.lists && g_atomic_int_get(&node.inode->wd) > 0 && answer_listed(req, &node, fd)) {
        close(fd);
    } else {
        out.fh = files_handle_add(files, node.inode, fd, O_RDONLY | O_DIRECTORY);
        if (files_watch_names(files, node.inode)) /* the guest keeps the listing, and reads it anew now */
            out.open_flags = FOPEN_CACHE_DIR;
        fuse_reply_buf(req, (const char *)&out, sizeof(out));
    }
    files_node_put(&node);
}

/* ---- reading ---- */

/* "." and ".." of a refused file system's mount point. */
static int list_hollow(Listing *l, gint64 offset)
{
    if (offset < 1 && !add(l, l->folder.inode->ino, 1, DT_DIR, "."))
        return 0;
    if (offset < 2)
        add(l, l->folder.inode->ino, 2, DT_DIR, "..");
    return 0;
}

/* The guest has the folder open without having said so, for it had the listing (docs/kernel.md, 41-beliefs): a handle
 * for this request, or 0. */
static guint64 open_passing(Files *files, guint64 ino)
{
    FilesNode node;
    guint64 fh = 0;

    if (files_node_get(files, ino, TRUE, &node) == 0 && S_ISDIR(node.inode->type)) {
        int fd = open(files_fd_name(node.fd).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0)
            fh = files_handle_add(files, node.inode, fd, O_RDONLY | O_DIRECTORY);
    }
    files_node_put(&node);
    return fh;
}

static void read_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                           struct fuse_file_info *fi, gboolean plus)
{
    Files *files = files_of(req);
    Listing l = { files, { 0 }, NULL, plus, files_current.buffer, MIN(size, FILES_MAX_IO) };
    guint64 passing = 0;
    int error = files_node_get(files, ino, plus, &l.folder);

    if (!error && fi->fh == 0)
        fi->fh = passing = open_passing(files, ino);
    if (!error && plus)
        files_watch_look(files, l.folder.inode, l.folder.fd);

    if (l.folder.inode && l.folder.inode->hollow) {
        error = list_hollow(&l, offset);
    } else if (!error) {
        l.handle = files_handle_get(files, fi->fh, ino);
        error = l.handle && l.handle->flags & O_DIRECTORY ? list(&l, offset) : -EBADF;
    }
    if (!error && plus)
        g_atomic_int_set(&l.folder.inode->listed, TRUE);
    if (error)
        fuse_reply_err(req, -error);
    else
        fuse_reply_buf(req, files_current.buffer, l.at - files_current.buffer);
    if (l.handle)
        files_handle_put(files, l.handle);
    if (passing)
        files_handle_close(files, passing, ino);
    files_node_put(&l.folder);
}

void files_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                      struct fuse_file_info *fi)
{
    read_directory(req, ino, size, offset, fi, FALSE);
}

void files_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
                          struct fuse_file_info *fi)
{
    read_directory(req, ino, size, offset, fi, TRUE);
}

void files_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    files_handle_close(files_of(req), fi->fh, ino);
    fuse_reply_err(req, 0);
}

void files_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    Files *files = files_of(req);
    guint64 passing = fi->fh ? 0 : open_passing(files, ino);
    FilesHandle *handle = files_handle_get(files, passing ? passing : fi->fh, ino);
    int error = 0;

    if (handle && (data_only ? fdatasync(handle->fd) : fsync(handle->fd)) < 0)
        error = errno;
    fuse_reply_err(req, error);
    if (handle)
        files_handle_put(files, handle);
    if (passing)
        files_handle_close(files, passing, ino);
}
