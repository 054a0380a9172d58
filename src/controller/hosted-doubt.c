/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted-doubt.c - whether home wants a guest: asked when the host is not sure, obeyed, and what follows from silence */
#include "hosted-private.h"

#include "common/log.h"
#include "departure.h"

#define CANCEL_MS 2000 /* libvirt gets so long to give up a migration of a guest that is to end */

static gboolean hosted_ask_again(gpointer user)
{
    Ticket *ticket = user;
    Hosted *hosted = ticket_hosted(ticket);

    if (hosted)
        hosted_doubt(hosted);
    ticket_free(ticket);
    return G_SOURCE_REMOVE;
}

static void hosted_ask(Hosted *hosted, gboolean settle);

static void hosted_ordered(GObject *source, GAsyncResult *result, gpointer user)
{
    Ticket *ticket = user;
    Hosted *hosted = ticket_hosted(ticket);
    g_autoptr(GError) error = NULL;

    if (!guest_finish(result, &error))
        log_warning("job %s: %s", ticket->id, error->message);
    if (hosted)
        hosted->ordered = FALSE;
    if (hosted && error) /* libvirtd was away, perhaps: home says again what is to be done */
        g_timeout_add(1000, hosted_ask_again, ticket);
    else
        ticket_free(ticket);
}

static void hosted_end(Hosted *hosted)
{
    hosted->ordered = TRUE;
    guest_destroy(hosted->owner->hv, hosted->id, hosted_ordered, ticket_new(hosted));
}

/* It was not given up in time. */
static gboolean hosted_insist(gpointer user)
{
    Ticket *ticket = user;
    Hosted *hosted = ticket_hosted(ticket);

    if (hosted && hosted->busy && hosted->doomed)
        hosted_end(hosted);
    ticket_free(ticket);
    return G_SOURCE_REMOVE;
}

/* libvirt 9.0 follows a null pointer when a guest ends while it gives up the migration of it, and the other migrations of the
 * node are lost with it. So it has to give up first; departure.c calls this again when it has. */
void hosted_destroy(Hosted *hosted)
{
    hosted->doomed = TRUE;
    hosted_unlink(hosted);
    if (hosted->busy && departure_cancel(hosted->owner, hosted->id))
        g_timeout_add(CANCEL_MS, hosted_insist, ticket_new(hosted));
    else
        hosted_end(hosted);
}

static void hosted_obey(Hosted *hosted, Verdict verdict, const VerdictTruth *truth)
{
    Node *node = hosted->owner;

    if (verdict != VERDICT_LEAVE)
        log_info("job %s: guest of epoch %" G_GUINT64_FORMAT " in doubt: %s", hosted->id, hosted->epoch,
                 verdict_name(verdict));
    hosted->ordered |= verdict == VERDICT_RESUME || verdict == VERDICT_SUSPEND || verdict == VERDICT_DESTROY;
    switch (verdict) {
    case VERDICT_RESUME:
        guest_resume(node->hv, hosted->id, hosted_ordered, ticket_new(hosted));
        hosted_link(hosted);
        break;
    case VERDICT_SUSPEND:
        guest_suspend(node->hv, hosted->id, hosted_ordered, ticket_new(hosted));
        break;
    case VERDICT_DESTROY:
        hosted_destroy(hosted);
        break;
    case VERDICT_SETTLE:
        hosted_ask(hosted, TRUE);
        break;
    case VERDICT_ASK:
        g_timeout_add(1000, hosted_ask_again, ticket_new(hosted));
        break;
    case VERDICT_LEAVE:
        if (truth->home == VERDICT_HOME_KNOWS && truth->epoch == hosted->epoch &&
            g_str_equal(truth->node, node_name(node)))
            hosted_link(hosted);
        break;
    case VERDICT_LAST:
        break;
    }
}

/* What an answer to job.truth means; the strings are the answer's. */
static VerdictTruth truth_of(Json *result, const GError *error)
{
    VerdictTruth truth = {.home = VERDICT_HOME_SILENT, .node = ""};

    if (error)
        return truth;
    truth.home = json_get_bool(result, "known", FALSE) ? VERDICT_HOME_KNOWS : VERDICT_HOME_NO_JOB;
    truth.node = json_get_string(result, "node", "");
    truth.epoch = json_get_int(result, "epoch", 0);
    truth.expected_epoch = json_get_int(result, "expected_epoch", 0);
    return truth;
}

static void hosted_silence(Hosted *hosted, gboolean silent)
{
    if (silent && !hosted->silent_since_us)
        hosted->silent_since_us = g_get_monotonic_time();
    if (silent)
        return;
    hosted->silent_since_us = 0;
    if (hosted->orphan) {
        log_info("job %s: its home %s is back", hosted->id, hosted->home);
        hosted->orphan = hosted->held = FALSE;
    }
}

static void hosted_truth(const char *from, Json *result, const GError *error, gpointer user)
{
    Ticket *ticket = user;
    Hosted *hosted = ticket_hosted(ticket);
    VerdictTruth truth = truth_of(result, error);

    if (hosted) {
        VerdictHere here = {node_name(hosted->owner), hosted->state, hosted->busy, hosted->held, hosted->epoch};

        hosted->asking = FALSE;
        hosted_silence(hosted, truth.home == VERDICT_HOME_SILENT);
        if (!hosted->orphan)
            here.held = hosted->held;
        if (ticket->asked_us < hosted->busy_until_us)
            hosted_doubt(hosted);
        else
            hosted_obey(hosted, verdict_host(&here, &truth), &truth);
    }
    ticket_free(ticket);
}

static void hosted_ask(Hosted *hosted, gboolean settle)
{
    Json *params = json_set_string(json_object(), "job", hosted->id);

    hosted->asking = TRUE;
    json_set_int(params, "epoch", hosted->epoch);
    cluster_call(hosted->owner->cluster, hosted->home, "job.truth", json_set_bool(params, "settle", settle), 5000,
                 hosted_truth, ticket_new(hosted));
}

void hosted_doubt(Hosted *hosted)
{
    if (!hosted->asking)
        hosted_ask(hosted, FALSE);
}

/* Seconds since home was last heard. */
static guint64 silent_for(const Hosted *hosted)
{
    return hosted->silent_since_us ? (g_get_monotonic_time() - hosted->silent_since_us) / G_USEC_PER_SEC : 0;
}

static Verdict orphan_verdict(const Hosted *hosted, gboolean suspended)
{
    const Conf *conf = hosted->owner->conf;
    const char *policy = json_get_string(hosted->description, "orphan", "");
    guint suspend_s = conf->orphan_suspend_s, end_s = conf->orphan_end_s;

    if (!hosted->silent_since_us)
        return VERDICT_LEAVE;
    if (g_str_equal(policy, "keep"))
        suspend_s = end_s = 0;
    else if (g_str_equal(policy, "end"))
        end_s = suspend_s;
    return verdict_orphan(silent_for(hosted), suspend_s, end_s, suspended);
}

gboolean hosted_forsaken(const Hosted *hosted)
{
    return orphan_verdict(hosted, TRUE) == VERDICT_DESTROY;
}

static void hosted_orphaned(Hosted *hosted)
{
    Verdict verdict = hosted->busy ? VERDICT_LEAVE : orphan_verdict(hosted, hosted->held);
    guint silent_s = silent_for(hosted);

    if (verdict == VERDICT_SUSPEND) {
        log_warning("job %s: its home %s has been silent for %u s: frozen", hosted->id, hosted->home, silent_s);
        hosted->held = hosted->orphan = TRUE;
        guest_suspend(hosted->owner->hv, hosted->id, NULL, NULL);
    } else if (verdict == VERDICT_DESTROY) {
        log_warning("job %s: its home %s has been silent for %u s: ended", hosted->id, hosted->home, silent_s);
        guest_destroy(hosted->owner->hv, hosted->id, NULL, NULL);
    }
}

void hosted_seen(Hosted *hosted, GuestState state)
{
    hosted->missed = 0;
    hosted->state = state;
    hosted_orphaned(hosted);
    if (hosted->silent_since_us || !cluster_is_alive(hosted->owner->cluster, hosted->home) ||
        (state == GUEST_PAUSED && !hosted->busy && !hosted->held && !hosted->starting))
        hosted_doubt(hosted);
}
