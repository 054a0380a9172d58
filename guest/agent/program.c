/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - starts the program as START says, and watches it
 *
 * The program's relatives at home have stand-ins in the guest, with the same process numbers where these are free:
 *
 *     warden (1) - leader (sid) - [parent (ppid), if that is another] - program (pid)
 *
 * So getppid(), getsid() and getpgrp() say what they say at home, and the program's process group is as little orphaned
 * as there: SIGTSTP stops it. The stand-ins block all signals and do nothing but wait. The program's parent reports
 * what becomes of it.
 */
#include "program.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    WireStage stage;
    int error;
} Failure;

/* fork with a number for the child; any, if that one cannot be had. */
static pid_t spawn(pid_t number)
{
    uint64_t set_tid = (uint64_t)(uintptr_t)&number;
    struct clone_args arguments = { .exit_signal = SIGCHLD, .set_tid = set_tid, .set_tid_size = 1 };
    long pid = -1;

    if (number > 1)
        pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    return pid >= 0 ? (pid_t)pid : fork();
}

static void wait_for_death(void) __attribute__((noreturn));
static void wait_for_death(void)
{
    for (;;)
        pause();
}

static void report(const Program *program, Report it)
{
    if (write(program->report, &it, sizeof it) != sizeof it)
        _exit(1);   /* the warden is gone, and with it all of this */
}

/* In the program's process from here... */

static void fail(int error_fd, WireStage stage) __attribute__((noreturn));
static void fail(int error_fd, WireStage stage)
{
    Failure failure = { stage, errno };

    if (write(error_fd, &failure, sizeof failure) < 0)
        _exit(126);
    _exit(127);
}

static int take_descriptors(const Program *program)
{
    for (int i = 0; i < 3; i++)
        if (program->stdio[i] < 0)
            close(i);
        else if (dup2(program->stdio[i], i) < 0)
            return -1;
    return (int)syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
}

static int take_limits(const WireStart *start)
{
    for (unsigned i = 0; i < WIRE_RLIMITS && i < RLIM_NLIMITS; i++) {
        struct rlimit limit = { start->rlimits[i].current, start->rlimits[i].maximum };

        if (i == RLIMIT_NOFILE && limit.rlim_max > PROGRAM_OPEN_MAX)
            limit.rlim_max = PROGRAM_OPEN_MAX;
        if (limit.rlim_cur > limit.rlim_max)
            limit.rlim_cur = limit.rlim_max;
        if (setrlimit((__rlimit_resource_t)i, &limit) < 0)
            return -1;
    }
    return setpriority(PRIO_PROCESS, 0, start->nice);
}

static int take_ids(const WireStart *start)
{
    if (setgroups(start->group_count, start->groups) < 0 || setresgid(start->gid, start->gid, start->gid) < 0)
        return -1;
    return setresuid(start->uid, start->uid, start->uid);
}

/* The stand-ins are never chosen when memory runs out; the program can be. */
static void take_oom_score(const Program *program)
{
    int fd = openat(program->proc, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "0", 1) < 0)
        say("the program's oom_score_adj could not be set");
    if (fd >= 0)
        close(fd);
}

static void take_signals(const WireStart *start)
{
    sigset_t blocked;

    sigemptyset(&blocked);
    for (int sig = 1; sig < NSIG; sig++) {
        uint64_t bit = 1ull << (sig - 1);

        if (start->blocked & bit)
            sigaddset(&blocked, sig);
        signal(sig, start->ignored & bit ? SIG_IGN : SIG_DFL);
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* execvp says EACCES also when a folder of PATH may not be searched: then nothing was found, and a shell says so. */
static int found_nothing(const char *name)
{
    const char *path = getenv("PATH") ?: "/bin:/usr/bin";
    char candidate[PATH_MAX];
    struct stat it;

    if (errno != EACCES || strchr(name, '/'))
        return 0;
    for (; *path; path += strcspn(path, ":"), path += *path == ':') {
        int length = (int)strcspn(path, ":");

        if (snprintf(candidate, sizeof candidate, "%.*s%s%s", length, path, length ? "/" : "", name) <
                (int)sizeof candidate && stat(candidate, &it) == 0)
            return 0;
    }
    return 1;
}

static void program_run(const Program *program, pid_t group, int error_fd) __attribute__((noreturn));
static void program_run(const Program *program, pid_t group, int error_fd)
{
    const WireStart *start = program->start;

    if (group >= 0 && setpgid(0, group) < 0)
        fail(error_fd, WIRE_STAGE_IDENTITY);
    if (program->terminal >= 0) {
        pid_t own = getpgrp();

        ioctl(program->terminal, TIOCSPGRP, &own);
    }
    take_oom_score(program);
    if (take_descriptors(program) < 0 || take_limits(start) < 0 || take_ids(start) < 0)
        fail(error_fd, WIRE_STAGE_IDENTITY);
    umask(start->umask);
    if (chdir(start->cwd) < 0)
        fail(error_fd, WIRE_STAGE_DIRECTORY);
    take_signals(start);
    environ = start->env.items;
    if (*start->program) /* else, and if it has gone meanwhile, each folder of PATH costs a way home and back */
        execve(start->program, start->argv.items, environ);
    execvp(start->argv.items[0], start->argv.items);
    if (found_nothing(start->argv.items[0]))
        errno = ENOENT;
    fail(error_fd, WIRE_STAGE_EXECUTE);
}

/* ...to here; the rest is its parent. */

/* The group that the program joins: 0 its own, -1 its parent's, or one with the number that it has at home, which a
 * process is made for; *ret_maker is that process. */
static pid_t choose_group(const WireStart *start, pid_t *ret_maker)
{
    *ret_maker = -1;
    if (start->pgid <= 1 || start->pgid == start->pid)
        return 0;
    if (start->pgid == getpgrp())
        return -1;
    if (start->pgid == getpid() && setpgid(0, 0) == 0)
        return -1;
    *ret_maker = spawn(start->pgid);
    if (*ret_maker == 0)
        wait_for_death();
    if (*ret_maker > 0 && setpgid(*ret_maker, *ret_maker) == 0)
        return *ret_maker;
    return 0;
}

static WireRusage usage_of(const struct rusage *usage)
{
    return (WireRusage) {
        .user_us = (uint64_t)usage->ru_utime.tv_sec * 1000000 + (uint64_t)usage->ru_utime.tv_usec,
        .system_us = (uint64_t)usage->ru_stime.tv_sec * 1000000 + (uint64_t)usage->ru_stime.tv_usec,
        .max_rss_kib = (uint64_t)usage->ru_maxrss,
        .minor_faults = (uint64_t)usage->ru_minflt,
        .major_faults = (uint64_t)usage->ru_majflt,
        .blocks_in = (uint64_t)usage->ru_inblock,
        .blocks_out = (uint64_t)usage->ru_oublock,
        .switches = (uint64_t)usage->ru_nvcsw,
        .preemptions = (uint64_t)usage->ru_nivcsw,
    };
}

/* Reports each change of the program's state until it has ended. */
static void watch(const Program *program, pid_t pid)
{
    struct rusage usage;
    int status;

    for (;;) {
        if (wait4(pid, &status, WUNTRACED | WCONTINUED, &usage) < 0)
            return;
        if (WIFSTOPPED(status)) {
            report(program, (Report) { .kind = REPORT_STOPPED, .value = WSTOPSIG(status) });
        } else if (WIFCONTINUED(status)) {
            report(program, (Report) { .kind = REPORT_CONTINUED });
        } else {
            report(program, (Report) { .kind = REPORT_EXITED, .value = status, .usage = usage_of(&usage) });
            return;
        }
    }
}

static void end_process(pid_t pid)
{
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

/* Forks the program, tells whether it was executed, and watches it. */
static void run_and_watch(const Program *program)
{
    Failure failure = { WIRE_STAGE_IDENTITY, 0 };
    int errors[2];
    pid_t maker, group = choose_group(program->start, &maker), pid;

    if (pipe2(errors, O_CLOEXEC) < 0 || (pid = spawn(program->start->pid)) < 0) {
        report(program, (Report) { .kind = REPORT_FAILED, .value = errno, .stage = WIRE_STAGE_IDENTITY });
        return;
    }
    if (pid == 0)
        program_run(program, group, errors[1]);
    close(errors[1]);
    for (int i = 0; i < 3; i++)
        if (program->stdio[i] >= 0)
            close(program->stdio[i]);
    if (group >= 0)
        setpgid(pid, group);
    report(program, (Report) { .kind = REPORT_BORN, .value = pid, .group = getpgid(pid) });
    if (read(errors[0], &failure, sizeof failure) == sizeof failure) {
        end_process(pid);
        report(program, (Report) { .kind = REPORT_FAILED, .value = failure.error, .stage = failure.stage });
    } else {
        report(program, (Report) { .kind = REPORT_STARTED, .value = pid });
        end_process(maker);
        watch(program, pid);
    }
}

static void leader_run(const Program *program)
{
    const WireStart *start = program->start;
    pid_t parent = -1;

    setsid();
    if (program->terminal >= 0)
        ioctl(program->terminal, TIOCSCTTY, 0);
    if (start->ppid > 1 && start->ppid != getpid() && start->ppid != start->pid) {
        parent = spawn(start->ppid);
        if (parent == 0) {
            run_and_watch(program);
            _exit(0);
        }
        for (int i = 0; i < 3; i++)
            if (program->stdio[i] >= 0)
                close(program->stdio[i]);
        waitpid(parent, NULL, 0);
    } else {
        run_and_watch(program);
    }
    /* A session whose leader ends hangs up its terminal; what lingers there may go on. */
    if (start->flags & WIRE_LINGER)
        wait_for_death();
}

pid_t program_start(const Program *program)
{
    pid_t leader = spawn(program->start->sid);

    if (leader == 0) {
        leader_run(program);
        _exit(0);
    }
    return leader;
}
