/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat-group.c - joingroup, migrategroup, resetgroup, showgroup: jobs that move together, by PID */
#include "client.h"
#include "compat.h"
#include "group.h"

#include <stdio.h>

static int set_group(const char *job, const char *group)
{
    int status;
    g_autoptr(Json) result = client_call("job.group", json_set_string(client_job(job), "group", group), 30000, &status);

    return result ? 0 : 1;
}

int compat_joingroup(int argc, char **argv)
{
    int worst = 0;

    if (argc < 3)
        return compat_usage("joingroup");
    for (int i = 1; i < argc - 1; i++)
        worst |= set_group(argv[i], argv[argc - 1]);
    return worst;
}

/* Its jobs have none any more. */
int compat_resetgroup(int argc, char **argv)
{
    g_autoptr(Json) members = NULL;
    int status, worst = 0;

    if (argc != 2)
        return compat_usage("resetgroup");
    members = group_jobs(argv[1], &status);
    for (guint i = 0; i < json_length(members); i++)
        worst |= set_group(json_get_string(json_at(members, i), "id", ""), "");
    return members ? worst : 1;
}

int compat_showgroup(int argc, char **argv)
{
    g_autoptr(Json) members = NULL;
    int status;

    if (argc != 2)
        return compat_usage("showgroup");
    members = group_jobs(argv[1], &status);
    for (guint i = 0; i < json_length(members); i++)
        printf("%" G_GINT64_FORMAT "\n", json_get_int(json_at(members, i), "pid", 0));
    return members ? 0 : 1;
}

int compat_migrategroup(int argc, char **argv)
{
    g_autofree char *to = NULL;

    if (argc != 3)
        return compat_usage("migrategroup");
    to = compat_place(argv[2]);
    return to && group_migrate_all(argv[1], to, FALSE) == 0 ? 0 : 1;
}
