/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-suspend.c - sojourn suspend and resume: freeze a job's guest where it is, and let it go on */
#include "client.h"
#include "cmd.h"

static int order(int argc, char **argv, const char *method)
{
    g_autoptr(Json) result = NULL;
    int status;

    if (!client_words(&argc, &argv, NULL, 1, 1))
        return 2;
    result = client_call(method, client_job(argv[1]), 30000, &status);
    return result ? 0 : status;
}

int cmd_suspend(int argc, char **argv)
{
    return order(argc, argv, "job.suspend");
}

int cmd_resume(int argc, char **argv)
{
    return order(argc, argv, "job.resume");
}
