/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job-text.c - what openMosix's files said of a process, said of a job */
#include "job-text.h"

char *job_text_lock(Json *job)
{
    return g_strdup(json_get_bool(job, "locked", FALSE) ? "1\n" : "0\n");
}

char *job_text_migrations(Json *job)
{
    return g_strdup_printf("%" G_GINT64_FORMAT "\n", json_get_int(job, "migrations", 0));
}

char *job_text_stay(Json *job)
{
    Json *reasons = json_get(job, "stay");
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < json_length(reasons); i++)
        g_string_append_printf(text, "%s: %s\n", json_get_string(json_at(reasons, i), "code", ""),
                               json_get_string(json_at(reasons, i), "text", ""));
    return g_string_free(text, FALSE);
}
