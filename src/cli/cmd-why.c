/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-why.c - sojourn why: what stands against a job's going to a node, and what to do about it */
#include "ask.h"
#include "cmd.h"
#include "migrated.h"

#include <stdio.h>

static void show(Json *answer, char **words)
{
    Json *reasons = json_get(answer, "reasons");

    if (json_length(reasons) == 0) {
        g_autofree char *expected = migrated_expected(json_get(answer, "expected"));

        printf("Nothing keeps job %s from going to %s%s%s.\n", words[0], words[1], expected ? ": expected to " : "", expected ?: "");
    }
    for (guint i = 0; i < json_length(reasons); i++) {
        Json *reason = json_at(reasons, i);
        const char *remedy = json_get_string(reason, "remedy", "");

        printf("%s%s%s\n", json_get_string(reason, "text", ""), *remedy ? ": " : "", remedy);
    }
}

int cmd_why(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "job.why", .keys = { "job", "node" }, .least = 2, .show = show });
}
