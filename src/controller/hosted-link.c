/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted-link.c - the link of a guest to its home: dialled by its host, or, at home, given to the deputy itself */
#include "hosted-private.h"

#include "common/log.h"
#include "common/rpc.h"
#include "jobs.h"

#include <unistd.h>

#define RETRY_MAX_MS 2000

static gboolean hosted_retry(gpointer user)
{
    Hosted *hosted = user;

    hosted->retry = 0;
    hosted_link(hosted);
    return G_SOURCE_REMOVE;
}

static void hosted_link_later(Hosted *hosted)
{
    if (!hosted->wanted || hosted->retry)
        return;
    hosted->retry = g_timeout_add(hosted->retry_ms, hosted_retry, hosted);
    hosted->retry_ms = MIN(hosted->retry_ms * 2, RETRY_MAX_MS);
}

static void hosted_relay_ended(Relay *relay, guint64 from_guest, guint64 to_guest, gpointer user)
{
    Hosted *hosted = user;

    hosted->relay = NULL;
    log_debug("job %s: the link of epoch %" G_GUINT64_FORMAT " broke", hosted->id, hosted->epoch);
    if (from_guest + to_guest)
        hosted->retry_ms = HOSTED_RETRY_FIRST_MS;
    hosted_link_later(hosted);
    if (!hosted->busy)
        hosted_doubt(hosted);
}

static void hosted_dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    Ticket *ticket = user;
    Hosted *hosted = ticket_hosted(ticket);
    g_autoptr(GError) error = NULL;
    int plain = cluster_dial_finish(result, &error), channel;

    if (!hosted || !hosted->wanted) {
        if (plain >= 0)
            close(plain);
    } else if (plain < 0) {
        hosted->dialling = FALSE;
        log_debug("job %s: no link to its home %s: %s", hosted->id, hosted->home, error->message);
        hosted_link_later(hosted);
        if (!hosted->busy)
            hosted_doubt(hosted);
    } else {
        hosted->dialling = FALSE;
        channel = rpc_connect_at_once(hosted->channel_path, NULL);
        if (channel >= 0) {
            hosted->relay = relay_new(channel, plain, RELAY_PLAIN, hosted_relay_ended, hosted);
        } else {
            close(plain);
            hosted_link_later(hosted);
        }
    }
    ticket_free(ticket);
}

/* At home the deputy gets the channel itself: nothing stands in between. */
static void hosted_give(Hosted *hosted, Job *job, int channel)
{
    hosted->given = TRUE;
    job_link(hosted->owner, job, hosted->epoch, hosted->home, channel);
}

static void hosted_link_here(Hosted *hosted)
{
    Job *job = job_find(hosted->owner, hosted->id);
    int channel;

    if (!job || hosted->given)
        return;
    channel = rpc_connect_at_once(hosted->channel_path, NULL);
    if (channel >= 0)
        hosted_give(hosted, job, channel);
    else
        hosted_link_later(hosted);
}

void hosted_link_by(Hosted *hosted, int channel)
{
    Job *job = job_find(hosted->owner, hosted->id);

    hosted->wanted = TRUE;
    if (job && !hosted->given)
        hosted_give(hosted, job, channel);
    else
        close(channel);
}

void hosted_link(Hosted *hosted)
{
    Json *preamble;

    hosted->wanted = TRUE;
    if (g_str_equal(hosted->home, node_name(hosted->owner))) {
        hosted_link_here(hosted);
        return;
    }
    if (hosted->relay || hosted->dialling || hosted->retry)
        return;
    hosted->dialling = TRUE;
    preamble = json_set_string(json_object(), "purpose", "link");
    json_set_string(preamble, "job", hosted->id);
    json_set_int(preamble, "epoch", hosted->epoch);
    cluster_dial(hosted->owner->cluster, hosted->home, preamble, 5000, hosted_dialled, ticket_new(hosted));
}

void hosted_link_again(Node *node, const char *id)
{
    Hosted *hosted = hosted_find(node, id);

    if (!hosted || !hosted->given)
        return;
    hosted->given = FALSE;
    hosted_link_later(hosted);
}

void hosted_unlink(Hosted *hosted)
{
    hosted->wanted = FALSE;
    hosted->given = FALSE;
    hosted->dialling = FALSE;
    if (hosted->retry)
        g_source_remove(hosted->retry);
    hosted->retry = 0;
    if (hosted->relay)
        relay_cut(hosted->relay, TRUE);
    hosted->relay = NULL;
}
