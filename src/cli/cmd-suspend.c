/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-suspend.c - sojourn suspend and resume: freeze a job's guest where it is, and let it go on */
#include "ask.h"
#include "cmd.h"

int cmd_suspend(int argc, char **argv)
{
    return ask_each(argc, argv, "job.suspend", NULL);
}

int cmd_resume(int argc, char **argv)
{
    return ask_each(argc, argv, "job.resume", NULL);
}
