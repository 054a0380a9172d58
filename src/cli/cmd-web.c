/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-web.c - sojourn web: the address of the HTTP view, with a token that logs its caller in once */
#include "client.h"
#include "cmd.h"
#include "common/log.h"

#include <gio/gio.h>
#include <stdio.h>

/* The browser is given a file of the caller's own that leads to the address: what is in a command line, everybody sees. */
static gboolean open_browser(const char *address, GError **error)
{
    g_autofree char *path = g_build_filename(g_get_user_runtime_dir(), "sojourn-web.html", NULL);
    g_autofree char *text = g_strdup_printf("<!DOCTYPE html><meta charset=\"utf-8\"><title>sojourn</title>"
                                            "<meta http-equiv=\"refresh\" content=\"0; url=%s\">\n", address);
    g_autofree char *uri = NULL;
    g_autoptr(GSubprocess) browser = NULL;

    if (!g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error))
        return FALSE;
    uri = g_filename_to_uri(path, NULL, error);
    if (uri)
        browser = g_subprocess_new(G_SUBPROCESS_FLAGS_NONE, error, "xdg-open", uri, NULL);
    return browser && g_subprocess_wait_check(browser, NULL, error);
}

static int logout(gboolean as_json)
{
    g_autoptr(Json) result = NULL;
    gint64 sessions;
    int status;

    result = client_call("web.logout", NULL, 30000, &status);
    if (!result)
        return status;
    sessions = json_get_int(result, "sessions", 0);
    if (as_json)
        client_print_json(result);
    else
        printf("%" G_GINT64_FORMAT " session%s ended.\n", sessions, sessions == 1 ? "" : "s");
    return 0;
}

int cmd_web(int argc, char **argv)
{
    gboolean as_json = FALSE, opens = FALSE, ends = FALSE;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "open", 'o', 0, G_OPTION_ARG_NONE, &opens, "Open it in the browser", NULL },
        { "logout", 0, 0, G_OPTION_ARG_NONE, &ends, "End all your sessions there", NULL },
        { NULL }
    };
    g_autoptr(Json) result = NULL;
    g_autoptr(GError) error = NULL;
    const char *address;
    int status;

    if (!client_words(&argc, &argv, options, 0, 0))
        return 2;
    if (ends)
        return logout(as_json);
    result = client_call("web.token", NULL, 30000, &status);
    if (!result)
        return status;
    address = json_get_string(result, "address", "");
    if (opens) {
        if (open_browser(address, &error))
            return 0;
        log_error("The browser cannot be opened: %s; open the address yourself", error->message);
    }
    if (as_json)
        client_print_json(result);
    else
        puts(address);
    return opens ? 1 : 0;
}
