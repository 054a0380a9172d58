/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-migrate.c - sojourn migrate and home: move a job, and say how it went */
#include "client.h"
#include "cmd.h"
#include "group.h"
#include "common/log.h"
#include "migrated.h"
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

/* Only to a person: a script has asked for the move and not for a guess. */
static void say_expected(const char *job, Json *expected)
{
    g_autofree char *text = migrated_expected(expected);

    if (text && isatty(STDERR_FILENO) && isatty(STDOUT_FILENO))
        fprintf(stderr, "Job %s is expected to %s.\n", job, text);
}

static void on_progress(const char *method, Json *params, gpointer user)
{
    const char *job = user;

    if (!g_str_equal(method, "progress"))
        return;
    if (!g_str_equal(json_get_string(params, "phase", ""), "expected"))
        progress_show(json_get_string(params, "phase", ""), json_get_int(params, "bytes_done", 0),
                      json_get_int(params, "bytes_total", 0));
    else if (g_str_has_prefix(json_get_string(params, "job", ""), job) || g_str_equal(json_get_string(params, "name", ""), job))
        say_expected(job, json_get(params, "expected"));
}

static int migrate(const char *job, const char *node, gboolean as_json)
{
    g_autoptr(Json) result = NULL;
    int status;

    result = client_call_notified("job.migrate", json_set_string(client_job(job), "node", node),
                                  on_progress, (gpointer) job, &status);
    progress_clear();
    if (!result)
        return status;
    if (as_json) {
        client_print_json(result);
    } else if (json_get_bool(result, "there", FALSE)) {
        printf("Job %s is on %s already.\n", job, json_get_string(result, "to", node));
    } else {
        g_autofree char *line = migrated_line(result);

        printf("Job %s moved from %s.\n", job, line);
    }
    return 0;
}

int cmd_migrate(int argc, char **argv)
{
    gboolean as_json = FALSE;
    g_autofree char *group = NULL, *node = NULL;
    const GOptionEntry options[] = {
        OPTION_JSON(&as_json),
        { "group", 'g', 0, G_OPTION_ARG_STRING, &group, "All jobs of this group; only the node is named then", "GROUP" },
        { NULL }
    };

    if (!client_words(&argc, &argv, options, 1, G_MAXINT))
        return 2;
    if ((argc > 2) == (group != NULL)) {
        log_error(group ? "with a group the node alone is named" : "migrate: which job, and where to?");
        return client_usage("migrate");
    }
    if (group)
        return group_migrate_all(group, argv[1], as_json);
    if (argc == 3)
        return migrate(argv[1], argv[2], as_json);
    node = g_strdup(argv[argc - 1]);
    argv[argc - 1] = NULL;
    return group_migrate((const char *const *) argv + 1, node, as_json);
}

int cmd_home(int argc, char **argv)
{
    gboolean as_json = FALSE;
    const GOptionEntry options[] = { OPTION_JSON(&as_json), { NULL } };

    if (!client_words(&argc, &argv, options, 1, G_MAXINT))
        return 2;
    return argc == 2 ? migrate(argv[1], "home", as_json) : group_migrate((const char *const *) argv + 1, "home", as_json);
}
