/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-files-closet.c - more descriptors than the limit allows are put away, and come back as they were */
#include "deputy/files-closet.h"

#include "locked.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIMIT 64
#define MANY 300

/* A file without a name that holds a number, with its offset behind it. */
static int open_numbered(const char *folder, int number)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, &number, sizeof(number)), ==, sizeof(number));
    return fd;
}

static void check_number(int fd, int number)
{
    int found = -1;

    g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, sizeof(number));
    g_assert_cmpint(pread(fd, &found, sizeof(found), 0), ==, sizeof(found));
    g_assert_cmpint(found, ==, number);
}

static int descriptors_here(void)
{
    int count = 0;

    for (int fd = 0; fd < LIMIT; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void put_many(void)
{
    FilesCloset *closet = files_closet_new();
    int places[MANY], before = descriptors_here();

    g_assert_nonnull(closet);
    g_assert_cmpuint(files_closet_share(closet), ==, LIMIT / 4);
    for (int n = 0; n < MANY; n++) {
        places[n] = files_closet_put(closet, open_numbered("/tmp", n));
        g_assert_cmpint(places[n], >=, 0);
    }
    g_assert_cmpint(descriptors_here() - before, <, LIMIT / 4); /* two a drawer */
    for (int n = MANY - 1; n >= 0; n--) {
        int fd;

        if (n % 3 == 0) {
            files_closet_drop(closet, places[n]);
            continue;
        }
        fd = files_closet_take(closet, places[n]);
        g_assert_cmpint(fd, >=, 0);
        check_number(fd, n);
        if (n % 3 == 1)
            close(fd);
        else
            files_closet_drop(closet, files_closet_put(closet, fd)); /* there is room again */
    }
    files_closet_free(closet);
    g_assert_cmpint(descriptors_here(), ==, before);
}

static void test_many(void)
{
    run_locked(put_many);
}

/* What is put away is open still: a lock of it holds, and goes when it is dropped. */
static void test_lock(void)
{
    FilesCloset *closet = files_closet_new();
    g_autofree char *path = g_strdup_printf("/tmp/test-files-closet.%d", getpid());
    int locked = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600), other = open(path, O_RDWR | O_CLOEXEC), place;

    g_assert_cmpint(flock(locked, LOCK_EX), ==, 0);
    place = files_closet_put(closet, locked);
    g_assert_cmpint(flock(other, LOCK_EX | LOCK_NB), <, 0);
    files_closet_drop(closet, place);
    files_closet_free(closet); /* and the order is done */
    g_assert_cmpint(flock(other, LOCK_EX | LOCK_NB), ==, 0);
    close(other);
    unlink(path);
}

int main(int argc, char **argv)
{
    struct rlimit limit = { LIMIT, LIMIT };

    g_test_init(&argc, &argv, NULL);
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 77;
    g_test_add_func("/files-closet/many", test_many);
    g_test_add_func("/files-closet/lock", test_lock);
    return g_test_run();
}
