/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-group.c - sojourn group: jobs that move together */
#include "ask.h"
#include "client.h"
#include "cmd.h"
#include "group.h"
#include "table.h"

static int show(const char *group, gboolean as_json)
{
    int status = 0;
    g_autoptr(Json) members = group_jobs(group, &status);
    Table *table;

    if (!members)
        return status;
    if (as_json) {
        client_print_json(members);
        return 0;
    }
    table = table_new("Id", "Name", "Pid", "Node", "State", "Command", NULL);
    for (guint i = 0; i < json_length(members); i++) {
        Json *job = json_at(members, i);

        table_take(table, g_strndup(json_get_string(job, "id", ""), CLIENT_ID_SHOWN));
        table_cell(table, json_get_string(job, "name", NULL));
        table_take(table, g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(job, "pid", 0)));
        table_cell(table, json_get_string(job, "node", NULL));
        table_cell(table, json_get_string(job, "state", NULL));
        table_cell(table, json_get_string(job, "command", NULL));
    }
    table_print(table);
    return 0;
}

int cmd_group(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    Json *params;

    if (!client_words(&argc, &argv, options, 1, G_MAXINT))
        return 2;
    if (argc == 2)
        return show(argv[1], as_json);
    params = json_set_string(json_object(), "group", argv[1]);
    argv[1] = argv[0];
    return ask_each(argc - 1, argv + 1, "job.group", params);
}
