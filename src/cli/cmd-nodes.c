/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-nodes.c - sojourn nodes and node: who is in the cluster, and all about one of them */
#include "ask.h"
#include "client.h"
#include "cmd.h"
#include "fields.h"
#include "table.h"

static char *number(Json *node, const char *key)
{
    return g_strdup_printf("%" G_GINT64_FORMAT, json_get_int(node, key, 0));
}

static void add_row(Table *table, Json *node)
{
    g_autofree char *total = client_size(json_get_int(node, "memory_total_bytes", 0));
    g_autofree char *free = client_size(json_get_int(node, "memory_free_bytes", 0));
    gboolean known = json_has(node, "cpus"), self = json_get_bool(node, "self", FALSE);

    table_take(table, g_strconcat(json_get_string(node, "name", "?"), self ? " *" : "", NULL));
    table_cell(table, json_get_string(node, "address", NULL));
    table_cell(table, json_get_string(node, "state", NULL));
    table_cell(table, json_get_string(node, "accel", NULL));
    table_take(table, known ? number(node, "cpus") : NULL);
    table_take(table, known ? g_strdup_printf("%.2f", json_get_double(node, "load", 0)) : NULL);
    table_take(table, known ? g_strdup_printf("%s of %s", free, total) : NULL);
    table_take(table, known ? number(node, "jobs") : NULL);
}

int cmd_nodes(int argc, char **argv)
{
    gboolean as_json = FALSE, all = FALSE;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "all", 0, 0, G_OPTION_ARG_NONE, &all, "Those that have left too", NULL },
        { NULL }
    };
    g_autoptr(Json) nodes = NULL;
    Table *table;
    Json *params;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    params = json_set_bool(json_object(), "pending", TRUE);
    nodes = client_call("node.list", all ? json_set_bool(params, "all", TRUE) : params, 30000, &status);
    if (!nodes)
        return status;
    if (as_json) {
        client_print_json(nodes);
        return 0;
    }
    table = table_new("Name", "Address", "State", "Accel", "CPUs", "Load", "Memory free", "Jobs",
                      NULL);
    for (guint i = 0; i < json_length(nodes); i++)
        add_row(table, json_at(nodes, i));
    table_print(table);
    return 0;
}

static const Field fields[] = {
    { "Name", "name", FIELD_TEXT, NULL },
    { "Address", "address", FIELD_TEXT, NULL },
    { "State", "state", FIELD_TEXT, NULL },
    { "Acceleration", "accel", FIELD_TEXT, NULL },
    { "Because", "accel_why", FIELD_TEXT, NULL },
    { "Machine", "machine", FIELD_TEXT, NULL },
    { "CPU model", "cpu_model", FIELD_TEXT, NULL },
    { "QEMU", "qemu", FIELD_TEXT, NULL },
    { "Version", "version", FIELD_TEXT, NULL },
    { "Image", "image", FIELD_TEXT, NULL },
    { "Image i686", "image_i686", FIELD_TEXT, NULL },
    { "CPUs", "cpus", FIELD_NUMBER, NULL },
    { "Speed", "speed", FIELD_NUMBER, NULL },
    { "TSC", "tsc_khz", FIELD_NUMBER, "kHz" },
    { "Load", "load", FIELD_DECIMAL, NULL },
    { "CPUs wanted", "demand", FIELD_DECIMAL, NULL },
    { "Stay", "stay", FIELD_YES, NULL },
    { "Own jobs stay", "stay_own", FIELD_YES, NULL },
    { "Blocked", "block", FIELD_YES, NULL },
    { "Quiet", "quiet", FIELD_YES, NULL },
    { "Memory", "memory_total_bytes", FIELD_SIZE, NULL },
    { "Memory free", "memory_free_bytes", FIELD_SIZE, NULL },
    { "Jobs", "jobs", FIELD_NUMBER, NULL },
    { "Run directory", "run_dir", FIELD_TEXT, NULL },
    { "State directory", "state_dir", FIELD_TEXT, NULL },
    { NULL, NULL, FIELD_TEXT, NULL }
};

static void show_one(Json *node, char **words)
{
    fields_print(node, fields);
}

int cmd_node(int argc, char **argv)
{
    return ask_question(argc, argv, &(AskQuestion){ .method = "node.show", .keys = { "node" }, .show = show_one });
}
