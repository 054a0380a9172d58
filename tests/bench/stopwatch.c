/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stopwatch.c - how long commands take: each argument is one for the shell; prints its milliseconds, one a line */
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Its output is not part of what is measured. */
static int run(const char *command)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    return pid < 0 || waitpid(pid, &status, 0) < 0 ? -1 : status;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        double begun = now_ms();

        if (run(argv[i]) != 0) {
            fprintf(stderr, "stopwatch: %s failed\n", argv[i]);
            return 1;
        }
        printf("%.3f\n", now_ms() - begun);
    }
    return 0;
}
