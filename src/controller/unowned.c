/* SPDX-License-Identifier: GPL-2.0-or-later */
/* unowned.c - a guest that belongs to nobody yet (see unowned.h for the invariants) */
#include "unowned.h"

#include "common/frame.h"
#include "common/log.h"
#include "common/rpc.h"
#include "hosted.h"

#include <errno.h>
#include <unistd.h>

#define REHEARSE_MS 200 /* not taken by then: there is time for it */
#define QUIET_MS 500 /* in which it uses less than a tenth of a CPU */
#define UNSEEN_MAX 20 /* looks in a row that find no process */
#define AFTER_START_MS 3000 /* of the controller: whoever started it wants a guest now */

struct Unowned {
    Node *node;
    char *id;
    Json *shape;
    char *channel_path;
    int channel;    /* -1: libvirt is still starting it */
    guint timer;    /* until it is quiet */
    guint64 cpu_ns; /* used when it was last looked at */
    guint unseen;   /* times in a row that it was not there */
    gboolean unwanted; /* ended while it was being started */
    UnownedTold told;
    gpointer user;
};

void given_guest_clear(GivenGuest *guest)
{
    if (guest->channel >= 0)
        close(guest->channel);
    g_free(guest->channel_path);
    g_free(guest->id);
    *guest = (GivenGuest){.channel = -1};
}

/* The record alone. */
static void unowned_free(Unowned *guest)
{
    g_hash_table_remove(guest->node->unowned, guest->id);
    if (guest->timer)
        g_source_remove(guest->timer);
    if (guest->channel >= 0)
        close(guest->channel);
    json_unref(guest->shape);
    g_free(guest->channel_path);
    g_free(guest->id);
    g_free(guest);
}

static void unowned_lose(Unowned *guest)
{
    if (!guest->unwanted)
        guest->told(guest, FALSE, guest->user);
    guest_unlink(guest->channel_path);
    unowned_free(guest);
}

/* It says nothing before a deputy has; but when it has booted it has nothing to do. */
static gboolean look_if_quiet(gpointer user)
{
    Unowned *guest = user;
    GuestUsage usage;
    guint64 before = guest->cpu_ns;

    if (!guest_usage(guest->node->hv, guest->id, &usage)) {
        if (++guest->unseen < UNSEEN_MAX)
            return G_SOURCE_CONTINUE;
        guest->timer = 0;
        log_warning("a guest that was started ahead has gone unnoticed");
        guest_destroy(guest->node->hv, guest->id, NULL, NULL);
        unowned_lose(guest);
        return G_SOURCE_REMOVE;
    }
    guest->unseen = 0;
    guest->cpu_ns = usage.cpu_ns;
    if (!before || usage.cpu_ns - before >= QUIET_MS * 1000000ull / 10)
        return G_SOURCE_CONTINUE;
    guest->timer = 0;
    guest->told(guest, TRUE, guest->user);
    return G_SOURCE_REMOVE;
}

/* Nobody has taken it yet, so it may do what makes the job's start shorter (guest/agent/rehearse.c). */
static gboolean have_it_rehearse(gpointer user)
{
    Unowned *guest = user;
    guint8 frame[FRAME_HEADER];

    frame_encode_rehearse(frame);
    if (write(guest->channel, frame, sizeof frame) != sizeof frame)
        log_warning("a guest that was started ahead cannot be told that nobody waits for it: %s", g_strerror(errno));
    guest->timer = g_timeout_add(QUIET_MS, look_if_quiet, guest);
    return G_SOURCE_REMOVE;
}

static void unowned_started(GObject *source, GAsyncResult *result, gpointer user)
{
    Unowned *guest = user;
    g_autoptr(GError) error = NULL;
    gboolean there = guest_finish(result, &error);

    if (there && !guest->unwanted)
        guest->channel = rpc_connect_at_once(guest->channel_path, &error);
    if (guest->channel >= 0) {
        guest->timer = g_timeout_add(REHEARSE_MS, have_it_rehearse, guest);
        return;
    }
    if (!guest->unwanted)
        log_warning("no guest could be started ahead: %s", error->message);
    guest_destroy(guest->node->hv, guest->id, NULL, NULL);
    unowned_lose(guest);
}

gboolean unowned_may_start(Node *node, gint64 after_us, guint64 room)
{
    return !node->stops && node->adopted && hypervisor_is_ready(node->hv) &&
           g_get_monotonic_time() >= MAX(after_us, node->started_us + AFTER_START_MS * 1000) && !hosted_any_starts(node) &&
           node_memory_free(node) >= room;
}

Unowned *unowned_start(Node *node, Json *shape, Snapshot *snapshot, UnownedTold told, gpointer user)
{
    g_autofree char *id = g_uuid_string_random();
    g_autoptr(Json) description = json_copy(shape);
    g_autoptr(GError) error = NULL;
    HostedSpec spec;
    Unowned *guest;

    json_set_string(json_set_bool(description, "spare", TRUE), "id", id);
    if (!hosted_spec(node, description, 1, &spec, &error)) {
        log_warning("no guest can be started ahead: %s", error->message);
        return NULL;
    }
    guest = g_new0(Unowned, 1);
    guest->node = node;
    guest->id = g_steal_pointer(&id);
    guest->shape = json_ref(shape);
    guest->channel_path = g_strdup(spec.channel_path);
    guest->channel = -1;
    guest->told = told;
    guest->user = user;
    g_hash_table_insert(node->unowned, guest->id, guest);
    spec.spec.snapshot = snapshot;
    guest_start(node->hv, &spec.spec, unowned_started, guest);
    hosted_spec_clear(&spec);
    return guest;
}

void unowned_hand_over(Unowned *guest, UnownedTold told, gpointer user)
{
    guest->told = told;
    guest->user = user;
}

Json *unowned_shape(const Unowned *guest)
{
    return guest->shape;
}

const char *unowned_channel_path(const Unowned *guest)
{
    return guest->channel_path;
}

gboolean unowned_give(Unowned *guest, GivenGuest *ret_guest)
{
    if (guest->channel < 0)
        return FALSE;
    *ret_guest = (GivenGuest){g_strdup(guest->id), g_strdup(guest->channel_path), guest->channel, 1};
    guest->channel = -1;
    unowned_free(guest);
    return TRUE;
}

void unowned_end(Unowned *guest)
{
    guest_kill(guest->node->hv, guest->id);
    guest->unwanted = TRUE;
    if (guest->channel < 0) /* unowned_started does the rest */
        return;
    guest_destroy(guest->node->hv, guest->id, NULL, NULL);
    unowned_lose(guest);
}

gboolean unowned_is(Node *node, const char *id)
{
    return g_hash_table_contains(node->unowned, id);
}

void unowned_ended(Node *node, const char *id)
{
    Unowned *guest = g_hash_table_lookup(node->unowned, id);

    if (!guest || guest->channel < 0)
        return;
    log_warning("a guest that was started ahead has ended");
    unowned_lose(guest);
}
