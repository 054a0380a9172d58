/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec.c - payloads that execute: themselves, scripts, copies, removed files, with long arguments; what is inherited */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What an executed program finds: 0 if all is as it was left for it. */
static int helper_signals(void)
{
    struct sigaction usr1, hup;
    sigset_t blocked;

    sigaction(SIGUSR1, NULL, &usr1);
    sigaction(SIGHUP, NULL, &hup);
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    return !(usr1.sa_handler == SIG_IGN && hup.sa_handler == SIG_DFL && sigismember(&blocked, SIGUSR2) == 1);
}

static int helper_long(int argc, char **argv)
{
    size_t size = 0;

    for (int i = 1; i < argc; i++)
        size += strlen(argv[i]);
    return !(argc == 1001 && size == 1000 * 100 && getenv("PAYLOAD_LONG_ONE") && strlen(getenv("PAYLOAD_LONG_ONE")) == 100000);
}

int helper_run(int argc, char **argv)
{
    if (strcmp(argv[0], "signals") == 0)
        return helper_signals();
    if (strcmp(argv[0], "long") == 0)
        return helper_long(argc, argv);
    if (strcmp(argv[0], "status") == 0)
        return argc > 1 ? atoi(argv[1]) : 0;
    if (strcmp(argv[0], "closed") == 0)     /* the first descriptor is open, the second is not */
        return !(argc == 3 && fcntl(atoi(argv[1]), F_GETFD) >= 0 && fcntl(atoi(argv[2]), F_GETFD) < 0);
    if (strcmp(argv[0], "again") == 0) {
        char count[16];

        if (atoi(argv[1]) == 0)
            return 33;
        snprintf(count, sizeof count, "%d", atoi(argv[1]) - 1);
        execl("/proc/self/exe", "payload", "--helper", "again", count, NULL);
    }
    return 99;
}

static int run(char *const *arguments, char *const *environment)
{
    pid_t child;

    MUST(posix_spawn(&child, arguments[0], NULL, NULL, arguments, environment) == 0);
    return wait_for(child);
}

static void copy_program(const char *to, mode_t mode)
{
    int in = open(payload_program(), O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    ssize_t part;
    char bytes[65536];

    MUST(in >= 0 && out >= 0);
    while ((part = read(in, bytes, sizeof bytes)) > 0)
        MUST(write_all(out, bytes, (size_t)part));
    MUST(part == 0 && fchmod(out, mode) == 0 && close(out) == 0 && close(in) == 0);
}

CASE(exec_again_and_again)
{
    while (more()) {
        char *arguments[] = { (char *)payload_program(), (char *)"--helper", (char *)"again", (char *)"5", NULL };

        MUST(WEXITSTATUS(run(arguments, environ)) == 33);
    }
}

CASE(exec_long_arguments)
{
    static char *arguments[1005], one[101], variable[100100] = "PAYLOAD_LONG_ONE=";
    char *environment[] = { variable, NULL };

    memset(one, 'a', 100);
    memset(variable + strlen(variable), 'e', 100000);
    arguments[0] = (char *)payload_program();
    arguments[1] = (char *)"--helper";
    arguments[2] = (char *)"long";
    for (int i = 0; i < 1000; i++)
        arguments[3 + i] = one;
    while (more())
        MUST(run(arguments, environment) == 0);
}

CASE(exec_scripts)
{
    while (more()) {
        char *script[] = { (char *)"./script", (char *)"an argument", NULL };
        char *shell[] = { (char *)"sh", (char *)"-c", (char *)"exit 6", NULL };
        pid_t child;

        write_file("script", "#!/bin/sh -e\n[ \"$1\" = 'an argument' ] && [ \"$0\" = ./script ] && exit 17\n");
        MUST(chmod("script", 0755) == 0 && WEXITSTATUS(run(script, environ)) == 17);
        MUST(chmod("script", 0644) == 0);
        FAILS(EACCES, execv("./script", script));
        write_file("second", "#!./script an argument\n");
        MUST(chmod("script", 0755) == 0 && chmod("second", 0755) == 0);
        write_file("plain", "exit 5\n");
        MUST(chmod("plain", 0755) == 0);
        FAILS(ENOEXEC, execl("./plain", "plain", NULL));
        write_file("empty", "");
        MUST(chmod("empty", 0755) == 0);
        FAILS(ENOEXEC, execl("./empty", "empty", NULL));
        write_file("lost", "#!/no/such/interpreter\n");
        MUST(chmod("lost", 0755) == 0);
        FAILS(ENOENT, execl("./lost", "lost", NULL));
        FAILS(EACCES, execl(".", ".", NULL));
        FAILS(ENOENT, execl("./missing", "missing", NULL));
        MUST(posix_spawnp(&child, "sh", NULL, NULL, shell, environ) == 0);
        MUST(WEXITSTATUS(wait_for(child)) == 6);
    }
}

/* A program that runs cannot be written, but it can be removed and replaced. */
CASE(exec_copies)
{
    while (more()) {
        char *arguments[] = { (char *)"./copy", (char *)"--helper", (char *)"status", (char *)"21", NULL };
        char *waits[] = { (char *)"./copy", (char *)"--list", NULL };
        pid_t child;

        copy_program("copy", 0755);
        MUST(WEXITSTATUS(run(arguments, environ)) == 21);
        child = fork();
        if (child == 0) {
            raise(SIGSTOP);
            execv(waits[0], arguments);
            _exit(98);
        }
        MUST(waitpid(child, NULL, WUNTRACED) == child);
        MUST(kill(child, SIGCONT) == 0 && WEXITSTATUS(wait_for(child)) == 21);
        MUST(rename("copy", "moved") == 0 && unlink("moved") == 0);
    }
}

CASE(exec_busy)
{
    copy_program("busy", 0755);
    while (more()) {
        int fd = open("busy", O_WRONLY | O_CLOEXEC);

        MUST(fd >= 0);
        FAILS(ETXTBSY, execl("./busy", "busy", "--helper", "status", "1", NULL));
        close(fd);
    }
}

/* Executed through a descriptor, even when its name is gone. */
CASE(exec_descriptor)
{
    while (more()) {
        int fd;
        pid_t child;

        copy_program("byfd", 0755);
        fd = open("byfd", O_RDONLY | O_CLOEXEC);
        MUST(fd >= 0 && unlink("byfd") == 0);
        child = fork();
        if (child == 0) {
            char *arguments[] = { (char *)"byfd", (char *)"--helper", (char *)"status", (char *)"9", NULL };

            fexecve(fd, arguments, environ);
            _exit(98);
        }
        MUST(WEXITSTATUS(wait_for(child)) == 9);
        close(fd);
    }
}

CASE(exec_inherits_descriptors)
{
    while (more()) {
        char kept[16], shut[16];
        int one = open("/etc/passwd", O_RDONLY), two = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
        char *arguments[] = { (char *)payload_program(), (char *)"--helper", (char *)"closed", kept, shut, NULL };

        snprintf(kept, sizeof kept, "%d", one);
        snprintf(shut, sizeof shut, "%d", two);
        MUST(run(arguments, environ) == 0);
        close(one), close(two);
    }
}

CASE(exec_statuses)
{
    while (more()) {
        char number[16];
        char *arguments[] = { (char *)payload_program(), (char *)"--helper", (char *)"status", number, NULL };

        for (int status = 0; status < 256; status += 51) {
            snprintf(number, sizeof number, "%d", status);
            MUST(WEXITSTATUS(run(arguments, environ)) == status);
        }
        MUST(system("exit 12") == 12 << 8 && (system("kill -9 $$") & 0x7f) == SIGKILL);
    }
}
