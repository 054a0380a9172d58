/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locks.c - payloads of file locks: POSIX, flock, of open files; between processes, waiting, interrupted, deadlocked */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int lock(int fd, int how, short type, off_t from, off_t size)
{
    struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = size };

    return fcntl(fd, how, &range);
}

static int fresh(const char *path)
{
    int fd = open(path, O_CREAT | O_RDWR, 0644);

    MUST(fd >= 0);
    return fd;
}

typedef enum { POSIX, OFD, FLOCK } Kind;

static int take(int fd, Kind kind)
{
    return kind == FLOCK ? flock(fd, LOCK_EX) : lock(fd, kind == POSIX ? F_SETLKW : F_OFD_SETLKW, F_WRLCK, 0, 8);
}

static int give(int fd, Kind kind)
{
    return kind == FLOCK ? flock(fd, LOCK_UN) : lock(fd, kind == POSIX ? F_SETLK : F_OFD_SETLK, F_UNLCK, 0, 8);
}

static void add_locked(void *data)
{
    int fd = open("sum", O_RDWR);

    MUST(fd >= 0);
    for (int i = 0; i < 30; i++) {
        uint64_t sum;

        MUST(take(fd, (Kind)(uintptr_t)data) == 0);
        MUST(pread(fd, &sum, sizeof sum, 0) == sizeof sum);
        sum++;
        MUST(pwrite(fd, &sum, sizeof sum, 0) == sizeof sum);
        MUST(give(fd, (Kind)(uintptr_t)data) == 0);
    }
}

/* Processes add to a number in a file, each under its lock. */
static void add_together(Kind kind)
{
    uint64_t sum = 0;
    int fd = fresh("sum");

    MUST(pwrite(fd, &sum, sizeof sum, 0) == sizeof sum);
    for (uint64_t round = 1; more(); round++) {
        pid_t children[4];

        for (int i = 0; i < 4; i++)
            children[i] = start(add_locked, (void *)(uintptr_t)kind);
        for (int i = 0; i < 4; i++)
            joined(children[i]);
        MUST(pread(fd, &sum, sizeof sum, 0) == sizeof sum && sum == round * 120);
    }
}

CASE(locks_posix)
{
    add_together(POSIX);
}

CASE(locks_of_open_files)
{
    add_together(OFD);
}

CASE(locks_flock)
{
    add_together(FLOCK);
}

static void hold_range(void *data)
{
    int *ends = data, fd = open("ranges", O_RDWR);
    char byte;

    MUST(fd >= 0 && lock(fd, F_SETLK, F_WRLCK, 100, 50) == 0 && lock(fd, F_SETLK, F_RDLCK, 200, 0) == 0);
    MUST(write(ends[1], "h", 1) == 1);
    MUST(read(ends[2], &byte, 1) == 1);
}

CASE(lock_ranges)
{
    int fd = fresh("ranges");

    while (more()) {
        int ends[4];
        struct flock range = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0 };
        pid_t child;
        char byte;

        MUST(pipe(ends) == 0 && pipe(ends + 2) == 0);
        child = start(hold_range, ends);
        MUST(read(ends[0], &byte, 1) == 1);
        FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 120, 1));
        FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 0, 101));
        FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 1000000, 1));
        MUST(lock(fd, F_SETLK, F_WRLCK, 0, 100) == 0 && lock(fd, F_SETLK, F_WRLCK, 150, 50) == 0);
        MUST(lock(fd, F_SETLK, F_RDLCK, 300, 10) == 0);
        MUST(fcntl(fd, F_GETLK, &range) == 0 && range.l_type == F_WRLCK && range.l_start == 100 && range.l_len == 50);
        MUST(range.l_pid == child);
        MUST(write(ends[3], "g", 1) == 1);
        joined(child);
        MUST(lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0);       /* its locks ended with it */
        MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
        for (int i = 0; i < 4; i++)
            close(ends[i]);
    }
}

/* A POSIX lock ends when any descriptor of its file is closed; one of an open file does not. */
CASE(locks_and_close)
{
    int fd = fresh("close"), status;

    while (more())
        for (int kind = 0; kind < 2; kind++) {
            pid_t child;
            int other = open("close", O_RDWR);

            MUST(lock(fd, kind ? F_OFD_SETLK : F_SETLK, F_WRLCK, 0, 1) == 0);
            MUST(close(other) == 0);
            child = fork();
            if (child == 0) {
                int mine = open("close", O_RDWR);

                _exit(lock(mine, F_SETLK, F_WRLCK, 0, 1) == 0 ? 10 : errno == EAGAIN ? 11 : 12);
            }
            status = wait_for(child);
            MUST(WEXITSTATUS(status) == (kind ? 11 : 10));
            MUST(lock(fd, kind ? F_OFD_SETLK : F_SETLK, F_UNLCK, 0, 1) == 0);
        }
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void hold_all(void *data)
{
    int *ends = data, fd = open("held", O_RDWR);

    MUST(fd >= 0 && lock(fd, F_SETLK, F_WRLCK, 0, 0) == 0 && flock(fd, LOCK_EX) == 0);
    MUST(write(ends[1], "h", 1) == 1);
    for (;;)
        pause();
}

/* Who waits for a lock is woken by a signal, and gets it when its holder is killed. */
CASE(lock_interrupted)
{
    struct sigaction action = { .sa_handler = on_alarm };
    int fd = fresh("held");

    MUST(sigaction(SIGALRM, &action, NULL) == 0);
    while (more()) {
        struct itimerval soon = { .it_value = { 0, 20000 }, .it_interval = { 0, 20000 } }, off = { 0 };
        int ends[2];
        pid_t child;
        char byte;

        MUST(pipe(ends) == 0);
        child = start(hold_all, ends);
        MUST(read(ends[0], &byte, 1) == 1);
        MUST(setitimer(ITIMER_REAL, &soon, NULL) == 0);
        FAILS(EINTR, lock(fd, F_SETLKW, F_WRLCK, 0, 0));
        FAILS(EINTR, lock(fd, F_OFD_SETLKW, F_WRLCK, 0, 0));
        FAILS(EINTR, flock(fd, LOCK_EX));
        MUST(setitimer(ITIMER_REAL, &off, NULL) == 0);
        FAILS(EWOULDBLOCK, flock(fd, LOCK_SH | LOCK_NB));
        MUST(kill(child, SIGKILL) == 0);
        MUST(lock(fd, F_SETLKW, F_WRLCK, 0, 0) == 0 && flock(fd, LOCK_EX) == 0);
        wait_for(child);
        MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0 && flock(fd, LOCK_UN) == 0);
        close(ends[0]), close(ends[1]);
    }
}

static void cross(void *data)
{
    int *ends = data, fd = open("cross", O_RDWR);
    char byte;

    MUST(lock(fd, F_SETLK, F_WRLCK, 1, 1) == 0);
    MUST(write(ends[1], "h", 1) == 1);
    MUST(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
    MUST(read(ends[2], &byte, 1) == 1);
}

CASE(lock_deadlock)
{
    int fd = fresh("cross");

    while (more()) {
        int ends[4];
        pid_t child;
        char byte;

        MUST(pipe(ends) == 0 && pipe(ends + 2) == 0);
        MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1) == 0);
        child = start(cross, ends);
        MUST(read(ends[0], &byte, 1) == 1);
        sleep_ms(60);       /* it waits by now; if not, it is the one to be told */
        FAILS(EDEADLK, lock(fd, F_SETLKW, F_WRLCK, 1, 1));
        MUST(lock(fd, F_SETLK, F_UNLCK, 0, 1) == 0);
        MUST(write(ends[3], "g", 1) == 1);
        joined(child);
        for (int i = 0; i < 4; i++)
            close(ends[i]);
    }
}

static void cross_of_three(void *data)
{
    int *ends = data, fd = open("three", O_RDWR);
    char byte;

    MUST(lock(fd, F_SETLK, F_WRLCK, 10, 5) == 0);
    MUST(write(ends[1], "h", 1) == 1);
    MUST(lock(fd, F_SETLKW, F_WRLCK, 20, 5) == 0);
    MUST(read(ends[2], &byte, 1) == 1);
}

static void first_of_three(void *data)
{
    int *ends = data, fd = open("three", O_RDWR);

    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 5) == 0);
    MUST(write(ends[1], "h", 1) == 1);
    sleep_ms(150);
}

/* Two are in the way, and only the second of them waits for us. */
CASE(lock_deadlock_behind_another)
{
    int fd = fresh("three");

    while (more()) {
        int ends[4];
        pid_t first, second;
        char bytes[2];

        MUST(pipe(ends) == 0 && pipe(ends + 2) == 0);
        MUST(lock(fd, F_SETLK, F_WRLCK, 20, 5) == 0);
        first = start(first_of_three, ends);
        second = start(cross_of_three, ends);
        MUST(read_all(ends[0], bytes, 2));
        sleep_ms(60);
        FAILS(EDEADLK, lock(fd, F_SETLKW, F_WRLCK, 0, 15));
        MUST(lock(fd, F_SETLK, F_UNLCK, 0, 0) == 0);
        MUST(write(ends[3], "g", 1) == 1);
        joined(first);
        joined(second);
        for (int i = 0; i < 4; i++)
            close(ends[i]);
    }
}

/* flock belongs to the open file: a fork has it too, another open has not. */
CASE(flock_inherited)
{
    int probe = fresh("inherited");

    while (more()) {
        int fd = open("inherited", O_RDWR), ends[2];
        pid_t child;
        char byte;

        MUST(fd >= 0 && pipe(ends) == 0 && flock(fd, LOCK_EX) == 0);
        child = fork();
        if (child == 0) {
            MUST(read(ends[0], &byte, 1) == 1);
            _exit(0);
        }
        close(fd);
        FAILS(EWOULDBLOCK, flock(probe, LOCK_EX | LOCK_NB));
        MUST(write(ends[1], "g", 1) == 1);
        joined(child);
        MUST(flock(probe, LOCK_EX | LOCK_NB) == 0 && flock(probe, LOCK_SH) == 0 && flock(probe, LOCK_UN) == 0);
        close(ends[0]), close(ends[1]);
    }
}

CASE(lock_errors)
{
    int writer = fresh("errors");

    while (more()) {
        int reader = open("errors", O_RDONLY), blind = open("errors", O_WRONLY);

        FAILS(EBADF, lock(reader, F_SETLK, F_WRLCK, 0, 1));
        FAILS(EBADF, lock(blind, F_SETLK, F_RDLCK, 0, 1));
        FAILS(EINVAL, lock(writer, F_SETLK, F_WRLCK, -5, 1));
        FAILS(EINVAL, lock(writer, F_SETLK, 77, 0, 1));
        FAILS(EBADF, lock(999, F_SETLK, F_WRLCK, 0, 1));
        FAILS(EINVAL, flock(writer, 64));
        close(reader), close(blind);
    }
}
