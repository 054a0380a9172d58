/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-wait.c - sojourn wait: until a job ends, and how it ended */
#include "client.h"
#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

int cmd_wait(int argc, char **argv)
{
    gboolean as_json = FALSE, with_status = FALSE;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "status", 's', 0, G_OPTION_ARG_NONE, &with_status, "Exit with the job's own status",
          NULL },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    int status, how;

    if (!client_words(&argc, &argv, options, 1, 1))
        return 2;
    result = client_call("job.wait", client_job(argv[1]), 0, &status);
    if (!result)
        return status;
    how = json_get_int(result, "status", 0);
    if (as_json)
        client_print_json(result);
    else if (WIFSIGNALED(how))
        printf("Job %s was ended by signal %d (%s).\n", argv[1], WTERMSIG(how),
               strsignal(WTERMSIG(how)));
    else
        printf("Job %s ended with status %d.\n", argv[1], WEXITSTATUS(how));
    if (!with_status)
        return 0;
    return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}
