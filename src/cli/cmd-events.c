/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-events.c - sojourn events: what has happened lately, and what happens */
#include "client.h"
#include "cmd.h"

#include <stdio.h>

static void show(Json *event, gboolean as_json)
{
    gint64 at_ms = json_get_int(event, "at_ms", 0);
    g_autoptr(GDateTime) at = g_date_time_new_from_unix_local(at_ms / 1000);
    g_autofree char *time = at ? g_date_time_format(at, "%F %T") : g_strdup("?"), *text = NULL;

    if (as_json) {
        text = json_print(event);
        puts(text);
    } else {
        text = g_strdelimit(g_strdup(json_get_string(event, "text", "")), "\033\r\n\b\f\v", '?');
        printf("%s.%03d  %-8s %s\n", time, (int) (at_ms % 1000), json_get_string(event, "kind", ""), text);
    }
    fflush(stdout);
}

static void notified(const char *method, Json *params, gpointer user)
{
    if (g_str_equal(method, "event"))
        show(params, *(gboolean *) user);
}

int cmd_events(int argc, char **argv)
{
    gboolean as_json = FALSE, follow = FALSE;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "follow", 'f', 0, G_OPTION_ARG_NONE, &follow, "Go on with what happens; JSON: one event a line", NULL },
        { NULL }
    };
    g_autoptr(Json) events = NULL;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    events = client_call_notified("job.events", json_set_bool(json_object(), "follow", follow), notified, &as_json, &status);
    if (!events)
        return status;
    if (as_json && !follow)
        client_print_json(events);
    for (guint i = 0; !as_json && i < json_length(events); i++)
        show(json_at(events, i), FALSE);
    return 0;
}
