/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vector.c - what a node knows of the load of others (see vector.h for the theory) */
#include "vector.h"

#include <math.h>
#include <string.h>

#define NEWS_AFTER_US (2 * G_USEC_PER_SEC) /* by then the destination counts what was sent to it */

void vector_init(Vector *vector, guint32 self)
{
    memset(vector, 0, sizeof *vector);
    vector->self = self;
}

VectorEntry *vector_find(Vector *vector, guint32 id)
{
    for (guint i = 0; i < vector->count; i++)
        if (vector->ids[i] == id)
            return &vector->entries[i];
    return NULL;
}

static void drop(Vector *vector, VectorEntry *entry)
{
    guint index = entry - vector->entries;

    vector->count--;
    vector->entries[index] = vector->entries[vector->count];
    vector->ids[index] = vector->ids[vector->count];
    vector->times[index] = vector->times[vector->count];
}

static VectorEntry *oldest(Vector *vector)
{
    guint found = 0;

    for (guint i = 1; i < vector->count; i++)
        if (vector->times[i] < vector->times[found])
            found = i;
    return &vector->entries[found];
}

void vector_take(Vector *vector, const VectorEntry *entry)
{
    VectorEntry *place = vector_find(vector, entry->id);
    gint64 promised_us;
    double promised;
    guint64 promised_bytes;

    if (!entry->id || entry->id == vector->self || (place && place->stamp >= entry->stamp))
        return;
    promised_us = place ? place->promised_us : 0;
    promised = place ? place->node.promised : 0;
    promised_bytes = place ? place->node.promised_bytes : 0;
    if (!place && vector->count < VECTOR_WINDOW) {
        place = &vector->entries[vector->count++];
    } else if (!place) {
        place = oldest(vector);
        if (place->at_us > entry->at_us)
            return; /* older than all that is known */
    }
    *place = *entry;
    vector->ids[place - vector->entries] = entry->id;
    vector->times[place - vector->entries] = entry->at_us;
    place->node.promised = place->node.promised_bytes = 0;
    place->promised_us = promised_us;
    if (promised_us && entry->at_us < promised_us + NEWS_AFTER_US) {
        place->node.promised = promised;
        place->node.promised_bytes = promised_bytes;
    }
}

void vector_forget(Vector *vector, guint32 id)
{
    VectorEntry *entry = vector_find(vector, id);

    if (entry)
        drop(vector, entry);
}

void vector_age(Vector *vector, gint64 now_us)
{
    for (guint i = vector->count; i-- > 0;)
        if (now_us - vector->entries[i].at_us > VECTOR_AGE_S * G_USEC_PER_SEC)
            drop(vector, &vector->entries[i]);
}

static int compare_age(const void *a, const void *b)
{
    const VectorEntry *first = *(const VectorEntry *const *)a, *second = *(const VectorEntry *const *)b;

    return (first->at_us < second->at_us) - (first->at_us > second->at_us);
}

guint vector_pick(Vector *vector, const VectorEntry **ret_entries)
{
    const VectorEntry *sorted[VECTOR_WINDOW];
    guint count = MIN(vector->count, VECTOR_WINDOW / 2);

    for (guint i = 0; i < vector->count; i++)
        sorted[i] = &vector->entries[i];
    qsort(sorted, vector->count, sizeof *sorted, compare_age);
    memcpy(ret_entries, sorted, count * sizeof *sorted);
    return count;
}

void vector_promise(Vector *vector, guint32 id, const BalanceJob *job, gint64 now_us)
{
    VectorEntry *entry = vector_find(vector, id);

    if (!entry)
        return;
    entry->node.promised += job->demand;
    entry->node.promised_bytes += job->bytes;
    entry->promised_us = now_us;
}

Json *vector_entry_json(const VectorEntry *entry, const char *name, gint64 now_us)
{
    Json *json = json_set_string(json_object(), "name", name);

    json_set_int(json, "stamp", entry->stamp);
    json_set_int(json, "age_ms", MAX(now_us - entry->at_us, 0) / 1000);
    json_set_double(json, "cpus", entry->node.cpus);
    json_set_double(json, "speed", entry->node.speed);
    json_set_double(json, "demand", round(entry->node.demand * 1000) / 1000);
    json_set_int(json, "memory_total", entry->node.memory_total);
    json_set_int(json, "memory_free", entry->node.memory_free);
    return json_set_bool(json, "takes", entry->node.takes);
}

static gboolean within(double value, double least, double most)
{
    return value >= least && value <= most; /* false for what is no number */
}

gboolean vector_entry_parse(Json *json, gint64 now_us, VectorEntry *ret_entry)
{
    gint64 age_ms = json_get_int(json, "age_ms", -1), stamp = json_get_int(json, "stamp", -1);
    gint64 total = json_get_int(json, "memory_total", -1), free = json_get_int(json, "memory_free", -1);
    VectorEntry entry = {
        .stamp = stamp,
        .at_us = now_us - CLAMP(age_ms, 0, 3600000) * 1000,
        .node = {.cpus = json_get_double(json, "cpus", -1), .speed = json_get_double(json, "speed", -1),
                 .demand = json_get_double(json, "demand", -1), .memory_total = total, .memory_free = free,
                 .takes = json_get_bool(json, "takes", FALSE)},
    };

    if (age_ms < 0 || stamp < 0 || total < 0 || free < 0 || free > total || !within(entry.node.cpus, 0.01, 1e6) ||
        !within(entry.node.speed, 0.0001, 1e4) || !within(entry.node.demand, 0, 1e7))
        return FALSE;
    *ret_entry = entry;
    return TRUE;
}
