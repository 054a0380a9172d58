/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted.c - the guests on this node: records, links, doubts (see hosted.h for the theory) */
#include "hosted.h"

#include "calls.h"
#include "common/error.h"
#include "common/log.h"
#include "common/rpc.h"
#include "departure.h"
#include "jobs.h"
#include "template.h"

#include <string.h>
#include <unistd.h>

#define RETRY_FIRST_MS 50
#define RETRY_MAX_MS 2000
#define CANCEL_MS 2000 /* libvirt gets so long to give up a migration of a guest that is to end */

/* A guest that an answer is for, looked up again when the answer comes: it may be gone, or be another incarnation. */
typedef struct {
    Node *node;
    char *id;
    guint64 epoch;
    gint64 asked_us;
} Ticket;

static Ticket *ticket_new(Hosted *hosted)
{
    Ticket *ticket = g_new0(Ticket, 1);

    ticket->node = hosted->owner;
    ticket->id = g_strdup(hosted->id);
    ticket->epoch = hosted->epoch;
    ticket->asked_us = g_get_monotonic_time();
    return ticket;
}

static void ticket_free(Ticket *ticket)
{
    g_free(ticket->id);
    g_free(ticket);
}

static Hosted *ticket_hosted(Ticket *ticket)
{
    Hosted *hosted = hosted_find(ticket->node, ticket->id);

    return hosted && hosted->epoch == ticket->epoch ? hosted : NULL;
}

/* Records */

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
    hosted->retry_ms = RETRY_FIRST_MS;
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

/* Start */

gboolean hosted_spec(Node *node, Json *description, guint64 epoch, HostedSpec *ret_spec, GError **error)
{
    const char *id = json_get_string(description, "id", "");
    const char *arch = json_get_string(description, "arch", "x86_64");
    const Image *image = node_image(node, arch, error);
    HostedSpec spec = {0};

    if (!image)
        return FALSE;
    spec.channel_path = hosted_channel_path(node, id, epoch);
    spec.console_path = g_strdup_printf("%s/log/%s.console", node->conf->run_dir, id);
    spec.text = json_print(description);
    spec.spec = (GuestSpec){
        .id = id,
        .epoch = epoch,
        .arch = arch,
        .memory_bytes = json_get_int(description, "memory_bytes", 0),
        .cpus = json_get_int(description, "cpus", 1),
        .accel = json_get_string(description, "accel", "tcg"),
        .cpu_model = json_get_string(description, "cpu_model", ""),
        .machine = json_get_string(description, "machine", "microvm"),
        .kernel = image->kernel,
        .initramfs = image->initramfs,
        .cmdline = image->cmdline,
        .tsc_khz = json_get_int(description, "tsc_khz", 0),
        .channel_path = spec.channel_path,
        .console_path = spec.console_path,
        .description = spec.text,
    };
    *ret_spec = spec;
    return TRUE;
}

void hosted_spec_clear(HostedSpec *spec)
{
    g_free(spec->channel_path);
    g_free(spec->console_path);
    g_free(spec->text);
}

typedef struct {
    Ticket *ticket;
    gboolean boots; /* it has no template, or not any more */
    void (*done)(const GError *error, gpointer user);
    gpointer user;
} Starting;

static void starting_end(Starting *starting, const GError *error)
{
    starting->done(error, starting->user);
    ticket_free(starting->ticket);
    g_free(starting);
}

static void starting_begin(Starting *starting, HostedSpec *spec);

/* Once more, by a boot. FALSE: it cannot be. */
static gboolean starting_again(Starting *starting, Hosted *hosted)
{
    HostedSpec spec;

    if (starting->boots || hosted->doomed || !hosted_spec(hosted->owner, hosted->description, hosted->epoch, &spec, NULL))
        return FALSE;
    template_drop(hosted->owner);
    starting_begin(starting, &spec);
    return TRUE;
}

static void hosted_started(GObject *source, GAsyncResult *result, gpointer user)
{
    Starting *starting = user;
    g_autoptr(GError) error = NULL;
    Hosted *hosted = ticket_hosted(starting->ticket);
    gboolean there = guest_finish(result, &error);

    if (!there && hosted && starting_again(starting, hosted))
        return;
    if (hosted)
        hosted->starting = FALSE;
    if (there && hosted) {
        hosted->state = GUEST_RUNNING;
    } else if (hosted) {
        hosted_remove(starting->ticket->node, hosted->id);
    } else if (!error) { /* the deputy went away meanwhile */
        guest_destroy(starting->ticket->node->hv, starting->ticket->id, NULL, NULL);
        error = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The job ended while its guest was started");
    }
    if (hosted && !error && hosted->doomed) /* the order came too early for libvirt */
        hosted_destroy(hosted);
    starting_end(starting, error);
}

/* Takes over what the spec holds. */
static void starting_begin(Starting *starting, HostedSpec *spec)
{
    Node *node = starting->ticket->node;

    spec->spec.snapshot = template_for(node, hosted_find(node, starting->ticket->id)->description);
    starting->boots = !spec->spec.snapshot;
    guest_start(node->hv, &spec->spec, hosted_started, starting);
    hosted_spec_clear(spec);
}

void hosted_start(Node *node, Json *description, guint64 epoch, void (*done)(const GError *error, gpointer user),
                  gpointer user)
{
    g_autoptr(GError) error = NULL;
    Starting *starting;
    HostedSpec spec;

    if (!hosted_spec(node, description, epoch, &spec, &error)) {
        done(error, user);
        return;
    }
    starting = g_new0(Starting, 1);
    starting->ticket = ticket_new(hosted_new(node, spec.spec.id, epoch, description, spec.channel_path));
    hosted_find(node, spec.spec.id)->starting = TRUE;
    starting->done = done;
    starting->user = user;
    starting_begin(starting, &spec);
}

/* Link */

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
        hosted->retry_ms = RETRY_FIRST_MS;
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

/* Doubt */

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

/* libvirt 9.0 follows a null pointer when a guest ends while it gives up the migration of it, and the other migrations of the node are
 * lost with it. So it has to give up first; departure.c calls this again when it has. */
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
