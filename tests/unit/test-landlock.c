/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-landlock.c - what a process can still do once it is under Landlock rules */
#include "common/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *make_tree(void)
{
    char *top = g_dir_make_tmp("sojourn-landlock-XXXXXX", NULL);

    g_assert_nonnull(top);
    for (const char *const *name = (const char *const[]){ "in/a", "in/b", "out", NULL }; *name;
         name++) {
        g_autofree char *path = g_build_filename(top, *name, NULL);
        g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
    }
    for (const char *const *name = (const char *const[]){ "in/a/file", "out/file", NULL }; *name;
         name++) {
        g_autofree char *path = g_build_filename(top, *name, NULL);
        g_assert_true(g_file_set_contents(path, "x", 1, NULL));
    }
    return top;
}

static void remove_tree(char *top)
{
    for (const char *const *name =
             (const char *const[]){ "in/a/file", "in/b/file", "in/a/new", "out/file", "out", "in/a",
                                    "in/b", "in", "", NULL };
         *name; name++) {
        g_autofree char *path = g_build_filename(top, *name, NULL);
        remove(path);
    }
    g_free(top);
}

/* Runs check in a child bound to rules; returns its exit status: 0, or the number of what went
 * wrong. */
static int bound(const char *top, LandlockRights rights, int (*check)(void))
{
    g_autofree char *in = g_build_filename(top, "in", NULL);
    int status;
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Landlock) landlock =
            landlock_new(LANDLOCK_NO_TCP | LANDLOCK_NO_ABSTRACT | LANDLOCK_NO_SIGNALS, &error);

        if (chdir(top) < 0 || !landlock || !landlock_allow(landlock, in, rights, &error) ||
            !landlock_enforce(landlock, &error))
            _exit(100);
        _exit(check());
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int denied(int result)
{
    return result < 0 && errno == EACCES;
}

static int check_writer(void)
{
    if (open("in/a/file", O_RDWR) < 0)
        return 1;
    if (open("in/a/new", O_WRONLY | O_CREAT, 0700) < 0)
        return 2;
    if (landlock_abi() >= 2 && rename("in/a/file", "in/b/file") < 0)
        return 3;
    if (!denied(open("out/file", O_RDONLY)))
        return 4;
    if (!denied(open("out/new", O_WRONLY | O_CREAT, 0600)))
        return 5;
    if (!denied(execl("/bin/true", "true", NULL)))
        return 6;
    return 0;
}

static int check_reader(void)
{
    if (open("in/a/file", O_RDONLY) < 0)
        return 1;
    if (!denied(open("in/a/file", O_WRONLY)))
        return 2;
    if (!denied(mkdir("in/new", 0700)))
        return 3;
    if (!denied(unlink("in/a/file")))
        return 4;
    return 0;
}

static void test_writer(void)
{
    char *top = make_tree();

    if (landlock_abi())
        g_assert_cmpint(bound(top, LANDLOCK_READ | LANDLOCK_WRITE, check_writer), ==, 0);
    else
        g_test_skip("this kernel has no Landlock");
    remove_tree(top);
}

static void test_reader(void)
{
    char *top = make_tree();

    if (landlock_abi())
        g_assert_cmpint(bound(top, LANDLOCK_READ, check_reader), ==, 0);
    else
        g_test_skip("this kernel has no Landlock");
    remove_tree(top);
}

static void test_missing_path(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Landlock) landlock = landlock_abi() ? landlock_new(0, &error) : NULL;

    if (!landlock) {
        g_test_skip("this kernel has no Landlock");
        return;
    }
    g_assert_false(landlock_allow(landlock, "/nonexistent", LANDLOCK_READ, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/landlock/writer", test_writer);
    g_test_add_func("/landlock/reader", test_reader);
    g_test_add_func("/landlock/missing-path", test_missing_path);
    return g_test_run();
}
