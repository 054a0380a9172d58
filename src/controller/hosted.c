/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted.c - the guests on this node: their records (see hosted.h for the theory) */
#include "hosted-private.h"

Ticket *ticket_new(Hosted *hosted)
{
    Ticket *ticket = g_new0(Ticket, 1);

    ticket->node = hosted->owner;
    ticket->id = g_strdup(hosted->id);
    ticket->epoch = hosted->epoch;
    ticket->asked_us = g_get_monotonic_time();
    return ticket;
}

void ticket_free(Ticket *ticket)
{
    g_free(ticket->id);
    g_free(ticket);
}

Hosted *ticket_hosted(Ticket *ticket)
{
    Hosted *hosted = hosted_find(ticket->node, ticket->id);

    return hosted && hosted->epoch == ticket->epoch ? hosted : NULL;
}

char *hosted_channel_path(Node *node, const char *id, guint64 epoch)
{
    return g_strdup_printf("%s/ch/%s.%" G_GUINT64_FORMAT, node->conf->run_dir, id, epoch);
}

Hosted *hosted_find(Node *node, const char *id)
{
    return g_hash_table_lookup(node->hosted, id);
}

Hosted *hosted_new(Node *node, const char *id, guint64 epoch, Json *description, const char *channel_path)
{
    Hosted *hosted = g_new0(Hosted, 1);

    hosted_remove(node, id);
    hosted->owner = node;
    hosted->id = g_strdup(id);
    hosted->epoch = epoch;
    hosted->home = g_strdup(json_get_string(description, "home", node_name(node)));
    hosted->description = json_ref(description);
    hosted->channel_path = g_strdup(channel_path);
    hosted->state = GUEST_UNKNOWN;
    hosted->retry_ms = HOSTED_RETRY_FIRST_MS;
    hosted->demand = json_get_int(description, "cpus", 1);
    hosted->here_us = g_get_monotonic_time();
    g_hash_table_insert(node->hosted, hosted->id, hosted);
    return hosted;
}

void hosted_remove(Node *node, const char *id)
{
    Hosted *hosted = hosted_find(node, id);

    if (!hosted)
        return;
    hosted_unlink(hosted);
    g_hash_table_remove(node->hosted, id);
    guest_unlink(hosted->channel_path);
    g_free(hosted->id);
    g_free(hosted->home);
    g_free(hosted->channel_path);
    json_unref(hosted->description);
    g_free(hosted);
}

gboolean hosted_any_starts(Node *node)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value))
        if (((Hosted *)value)->starting)
            return TRUE;
    return FALSE;
}

Json *hosted_usage(Node *node)
{
    Json *rows = json_array();
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->hosted);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Hosted *hosted = value;
        Json *row = json_set_string(json_object(), "id", hosted->id);

        json_set_int(row, "cpu_ns", hosted->cpu_ns);
        json_set_int(row, "rss_bytes", hosted->rss_bytes);
        json_set_double(row, "demand", ((gint64)(hosted->demand * 1000 + 0.5)) / 1000.0);
        json_set_string(row, "state", guest_state_name(hosted->state));
        json_append(rows, row);
    }
    return rows;
}
