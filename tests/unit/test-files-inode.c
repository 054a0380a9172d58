/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-files-inode.c - the table of inodes: identity, walking, descriptors, stamps */
#include "deputy/files-inode.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *folder;
    FilesInodes *table;
    FilesInode *root;
} World;

static void set_up(World *w, guint max_fds)
{
    w->folder = g_dir_make_tmp("files-inode-XXXXXX", NULL);
    g_assert_nonnull(w->folder);
    w->table = files_inodes_new(open(w->folder, O_PATH | O_DIRECTORY | O_CLOEXEC), max_fds);
    g_assert_nonnull(w->table);
    w->root = files_inodes_get(w->table, 1);
    g_assert_nonnull(w->root);
}

static void remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_remove(child) < 0)
            remove_tree(child);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(path);
}

static void tear_down(World *w)
{
    files_inodes_put(w->table, w->root);
    files_inodes_free(w->table);
    remove_tree(w->folder);
    g_free(w->folder);
}

static char *at(World *w, const char *name)
{
    return g_build_filename(w->folder, name, NULL);
}

static void make_file(World *w, const char *name, const char *text)
{
    g_autofree char *path = at(w, name);
    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

static void make_folder(World *w, const char *name)
{
    g_autofree char *path = at(w, name);
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0);
}

static void move(World *w, const char *from, const char *to)
{
    g_autofree char *a = at(w, from), *b = at(w, to);
    g_assert_cmpint(g_rename(a, b), ==, 0);
}

static void stat_at(World *w, const char *name, struct statx *stx)
{
    g_autofree char *path = at(w, name);
    g_assert_cmpint(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, FILES_STATX, stx), ==, 0);
}

/* What the guest's LOOKUP does; where is the path, name its last component. */
static FilesInode *look(World *w, FilesInode *parent, const char *where, const char *name)
{
    struct statx stx;

    stat_at(w, where, &stx);
    return files_inodes_look(w->table, parent, name, &stx, FALSE, -1);
}

static int inode_fd(World *w, FilesInode *inode)
{
    int fd = files_inode_fd(w->table, inode);

    if (fd >= 0)
        files_inode_done(w->table, inode);
    return fd;
}

static void test_identity(void)
{
    World w;
    FilesInode *a, *b;
    guint64 id;
    guint inodes, fds;

    set_up(&w, 8);
    make_file(&w, "f", "x");
    g_assert_cmpuint(w.root->id, ==, 1);
    a = look(&w, w.root, "f", "f");
    b = look(&w, w.root, "f", "f");
    g_assert_true(a == b);
    id = a->id;
    g_assert_cmpuint(id, !=, 1);
    files_inodes_put(w.table, a);
    files_inodes_put(w.table, b);
    files_inodes_forget(w.table, id, 1);
    a = files_inodes_get(w.table, id);
    g_assert_nonnull(a);
    files_inodes_put(w.table, a);
    files_inodes_forget(w.table, id, 1000); /* more than there were */
    g_assert_null(files_inodes_get(w.table, id));
    files_inodes_count(w.table, &inodes, &fds);
    g_assert_cmpuint(inodes, ==, 1);

    a = look(&w, w.root, "f", "f");
    g_assert_cmpuint(a->id, !=, id); /* the slot again, the number never */
    g_assert_cmpuint((guint32)a->id, ==, (guint32)id);
    g_assert_null(files_inodes_get(w.table, id));
    g_assert_null(files_inodes_get(w.table, 0));
    g_assert_null(files_inodes_get(w.table, G_MAXUINT64));
    g_assert_null(files_inodes_get(w.table, a->id + 1));
    files_inodes_forget(w.table, 12345, 1);
    files_inodes_put(w.table, a);
    tear_down(&w);
}

static void test_walk(void)
{
    World w;
    FilesInode *a, *b, *f;
    guint64 id;
    guint inodes, fds;

    set_up(&w, 1); /* hardly any descriptor stays */
    make_folder(&w, "a");
    make_folder(&w, "a/b");
    make_file(&w, "a/b/f", "x");
    a = look(&w, w.root, "a", "a");
    b = look(&w, a, "a/b", "b");
    f = look(&w, b, "a/b/f", "f");
    id = f->id;
    g_assert_cmpint(inode_fd(&w, f), >=, 0);
    files_inodes_count(w.table, &inodes, &fds);
    g_assert_cmpuint(fds, <=, 1);
    for (int i = 0; i < 10; i++) {
        g_assert_cmpint(inode_fd(&w, a), >=, 0);
        g_assert_cmpint(inode_fd(&w, f), >=, 0);
        g_assert_cmpint(inode_fd(&w, b), >=, 0);
    }
    /* the guest may forget the folders first: the way to the file stays known */
    files_inodes_forget(w.table, a->id, 1);
    files_inodes_forget(w.table, b->id, 1);
    files_inodes_put(w.table, a);
    files_inodes_put(w.table, b);
    g_assert_cmpint(inode_fd(&w, f), >=, 0);
    files_inodes_put(w.table, f);
    files_inodes_forget(w.table, id, 1);
    files_inodes_count(w.table, &inodes, &fds);
    g_assert_cmpuint(inodes, ==, 1);
    tear_down(&w);
}

static void test_stale(void)
{
    World w;
    struct statx stx;
    FilesInode *f;

    set_up(&w, 8);
    make_file(&w, "f", "x");
    f = look(&w, w.root, "f", "f");
    g_assert_cmpint(files_inode_stat(w.table, f, &stx), ==, 0);
    make_file(&w, "other", "y");
    move(&w, "other", "f");
    g_assert_cmpint(files_inode_stat(w.table, f, &stx), ==, -ESTALE);
    g_assert_cmpint(inode_fd(&w, f), ==, -ESTALE);
    files_inodes_put(w.table, f);

    f = look(&w, w.root, "f", "f");
    g_assert_cmpint(inode_fd(&w, f), >=, 0);
    move(&w, "f", "g"); /* at home, by somebody else: the descriptor still reaches it */
    g_assert_cmpint(inode_fd(&w, f), >=, 0);
    g_assert_cmpint(files_inode_stat(w.table, f, &stx), ==, 0);
    files_inodes_put(w.table, f);
    tear_down(&w);
}

static void test_rename(void)
{
    World w;
    FilesInode *a, *b, *f;

    set_up(&w, 1);
    make_folder(&w, "a");
    make_folder(&w, "b");
    make_file(&w, "a/f", "x");
    a = look(&w, w.root, "a", "a");
    b = look(&w, w.root, "b", "b");
    f = look(&w, a, "a/f", "f");
    move(&w, "a", "b/c");
    files_inode_named(w.table, a, b, "c"); /* the folder moved, and with it the way to the file */
    inode_fd(&w, b);
    g_assert_cmpint(inode_fd(&w, f), >=, 0);

    /* half-known moves at home must not make a circle: b below its own child a */
    files_inode_named(w.table, b, a, "b");
    g_assert_true(b->parent == w.root);
    files_inodes_put(w.table, a);
    files_inodes_put(w.table, b);
    files_inodes_put(w.table, f);
    tear_down(&w);
}

static void test_unlinked(void)
{
    World w;
    struct statx stx;
    FilesInode *f, *others[20];
    g_autofree char *path = NULL;
    guint64 id;

    set_up(&w, 2);
    make_file(&w, "f", "x");
    path = at(&w, "f");
    f = look(&w, w.root, "f", "f");
    id = f->id;
    g_assert_cmpint(files_inode_pin(w.table, f, w.root, "not its name"), ==, 0);
    g_assert_false(f->nameless);
    g_assert_cmpint(files_inode_pin(w.table, f, w.root, "f"), ==, 0);
    g_assert_cmpint(g_unlink(path), ==, 0);
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("o%d", i);
        make_file(&w, name, "");
        others[i] = look(&w, w.root, name, name);
        g_assert_cmpint(inode_fd(&w, others[i]), >=, 0);
        files_inodes_put(w.table, others[i]);
    }
    g_assert_cmpint(files_inode_stat(w.table, f, &stx), ==, 0);
    g_assert_cmpuint(stx.stx_nlink, ==, 0);
    files_inodes_put(w.table, f);
    files_inodes_forget(w.table, id, 1);
    g_assert_null(files_inodes_get(w.table, id));
    tear_down(&w);
}

static void test_unnamed(void)
{
    World w;
    struct statx stx;
    FilesInode *f;
    g_autofree char *link = NULL, *proc = NULL;
    int fd, path_fd;

    set_up(&w, 2);
    fd = open(w.folder, O_TMPFILE | O_RDWR, 0600);
    if (fd < 0) {
        g_test_skip("no O_TMPFILE here");
        tear_down(&w);
        return;
    }
    proc = g_strdup_printf("/proc/self/fd/%d", fd);
    path_fd = open(proc, O_PATH | O_CLOEXEC);
    g_assert_cmpint(statx(fd, "", AT_EMPTY_PATH, FILES_STATX, &stx), ==, 0);
    f = files_inodes_look(w.table, w.root, NULL, &stx, FALSE, path_fd);
    g_assert_cmpint(inode_fd(&w, f), ==, path_fd);
    link = at(&w, "named");
    g_assert_cmpint(linkat(AT_FDCWD, proc, AT_FDCWD, link, AT_SYMLINK_FOLLOW), ==, 0);
    files_inode_named(w.table, f, w.root, "named");
    g_assert_false(f->nameless);
    g_assert_cmpint(inode_fd(&w, f), >=, 0);
    close(fd);
    files_inodes_put(w.table, f);
    tear_down(&w);
}

static void test_hollow(void)
{
    World w;
    struct statx stx;
    FilesInode *f;

    set_up(&w, 2);
    make_folder(&w, "d");
    stat_at(&w, "d", &stx);
    f = files_inodes_look(w.table, w.root, "d", &stx, TRUE, -1);
    g_assert_cmpint(inode_fd(&w, f), ==, -EACCES);
    g_assert_cmpint(files_inode_stat(w.table, f, &stx), ==, 0);
    files_inodes_put(w.table, f);
    tear_down(&w);
}

/* A stamp of that age and size. */
static void stamp(struct statx *stx, gint64 age_ms, guint64 size)
{
    gint64 ns = g_get_real_time() * 1000 - age_ms * 1000000;

    stx->stx_mtime.tv_sec = stx->stx_ctime.tv_sec = ns / 1000000000;
    stx->stx_mtime.tv_nsec = stx->stx_ctime.tv_nsec = (guint32)(ns % 1000000000);
    stx->stx_size = size;
}

static void test_stamps(void)
{
    World w;
    struct statx stx, later;
    FilesInode *f;

    set_up(&w, 2);
    make_file(&w, "f", "x");
    stat_at(&w, "f", &stx);
    stamp(&stx, 60000, 1);
    f = files_inodes_look(w.table, w.root, "f", &stx, FALSE, -1);
    g_assert_cmpint(files_inode_check(w.table, f, &stx, TRUE), ==, FILES_STAMP_NEW);
    g_assert_cmpint(files_inode_check(w.table, f, &stx, TRUE), ==, FILES_STAMP_SAME);
    later = stx;
    stamp(&later, 50000, 1);
    g_assert_cmpint(files_inode_check(w.table, f, &later, TRUE), ==, FILES_STAMP_CHANGED);
    files_inode_seen(w.table, f, &later);
    g_assert_cmpint(files_inode_check(w.table, f, &later, TRUE), ==, FILES_STAMP_SAME);

    /* the job's own modification */
    stx = later;
    stamp(&stx, 40000, 7);
    files_inode_own_begin(w.table, f, &later);
    files_inode_own_end(w.table, f, &stx);
    g_assert_cmpint(files_inode_check(w.table, f, &stx, TRUE), ==, FILES_STAMP_SAME);
    /* with somebody else's before it */
    stamp(&later, 30000, 8);
    files_inode_own_begin(w.table, f, &later);
    stamp(&stx, 20000, 9);
    files_inode_own_end(w.table, f, &stx);
    g_assert_cmpint(files_inode_check(w.table, f, &stx, TRUE), !=, FILES_STAMP_SAME);
    files_inodes_put(w.table, f);
    tear_down(&w);
}

static void test_young_stamps(void)
{
    World w;
    struct statx stx;
    FilesInode *f;

    set_up(&w, 2);
    make_file(&w, "f", "x");
    stat_at(&w, "f", &stx);
    stamp(&stx, 0, 1);
    f = files_inodes_look(w.table, w.root, "f", &stx, FALSE, -1);
    files_inode_check(w.table, f, &stx, TRUE);
    g_assert_cmpint(files_inode_check(w.table, f, &stx, TRUE), ==, FILES_STAMP_NEW);
    /* under a lock the guest must be shown another time to drop its pages, for a while */
    g_assert_false(files_inode_skewed(f, &stx));
    g_assert_cmpint(files_inode_check(w.table, f, &stx, FALSE), ==, FILES_STAMP_CHANGED);
    g_assert_true(files_inode_skewed(f, &stx));
    stamp(&stx, 5000, 1);
    g_assert_false(files_inode_skewed(f, &stx));
    files_inodes_put(w.table, f);
    tear_down(&w);
}

#define STRESS_FILES 40

static gpointer stress(gpointer data)
{
    World *w = data;
    GRand *random = g_rand_new();

    for (int i = 0; i < 4000; i++) {
        g_autofree char *name = g_strdup_printf("d/s%d", g_rand_int_range(random, 0, STRESS_FILES));
        FilesInode *d = look(w, w->root, "d", "d"), *f = look(w, d, name, name + 2);
        struct statx stx;

        g_assert_cmpint(inode_fd(w, f), >=, 0);
        g_assert_cmpint(files_inode_stat(w->table, f, &stx), ==, 0);
        if (g_rand_boolean(random))
            files_inodes_forget(w->table, d->id, 1);
        files_inodes_forget(w->table, f->id, 1);
        files_inodes_put(w->table, f);
        files_inodes_put(w->table, d);
    }
    g_rand_free(random);
    return NULL;
}

static void test_threads(void)
{
    World w;
    GThread *threads[4];

    set_up(&w, 5);
    make_folder(&w, "d");
    for (int i = 0; i < STRESS_FILES; i++) {
        g_autofree char *name = g_strdup_printf("d/s%d", i);
        make_file(&w, name, "x");
    }
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("stress", stress, &w);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    tear_down(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/files-inode/identity", test_identity);
    g_test_add_func("/files-inode/walk", test_walk);
    g_test_add_func("/files-inode/stale", test_stale);
    g_test_add_func("/files-inode/rename", test_rename);
    g_test_add_func("/files-inode/unlinked", test_unlinked);
    g_test_add_func("/files-inode/unnamed", test_unnamed);
    g_test_add_func("/files-inode/hollow", test_hollow);
    g_test_add_func("/files-inode/stamps", test_stamps);
    g_test_add_func("/files-inode/young-stamps", test_young_stamps);
    g_test_add_func("/files-inode/threads", test_threads);
    return g_test_run();
}
