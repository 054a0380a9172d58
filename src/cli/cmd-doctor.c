/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-doctor.c - sojourn doctor: what this node can do, and what would help where it cannot */
#include "ask.h"
#include "cmd.h"

#include <stdio.h>

static void show(Json *findings, char **words)
{
    for (guint i = 0; i < json_length(findings); i++) {
        Json *row = json_at(findings, i);
        const char *remedy = json_get_string(row, "remedy", "");
        gboolean ok = json_get_bool(row, "ok", FALSE);

        printf("%-4s %-12s %s\n", ok ? "ok" : "--", json_get_string(row, "check", ""),
               json_get_string(row, "text", ""));
        if (!ok && *remedy)
            printf("%18sremedy: %s\n", "", remedy);
    }
}

int cmd_doctor(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "node.doctor", .show = show });
}
