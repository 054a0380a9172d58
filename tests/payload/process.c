/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - payloads of processes: trees, groups, sessions, orphans, vfork, waiting, limits, tracing, core dumps */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned tree(int depth)
{
    unsigned sum = 1;
    pid_t children[2];

    if (depth == 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        MUST(children[i] >= 0);
        if (children[i] == 0)
            _exit((int)tree(depth - 1));
    }
    for (int i = 0; i < 2; i++) {
        int status = wait_for(children[i]);

        MUST(WIFEXITED(status));
        sum += (unsigned)WEXITSTATUS(status);
    }
    return sum;
}

CASE(fork_tree)
{
    while (more())
        MUST(tree(4) == 31);
}

CASE(vfork_shares)
{
    while (more()) {
        volatile int seen = 0;
        pid_t child = vfork();

        MUST(child >= 0);
        if (child == 0) {
            seen = 42;
            _exit(7);
        }
        MUST(seen == 42);
        MUST(WEXITSTATUS(wait_for(child)) == 7);
    }
}

CASE(process_numbers)
{
    pid_t self = getpid(), parent = getppid(), session = getsid(0);
    char link[64], expected[64];

    MUST(session == self && getpgrp() == self);
    while (more()) {
        ssize_t length = readlink("/proc/self", link, sizeof link - 1);

        MUST(length > 0);
        link[length] = 0;
        snprintf(expected, sizeof expected, "%d", self);
        MUST(strcmp(link, expected) == 0);
        MUST(getpid() == self && getppid() == parent && getsid(0) == session && getpgrp() == self);
        MUST(syscall(SYS_gettid) == self);
    }
}

CASE(process_groups)
{
    while (more()) {
        pid_t one = fork(), two;
        int status;

        if (one == 0) {
            setpgid(0, 0);
            pause();
        }
        MUST(one > 0 && (setpgid(one, one) == 0 || errno == EACCES));
        two = fork();
        if (two == 0) {
            setpgid(0, one);
            pause();
        }
        MUST(two > 0 && (setpgid(two, one) == 0 || errno == EACCES));
        MUST(getpgid(two) == one && getpgid(one) == one);
        FAILS(EPERM, setpgid(0, one));      /* a session's leader stays where it is */
        MUST(kill(-one, SIGKILL) == 0);
        MUST(waitpid(-one, &status, 0) > 0 && WTERMSIG(status) == SIGKILL);
        MUST(waitpid(-one, &status, 0) > 0 && WTERMSIG(status) == SIGKILL);
        FAILS(ECHILD, waitpid(-one, &status, 0));
        FAILS(ESRCH, kill(-one, 0));
    }
}

CASE(sessions)
{
    while (more()) {
        pid_t child = fork();

        if (child == 0) {
            pid_t before = getsid(0);

            MUST(before == getppid());
            MUST(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
            FAILS(EPERM, setsid());
            FAILS(ENXIO, open("/dev/tty", O_RDWR));
            _exit(0);
        }
        joined(child);
    }
}

/* A child whose parent has ended goes on, with another parent. */
CASE(orphans)
{
    while (more()) {
        int ends[2], told[2];
        pid_t child;
        char byte;

        MUST(pipe(ends) == 0 && pipe(told) == 0);
        child = fork();
        if (child == 0) {
            pid_t parent = getpid();

            if (fork() == 0) {
                close(told[1]);
                MUST(read(told[0], &byte, 1) == 0);
                for (int i = 0; i < 2000 && getppid() == parent; i++)
                    sleep_ms(1);
                MUST(getppid() != parent && getppid() > 0);
                MUST(write(ends[1], "o", 1) == 1);
            }
            _exit(0);
        }
        close(ends[1]);
        joined(child);
        close(told[1]);
        MUST(read(ends[0], &byte, 1) == 1 && byte == 'o');
        MUST(read(ends[0], &byte, 1) == 0);
        close(ends[0]), close(told[0]);
    }
}

CASE(subreaper)
{
    MUST(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    while (more()) {
        pid_t child = fork();
        int status;

        if (child == 0) {
            if (fork() == 0) {
                sleep_ms(10);
                _exit(9);
            }
            _exit(0);
        }
        joined(child);
        MUST(wait(&status) > 0 && WEXITSTATUS(status) == 9);
        FAILS(ECHILD, wait(&status));
    }
}

CASE(waiting)
{
    while (more()) {
        pid_t child = fork();
        siginfo_t info = { 0 };
        int status;

        if (child == 0) {
            raise(SIGSTOP);
            _exit(3);
        }
        MUST(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        MUST(waitpid(child, &status, WNOHANG) == 0);
        MUST(kill(child, SIGCONT) == 0);
        MUST(waitid(P_PID, (id_t)child, &info, WEXITED | WCONTINUED | WNOWAIT) == 0);
        MUST(info.si_code == CLD_CONTINUED || info.si_code == CLD_EXITED);
        MUST(waitid(P_PID, (id_t)child, &info, WEXITED) == 0);
        MUST(info.si_code == CLD_EXITED && info.si_status == 3 && info.si_pid == child && info.si_uid == getuid());
        FAILS(ECHILD, waitpid(child, &status, 0));
    }
}

CASE(pidfd)
{
    while (more()) {
        pid_t child = fork();
        siginfo_t info = { 0 };
        int fd;

        if (child == 0)
            for (;;)
                pause();
        fd = (int)syscall(SYS_pidfd_open, child, 0);
        MUST(fd >= 0);
        MUST(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0);
        MUST(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0);
        MUST(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
        FAILS(ESRCH, syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
        close(fd);
    }
}

static int cloned(void *data)
{
    *(volatile int *)data = getpid();
    close(100);
    return 5;
}

CASE(clone_flags)
{
    static char stack[65536] __attribute__((aligned(64)));

    while (more()) {
        volatile int seen = 0;
        pid_t child;

        MUST(dup2(1, 100) == 100);
        child = clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_FILES | SIGCHLD, (void *)&seen);
        MUST(child > 0);
        MUST(WEXITSTATUS(wait_for(child)) == 5);
        MUST(seen == child);
        FAILS(EBADF, fcntl(100, F_GETFD));
    }
}

static void limit_to(int what, rlim_t value)
{
    struct rlimit limit;

    MUST(getrlimit(what, &limit) == 0);
    limit.rlim_cur = value;
    MUST(setrlimit(what, &limit) == 0);
}

static void in_limits(void *data)
{
    int fds[64], count = 0, fd, error;

    (void)data;
    limit_to(RLIMIT_NOFILE, 32);
    while ((fd = dup(1)) >= 0)
        fds[count++] = fd;
    error = errno;
    MUST(error == EMFILE && fds[count - 1] == 31);
    while (count)
        close(fds[--count]);
    signal(SIGXFSZ, SIG_IGN);
    limit_to(RLIMIT_FSIZE, 10000);
    fd = open("limited", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    MUST(fd >= 0 && pwrite(fd, "x", 1, 9999) == 1);
    FAILS(EFBIG, pwrite(fd, "x", 1, 10000));
    FAILS(EFBIG, ftruncate(fd, 10001));
    MUST(pwrite(fd, "xxxx", 4, 9998) == 2);
    signal(SIGXFSZ, SIG_DFL);
    pwrite(fd, "x", 1, 10000);
    MUST(!"a file grew beyond its limit");
}

CASE(limits)
{
    while (more())
        MUST((wait_for(start(in_limits, NULL)) & 0x7f) == SIGXFSZ);
}

static void burn(void *data)
{
    (void)data;
    setrlimit(RLIMIT_CPU, &(struct rlimit) { 1, 2 });
    for (volatile unsigned i = 0;; i++)
        ;
}

CASE(processor_limit)
{
    int status = wait_for(start(burn, NULL));
    struct rusage usage;

    MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
    MUST(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    MUST(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec >= 0 && usage.ru_utime.tv_sec <= 3);
}

CASE(inherited_limits)
{
    static const int shown[] = { RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_AS, RLIMIT_CPU };
    struct rlimit limit;

    while (more())
        for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
            MUST(getrlimit(shown[i], &limit) == 0);
            fact("limit %d: %lld %lld", shown[i], (long long)limit.rlim_cur, (long long)limit.rlim_max);
        }
}

CASE(identity)
{
    gid_t groups[64];
    uid_t uids[3];

    while (more()) {
        int count = getgroups(64, groups);
        mode_t mask = umask(022);

        umask(mask);
        fact("uid %u %u gid %u %u umask %03o nice %d", getuid(), geteuid(), getgid(), getegid(), mask,
             getpriority(PRIO_PROCESS, 0));
        MUST(count >= 0);
        for (int i = 0; i < count; i++)
            fact("group %u", groups[i]);
        MUST(getresuid(&uids[0], &uids[1], &uids[2]) == 0 && uids[2] == uids[0]);
        if (getuid() != 0) {
            FAILS(EPERM, setuid(0));
            FAILS(EPERM, setgroups(0, NULL));
            FAILS(EPERM, chroot("."));
        }
    }
}

/* Steps through a child, looks into its memory and registers and changes them. */
CASE(ptrace)
{
    static volatile long word;

    while (more()) {
        struct user_regs_struct registers;
        pid_t child = fork();
        int status, steps = 0;

        if (child == 0) {
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            word = 1234;
            raise(SIGSTOP);
            _exit(word == 4321 ? 6 : 1);
        }
        MUST(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
        MUST(ptrace(PTRACE_PEEKDATA, child, &word, 0) == 1234);
        MUST(ptrace(PTRACE_POKEDATA, child, &word, 4321L) == 0);
        MUST(ptrace(PTRACE_GETREGS, child, 0, &registers) == 0);
        MUST(ptrace(PTRACE_SETREGS, child, 0, &registers) == 0);
        for (; steps < 30; steps++) {
            MUST(ptrace(PTRACE_SINGLESTEP, child, 0, 0) == 0);
            MUST(waitpid(child, &status, 0) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
        }
        MUST(ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT) == 0);
        MUST(ptrace(PTRACE_CONT, child, 0, 0) == 0);
        MUST(waitpid(child, &status, 0) == child && status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8));
        MUST(ptrace(PTRACE_DETACH, child, 0, 0) == 0);
        MUST(WEXITSTATUS(wait_for(child)) == 6);
    }
}

CASE(ptrace_attach)
{
    while (more()) {
        pid_t child = fork();
        int status;

        if (child == 0)
            for (;;)
                sleep_ms(1);
        MUST(ptrace(PTRACE_SEIZE, child, 0, 0) == 0);
        MUST(ptrace(PTRACE_INTERRUPT, child, 0, 0) == 0);
        MUST(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
        MUST(ptrace(PTRACE_DETACH, child, 0, 0) == 0);
        MUST(kill(child, SIGKILL) == 0);
        MUST(WTERMSIG(wait_for(child)) == SIGKILL);
    }
}

static void dump(void *data)
{
    (void)data;
    MUST(mkdir("core-here", 0755) == 0 || errno == EEXIST);
    MUST(chdir("core-here") == 0);
    limit_to(RLIMIT_CORE, RLIM_INFINITY);
    abort();
}

/* Where cores go is the machine's affair (core_pattern); that the process dumped one is not. */
CASE(core_dump)
{
    struct rlimit limit;
    int status;

    MUST(getrlimit(RLIMIT_CORE, &limit) == 0);
    while (more()) {
        if (limit.rlim_max != RLIM_INFINITY)
            continue;
        status = wait_for(start(dump, NULL));
        MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        fact("core dumped: %s", WCOREDUMP(status) ? "yes" : "no");
        sleep_ms(200);
    }
}

CASE(affinity_and_priority)
{
    while (more()) {
        cpu_set_t set;
        pid_t child = fork();

        if (child == 0) {
            MUST(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
            MUST(sched_setaffinity(0, sizeof set, &set) == 0);
            MUST(setpriority(PRIO_PROCESS, 0, 7) == 0 && getpriority(PRIO_PROCESS, 0) == 7);
            if (getuid() != 0)
                FAILS(EACCES, setpriority(PRIO_PROCESS, 0, 0));
            MUST(sched_getscheduler(0) == SCHED_OTHER);
            MUST(prctl(PR_SET_NAME, "payload-name") == 0);
            _exit(0);
        }
        joined(child);
    }
}

/* What ionice does: a process has the priority for input and output that was set, and its children inherit it. */
CASE(io_priority)
{
    int idle = 3 << 13, best_effort = 2 << 13 | 6, real_time = 1 << 13;

    while (more()) {
        pid_t child = fork();

        if (child == 0) {
            MUST(syscall(SYS_ioprio_get, 1, 0) >= 0);
            MUST(syscall(SYS_ioprio_set, 1, 0, best_effort) == 0 && syscall(SYS_ioprio_get, 1, getpid()) == best_effort);
            FAILS(EINVAL, syscall(SYS_ioprio_set, 1, 0, 5 << 13));
            if (getuid() != 0)
                FAILS(EPERM, syscall(SYS_ioprio_set, 1, 0, real_time));
            MUST(syscall(SYS_ioprio_set, 1, 0, idle) == 0);
            child = fork();
            if (child == 0)
                _exit(syscall(SYS_ioprio_get, 1, 0) != idle);
            joined(child);
            _exit(0);
        }
        joined(child);
    }
}

/* /proc shows a process as it is. */
CASE(proc_of_self)
{
    while (more()) {
        char text[4096], path[64];
        pid_t child;
        FILE *file;
        bool seen = false;
        DIR *tasks;

        MUST(prctl(PR_SET_NAME, "payload-self") == 0);
        MUST(file_is("/proc/self/comm", "payload-self\n"));
        file = fopen("/proc/self/maps", "r");
        MUST(file != NULL);
        while (fgets(text, sizeof text, file))
            seen |= strstr(text, payload_program()) != NULL;
        fclose(file);
        MUST(seen);
        child = fork();
        if (child == 0)
            for (;;)
                pause();
        snprintf(path, sizeof path, "/proc/%d/exe", child);
        MUST(readlink(path, text, sizeof text) == (ssize_t)strlen(payload_program()));
        tasks = opendir("/proc/self/task");
        MUST(tasks != NULL && closedir(tasks) == 0);
        MUST(kill(child, SIGKILL) == 0);
        wait_for(child);
        FAILS(ENOENT, access(path, F_OK));
    }
}

/* Times of children are added up when they are waited for. */
CASE(children_times)
{
    while (more()) {
        struct rusage before, after;
        pid_t child;

        MUST(getrusage(RUSAGE_CHILDREN, &before) == 0);
        child = fork();
        if (child == 0) {
            clock_t end = clock() + CLOCKS_PER_SEC / 20;

            while (clock() < end)
                ;
            _exit(0);
        }
        joined(child);
        MUST(getrusage(RUSAGE_CHILDREN, &after) == 0);
        MUST((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec - before.ru_utime.tv_usec +
                 (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 + after.ru_stime.tv_usec - before.ru_stime.tv_usec >=
             40000);
    }
}
