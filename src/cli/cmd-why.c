/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-why.c - sojourn why: what stands against a job's going to a node, and what to do about it */
#include "client.h"
#include "cmd.h"

#include <stdio.h>

int cmd_why(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    g_autoptr(Json) result = NULL;
    Json *reasons;
    int status;

    if (!client_words(&argc, &argv, options, 2, 2))
        return 2;
    result = client_call("job.why", json_set_string(client_job(argv[1]), "node", argv[2]), 30000,
                         &status);
    if (!result)
        return status;
    reasons = json_get(result, "reasons");
    if (as_json) {
        client_print_json(result);
        return 0;
    }
    if (json_length(reasons) == 0)
        printf("Nothing keeps job %s from going to %s.\n", argv[1], argv[2]);
    for (guint i = 0; i < json_length(reasons); i++) {
        Json *reason = json_at(reasons, i);
        const char *remedy = json_get_string(reason, "remedy", "");

        printf("%s%s%s\n", json_get_string(reason, "text", ""), *remedy ? ": " : "", remedy);
    }
    return 0;
}
