/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat.c - openMosix's old names as one program: which is meant, and what nodes are called there */
#include "compat.h"

#include "client.h"
#include "cmd.h"
#include "common/address.h"
#include "common/log.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

const OldName old_names[] = {
    { "cpujob", "[-{h|ID}] COMMAND [ARG]...", compat_runner },
    { "fastdecay", "[-{h|ID}] COMMAND [ARG]...", compat_runner },
    { "iojob", "[-{h|ID}] COMMAND [ARG]...", compat_runner },
    { "joingroup", "PID... GROUP", compat_joingroup },
    { "migrate", "PID {ID|home|balance}", compat_migrate },
    { "migrategroup", "GROUP {ID|home|balance}", compat_migrategroup },
    { "mon", "[-w|-v|-V|-a] [-s|-m|-r|-u|-l|-L] [-d] [-t] [+NODE]", compat_mon },
    { "mosctl", "{stay|nostay|lstay|nolstay|block|noblock|quiet|noquiet|expel|bring|getyard|getdecay} | whois [ID|IP|NAME] |\n"
                "       {getload|getspeed|status|isup|getmem|getfree|getutil} [ID] | setspeed N", compat_mosctl },
    { "mosmon", "[-w|-v|-V|-a] [-s|-m|-r|-u|-l|-L] [-d] [-t] [+NODE]", compat_mon },
    { "mosrun", "[-{h|ID|jID1-ID2[,ID]...} [-F]] [-{l|L|k}] [-{c|i|n|s|f}] [-z] COMMAND [ARG]...", compat_mosrun },
    { "mps", "[-A]", compat_mps },
    { "mtop", "", compat_mtop },
    { "nodecay", "[-{h|ID}] COMMAND [ARG]...", compat_runner },
    { "nomig", "COMMAND [ARG]...", compat_runner },
    { "omdiscd", "[-i INTERFACE,...] [-n] [-m TTL]", compat_omdiscd },
    { "resetgroup", "GROUP", compat_resetgroup },
    { "runhome", "COMMAND [ARG]...", compat_runner },
    { "runon", "ID COMMAND [ARG]...", compat_runner },
    { "setpe", "-{w|W|c} [-f {FILE|-}] | -r [-f {FILE|-}] | -off", compat_setpe },
    { "showgroup", "GROUP", compat_showgroup },
    { "showmap", "", compat_showmap },
    { "slowdecay", "[-{h|ID}] COMMAND [ARG]...", compat_runner },
    { NULL, NULL, NULL }
};

/* client.c asks for a command's synopsis: these have their own. */
const Command commands[] = { { NULL, NULL, NULL, NULL } };

const Command *command_find(const char *name)
{
    return NULL;
}

static const OldName *find(const char *name)
{
    for (const OldName *old = old_names; old->name; old++)
        if (g_str_equal(old->name, name))
            return old;
    return NULL;
}

int compat_usage(const char *name)
{
    const OldName *old = find(name);

    fprintf(stderr, "usage: %s %s\n", name, old ? old->args : "");
    return 1;
}

guint compat_id(Json *row)
{
    return address_number(json_get_string(row, "address", ""));
}

Json *compat_nodes(int *ret_status)
{
    return client_call("node.list", NULL, 30000, ret_status);
}

Json *compat_node(Json *rows, const char *text)
{
    guint64 id = 0;

    g_ascii_string_to_unsigned(text, 10, 1, 65535, &id, NULL);
    for (guint i = 0; i < json_length(rows); i++) {
        Json *row = json_at(rows, i);

        if (g_str_equal(json_get_string(row, "name", ""), text) || g_str_equal(json_get_string(row, "address", ""), text) ||
            (id && compat_id(row) == id))
            return row;
    }
    log_error("There is no node %s; \"showmap\" shows the IDs, \"sojourn nodes\" the names", text);
    return NULL;
}

char *compat_place(const char *text)
{
    g_autoptr(Json) rows = NULL;
    Json *row;
    int status;

    if (g_str_equal(text, "home") || g_str_equal(text, "balance"))
        return g_strdup(g_str_equal(text, "home") ? text : "best");
    rows = compat_nodes(&status);
    row = rows ? compat_node(rows, text) : NULL;
    return row ? g_strdup(json_get_string(row, "name", "")) : NULL;
}

int compat_migrate(int argc, char **argv)
{
    g_autoptr(Json) result = NULL;
    g_autofree char *to = NULL;
    int status = 0;

    if (argc != 3)
        return compat_usage("migrate");
    to = compat_place(argv[2]);
    if (to)
        result = client_call("job.migrate", json_set_string(client_job(argv[1]), "node", to), 0, &status);
    return result ? 0 : 1;
}

/* Why a job goes nowhere: "locked,root", "-" if it may go (g_free). */
static char *cant_move(Json *job)
{
    Json *reasons = json_get(job, "stay");
    GString *text = g_string_new(json_length(reasons) ? NULL : "-");

    for (guint i = 0; i < json_length(reasons); i++)
        g_string_append_printf(text, "%s%s", i ? "," : "", json_get_string(json_at(reasons, i), "code", "?"));
    return g_string_free(text, FALSE);
}

static void mps_answered(guint index, Json *job, const GError *error, gpointer user)
{
    char **reasons = user;

    reasons[index] = error ? g_strdup("?") : cant_move(job);
}

static void mps_line(Json *job, Json *rows, const char *reasons)
{
    const char *node = json_get_string(job, "node", "");
    gboolean home = g_str_equal(node, json_get_string(job, "home", ""));
    g_autofree char *command = g_strdelimit(g_strdup(json_get_string(job, "command", "")), "\033\r\n\b\f\v", '?');
    guint id = 0;

    for (guint k = 0; !home && k < json_length(rows); k++)
        if (g_str_equal(json_get_string(json_at(rows, k), "name", ""), node))
            id = compat_id(json_at(rows, k));
    printf("%7" G_GINT64_FORMAT " %-10.10s %6u %5" G_GINT64_FORMAT " %4d %-8s %s\n", json_get_int(job, "pid", 0),
           json_get_string(job, "user", ""), id, json_get_int(job, "migrations", 0), json_get_bool(job, "locked", FALSE), reasons,
           command);
}

int compat_mps(int argc, char **argv)
{
    gboolean all = argc == 2 && g_str_equal(argv[1], "-A");
    g_autoptr(Json) jobs = NULL, rows = NULL;
    g_autofree Json **params = NULL;
    g_auto(GStrv) reasons = NULL;
    guint n;
    int status;

    if (argc > 2 || (argc == 2 && !all))
        return compat_usage("mps");
    rows = compat_nodes(&status);
    jobs = rows ? client_call("job.list", NULL, 30000, &status) : NULL;
    if (!jobs)
        return 1;
    n = json_length(jobs);
    params = g_new(Json *, n + 1);
    reasons = g_new0(char *, n + 1);
    for (guint i = 0; i < n; i++)
        params[i] = client_job(json_get_string(json_at(jobs, i), "id", ""));
    if (n && !client_call_many("job.show", params, n, NULL, mps_answered, reasons, &status))
        return 1;
    printf("%7s %-10s %6s %5s %4s %-8s %s\n", "PID", "USER", "N#", "NMIGS", "LOCK", "CANTMOVE", "COMMAND");
    for (guint i = 0; i < n; i++)
        mps_line(json_at(jobs, i), rows, reasons[i]);
    return 0;
}

static int list_names(void)
{
    puts("sojourn-openmosix: openMosix's old names; a link with the name, or the name as the first word.\n");
    for (const OldName *old = old_names; old->name; old++)
        printf("  %-10s %s\n", old->name, old->args);
    return 0;
}

int main(int argc, char **argv)
{
    g_autofree char *name = g_path_get_basename(argv[0]);
    const OldName *old = find(name);

    setlocale(LC_ALL, "");
    if (!old && argc > 1) {
        argv++;
        argc--;
        old = find(argv[0]);
    }
    log_init(old ? old->name : "sojourn-openmosix");
    if (!old)
        return list_names();
    argv[0] = (char *) old->name;
    return old->run(argc, argv);
}
