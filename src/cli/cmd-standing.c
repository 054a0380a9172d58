/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-standing.c - sojourn stay, block, quiet, speed: an administrator's standing orders to this node */
#include "client.h"
#include "cmd.h"
#include "common/log.h"

#include <stdio.h>

static int change(Json *params, gboolean as_json, const char *said)
{
    g_autoptr(Json) result = NULL;
    int status;

    result = client_call("node.standing", params, 30000, &status);
    if (!result)
        return status;
    if (as_json)
        client_print_json(result);
    else
        puts(said);
    return 0;
}

/* "stay", "stay on", "stay off". */
static int order(int argc, char **argv, const char *const keys[], const char *on, const char *off)
{
    gboolean as_json = FALSE, wanted;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    Json *params;

    if (!client_words(&argc, &argv, options, 0, 1))
        return 2;
    if (argc > 1 && !g_str_equal(argv[1], "on") && !g_str_equal(argv[1], "off")) {
        log_error("\"%s\" is neither on nor off", argv[1]);
        return 2;
    }
    wanted = argc < 2 || g_str_equal(argv[1], "on");
    params = json_set_bool(json_object(), keys[0], wanted);
    if (keys[1] && !wanted)
        json_set_bool(params, keys[1], FALSE);
    return change(params, as_json, wanted ? on : off);
}

int cmd_stay(int argc, char **argv)
{
    static const char *const keys[] = { "stay", "stay_own" };

    return order(argc, argv, keys, "No job leaves this node by itself any more.", "Jobs may leave this node by themselves.");
}

int cmd_block(int argc, char **argv)
{
    static const char *const keys[] = { "block", NULL };

    return order(argc, argv, keys, "No guest of another node comes here any more.", "Guests of other nodes may come.");
}

int cmd_quiet(int argc, char **argv)
{
    static const char *const keys[] = { "quiet", NULL };

    return order(argc, argv, keys, "The other nodes are not told of the load here any more.",
                 "The other nodes are told of the load here.");
}

int cmd_speed(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };
    guint64 speed;
    g_autofree char *said = NULL;

    if (!client_words(&argc, &argv, options, 1, 1))
        return 2;
    if (!g_ascii_string_to_unsigned(argv[1], 10, 0, 1000000, &speed, NULL)) {
        log_error("\"%s\" is no speed: from 1 to 1000000, 10000 is the reference; 0: the one that is set", argv[1]);
        return 2;
    }
    said = speed ? g_strdup_printf("This node's speed is %u now.", (guint) speed)
                 : g_strdup("This node's speed is the one that is set.");
    return change(json_set_int(json_object(), "speed", speed), as_json, said);
}
