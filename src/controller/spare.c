/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spare.c - a guest started ahead (see spare.h for the theory) */
#include "spare.h"

#include "shape.h"
#include "template.h"

#define ROOM ((guint64)768 << 20) /* free memory that one is started with */
#define AFTER_TAKE_MS 150         /* the job's own start comes first */

struct Spare {
    Unowned *guest;
    gboolean booted; /* not begun from a snapshot */
    gboolean ready;
};

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

/* The record alone. */
static void spare_forget(Node *node)
{
    g_clear_pointer(&node->spare, g_free);
}

static void spare_told(Unowned *guest, gboolean ready, gpointer user)
{
    Node *node = user;

    if (ready) {
        node->spare->ready = TRUE;
        return;
    }
    if (!node->spare->booted && !node->spare->ready)
        template_drop(node);
    spare_forget(node);
    wait_with_next(node, UNOWNED_AFTER_FAILURE_MS);
}

static void spare_start(Node *node, Json *shape)
{
    Snapshot *snapshot = template_for(node, shape);
    Unowned *guest = unowned_start(node, shape, snapshot, spare_told, node);

    if (!guest) {
        wait_with_next(node, UNOWNED_AFTER_FAILURE_MS);
        return;
    }
    node->spare = g_new0(Spare, 1);
    node->spare->guest = guest;
    node->spare->booted = !snapshot;
}

void spare_drop(Node *node)
{
    if (!node->spare)
        return;
    unowned_end(node->spare->guest);
    spare_forget(node);
}

gboolean spare_accept(Node *node, Unowned *guest)
{
    if (!node->conf->spare_guests || (node->spare && !node->spare->booted))
        return FALSE;
    spare_drop(node);
    unowned_hand_over(guest, spare_told, node);
    node->spare = g_new0(Spare, 1);
    node->spare->guest = guest;
    node->spare->ready = TRUE;
    return TRUE;
}

void spare_look(Node *node)
{
    g_autoptr(Json) shape = node->conf->spare_guests && node->accel_known ? shape_usual(node) : NULL;

    if (node->spare &&
        (!shape || !shape_same(shape, unowned_shape(node->spare->guest)) || node_memory_free(node) < UNOWNED_SHORT))
        spare_drop(node);
    if (!node->spare && shape && unowned_may_start(node, node->spare_after_us, ROOM))
        spare_start(node, shape);
}

gboolean spare_take(Node *node, Json *description, GivenGuest *ret_guest)
{
    Spare *spare = node->spare;

    if (!node->conf->spare_guests)
        return FALSE;
    wait_with_next(node, AFTER_TAKE_MS); /* also after a job that gets none: it needs the processors itself */
    if (!spare || json_get_bool(description, "cold", FALSE) || !shape_same(description, unowned_shape(spare->guest)) ||
        !unowned_give(spare->guest, ret_guest))
        return FALSE;
    spare_forget(node);
    return TRUE;
}

const char *spare_state(Node *node)
{
    return !node->spare ? "none" : node->spare->ready ? "ready" : "starting";
}
