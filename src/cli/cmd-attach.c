/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-attach.c - sojourn attach: the output of a detached job, so far and as it comes, and how it ended */
#include "client.h"
#include "cmd.h"

#include "common/log.h"
#include "deputy/kept.h"

#include <sys/wait.h>

/* The job's id; NULL: the sentence was printed and *ret_status is the exit status. */
static char *job_id(const char *job, int *ret_status)
{
    g_autoptr(Json) shown = client_call("job.show", client_job(job), 0, ret_status);

    return shown ? g_strdup(json_get_string(shown, "id", job)) : NULL;
}

int cmd_attach(int argc, char **argv)
{
    const GOptionEntry options[] = { { NULL } };
    g_autofree char *id = NULL;
    g_autoptr(Json) result = NULL;
    int status, how;

    if (!client_words(&argc, &argv, options, 1, 1))
        return 2;
    id = job_id(argv[1], &status);
    if (!id)
        return status;
    if (!kept_show(id)) {
        log_error("Of job %s no output is kept here: it was not started with --detach, or not by you on "
                  "this node",
                  argv[1]);
        return 1;
    }
    result = client_call("job.wait", client_job(id), 0, &status);
    if (!result)
        return status;
    how = json_get_int(result, "status", 0);
    return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}
