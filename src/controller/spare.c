/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spare.c - a guest started ahead (see spare.h for the theory) */
#include "spare.h"

#include "common/log.h"
#include "common/rpc.h"
#include "hosted.h"

#include <unistd.h>

#define MEMORY ((guint64)512 << 20)       /* what "sojourn run" asks for when nothing is said */
#define ROOM ((guint64)768 << 20)         /* free memory that one is started with, */
#define SHORT ((guint64)256 << 20)        /* and ended at */
#define AFTER_START_MS 3000               /* of the controller: whoever started it wants a guest now */
#define AFTER_TAKE_MS 150                 /* the job's own start comes first */
#define AFTER_FAILURE_MS 30000
#define QUIET_MS 500                      /* in which it uses less than a tenth of a CPU */

struct Spare {
    Node *node;
    char *id;
    Json *description;
    char *channel_path;
    int channel;                /* -1: libvirt is still starting it */
    guint timer;                /* until it is quiet */
    guint64 cpu_ns;             /* used when it was last looked at */
    gboolean ready;
    gboolean unwanted;          /* dropped while it was being started */
};

/* What makes two guests alike before START. */
static const char *const words[] = {"arch", "accel", "machine", "cpu_model", "qemu", "image"};
static const char *const numbers[] = {"memory_bytes", "cpus", "tsc_khz"};

static gboolean same_shape(Json *a, Json *b)
{
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (!g_str_equal(json_get_string(a, words[i], ""), json_get_string(b, words[i], "")))
            return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (json_get_int(a, numbers[i], 0) != json_get_int(b, numbers[i], 0))
            return FALSE;
    return TRUE;
}

/* The shape of a job that asks for nothing, on this node as it is now; NULL where no guest can be started. */
static Json *usual_shape(Node *node)
{
    const Image *image = node_image(node, "x86_64", NULL);
    Json *shape;

    if (!image)
        return NULL;
    shape = json_set_string(json_object(), "arch", "x86_64");
    json_set_int(shape, "memory_bytes", MEMORY);
    json_set_int(shape, "cpus", 1);
    node_describe(node, shape, image);
    return shape;
}

void spare_guest_clear(SpareGuest *guest)
{
    if (guest->channel >= 0)
        close(guest->channel);
    g_free(guest->channel_path);
    g_free(guest->id);
    *guest = (SpareGuest){.channel = -1};
}

static void spare_free(Spare *spare)
{
    if (spare->timer)
        g_source_remove(spare->timer);
    if (spare->channel >= 0)
        close(spare->channel);
    json_unref(spare->description);
    g_free(spare->channel_path);
    g_free(spare->id);
    g_free(spare);
}

static gboolean look_soon(gpointer user)
{
    Node *node = user;

    node->spare_timer = 0;
    spare_look(node);
    return G_SOURCE_REMOVE;
}

/* Not before so many milliseconds another one. */
static void wait_with_next(Node *node, guint ms)
{
    node->spare_after_us = g_get_monotonic_time() + ms * 1000;
    if (node->spare_timer)
        g_source_remove(node->spare_timer);
    node->spare_timer = g_timeout_add(ms + 1, look_soon, node);
}

/* It says nothing before a deputy has; but when it has booted it has nothing to do. */
static gboolean look_if_quiet(gpointer user)
{
    Spare *spare = user;
    GuestUsage usage;

    if (!guest_usage(spare->node->hv, spare->id, &usage))
        return G_SOURCE_CONTINUE;
    spare->ready = spare->cpu_ns && usage.cpu_ns - spare->cpu_ns < QUIET_MS * 1000000ull / 10;
    spare->cpu_ns = usage.cpu_ns;
    if (!spare->ready)
        return G_SOURCE_CONTINUE;
    spare->timer = 0;
    return G_SOURCE_REMOVE;
}

static void spare_started(GObject *source, GAsyncResult *result, gpointer user)
{
    Spare *spare = user;
    Node *node = spare->node;
    g_autoptr(GError) error = NULL;
    gboolean there = guest_finish(result, &error);

    if (there && !spare->unwanted)
        spare->channel = rpc_connect(spare->channel_path, &error);
    if (spare->channel >= 0) {
        spare->timer = g_timeout_add(QUIET_MS, look_if_quiet, spare);
        return;
    }
    if (!spare->unwanted) {
        log_warning("no guest could be started ahead: %s", error->message);
        wait_with_next(node, AFTER_FAILURE_MS);
    }
    guest_destroy(node->hv, spare->id, NULL, NULL);
    guest_unlink(spare->channel_path);
    if (node->spare == spare)
        node->spare = NULL;
    spare_free(spare);
}

/* shape is taken over. */
static void spare_start(Node *node, Json *shape)
{
    Spare *spare = g_new0(Spare, 1);
    g_autoptr(GError) error = NULL;
    HostedSpec spec;

    spare->node = node;
    spare->id = g_uuid_string_random();
    spare->description = shape;
    spare->channel = -1;
    json_set_bool(shape, "spare", TRUE);
    json_set_string(shape, "id", spare->id);
    if (!hosted_spec(node, shape, 1, &spec, &error)) {
        log_warning("no guest can be started ahead: %s", error->message);
        wait_with_next(node, AFTER_FAILURE_MS);
        spare_free(spare);
        return;
    }
    spare->channel_path = g_strdup(spec.channel_path);
    node->spare = spare;
    guest_start(node->hv, &spec.spec, spare_started, spare);
    hosted_spec_clear(&spec);
}

void spare_drop(Node *node)
{
    Spare *spare = node->spare;

    if (!spare)
        return;
    node->spare = NULL;
    guest_kill(node->hv, spare->id);
    if (spare->channel < 0) { /* spare_started does the rest */
        spare->unwanted = TRUE;
        return;
    }
    guest_destroy(node->hv, spare->id, NULL, NULL);
    guest_unlink(spare->channel_path);
    spare_free(spare);
}

static gboolean somebody_starts(Node *node)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value))
        if (((Hosted *)value)->starting)
            return TRUE;
    return FALSE;
}

void spare_look(Node *node)
{
    gint64 now = g_get_monotonic_time();
    g_autoptr(Json) shape = node->conf->spare_guests && node->accel_known ? usual_shape(node) : NULL;

    if (node->spare && (!shape || !same_shape(shape, node->spare->description) || node_memory_free(node) < SHORT))
        spare_drop(node);
    if (node->spare || !shape || node->stops || !node->adopted || !hypervisor_is_ready(node->hv) ||
        now < MAX(node->spare_after_us, node->started_us + AFTER_START_MS * 1000))
        return;
    if (somebody_starts(node) || node_memory_free(node) < ROOM)
        return;
    spare_start(node, g_steal_pointer(&shape));
}

gboolean spare_take(Node *node, Json *description, SpareGuest *ret_guest)
{
    Spare *spare = node->spare;

    if (!node->conf->spare_guests)
        return FALSE;
    wait_with_next(node, AFTER_TAKE_MS); /* also after a job that gets none: it needs the processors itself */
    if (!spare || spare->channel < 0 || json_get_bool(description, "cold", FALSE) ||
        !same_shape(description, spare->description))
        return FALSE;
    ret_guest->id = g_steal_pointer(&spare->id);
    ret_guest->channel_path = g_steal_pointer(&spare->channel_path);
    ret_guest->channel = spare->channel;
    ret_guest->epoch = 1;
    spare->channel = -1;
    node->spare = NULL;
    spare_free(spare);
    return TRUE;
}

gboolean spare_is(Node *node, const char *id)
{
    return node->spare && g_str_equal(node->spare->id, id);
}

void spare_ended(Node *node, const char *id)
{
    Spare *spare = node->spare;

    if (!spare_is(node, id) || spare->channel < 0)
        return;
    log_warning("the guest that was started ahead has ended");
    node->spare = NULL;
    guest_unlink(spare->channel_path);
    spare_free(spare);
    wait_with_next(node, AFTER_FAILURE_MS);
}

const char *spare_state(Node *node)
{
    return !node->spare ? "none" : node->spare->ready ? "ready" : "starting";
}
