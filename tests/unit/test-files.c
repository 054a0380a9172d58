/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-files.c - the file server by raw requests, such as a kernel would not send */
#include "deputy/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

typedef struct {
    char *folder;
    Files *files;
    guint64 unique;
    GMutex lock;
    GCond cond;
    GQueue answers; /* GBytes */
    int notified;   /* attributes of an inode dropped */
    gboolean prompt; /* the last answer was there when the request had been handed over */
    guint64 valid;   /* seconds for which what was found in a listing may be believed */
} World;

static void reply(const struct iovec *iov, int count, void *user)
{
    World *w = user;
    GByteArray *all = g_byte_array_new();
    const struct fuse_out_header *head;

    for (int i = 0; i < count; i++)
        g_byte_array_append(all, iov[i].iov_base, (guint)iov[i].iov_len);
    head = (const void *)all->data;
    g_assert_cmpuint(head->len, ==, all->len);
    g_mutex_lock(&w->lock);
    if (head->unique) {
        g_queue_push_tail(&w->answers, g_byte_array_free_to_bytes(all));
    } else {
        const struct fuse_notify_inval_inode_out *note = (const void *)(head + 1);
        g_assert_cmpint(head->error, ==, FUSE_NOTIFY_INVAL_INODE);
        g_assert_cmpint(note->off, ==, -1); /* anything else could deadlock */
        w->notified++;
        g_byte_array_unref(all);
    }
    g_cond_broadcast(&w->cond);
    g_mutex_unlock(&w->lock);
}

/* The answer to one request: its data, or NULL and *error. */
static GBytes *ask(World *w, guint32 opcode, guint64 node, const void *body, size_t size,
                   int *error)
{
    g_autofree char *request = g_malloc0(sizeof(struct fuse_in_header) + size);
    struct fuse_in_header *head = (void *)request;
    const struct fuse_out_header *out;
    g_autoptr(GBytes) answer = NULL;

    *head = (struct fuse_in_header){ .len = (guint32)(sizeof(*head) + size),
                                     .opcode = opcode,
                                     .unique = ++w->unique,
                                     .nodeid = node,
                                     .uid = getuid(),
                                     .gid = getgid() };
    if (size)
        memcpy(head + 1, body, size);
    files_request(w->files, request, head->len);
    g_mutex_lock(&w->lock);
    w->prompt = !g_queue_is_empty(&w->answers);
    while (!(answer = g_queue_pop_head(&w->answers)))
        g_cond_wait(&w->cond, &w->lock);
    g_mutex_unlock(&w->lock);
    out = g_bytes_get_data(answer, NULL);
    g_assert_cmpuint(out->unique, ==, w->unique);
    *error = -out->error;
    return *error ? NULL : g_bytes_new_from_bytes(answer, sizeof(*out), out->len - sizeof(*out));
}

static int error_of(World *w, guint32 opcode, guint64 node, const void *body, size_t size)
{
    int error;
    GBytes *answer = ask(w, opcode, node, body, size, &error);

    g_clear_pointer(&answer, g_bytes_unref);
    return error;
}

/* LOOKUP: an error, or 0 and *entry. */
static int look(World *w, guint64 parent, const char *name, struct fuse_entry_out *entry)
{
    int error;
    g_autoptr(GBytes) answer = ask(w, FUSE_LOOKUP, parent, name, strlen(name) + 1, &error);

    if (!error) {
        g_assert_cmpuint(g_bytes_get_size(answer), ==, sizeof(*entry));
        memcpy(entry, g_bytes_get_data(answer, NULL), sizeof(*entry));
    }
    return error;
}

static int open_node(World *w, guint64 node, guint32 flags, struct fuse_open_out *out)
{
    struct fuse_open_in in = { .flags = flags };
    int error;
    g_autoptr(GBytes) answer = ask(w, FUSE_OPEN, node, &in, sizeof(in), &error);

    if (!error)
        memcpy(out, g_bytes_get_data(answer, NULL), sizeof(*out));
    return error;
}

static guint32 init(World *w, guint32 flags)
{
    struct fuse_init_in in = { .major = 7, .minor = 37, .max_readahead = 1 << 20, .flags = flags };
    int error;
    g_autoptr(GBytes) answer = ask(w, FUSE_INIT, 0, &in, sizeof(in), &error);

    g_assert_cmpint(error, ==, 0);
    return ((const struct fuse_init_out *)g_bytes_get_data(answer, NULL))->flags;
}

static void start(World *w, const FilesOptions *options)
{
    GError *error = NULL;

    memset(w, 0, sizeof(*w));
    g_mutex_init(&w->lock);
    g_cond_init(&w->cond);
    g_queue_init(&w->answers);
    w->files = files_new(options, reply, w, &error);
    g_assert_no_error(error);
}

static void set_up(World *w)
{
    char *folder = g_dir_make_tmp("files-XXXXXX", NULL);

    start(w, &(FilesOptions){ .root = folder, .cache = FILES_CACHE_THROUGH });
    w->folder = folder;
}

static void put(World *w, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(w->folder, name, NULL);
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

static void tear_down(World *w)
{
    g_autofree char *command = w->folder ? g_strdup_printf("rm -rf '%s'", w->folder) : NULL;

    files_free(w->files);
    g_assert_true(g_queue_is_empty(&w->answers));
    if (command)
        g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(w->folder);
    g_mutex_clear(&w->lock);
    g_cond_clear(&w->cond);
}

static void test_init(void)
{
    World w;
    guint32 flags;

    set_up(&w);
    g_assert_cmpint(error_of(&w, FUSE_STATFS, 1, NULL, 0), ==, EIO); /* nothing before INIT */
    g_assert_cmpint(error_of(&w, FUSE_INIT, 0, &(struct fuse_init_in){ .major = 7, .minor = 8 },
                             sizeof(struct fuse_init_in)),
                    ==, EPROTO);
    flags = init(&w, ~0u & ~(guint32)FUSE_INIT_EXT);
    g_assert_cmphex(flags & (FUSE_SUBMOUNTS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_AUTO_INVAL_DATA), ==,
                    FUSE_SUBMOUNTS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_AUTO_INVAL_DATA);
    g_assert_cmphex(flags & (FUSE_POSIX_ACL | FUSE_WRITEBACK_CACHE | FUSE_EXPORT_SUPPORT), ==, 0);
    g_assert_cmpint(error_of(&w, FUSE_INIT, 0, &(struct fuse_init_in){ .major = 7, .minor = 37 },
                             sizeof(struct fuse_init_in)),
                    ==, EIO);
    g_assert_cmpint(error_of(&w, FUSE_DESTROY, 0, NULL, 0), ==, 0);
    g_assert_cmpint(error_of(&w, FUSE_STATFS, 1, NULL, 0), ==, 0);
    tear_down(&w);

    set_up(&w); /* a kernel that does not offer them is not answered with them */
    g_assert_cmphex(init(&w, FUSE_ASYNC_READ) & ~(guint32)(FUSE_ASYNC_READ | FUSE_BIG_WRITES), ==,
                    0);
    tear_down(&w);
}

static void test_lies(void)
{
    static const char *const names[] = { "", ".", "..", "a/b", "/", "../etc/passwd" };
    World w;
    struct fuse_entry_out entry;
    struct fuse_open_out open_out;
    char long_name[300];

    set_up(&w);
    init(&w, ~0u);
    put(&w, "f", "text");
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_cmpint(look(&w, 1, names[i], &entry), ==, EINVAL);
    memset(long_name, 'x', sizeof(long_name));
    long_name[256] = 0;
    g_assert_cmpint(look(&w, 1, long_name, &entry), ==, ENAMETOOLONG);
    g_assert_cmpint(look(&w, 0, "f", &entry), ==, ESTALE);
    g_assert_cmpint(look(&w, 2, "f", &entry), ==, ESTALE);
    g_assert_cmpint(look(&w, (guint64)(gsize)&w, "f", &entry), ==, ESTALE);
    g_assert_cmpint(look(&w, G_MAXUINT64, "f", &entry), ==, ESTALE);
    g_assert_cmpint(look(&w, 1, "f", &entry), ==, 0);
    g_assert_cmpint(look(&w, entry.nodeid, "f", &entry), ==, ENOTDIR);
    g_assert_cmpint(error_of(&w, FUSE_LOOKUP, 1, "no end", 6), ==, EINVAL);
    g_assert_cmpint(error_of(&w, FUSE_LOOKUP, 1, NULL, 0), ==, EINVAL);
    g_assert_cmpint(error_of(&w, FUSE_RENAME2, 1, "short", 6), ==, EINVAL);
    g_assert_cmpint(error_of(&w, FUSE_READ, entry.nodeid,
                             &(struct fuse_read_in){ .fh = 1, .size = ~0u },
                             sizeof(struct fuse_read_in)),
                    ==, EINVAL);
    g_assert_cmpint(error_of(&w, FUSE_WRITE, entry.nodeid,
                             &(struct fuse_write_in){ .fh = 1, .size = 4096 },
                             sizeof(struct fuse_write_in)),
                    ==, EINVAL);
    g_assert_cmpint(error_of(&w, 4242, 1, NULL, 0), ==, ENOSYS);

    /* handles: of nobody, of another inode, closed, a directory's */
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDWR, &open_out), ==, 0);
    for (guint64 fh = 0; fh < 4; fh++)
        g_assert_cmpint(error_of(&w, FUSE_READ, 1, &(struct fuse_read_in){ .fh = fh, .size = 10 },
                                 sizeof(struct fuse_read_in)),
                        ==, EBADF);
    g_assert_cmpint(error_of(&w, FUSE_READ, entry.nodeid,
                             &(struct fuse_read_in){ .fh = open_out.fh, .size = 10 },
                             sizeof(struct fuse_read_in)),
                    ==, 0);
    error_of(&w, FUSE_RELEASE, entry.nodeid, &(struct fuse_release_in){ .fh = open_out.fh },
             sizeof(struct fuse_release_in));
    g_assert_cmpint(error_of(&w, FUSE_READ, entry.nodeid,
                             &(struct fuse_read_in){ .fh = open_out.fh, .size = 10 },
                             sizeof(struct fuse_read_in)),
                    ==, EBADF);
    tear_down(&w);
}

static void test_special(void)
{
    World w;
    struct fuse_entry_out entry;
    struct fuse_open_out out;
    g_autofree char *fifo = NULL, *link = NULL;

    set_up(&w);
    init(&w, ~0u);
    fifo = g_build_filename(w.folder, "fifo", NULL);
    link = g_build_filename(w.folder, "link", NULL);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    g_assert_cmpint(look(&w, 1, "fifo", &entry), ==, 0);
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDONLY, &out), ==, ENXIO);
    g_assert_cmpint(look(&w, 1, "link", &entry), ==, 0);
    g_assert_true(S_ISLNK(entry.attr.mode));
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDONLY, &out), ==, ELOOP);
    g_assert_cmpint(look(&w, entry.nodeid, "x", &entry), ==, ENOTDIR);
    g_assert_cmpint(open_node(&w, 1, O_RDONLY, &out), ==, EISDIR);
    tear_down(&w);
}

/* The stamps at work: keep the cache, or drop attributes before the answer and the pages with
 * it. */
static void test_open(void)
{
    World w;
    struct fuse_entry_out entry;
    struct fuse_open_out out;
    g_autofree char *path = NULL;
    struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };

    set_up(&w);
    init(&w, ~0u);
    put(&w, "f", "text");
    g_usleep(50000);
    g_assert_cmpint(look(&w, 1, "f", &entry), ==, 0);
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDONLY, &out), ==, 0);
    g_assert_cmphex(out.open_flags, ==, FOPEN_NOFLUSH);
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDWR, &out), ==, 0);
    g_assert_cmphex(out.open_flags, ==, FOPEN_KEEP_CACHE);
    g_assert_cmpint(w.notified, ==, 0);
    path = g_build_filename(w.folder, "f", NULL);
    g_assert_cmpint(utimensat(AT_FDCWD, path, old, 0), ==, 0);
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDWR, &out), ==, 0);
    g_assert_cmphex(out.open_flags, ==, 0);
    g_assert_cmpint(w.notified, ==, 1);
    put(&w, "g", "other");
    g_autofree char *other = g_build_filename(w.folder, "g", NULL);
    g_assert_cmpint(g_rename(other, path), ==, 0); /* said once, so that the guest looks again */
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDONLY, &out), ==, ESTALE);
    g_assert_cmpint(open_node(&w, entry.nodeid, O_RDONLY, &out), ==, 0);
    tear_down(&w);
}

static void test_refused(void)
{
    World w;
    struct fuse_entry_out entry;
    struct fuse_access_in access_in = { .mask = R_OK | X_OK };
    g_autoptr(GError) error = NULL;
    struct stat root, proc;

    g_assert_null(files_new(&(FilesOptions){ .root = "/proc" }, reply, &w, &error));
    g_assert_nonnull(error);
    if (stat("/", &root) < 0 || stat("/proc", &proc) < 0 || root.st_dev == proc.st_dev) {
        g_test_skip("/proc is not mounted");
        return;
    }
    start(&w, &(FilesOptions){ .root = "/" });
    init(&w, ~0u);
    g_assert_cmpint(look(&w, 1, "proc", &entry), ==, 0);
    g_assert_cmpuint(entry.attr.mode, ==, S_IFDIR | 0555);
    g_assert_cmphex(entry.attr.flags, ==, 0); /* the guest mounts its own there */
    g_assert_cmpint(error_of(&w, FUSE_ACCESS, entry.nodeid, &access_in, sizeof(access_in)), ==, 0);
    g_assert_cmpint(look(&w, entry.nodeid, "self", &entry), ==, ENOENT);
    tear_down(&w);
}

/* The guest's kernel is told what has no ACL and no security attribute. */
static void test_bare(void)
{
    struct fuse_init_in in = { .major = 7,
                               .minor = 37,
                               .flags = FUSE_INIT_EXT,
                               .flags2 = 1u << 30 };
    const guint32 no_xattr = 1u << 31;
    struct fuse_getattr_in getattr_in = { 0 };
    World w;
    struct fuse_entry_out entry;
    g_autofree char *path = NULL;
    int error;

    set_up(&w);
    g_assert_cmpint(error_of(&w, FUSE_INIT, 0, &in, sizeof(in)), ==, 0);
    put(&w, "f", "text");
    path = g_build_filename(w.folder, "f", NULL);
    if (lgetxattr(path, "security.selinux", NULL, 0) >= 0 || errno != ENODATA ||
        lgetxattr(path, "system.posix_acl_access", NULL, 0) >= 0 || errno != ENODATA ||
        setxattr(path, "user.a", "v", 1, 0) < 0 || removexattr(path, "user.a") < 0) {
        g_test_skip("no extended attributes here, or too many");
        tear_down(&w);
        return;
    }
    g_assert_cmpint(look(&w, 1, "f", &entry), ==, 0);
    g_assert_cmphex(entry.attr.flags, ==, no_xattr);
    g_usleep(50000);
    g_assert_cmpint(look(&w, 1, "f", &entry), ==, 0); /* now it is remembered */
    for (int i = 0; i < 2; i++) {
        g_autoptr(GBytes) attr = ask(&w, FUSE_GETATTR, entry.nodeid, &getattr_in,
                                     sizeof(getattr_in), &error);
        const struct fuse_attr_out *out = g_bytes_get_data(attr, NULL);
        g_assert_cmphex(out->attr.flags, ==, i ? 0 : no_xattr);
        g_assert_cmpint(setxattr(path, "user.a", "v", 1, 0), ==, 0);
    }
    g_assert_cmpint(look(&w, 1, "f", &entry), ==, 0);
    g_assert_cmphex(entry.attr.flags, ==, 0);
    tear_down(&w);
}

static void test_submount(void)
{
    World w;
    struct fuse_entry_out entry;
    g_autofree char *mountpoint = NULL;
    struct stat st;

    set_up(&w);
    mountpoint = g_build_filename(w.folder, "m", NULL);
    g_assert_cmpint(g_mkdir(mountpoint, 0755), ==, 0);
    if (mount("none", mountpoint, "tmpfs", 0, NULL) < 0) {
        g_test_skip("cannot mount here");
        tear_down(&w);
        return;
    }
    init(&w, ~0u);
    g_assert_cmpint(stat(mountpoint, &st), ==, 0);
    g_assert_cmpint(look(&w, 1, "m", &entry), ==, 0);
    g_assert_cmphex(entry.attr.flags, ==, FUSE_ATTR_SUBMOUNT);
    g_assert_cmpuint(makedev(entry.attr.rdev >> 8 & 0xfff,
                             (entry.attr.rdev & 0xff) | (entry.attr.rdev >> 12 & 0xfff00)),
                     ==, st.st_dev);
    g_assert_cmpint(umount2(mountpoint, MNT_DETACH), ==, 0);
    tear_down(&w);
}

/* ---- listings with OPENDIR, and ahead of it: as docs/kernel.md, 41-beliefs, has the flags ---- */

#define FOLDERS 20
#define LISTING (1u << 30)
#define LISTED (1u << 30)

/* Lists a folder, which is small: what the guest is told of name in it, all zero if it is not there. */
static struct fuse_attr listed(World *w, guint64 node, const char *name, guint64 *id)
{
    struct fuse_open_in in = { .flags = O_RDONLY | O_DIRECTORY, .open_flags = LISTING };
    struct fuse_attr found = { 0 };
    int error;
    g_autoptr(GBytes) answer = ask(w, FUSE_OPENDIR, node, &in, sizeof(in), &error);
    const char *data = g_bytes_get_data(answer, NULL), *end = data + g_bytes_get_size(answer);
    const struct fuse_open_out *out = (const void *)data;

    g_assert_cmpint(error, ==, 0);
    g_assert_cmpuint(out->open_flags & LISTED, ==, LISTED);
    g_assert_cmpuint(out->fh, ==, 0);
    for (const char *at = data + sizeof(*out); at < end;) {
        const struct fuse_direntplus *plus = (const void *)at;
        if (strlen(name) == plus->dirent.namelen && memcmp(plus->dirent.name, name, plus->dirent.namelen) == 0) {
            found = plus->entry_out.attr;
            w->valid = plus->entry_out.attr_valid + (plus->entry_out.attr_valid_nsec != 0);
            if (id)
                *id = plus->entry_out.nodeid;
        }
        at += FUSE_DIRENTPLUS_SIZE(plus);
    }
    return found;
}

/* What happens in folder N after its listing may have been made: home's doing, then the job's. */
enum { CREATED, REMOVED, WRITTEN, MODE, INNER, JOB_CREATED, JOB_REMOVED, JOB_MODE, LINKED, NOTHING };

static void change(World *w, int what, guint64 node, const char *folder)
{
    g_autofree char *file = g_strdup_printf("%s/%s/file", w->folder, folder), *other = g_strdup_printf("%s/other", folder);
    g_autofree char *inner = g_strdup_printf("%s/%s/inner", w->folder, folder);
    g_autofree char *link = g_strdup_printf("%s/aside/%s", w->folder, folder + strlen("top/"));
    struct {
        struct fuse_mknod_in in;
        char name[8];
    } make = { { .mode = S_IFREG | 0600 }, "other" };
    struct fuse_setattr_in mode = { .valid = FATTR_MODE, .mode = 0700 };

    if (what == CREATED)
        put(w, other, "");
    else if (what == REMOVED)
        g_assert_cmpint(unlink(file), ==, 0);
    else if (what == WRITTEN)
        g_assert_cmpint(truncate(file, 77), ==, 0);
    else if (what == LINKED) /* which nobody tells home of */
        g_assert_cmpint(truncate(link, 77), ==, 0);
    else if (what == MODE)
        g_assert_cmpint(chmod(file, 0600), ==, 0);
    else if (what == INNER)
        g_assert_cmpint(chmod(inner, 0700), ==, 0);
    else if (what == JOB_CREATED)
        g_assert_cmpint(error_of(w, FUSE_MKNOD, node, &make, sizeof(make)), ==, 0);
    else if (what == JOB_REMOVED)
        g_assert_cmpint(error_of(w, FUSE_UNLINK, node, "file", 5), ==, 0);
    else if (what == JOB_MODE) {
        struct fuse_entry_out entry;
        g_assert_cmpint(look(w, node, "inner", &entry), ==, 0);
        g_assert_cmpint(error_of(w, FUSE_SETATTR, entry.nodeid, &mode, sizeof(mode)), ==, 0);
    }
}

/* Whether the listing, which must be right, was there at once. */
static gboolean check(World *w, int what, guint64 node)
{
    struct fuse_attr file = listed(w, node, "file", NULL), other, inner;
    gboolean prompt = w->prompt;

    if (what == LINKED) {
        g_assert_true(file.size == 77 || w->valid == 0);
        return prompt;
    }
    other = listed(w, node, "other", NULL);
    inner = listed(w, node, "inner", NULL);

    g_assert_cmpint(file.mode, ==, what == REMOVED || what == JOB_REMOVED ? 0 : what == MODE ? S_IFREG | 0600 : S_IFREG | 0644);
    g_assert_cmpint(file.size, ==, what == WRITTEN ? 77 : file.mode ? 4 : 0);
    g_assert_cmpint(other.mode != 0, ==, what == CREATED || what == JOB_CREATED);
    g_assert_cmpint(inner.mode, ==, what == INNER || what == JOB_MODE ? S_IFDIR | 0700 : S_IFDIR | 0755);
    return prompt;
}

static void test_listings(void)
{
    struct fuse_init_in in = { .major = 7, .minor = 37, .flags = FUSE_DO_READDIRPLUS | FUSE_INIT_EXT, .flags2 = 3u << 28 };
    guint64 top, folders[FOLDERS];
    World w;

    umask(022);
    for (int what = CREATED; what <= NOTHING; what++) {
        int prompt = 0;
        set_up(&w);
        g_assert_cmpint(error_of(&w, FUSE_INIT, 0, &in, sizeof(in)), ==, 0);
        for (int i = 0; i < FOLDERS; i++) {
            g_autofree char *inner = g_strdup_printf("%s/top/%d/inner", w.folder, i), *file = g_strdup_printf("top/%d/file", i);
            g_assert_cmpint(g_mkdir_with_parents(inner, 0755), ==, 0);
            put(&w, file, "text");
            if (what == LINKED) {
                g_autofree char *path = g_build_filename(w.folder, file, NULL);
                g_autofree char *other = g_strdup_printf("%s/aside/%d", w.folder, i);
                g_autofree char *aside = g_build_filename(w.folder, "aside", NULL);
                g_assert_cmpint(g_mkdir_with_parents(aside, 0755), ==, 0);
                g_assert_cmpint(link(path, other), ==, 0);
            }
        }
        if (what == LINKED)
            g_usleep(2200000); /* its times are settled */
        listed(&w, FUSE_ROOT_ID, "top", &top);
        for (int i = 0; i < FOLDERS; i++) {
            g_autofree char *name = g_strdup_printf("%d", i);
            listed(&w, top, name, &folders[i]);
        }
        g_usleep(20000); /* they may be made meanwhile */
        for (int i = 0; i < FOLDERS; i++) {
            g_autofree char *folder = g_strdup_printf("top/%d", i);
            change(&w, what, folders[i], folder);
            prompt += check(&w, what, folders[i]);
        }
        if (what == NOTHING || what == LINKED)
            g_assert_cmpint(prompt, >, 0); /* some were made ahead */
        tear_down(&w);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (getuid() == 0 && unshare(CLONE_NEWNS) == 0)
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    g_test_add_func("/files/init", test_init);
    g_test_add_func("/files/lies", test_lies);
    g_test_add_func("/files/special", test_special);
    g_test_add_func("/files/open", test_open);
    g_test_add_func("/files/refused", test_refused);
    g_test_add_func("/files/bare", test_bare);
    g_test_add_func("/files/submount", test_submount);
    g_test_add_func("/files/listings", test_listings);
    return g_test_run();
}
