/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-lock.c - sojourn lock and unlock: whether a job may be moved */
#include "client.h"
#include "cmd.h"

static int set_locked(int argc, char **argv, gboolean locked)
{
    g_autoptr(Json) result = NULL;
    int status;

    if (!client_words(&argc, &argv, NULL, 1, 1))
        return 2;
    result = client_call("job.lock", json_set_bool(client_job(argv[1]), "locked", locked), 30000,
                         &status);
    return result ? 0 : status;
}

int cmd_lock(int argc, char **argv)
{
    return set_locked(argc, argv, TRUE);
}

int cmd_unlock(int argc, char **argv)
{
    return set_locked(argc, argv, FALSE);
}
