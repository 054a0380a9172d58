/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat-watch.c - mon, mosmon and mtop, which become "sojourn top", and omdiscd, which has nothing left to do but to watch */
#include "client.h"
#include "common/log.h"
#include "compat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int become(GPtrArray *words)
{
    g_ptr_array_add(words, NULL);
    execvp("sojourn", (char **) words->pdata);
    log_error("sojourn cannot be started: %s", g_strerror(errno));
    return 127;
}

int compat_mtop(int argc, char **argv)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    if (argc > 1)
        return compat_usage("mtop");
    g_ptr_array_add(words, (char *) "sojourn");
    g_ptr_array_add(words, (char *) "top");
    return become(words);
}

/* Upright bars, without the nodes that are down unless -d; letters are those of its keys. */
int compat_mon(int argc, char **argv)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    const char *from = NULL;
    char layout = 'a', bars = 'l';
    gboolean dead = FALSE, totals = FALSE;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (*word == '+' && word[1]) {
            from = word + 1;
            continue;
        }
        if (*word != '-' || !word[1] || strspn(word + 1, "wvVasmrulLdt") != strlen(word + 1))
            return compat_usage(argv[0]);
        for (const char *letter = word + 1; *letter; letter++) {
            layout = strchr("wvVa", *letter) ? *letter : layout;
            bars = strchr("smrulL", *letter) ? *letter : bars;
            dead = dead || *letter == 'd';
            totals = totals || *letter == 't';
        }
    }
    g_ptr_array_add(words, g_strdup("sojourn"));
    g_ptr_array_add(words, g_strdup("top"));
    g_ptr_array_add(words, g_strdup("--nodes-only"));
    g_ptr_array_add(words, g_strdup_printf("--chart=%c", layout));
    g_ptr_array_add(words, g_strdup_printf("--bars=%c", bars));
    if (!dead)
        g_ptr_array_add(words, g_strdup("--alive"));
    if (totals)
        g_ptr_array_add(words, g_strdup("--totals"));
    if (from)
        g_ptr_array_add(words, g_strdup_printf("--from=%s", from));
    return become(words);
}

static void node_event(const char *method, Json *params, gpointer user)
{
    if (g_str_equal(method, "event") && g_str_equal(json_get_string(params, "kind", ""), "node"))
        log_error("%s", json_get_string(params, "text", ""));
}

/* Nodes are found by the controller: it is started where none is, and with -n what it finds is told until it ends. */
int compat_omdiscd(int argc, char **argv)
{
    g_autoptr(Json) rows = NULL, events = NULL;
    gboolean stay = FALSE;
    int status;

    for (int i = 1; i < argc; i++) {
        gboolean value = g_str_equal(argv[i], "-i") || g_str_equal(argv[i], "-m");

        stay = stay || g_str_equal(argv[i], "-n");
        if (!value && !g_str_equal(argv[i], "-n"))
            return compat_usage("omdiscd");
        if (value && ++i == argc)
            return compat_usage("omdiscd");
    }
    rows = compat_nodes(&status);
    if (!rows)
        return 1;
    for (guint i = 0; stay && i < json_length(rows); i++)
        log_error("node %u %s %s", compat_id(json_at(rows, i)), json_get_string(json_at(rows, i), "address", "?"),
                  json_get_string(json_at(rows, i), "state", "?"));
    if (stay)
        events = client_call_notified("job.events", json_set_bool(json_object(), "follow", TRUE), node_event, NULL, &status);
    return stay && !events ? 1 : 0;
}
