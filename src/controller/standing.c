/* SPDX-License-Identifier: GPL-2.0-or-later */
/* standing.c - an administrator's standing orders to this node (see standing.h) */
#include "standing.h"

#include "common/error.h"
#include "common/log.h"

#define SPEED_MAX 1000000

static char *file_of(const Conf *conf)
{
    return g_build_filename(conf->state_dir, "standing.json", NULL);
}

static Standing with(const Standing *old, Json *params)
{
    Standing changed = {
        .stay = json_get_bool(params, "stay", old->stay),
        .stay_own = json_get_bool(params, "stay_own", old->stay_own),
        .block = json_get_bool(params, "block", old->block),
        .quiet = json_get_bool(params, "quiet", old->quiet),
        .speed = json_get_int(params, "speed", old->speed),
    };

    g_strlcpy(changed.map, json_get_string(params, "map", old->map), sizeof changed.map);
    return changed;
}

static gboolean check_speed(Json *params, GError **error)
{
    gint64 speed = json_get_int(params, "speed", 0);

    if (!json_has(params, "speed") || (speed >= 0 && speed <= SPEED_MAX))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "A speed is from 1 to %d (10000 is the reference), or 0 for the setting's",
                SPEED_MAX);
    return FALSE;
}

void standing_show(const Standing *standing, Json *row)
{
    json_set_bool(row, "stay", standing->stay);
    json_set_bool(row, "stay_own", standing->stay_own);
    json_set_bool(row, "block", standing->block);
    json_set_bool(row, "quiet", standing->quiet);
    if (*standing->map)
        json_set_string(row, "map", standing->map);
}

void standing_load(Standing *standing, const Conf *conf)
{
    g_autofree char *file = file_of(conf);
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) json = NULL;
    const Standing none = {0};

    *standing = none;
    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return;
    json = json_load(file, &error);
    if (json && check_speed(json, &error))
        *standing = with(&none, json);
    else
        log_warning("the standing orders of this node cannot be read, none is followed: %s", error->message);
}

gboolean standing_change(Standing *standing, const Conf *conf, Json *params, GError **error)
{
    g_autofree char *file = file_of(conf);
    g_autoptr(Json) json = json_object();
    Standing changed;

    if (!check_speed(params, error))
        return FALSE;
    changed = with(standing, params);
    standing_show(&changed, json);
    if (!json_save(json_set_int(json, "speed", changed.speed), file, 0644, error))
        return FALSE;
    *standing = changed;
    return TRUE;
}
