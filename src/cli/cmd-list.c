/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-list.c - sojourn list: the jobs that are at home or stay here */
#include "client.h"
#include "cmd.h"
#include "table.h"

static void add_row(Table *table, Json *job)
{
    const char *id = json_get_string(job, "id", "");
    gboolean locked = json_get_bool(job, "locked", FALSE);

    table_take(table, g_strndup(id, CLIENT_ID_SHOWN));
    table_cell(table, json_get_string(job, "name", NULL));
    table_cell(table, json_get_string(job, "user", NULL));
    table_take(table, g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(job, "pid", 0)));
    table_cell(table, json_get_string(job, "home", NULL));
    table_cell(table, json_get_string(job, "node", NULL));
    table_take(table, g_strconcat(json_get_string(job, "state", ""), locked ? ", locked" : "", NULL));
    table_take(table, g_strdup_printf("%.1f s", json_get_double(job, "cpu_seconds", 0)));
    table_cell(table, json_get_string(job, "command", NULL));
}

int cmd_list(int argc, char **argv)
{
    gboolean as_json = FALSE, all = FALSE;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "Those that have ended too", NULL },
        { NULL }
    };
    g_autoptr(Json) jobs = NULL;
    Table *table;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    jobs = client_call("job.list", json_set_bool(json_object(), "all", all), 30000, &status);
    if (!jobs)
        return status;
    if (as_json) {
        client_print_json(jobs);
        return 0;
    }
    table = table_new("Id", "Name", "User", "Pid", "Home", "Node", "State", "CPU", "Command", NULL);
    for (guint i = 0; i < json_length(jobs); i++)
        add_row(table, json_at(jobs, i));
    table_print(table);
    return 0;
}
