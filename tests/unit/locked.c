/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locked.c - a test within the system calls that a job's back has */
#include "locked.h"

#include "deputy/sandbox.h"

#include <sys/wait.h>
#include <unistd.h>

void run_locked(void (*test)(void))
{
    g_autoptr(GError) error = NULL;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        g_setenv("SOJOURN_SANDBOX", "kill", TRUE);
        g_assert_true(sandbox_process(-1, SANDBOX_NETWORK, &error));
        test();
        _exit(0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}
