/* SPDX-License-Identifier: GPL-2.0-or-later */
/* template.c - the snapshot from which guests begin (see template.h for the theory) */
#include "template.h"

#include "common/log.h"
#include "shape.h"
#include "spare.h"

#define ROOM ((guint64)1024 << 20) /* free memory that one is made with */

struct Template {
    Node *node;
    Json *shape;
    Unowned *guest;     /* the donor or the trial; NULL: neither */
    Snapshot *snapshot; /* NULL: not yet */
    gboolean saving;    /* the donor is being saved, which ends by itself */
    gboolean ready;
    gboolean dropped;   /* to be freed when that has ended */
};

static void template_free(Template *template)
{
    json_unref(template->shape);
    snapshot_unref(template->snapshot);
    g_free(template);
}

void template_drop(Node *node)
{
    Template *template = node->template;

    if (!template)
        return;
    node->template = NULL;
    node->template_after_us = g_get_monotonic_time() + UNOWNED_AFTER_FAILURE_MS * 1000;
    if (template->guest)
        unowned_end(g_steal_pointer(&template->guest));
    template->dropped = TRUE;
    if (!template->saving)
        template_free(template);
}

static void trial_told(Unowned *guest, gboolean ready, gpointer user)
{
    Template *template = user;

    if (!ready) {
        template->guest = NULL;
        log_warning("guests cannot begin from a snapshot here; they boot");
        template_drop(template->node);
        return;
    }
    template->guest = NULL;
    template->ready = TRUE;
    if (!spare_accept(template->node, guest))
        unowned_end(guest);
    log_info("guests begin from a snapshot of %.1f MiB", snapshot_size(template->snapshot) / 1048576.0);
}

static void donor_saved(Snapshot *snapshot, const GError *error, gpointer user)
{
    Template *template = user;

    template->saving = FALSE;
    template->snapshot = snapshot;
    if (template->dropped) {
        template_free(template);
        return;
    }
    if (template->guest)
        unowned_end(g_steal_pointer(&template->guest));
    if (snapshot)
        template->guest = unowned_start(template->node, template->shape, snapshot, trial_told, template);
    else
        log_warning("no guest could be saved, so guests boot: %s", error->message);
    if (!template->guest)
        template_drop(template->node);
}

static void donor_told(Unowned *guest, gboolean ready, gpointer user)
{
    Template *template = user;

    if (ready) {
        template->saving = TRUE;
        snapshot_save(unowned_channel_path(guest), donor_saved, template);
        return;
    }
    template->guest = NULL;
    if (!template->saving) /* else it will be heard there */
        template_drop(template->node);
}

static void template_start(Node *node, Json *shape)
{
    Template *template = g_new0(Template, 1);

    node->template = template;
    template->node = node;
    template->shape = json_ref(shape);
    template->guest = unowned_start(node, shape, NULL, donor_told, template);
    if (!template->guest)
        template_drop(node);
}

void template_look(Node *node)
{
    gboolean wanted = conf_has_template(node->conf) && node->accel_known && g_str_equal(node->accel, "tcg");
    g_autoptr(Json) shape = wanted ? shape_usual(node) : NULL;
    gboolean spare_first = node->conf->spare_guests && !g_str_equal(spare_state(node), "ready");

    if (node->template && (!shape || !shape_same(shape, node->template->shape) || node_memory_free(node) < UNOWNED_SHORT))
        template_drop(node);
    if (!node->template && shape && !spare_first && unowned_may_start(node, node->template_after_us, ROOM))
        template_start(node, shape);
}

Snapshot *template_for(Node *node, Json *description)
{
    Template *template = node->template;

    return template && template->ready && shape_same(description, template->shape) ? template->snapshot : NULL;
}

const char *template_state(Node *node)
{
    return !node->template ? "none" : node->template->ready ? "ready" : "making";
}
