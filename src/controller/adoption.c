/* SPDX-License-Identifier: GPL-2.0-or-later */
/* adoption.c - libvirt's guests compared with the controller's records (see adoption.h for the theory) */
#include "adoption.h"

#include "calls.h"
#include "common/error.h"
#include "common/log.h"
#include "hosted.h"
#include "unowned.h"

#define MISSED_MAX 2 /* lists in a row that a guest may be missing in */

static gboolean is_known(Node *node, const char *id)
{
    return unowned_is(node, id) || hosted_find(node, id);
}

static void adopt(Node *node, const GuestInfo *info)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) description = info->description ? json_parse(info->description, -1, &error) : NULL;
    Hosted *hosted;

    if (!description || !info->channel_path) {
        log_warning("guest %s has no description that can be read: destroyed", info->id);
        guest_destroy(node->hv, info->id, NULL, NULL);
        return;
    }
    if (json_get_bool(description, "spare", FALSE)) {
        log_info("guest %s was started ahead by an earlier controller: destroyed", info->id);
        guest_destroy(node->hv, info->id, NULL, NULL);
        guest_unlink(info->channel_path);
        return;
    }
    log_info("job %s: its guest (epoch %" G_GUINT64_FORMAT ", %s) is taken over", info->id, info->epoch,
             guest_state_name(info->state));
    hosted = hosted_new(node, info->id, info->epoch, description, info->channel_path);
    hosted->state = info->state;
    hosted_doubt(hosted);
}

static void answered(GObject *source, GAsyncResult *result, gpointer user)
{
    Node *node = user;
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestInfo) info = guest_query_finish(result, &error);

    node->adopting--;
    if (!info) {
        log_warning("%s", error->message); /* the next list has it again */
        return;
    }
    if (info->state != GUEST_ENDED && !is_known(node, info->id))
        adopt(node, info);
    if (!node->adopting)
        node->adopted = TRUE;
}

/* A record that libvirt has no guest for, too often: its end was not heard of. */
static void count_missing(Node *node)
{
    g_autoptr(GList) records = g_hash_table_get_values(node->hosted);

    for (GList *i = records; i; i = i->next) {
        Hosted *hosted = i->data;

        if (!hosted->busy && !hosted->starting && ++hosted->missed > MISSED_MAX)
            calls_guest_ended(node, hosted->id, "lost");
    }
}

static void listed(GObject *source, GAsyncResult *result, gpointer user)
{
    Node *node = user;
    g_autoptr(GPtrArray) guests = guest_list_finish(result, NULL);
    gboolean idle = !node->adopting;

    if (!guests)
        return;
    for (guint i = 0; i < guests->len; i++) {
        const GuestInfo *info = guests->pdata[i];
        Hosted *hosted = hosted_find(node, info->id);

        if (hosted)
            hosted_seen(hosted, info->state);
        else if (idle && !is_known(node, info->id) && !guest_is_ending(node->hv, info->id)) {
            node->adopting++;
            guest_query(node->hv, info->id, answered, node);
        }
    }
    count_missing(node);
    node->adopted = node->adopted || !node->adopting;
}

void adoption_look(Node *node)
{
    if (hypervisor_is_ready(node->hv))
        guest_list(node->hv, listed, node);
}
