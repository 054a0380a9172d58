/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat-mosctl.c - mosctl: standing orders, expel and bring, questions about nodes */
#include "client.h"
#include "common/log.h"
#include "compat.h"

#include <stdio.h>
#include <string.h>

/* Orders: each also with "no" or a minus before it. */
static const struct {
    const char *verb, *key;
} orders[] = { { "stay", "stay" }, { "lstay", "stay_own" }, { "block", "block" }, { "quiet", "quiet" } };

static int order(const char *key, gboolean wanted)
{
    g_autoptr(Json) result = NULL;
    int status;

    result = client_call("node.standing", json_set_bool(json_object(), key, wanted), 30000, &status);
    return result ? 0 : 1;
}

/* Returns when all are gone, or home. */
static int evacuate(const char *method)
{
    g_autoptr(Json) result = NULL;
    Json *stayed;
    int status;

    result = client_call(method, NULL, 0, &status);
    stayed = json_get(result, "stayed");
    for (guint i = 0; i < json_length(stayed); i++)
        log_error("job %.8s has not moved: %s", json_get_string(json_at(stayed, i), "id", ""),
                  json_get_string(json_at(stayed, i), "reason", ""));
    return result && !json_length(stayed) ? 0 : 1;
}

static gboolean is_up(Json *row)
{
    const char *state = json_get_string(row, "state", "");

    return g_str_equal(state, "alive") || g_str_equal(state, "blocked");
}

static void print_status(Json *row)
{
    static const char *const words[][2] = { { "stay", "stay" }, { "stay_own", "lstay" }, { "block", "block" }, { "quiet", "quiet" } };

    printf("%s", is_up(row) ? "up" : "down");
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
        if (json_get_bool(row, words[i][0], FALSE))
            printf(" %s", words[i][1]);
    putchar('\n');
}

/* What a verb asks of a node; FALSE: there is no such verb. */
static gboolean print_answer(const char *verb, Json *row)
{
    gint64 total = json_get_int(row, "memory_total_bytes", 0), free = json_get_int(row, "memory_free_bytes", 0);
    double load = json_get_double(row, "load", 0);

    if (g_str_equal(verb, "getload"))
        printf("%.0f\n", load * 100); /* 100: all CPUs of the yardstick */
    else if (g_str_equal(verb, "getspeed"))
        printf("%" G_GINT64_FORMAT "\n", json_get_int(row, "speed", 0));
    else if (g_str_equal(verb, "getmem"))
        printf("%" G_GINT64_FORMAT "\n", free);
    else if (g_str_equal(verb, "getfree"))
        printf("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT "\n", free, total);
    else if (g_str_equal(verb, "getutil"))
        printf("%.0f%%\n", MIN(load, 1) * 100);
    else if (g_str_equal(verb, "isup"))
        puts(is_up(row) ? "yes" : "no");
    else if (g_str_equal(verb, "status"))
        print_status(row);
    else if (g_str_equal(verb, "whois"))
        printf("%u %s %s\n", compat_id(row), json_get_string(row, "address", "?"), json_get_string(row, "name", "?"));
    else
        return FALSE;
    return TRUE;
}

static int ask(const char *verb, const char *which)
{
    g_autoptr(Json) rows = NULL;
    Json *row;
    int status;

    rows = compat_nodes(&status);
    row = !rows ? NULL : which ? compat_node(rows, which) : json_at(rows, 0); /* this one is the first */
    if (!row)
        return 1;
    if (!is_up(row) && !strstr(" isup status whois ", verb)) {
        log_error("node %s is down", json_get_string(row, "name", "?"));
        return 1;
    }
    return print_answer(verb, row) ? 0 : compat_usage("mosctl");
}

static int set_speed(const char *text)
{
    g_autoptr(Json) result = NULL;
    guint64 speed;
    int status;

    if (!g_ascii_string_to_unsigned(text, 10, 1, 1000000, &speed, NULL)) {
        log_error("\"%s\" is no speed: 10000 is the yardstick", text);
        return 1;
    }
    result = client_call("node.standing", json_set_int(json_object(), "speed", speed), 30000, &status);
    return result ? 0 : 1;
}

int compat_mosctl(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    gboolean off = *verb == '-' || g_str_has_prefix(verb, "no");
    const char *plain = *verb == '-' ? verb + 1 : off ? verb + 2 : verb;

    if (argc < 2 || argc > 3)
        return compat_usage("mosctl");
    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++)
        if (argc == 2 && g_str_equal(orders[i].verb, plain))
            return order(orders[i].key, !off);
    if (argc == 2 && (g_str_equal(plain, "expel") || g_str_equal(plain, "bring"))) {
        gboolean expel = g_str_equal(plain, "expel");

        return off ? order(expel ? "block" : "stay_own", FALSE) : evacuate(expel ? "node.expel" : "node.bring");
    }
    if (argc == 3 && g_str_equal(verb, "setspeed"))
        return set_speed(argv[2]);
    if (argc == 2 && g_str_equal(verb, "getyard"))
        return puts("10000") < 0;
    if (argc == 2 && g_str_equal(verb, "getdecay"))
        return puts("interval 1 s, slow 900, fast 200 per mille kept") < 0;
    if (g_str_equal(plain, "mfs") || g_str_equal(verb, "setyard") || g_str_equal(verb, "setdecay") || g_str_equal(verb, "gettune")) {
        log_error("\"%s\" means nothing here: files are always those of home, and nothing needs to be tuned", verb);
        return 1;
    }
    return ask(verb, argc == 3 ? argv[2] : NULL);
}
