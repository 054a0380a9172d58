/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-show.c - sojourn show: all about one job */
#include "ask.h"
#include "cmd.h"
#include "fields.h"
#include "migrated.h"

static const Field fields[] = {
    { "Id", "id", FIELD_TEXT, NULL },
    { "Name", "name", FIELD_TEXT, NULL },
    { "User", "user", FIELD_TEXT, NULL },
    { "Pid", "pid", FIELD_NUMBER, NULL },
    { "Command", "command", FIELD_TEXT, NULL },
    { "State", "state", FIELD_TEXT, NULL },
    { "Home", "home", FIELD_TEXT, NULL },
    { "Node", "node", FIELD_TEXT, NULL },
    { "Group", "group", FIELD_TEXT, NULL },
    { "Locked", "locked", FIELD_YES, NULL },
    { "Started", "started", FIELD_TIME, NULL },
    { "Architecture", "arch", FIELD_TEXT, NULL },
    { "Acceleration", "accel", FIELD_TEXT, NULL },
    { "CPUs", "cpus", FIELD_NUMBER, NULL },
    { "CPU time", "cpu_seconds", FIELD_DECIMAL, "s" },
    { "Memory", "memory_bytes", FIELD_SIZE, NULL },
    { "Epoch", "epoch", FIELD_NUMBER, NULL },
    { "Migrations", "migrations", FIELD_NUMBER, NULL },
    { NULL, NULL, FIELD_TEXT, NULL }
};

static void show(Json *job, char **words)
{
    fields_print(job, fields);
    if (json_is_object(json_get(job, "last_migration"))) {
        g_autofree char *line = migrated_line(json_get(job, "last_migration"));

        fields_line("Last migration", "%s", line);
    }
    for (guint i = 0; i < json_length(json_get(job, "cannot_move")); i++)
        fields_line("Cannot move", "%s", json_text(json_at(json_get(job, "cannot_move"), i)));
}

int cmd_show(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "job.show", .keys = { "job" }, .least = 1, .show = show });
}
