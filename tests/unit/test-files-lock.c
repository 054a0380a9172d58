/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-files-lock.c - the guest's locks at home: owners, waiting, interrupting, deadlocks */
#include "deputy/files-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#define INODE 7
#define NOT_YET (-1)

/* A request and what came of it. */
typedef struct {
    FilesLockRequest request;
    int error;
    struct flock answer;
} Answer;

static GMutex mutex;
static GCond cond;

typedef struct {
    char *path;
    int fd;
    FilesLocks *locks;
    guint64 unique;
} World;

static void done(const FilesLockRequest *request, int error, void *user)
{
    Answer *answer = request->data;

    g_mutex_lock(&mutex);
    g_assert_cmpint(answer->error, ==, NOT_YET);
    answer->error = error;
    answer->answer = request->lock;
    g_cond_broadcast(&cond);
    g_mutex_unlock(&mutex);
}

static int reopen(int fd, int flags)
{
    char path[40];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, flags);
}

static void set_up(World *w)
{
    *w = (World){ 0 };
    w->fd = g_file_open_tmp("files-lock-XXXXXX", &w->path, NULL);
    g_assert_cmpint(w->fd, >=, 0);
    w->locks = files_locks_new(done, reopen, NULL);
}

static void tear_down(World *w)
{
    if (w->locks)
        files_locks_free(w->locks);
    close(w->fd);
    g_unlink(w->path);
    g_free(w->path);
}

static void request(World *w, Answer *a, FilesLockKind kind, guint64 owner, short type, off_t start,
                    off_t length)
{
    *a = (Answer){ .request = { .kind = kind,
                                .inode = INODE,
                                .handle = 1000 + owner,
                                .owner = owner,
                                .unique = ++w->unique,
                                .fd = w->fd,
                                .access = O_RDWR,
                                .lock = { .l_type = type,
                                          .l_whence = SEEK_SET,
                                          .l_start = start,
                                          .l_len = length,
                                          .l_pid = (pid_t)owner * 10 },
                                .data = a },
                   .error = NOT_YET };
    files_lock(w->locks, &a->request);
}

static int try_lock(World *w, guint64 owner, short type, off_t start, off_t length)
{
    Answer a;

    request(w, &a, FILES_LOCK_SET, owner, type, start, length);
    return a.error;
}

/* The answer, waited for; NOT_YET after so many milliseconds. */
static int answer_within(Answer *a, int ms)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;
    int error;

    g_mutex_lock(&mutex);
    while (a->error == NOT_YET && g_cond_wait_until(&cond, &mutex, end))
        ;
    error = a->error;
    g_mutex_unlock(&mutex);
    return error;
}

static void count(World *w, guint owners, guint waiting)
{
    guint o, n;

    for (int i = 0; i < 200; i++) { /* a thread that has answered is still ending */
        files_locks_count(w->locks, &o, &n);
        if (n == waiting)
            break;
        g_usleep(5000);
    }
    g_assert_cmpuint(o, ==, owners);
    g_assert_cmpuint(n, ==, waiting);
}

static void test_owners(void)
{
    World w;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 10), ==, 0);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 5, 10), ==, 0);
    g_assert_cmpint(try_lock(&w, 2, F_RDLCK, 0, 1), ==, EAGAIN);
    g_assert_cmpint(try_lock(&w, 2, F_WRLCK, 15, 0), ==, 0);
    g_assert_cmpint(try_lock(&w, 1, F_UNLCK, 0, 0), ==, 0);
    g_assert_cmpint(try_lock(&w, 2, F_RDLCK, 0, 10), ==, 0);
    g_assert_cmpint(try_lock(&w, 3, F_RDLCK, 0, 10), ==, 0);
    g_assert_cmpint(try_lock(&w, 3, F_WRLCK, 0, 10), ==, EAGAIN);
    g_assert_cmpint(try_lock(&w, 99, F_UNLCK, 0, 0), ==, 0);
    count(&w, 3, 0);
    g_assert_true(files_locks_on(w.locks, INODE));
    g_assert_false(files_locks_on(w.locks, INODE + 1));
    files_locks_drop_owner(w.locks, INODE, 2);
    g_assert_cmpint(try_lock(&w, 3, F_WRLCK, 0, 0), ==, 0);
    files_locks_drop_handle(w.locks, INODE, 1003);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 0), ==, 0);
    files_locks_drop_owner(w.locks, INODE + 1, 1);
    count(&w, 1, 0);
    tear_down(&w);
}

static void test_who(void)
{
    World w;
    Answer a;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 10, 10), ==, 0);
    g_assert_cmpint(try_lock(&w, 1, F_UNLCK, 14, 2), ==, 0);
    request(&w, &a, FILES_LOCK_GET, 2, F_RDLCK, 16, 100);
    g_assert_cmpint(a.error, ==, 0);
    g_assert_cmpint(a.answer.l_type, ==, F_WRLCK);
    g_assert_cmpint(a.answer.l_start, ==, 16);
    g_assert_cmpint(a.answer.l_len, ==, 4);
    g_assert_cmpint(a.answer.l_pid, ==, 10);
    request(&w, &a, FILES_LOCK_GET, 2, F_WRLCK, 14, 2);
    g_assert_cmpint(a.answer.l_type, ==, F_UNLCK);
    request(&w, &a, FILES_LOCK_GET, 1, F_WRLCK, 0, 0);
    g_assert_cmpint(a.answer.l_type, ==, F_UNLCK);
    tear_down(&w);
}

/* A process at home that holds a POSIX lock until it is killed. */
static pid_t holder(World *w)
{
    int ready[2];
    char byte;
    pid_t pid;

    g_assert_cmpint(pipe(ready), ==, 0);
    pid = fork();
    if (pid == 0) {
        struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 50, .l_len = 10 };
        int fd = open(w->path, O_RDWR);
        if (fcntl(fd, F_SETLK, &l) == 0 && write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void test_home(void)
{
    World w;
    Answer a;
    pid_t pid;

    set_up(&w);
    pid = holder(&w);
    g_assert_cmpint(try_lock(&w, 1, F_RDLCK, 0, 51), ==, EAGAIN);
    request(&w, &a, FILES_LOCK_GET, 1, F_RDLCK, 0, 0);
    g_assert_cmpint(a.answer.l_pid, ==, pid);
    request(&w, &a, FILES_LOCK_SETW, 1, F_WRLCK, 0, 0);
    g_assert_cmpint(answer_within(&a, 50), ==, NOT_YET);
    count(&w, 1, 1);
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    g_assert_cmpint(answer_within(&a, 5000), ==, 0);
    g_assert_cmpint(try_lock(&w, 2, F_RDLCK, 0, 1), ==, EAGAIN);
    count(&w, 2, 0);
    tear_down(&w);
}

static void test_interrupt(void)
{
    World w;
    Answer a;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 0), ==, 0);
    request(&w, &a, FILES_LOCK_SETW, 2, F_WRLCK, 0, 0);
    g_assert_cmpint(answer_within(&a, 20), ==, NOT_YET);
    files_locks_interrupt(w.locks, w.unique);
    files_locks_interrupt(w.locks, w.unique);
    g_assert_cmpint(answer_within(&a, 5000), ==, EINTR);
    /* before it is even tried */
    files_locks_expect(w.locks, w.unique + 1);
    files_locks_interrupt(w.locks, w.unique + 1);
    request(&w, &a, FILES_LOCK_SETW, 2, F_WRLCK, 0, 0);
    g_assert_cmpint(a.error, ==, EINTR);
    /* unless it need not wait */
    files_locks_drop_owner(w.locks, INODE, 1);
    files_locks_expect(w.locks, w.unique + 1);
    files_locks_interrupt(w.locks, w.unique + 1);
    request(&w, &a, FILES_LOCK_SETW, 2, F_WRLCK, 0, 0);
    g_assert_cmpint(a.error, ==, 0);
    files_locks_expect(w.locks, 12345);
    files_locks_unexpect(w.locks, 12345);
    files_locks_interrupt(w.locks, 12345);
    count(&w, 1, 0);
    tear_down(&w);
}

/* A process that closes the file while one of its threads waits for a lock gets none. */
static void test_dropped_while_waiting(void)
{
    World w;
    Answer a;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 0), ==, 0);
    request(&w, &a, FILES_LOCK_SETW, 2, F_WRLCK, 0, 0);
    g_assert_cmpint(answer_within(&a, 20), ==, NOT_YET);
    files_locks_drop_owner(w.locks, INODE, 2);
    files_locks_drop_owner(w.locks, INODE, 1);
    g_assert_cmpint(answer_within(&a, 5000), ==, EBADF);
    g_assert_cmpint(try_lock(&w, 3, F_WRLCK, 0, 0), ==, 0);
    count(&w, 1, 0);
    tear_down(&w);
}

static void test_deadlock(void)
{
    World w;
    Answer a, b, c;

    set_up(&w);
    for (guint64 owner = 1; owner <= 3; owner++)
        g_assert_cmpint(try_lock(&w, owner, F_WRLCK, (off_t)owner, 1), ==, 0);
    request(&w, &a, FILES_LOCK_SETW, 1, F_WRLCK, 2, 1);
    request(&w, &b, FILES_LOCK_SETW, 2, F_RDLCK, 3, 1);
    g_assert_cmpint(answer_within(&b, 20), ==, NOT_YET);
    request(&w, &c, FILES_LOCK_SETW, 3, F_WRLCK, 1, 1);
    g_assert_cmpint(c.error, ==, EDEADLK);
    g_assert_cmpint(try_lock(&w, 3, F_UNLCK, 0, 0), ==, 0);
    g_assert_cmpint(answer_within(&b, 5000), ==, 0);
    files_locks_drop_owner(w.locks, INODE, 2);
    g_assert_cmpint(answer_within(&a, 5000), ==, 0);
    tear_down(&w);
}

#define CROWD 300

/* More waiters than there are threads for. */
static void test_crowd(void)
{
    World w;
    Answer *a = g_new(Answer, CROWD);
    int granted = 0, interrupted = 0;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 0), ==, 0);
    for (int i = 0; i < CROWD; i++)
        request(&w, &a[i], FILES_LOCK_SETW, 100 + (guint64)i, F_RDLCK, i, 1);
    count(&w, 1 + CROWD, CROWD);
    for (int i = 0; i < CROWD; i += 2)
        files_locks_interrupt(w.locks, a[i].request.unique);
    for (int i = 0; i < CROWD; i += 2)
        interrupted += answer_within(&a[i], 10000) == EINTR;
    g_assert_cmpint(interrupted, ==, CROWD / 2);
    files_locks_drop_owner(w.locks, INODE, 1);
    for (int i = 1; i < CROWD; i += 2)
        granted += answer_within(&a[i], 10000) == 0;
    g_assert_cmpint(granted, ==, CROWD / 2);
    count(&w, CROWD, 0);
    tear_down(&w);
    g_free(a);
}

static void ask_flock(World *w, Answer *a, int fd, int operation)
{
    *a = (Answer){ .request = { .kind = FILES_LOCK_FLOCK,
                                .inode = INODE,
                                .unique = ++w->unique,
                                .fd = fd,
                                .operation = operation,
                                .data = a },
                   .error = NOT_YET };
    files_lock(w->locks, &a->request);
}

static void test_flock(void)
{
    World w;
    Answer a;
    int fd;

    set_up(&w);
    fd = open(w.path, O_RDWR);
    ask_flock(&w, &a, w.fd, LOCK_EX);
    g_assert_cmpint(a.error, ==, 0);
    ask_flock(&w, &a, fd, LOCK_SH | LOCK_NB);
    g_assert_cmpint(a.error, ==, EWOULDBLOCK);
    ask_flock(&w, &a, fd, LOCK_SH);
    g_assert_cmpint(answer_within(&a, 20), ==, NOT_YET);
    files_locks_interrupt(w.locks, w.unique);
    g_assert_cmpint(answer_within(&a, 5000), ==, EINTR);
    ask_flock(&w, &a, fd, LOCK_SH);
    g_assert_cmpint(flock(w.fd, LOCK_UN), ==, 0);
    g_assert_cmpint(answer_within(&a, 5000), ==, 0);
    close(fd);
    tear_down(&w);
}

static void test_end(void)
{
    World w;
    Answer a, b;

    set_up(&w);
    g_assert_cmpint(try_lock(&w, 1, F_WRLCK, 0, 0), ==, 0);
    request(&w, &a, FILES_LOCK_SETW, 2, F_WRLCK, 0, 0);
    request(&w, &b, FILES_LOCK_SETW, 3, F_RDLCK, 0, 0);
    files_locks_free(w.locks);
    w.locks = NULL;
    g_assert_cmpint(a.error, ==, EINTR);
    g_assert_cmpint(b.error, ==, EINTR);
    tear_down(&w);
}

static void test_access(void)
{
    World w;
    Answer a;

    set_up(&w);
    request(&w, &a, FILES_LOCK_SET, 1, F_RDLCK, 0, 0);
    g_assert_cmpint(a.error, ==, 0);
    /* rights that are gone do not matter to open files */
    g_assert_cmpint(g_chmod(w.path, 0), ==, 0);
    request(&w, &a, FILES_LOCK_SET, 2, F_RDLCK, 0, 0);
    g_assert_cmpint(a.error, ==, 0);
    request(&w, &a, FILES_LOCK_SET, 1, F_WRLCK, 0, 0);
    g_assert_cmpint(a.error, ==, EAGAIN);
    files_locks_drop_owner(w.locks, INODE, 2);
    request(&w, &a, FILES_LOCK_SET, 1, F_WRLCK, 0, 0);
    g_assert_cmpint(a.error, ==, 0);
    tear_down(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/files-lock/owners", test_owners);
    g_test_add_func("/files-lock/who", test_who);
    g_test_add_func("/files-lock/home", test_home);
    g_test_add_func("/files-lock/interrupt", test_interrupt);
    g_test_add_func("/files-lock/dropped-while-waiting", test_dropped_while_waiting);
    g_test_add_func("/files-lock/deadlock", test_deadlock);
    g_test_add_func("/files-lock/crowd", test_crowd);
    g_test_add_func("/files-lock/flock", test_flock);
    g_test_add_func("/files-lock/end", test_end);
    g_test_add_func("/files-lock/access", test_access);
    return g_test_run();
}
