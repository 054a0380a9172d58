/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-history.c - sojourn history: where a job has been */
#include "ask.h"
#include "client.h"
#include "cmd.h"
#include "table.h"

static void add_row(Table *table, Json *move)
{
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_local(json_get_int(move, "at", 0));
    gint64 downtime = json_get_int(move, "downtime_ms", -1), fetched = json_get_int(move, "fetched_bytes", -1);

    table_take(table, at ? g_date_time_format(at, "%F %T") : NULL);
    table_cell(table, json_get_string(move, "from", NULL));
    table_cell(table, json_get_string(move, "to", NULL));
    table_take(table, g_strdup_printf("%" G_GINT64_FORMAT " ms", json_get_int(move, "total_ms", 0)));
    table_take(table, downtime >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT " ms", downtime) : NULL);
    table_take(table, client_size(json_get_int(move, "bytes", 0)));
    table_take(table, fetched >= 0 ? client_size(fetched) : NULL);
}

static void show(Json *moves, char **words)
{
    Table *table = table_new("When", "From", "To", "Took", "Stood still", "Sent", "Read later", NULL);

    for (guint i = 0; i < json_length(moves); i++)
        add_row(table, json_at(moves, i));
    table_print(table);
}

int cmd_history(int argc, char **argv)
{
    return ask_question(argc, argv,
                        &(AskQuestion){ .method = "job.show", .keys = { "job" }, .least = 1, .part = "history", .show = show });
}
