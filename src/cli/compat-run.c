/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat-run.c - mosrun and its short forms: each becomes a "sojourn run", in this very process */
#include "client.h"
#include "common/log.h"
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The command line that it becomes. */
typedef struct {
    GPtrArray *words;
    gboolean placed, anywhere, lock, unlock, has_argv0;
    const char *where, *list;   /* an ID, or IDs as 1-4,7 */
} Start;

static void add(Start *start, const char *word)
{
    g_ptr_array_add(start->words, g_strdup(word));
}

static gboolean is_up(Json *row)
{
    return g_str_equal(json_get_string(row, "state", ""), "alive");
}

static gboolean in_list(const char *list, guint id)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);

    for (char **part = parts; *part; part++) {
        char *end;
        gulong first = strtoul(*part, &end, 10), last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;

        if (id >= first && id <= last)
            return TRUE;
    }
    return FALSE;
}

/* A node of the list that is up, by chance; NULL. */
static Json *one_of(Json *rows, const char *list)
{
    Json *found = NULL;
    guint seen = 0;

    for (guint i = 0; i < json_length(rows); i++)
        if (is_up(json_at(rows, i)) && in_list(list, compat_id(json_at(rows, i))) && g_random_int_range(0, ++seen) == 0)
            found = json_at(rows, i);
    return found;
}

/* Adds where it starts; FALSE: the sentence was printed. One that is down is an error, unless anywhere will do. */
static gboolean add_place(Start *start)
{
    g_autoptr(Json) rows = NULL;
    Json *row;
    int status;

    if (!start->where && !start->list) {
        if (start->placed)
            add(start, "--home");
        return TRUE;
    }
    rows = compat_nodes(&status);
    if (!rows)
        return FALSE;
    row = start->list ? one_of(rows, start->list) : compat_node(rows, start->where);
    if (row && is_up(row)) {
        add(start, "--on");
        add(start, json_get_string(row, "name", ""));
        return TRUE;
    }
    if (start->anywhere) {
        add(start, "--best");
        return TRUE;
    }
    if (row || start->list)
        log_error("%s is down; -F starts the command elsewhere then", start->list ? start->list : start->where);
    return FALSE;
}

static int start_it(Start *start, char **command)
{
    if (!*command) {
        log_error("which command?");
        return 1;
    }
    if (!add_place(start))
        return 1;
    if (start->lock)
        add(start, "--lock");
    add(start, "--");
    if (start->has_argv0) { /* the program, then the name it is called by */
        add(start, "bash");
        add(start, "-c");
        add(start, "exec -a \"$1\" \"$0\" \"${@:2}\"");
    }
    for (; *command; command++)
        add(start, *command);
    g_ptr_array_add(start->words, NULL);
    execvp("sojourn", (char **) start->words->pdata);
    log_error("sojourn cannot be started: %s", g_strerror(errno));
    return 127;
}

static Start start_new(void)
{
    Start start = { .words = g_ptr_array_new() };

    add(&start, "sojourn");
    add(&start, "run");
    return start;
}

/* One option; FALSE: there is none of that kind. */
static gboolean take_option(Start *start, const char *option)
{
    static const char *const hints[][3] = { { "-c", "--hint", "cpu" },   { "-i", "--hint", "io" },  { "-n", "--decay", "none" },
                                            { "-s", "--decay", "slow" }, { "-f", "--decay", "fast" } };

    for (gsize i = 0; i < G_N_ELEMENTS(hints); i++) {
        if (!g_str_equal(hints[i][0], option))
            continue;
        add(start, hints[i][1]);
        add(start, hints[i][2]);
        return TRUE;
    }
    if (g_str_equal(option, "-h"))
        start->placed = TRUE;
    else if (g_str_equal(option, "-F"))
        start->anywhere = TRUE;
    else if (g_str_equal(option, "-L"))
        start->lock = TRUE;
    else if (g_str_equal(option, "-l"))
        start->unlock = TRUE;
    else if (g_str_equal(option, "-z"))
        start->has_argv0 = TRUE;
    else if (option[1] == 'j' && g_ascii_isdigit(option[2]))
        start->list = option + 2;
    else if (g_ascii_isdigit(option[1]))
        start->where = option + 1;
    else
        return g_str_equal(option, "-k") || g_str_equal(option, "-e") || g_str_equal(option, "-E") ||
               g_str_equal(option, "-r") || g_str_equal(option, "-R");
    return TRUE;
}

/* Options up to the command; NULL: one is not understood. */
static char **take_options(Start *start, char **words)
{
    for (; *words && **words == '-' && (*words)[1]; words++)
        if (!take_option(start, *words))
            return NULL;
    return words;
}

int compat_mosrun(int argc, char **argv)
{
    Start start = start_new();
    char **command = take_options(&start, argv + 1);

    if (!command)
        return compat_usage("mosrun");
    /* who says where it is to be means it: it stays, unless -l */
    start.lock = start.lock || ((start.placed || start.where || start.list) && !start.unlock);
    return start_it(&start, command);
}

int compat_runner(int argc, char **argv)
{
    static const struct {
        const char *name, *option;
        gboolean home;
    } kinds[] = { { "nomig", NULL, TRUE },      { "runhome", NULL, TRUE },   { "runon", NULL, FALSE },
                  { "cpujob", "-c", FALSE },    { "iojob", "-i", FALSE },    { "nodecay", "-n", FALSE },
                  { "slowdecay", "-s", FALSE }, { "fastdecay", "-f", FALSE } };
    Start start = start_new();
    char **command = argv + 1;

    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_equal(kinds[i].name, argv[0]))
            continue;
        if (kinds[i].option)
            take_option(&start, kinds[i].option);
        start.placed = kinds[i].home;
        start.lock = !kinds[i].option;
    }
    if (g_str_equal(argv[0], "runon")) {
        if (argc < 3)
            return compat_usage("runon");
        start.where = *command++;
    } else if (!start.lock) {
        command = take_options(&start, command);
        start.lock = start.placed || start.where;
    }
    return command ? start_it(&start, command) : compat_usage(argv[0]);
}
