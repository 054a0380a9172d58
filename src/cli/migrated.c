/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrated.c - a migration's figures in words */
#include "migrated.h"

#include "client.h"

char *migrated_line(Json *migration)
{
    g_autofree char *sent = client_size(json_get_int(migration, "bytes", 0));
    gint64 downtime = json_get_int(migration, "downtime_ms", -1);
    GString *line = g_string_new(NULL);

    g_string_printf(line, "%s to %s in %" G_GINT64_FORMAT " ms",
                    json_get_string(migration, "from", "?"), json_get_string(migration, "to", "?"),
                    json_get_int(migration, "total_ms", 0));
    if (downtime >= 0)
        g_string_append_printf(line, ", standing still for %" G_GINT64_FORMAT " ms", downtime);
    g_string_append_printf(line, ", %s sent", sent);
    return g_string_free(line, FALSE);
}

char *migrated_expected(Json *expected)
{
    if (!json_is_object(expected))
        return NULL;
    return g_strdup_printf("take %" G_GINT64_FORMAT " ms and to stand still for %" G_GINT64_FORMAT " ms",
                           json_get_int(expected, "total_ms", 0), json_get_int(expected, "downtime_ms", 0));
}
