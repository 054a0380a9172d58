/* SPDX-License-Identifier: GPL-2.0-or-later */
/* procfs-remote.c - openMosix's /proc/hpc/remote: what a node has of the jobs of others */
#include "procfs.h"

#include <unistd.h>

static char *show_from(Json *row, Json *nodes)
{
    return procfs_id(nodes, json_get_string(row, "home", ""));
}

static char *show_identity(Json *row, Json *nodes)
{
    g_autofree char *command = g_strdelimit(g_strdup(json_get_string(row, "command", "")), "\r\n", ' ');

    return g_strdup_printf("pid=%" G_GINT64_FORMAT " user=%s name=%s command=%s\n", json_get_int(row, "pid", 0),
                           json_get_string(row, "user", ""), json_get_string(row, "name", ""), command);
}

/* As the first number of /proc/PID/statm: pages; all of it is the guest's, so the others are left out. */
static char *show_statm(Json *row, Json *nodes)
{
    return g_strdup_printf("%" G_GINT64_FORMAT "\n", json_get_int(row, "memory_bytes", 0) / sysconf(_SC_PAGESIZE));
}

static char *show_stats(Json *row, Json *nodes)
{
    return g_strdup_printf("cpu=%.0f nmigs=%" G_GINT64_FORMAT " state=%s\n", json_get_double(row, "cpu_seconds", 0) * sysconf(_SC_CLK_TCK),
                           json_get_int(row, "migrations", 0), json_get_string(row, "state", ""));
}

const ProcfsFile procfs_remote_files[] = {
    { "from", show_from, NULL },   { "identity", show_identity, NULL }, { "statm", show_statm, NULL },
    { "stats", show_stats, NULL }, { NULL, NULL, NULL }
};

Json *procfs_guest(Json *jobs, Json *nodes, const char *of)
{
    const char *self = json_get_string(json_at(nodes, 0), "name", "");
    gint64 pid = g_ascii_strtoll(of, NULL, 10);

    for (guint i = 0; i < json_length(jobs); i++) {
        Json *job = json_at(jobs, i);

        if (json_get_int(job, "pid", 0) == pid && !g_str_equal(json_get_string(job, "home", ""), self))
            return job;
    }
    return NULL;
}
