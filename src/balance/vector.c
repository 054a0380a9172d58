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
    vector->oldest = -1;
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

    vector->oldest = -1;
    vector->count--;
    vector->entries[index] = vector->entries[vector->count];
    vector->ids[index] = vector->ids[vector->count];
    vector->times[index] = vector->times[vector->count];
}

static guint oldest(Vector *vector)
{
    if (vector->oldest >= 0)
        return vector->oldest;
    vector->oldest = 0;
    for (guint i = 1; i < vector->count; i++)
        if (vector->times[i] < vector->times[vector->oldest])
            vector->oldest = i;
    return vector->oldest;
}

/* Where news of an unknown node goes; NULL: nowhere, it is older than all that is known. */
static VectorEntry *make_room(Vector *vector, gint64 at_us)
{
    if (vector->count < VECTOR_WINDOW)
        return &vector->entries[vector->count++];
    return vector->times[oldest(vector)] > at_us ? NULL : &vector->entries[oldest(vector)];
}

/* What is promised and when, for the younger news of the same node. */
static void keep_promise(const VectorEntry *before, VectorEntry *news)
{
    gboolean counted = !before->promised_us || news->at_us >= before->promised_us + NEWS_AFTER_US;

    news->promised_us = before->promised_us;
    news->node.promised = counted ? 0 : before->node.promised;
    news->node.promised_bytes = counted ? 0 : before->node.promised_bytes;
}

void vector_take(Vector *vector, const VectorEntry *entry)
{
    VectorEntry *known = vector_find(vector, entry->id), *place, news;

    if (!entry->id || entry->id == vector->self || (known && known->stamp >= entry->stamp))
        return;
    place = known ? known : make_room(vector, entry->at_us);
    if (!place)
        return;
    news = *entry;
    keep_promise(known ? known : &(VectorEntry){0}, &news);
    *place = news;
    vector->ids[place - vector->entries] = entry->id;
    vector->times[place - vector->entries] = entry->at_us;
    vector->oldest = -1;
}

void vector_take_all(Vector *vector, const VectorEntry *entries, guint count)
{
    for (guint i = 0; i < count; i++) {
        if (vector->count == VECTOR_WINDOW && vector->times[oldest(vector)] > entries[i].at_us)
            return;
        vector_take(vector, &entries[i]);
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

/* By insertion: there are few, and this is done by every node of a simulated ten thousand each second. */
guint vector_pick(Vector *vector, const VectorEntry **ret_entries)
{
    guint8 sorted[VECTOR_WINDOW];
    guint count = MIN(vector->count, VECTOR_WINDOW / 2);

    for (guint i = 0; i < vector->count; i++) {
        guint k = i;

        for (; k > 0 && vector->times[sorted[k - 1]] < vector->times[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = i;
    }
    for (guint i = 0; i < count; i++)
        ret_entries[i] = &vector->entries[sorted[i]];
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
