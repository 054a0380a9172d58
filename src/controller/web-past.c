/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-past.c - load and memory of the nodes in the last half hour (see web-past.h) */
#include "web-past.h"

#define ABSENT -1

typedef struct {
    gint32 load[WEB_PAST_STEPS], used[WEB_PAST_STEPS]; /* by step, modulo WEB_PAST_STEPS */
    guint64 seen;                                      /* the last step that has it */
} Series;

struct WebPast {
    guint64 steps;      /* that have been noted */
    GHashTable *nodes;  /* name → Series */
};

WebPast *web_past_new(void)
{
    WebPast *past = g_new0(WebPast, 1);

    past->nodes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return past;
}

void web_past_free(WebPast *past)
{
    g_hash_table_unref(past->nodes);
    g_free(past);
}

static Series *series_of(WebPast *past, const char *name)
{
    Series *series = g_hash_table_lookup(past->nodes, name);

    if (series)
        return series;
    series = g_new0(Series, 1);
    for (guint i = 0; i < WEB_PAST_STEPS; i++)
        series->load[i] = series->used[i] = ABSENT;
    g_hash_table_insert(past->nodes, g_strdup(name), series);
    return series;
}

/* It was not there in any step that is still shown. */
static gboolean is_forgotten(gpointer name, gpointer value, gpointer past)
{
    return ((WebPast *)past)->steps - ((Series *)value)->seen >= WEB_PAST_STEPS;
}

static void absent(gpointer name, gpointer value, gpointer past)
{
    guint at = ((WebPast *)past)->steps % WEB_PAST_STEPS;

    ((Series *)value)->load[at] = ((Series *)value)->used[at] = ABSENT;
}

void web_past_add(WebPast *past, Json *rows)
{
    guint at = past->steps % WEB_PAST_STEPS;

    g_hash_table_foreach(past->nodes, absent, past);
    for (guint i = 0; i < json_length(rows); i++) {
        Json *row = json_at(rows, i);
        const char *state = json_get_string(row, "state", "");
        gint64 used = json_get_int(row, "memory_total_bytes", 0) - json_get_int(row, "memory_free_bytes", 0);
        Series *series;

        if (!g_str_equal(state, "alive") && !g_str_equal(state, "blocked"))
            continue;
        series = series_of(past, json_get_string(row, "name", ""));
        series->load[at] = CLAMP(json_get_double(row, "load", 0) * 100 + 0.5, 0, G_MAXINT32);
        series->used[at] = CLAMP(used >> 20, 0, G_MAXINT32);
        series->seen = past->steps;
    }
    past->steps++;
    g_hash_table_foreach_remove(past->nodes, is_forgotten, past);
}

static Json *numbers(const WebPast *past, const gint32 *values)
{
    guint64 first = past->steps > WEB_PAST_STEPS ? past->steps - WEB_PAST_STEPS : 0;
    Json *array = json_array();

    for (guint64 step = first; step < past->steps; step++) {
        gint32 value = values[step % WEB_PAST_STEPS];

        json_append(array, value == ABSENT ? json_string(NULL) : json_int(value));
    }
    return array;
}

Json *web_past_json(const WebPast *past)
{
    Json *nodes = json_object();
    GHashTableIter i;
    gpointer name, value;

    g_hash_table_iter_init(&i, past->nodes);
    while (g_hash_table_iter_next(&i, &name, &value)) {
        Json *row = json_set(json_object(), "load", numbers(past, ((Series *)value)->load));

        json_set(nodes, name, json_set(row, "used", numbers(past, ((Series *)value)->used)));
    }
    return json_set(json_set_int(json_object(), "step_s", WEB_PAST_STEP_S), "nodes", nodes);
}
