/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-lock.c - sojourn lock and unlock: whether a job may be moved */
#include "ask.h"
#include "cmd.h"

int cmd_lock(int argc, char **argv)
{
    return ask_each(argc, argv, "job.lock", json_set_bool(json_object(), "locked", TRUE));
}

int cmd_unlock(int argc, char **argv)
{
    return ask_each(argc, argv, "job.lock", json_set_bool(json_object(), "locked", FALSE));
}
