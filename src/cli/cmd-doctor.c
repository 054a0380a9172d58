/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-doctor.c - sojourn doctor: what this node can do, and what would help where it cannot */
#include "client.h"
#include "cmd.h"

#include <stdio.h>

int cmd_doctor(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    g_autoptr(Json) findings = NULL;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    findings = client_call("node.doctor", NULL, 60000, &status);
    if (!findings)
        return status;
    if (as_json) {
        client_print_json(findings);
        return 0;
    }
    for (guint i = 0; i < json_length(findings); i++) {
        Json *row = json_at(findings, i);
        const char *remedy = json_get_string(row, "remedy", "");
        gboolean ok = json_get_bool(row, "ok", FALSE);

        printf("%-4s %-12s %s\n", ok ? "ok" : "--", json_get_string(row, "check", ""),
               json_get_string(row, "text", ""));
        if (!ok && *remedy)
            printf("%18sremedy: %s\n", "", remedy);
    }
    return 0;
}
