/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arrival.c - the destination's part of a migration (see arrival.h for the theory) */
#include "arrival.h"

#include "check.h"
#include "codec.h"
#include "common/error.h"
#include "common/fault.h"
#include "common/log.h"
#include "hosted.h"
#include "hypervisor/gate.h"
#include "hypervisor/monitor.h"

#include <string.h>
#include <unistd.h>

#define UNUSED_S 60          /* a reservation that nobody uses */
#define COMMIT_AGAIN_MS 200
#define LINKED_MS 5          /* between looks whether the link is there */
#define LINK_PATIENCE_US (3 * G_USEC_PER_SEC)

typedef struct {
    Node *node;
    char *id, *job, *home, *source, *token;
    guint64 epoch;
    char *incoming_path;
    Gate *gate;
    int stream_fd;           /* came before the incoming QEMU was there; -1 */
    gboolean prepared, committed;
    Relay *relay;
    Monitor *monitor;        /* of the incoming QEMU, under TCG; NULL: libvirt resumes it */
    guint timer;             /* unused, or ask again */
    guint ahead;             /* timer: to have it go on by itself */
    gint64 resumed_us;       /* since when the guest runs here; 0: it does not */
    gint64 finished_us;
} Arrival;

static Arrival *arrival_find(Node *node, const char *id)
{
    return g_hash_table_lookup(node->arrivals, id);
}

static void arrival_free(Arrival *a)
{
    g_hash_table_remove(a->node->arrivals, a->id);
    if (a->timer)
        g_source_remove(a->timer);
    if (a->ahead)
        g_source_remove(a->ahead);
    gate_free(a->gate);
    monitor_free(a->monitor);
    if (a->stream_fd >= 0)
        close(a->stream_fd);
    if (a->relay)
        relay_cut(a->relay, TRUE);
    unlink(a->incoming_path);
    g_free(a->id);
    g_free(a->job);
    g_free(a->home);
    g_free(a->source);
    g_free(a->token);
    g_free(a->incoming_path);
    g_free(a);
}

/* The end of one that did not become ours: nothing of it stays. */
static void arrival_undo(Arrival *a)
{
    Hosted *hosted = hosted_find(a->node, a->job);

    if (hosted && hosted->epoch == a->epoch)
        hosted_remove(a->node, a->job);
    if (a->prepared)
        guest_destroy(a->node->hv, a->job, NULL, NULL);
    arrival_free(a);
}

static gboolean arrival_unused(gpointer user)
{
    Arrival *a = user;

    a->timer = 0;
    log_warning("job %s: migration %.8s was prepared but never began", a->job, a->id);
    arrival_undo(a);
    return G_SOURCE_REMOVE;
}

/* Prepare */

static char *token_new(void)
{
    g_autofree char *a = g_uuid_string_random(), *b = g_uuid_string_random();

    return g_strconcat(a, b, NULL);
}

void arrival_prepare(Node *node, const char *home, Json *params, RpcCall *call)
{
    Json *description = json_get(params, "description"), *balance = json_get(params, "balance");
    const char *id = json_get_string(params, "migration", ""), *job = json_get_string(description, "id", "");
    g_autoptr(Json) reasons = NULL;
    g_autofree char *channel = NULL;
    Hosted *hosted;
    Arrival *a;

    if (!g_uuid_string_is_valid(id) || !g_uuid_string_is_valid(job) || arrival_find(node, id) ||
        g_strcmp0(json_get_string(description, "home", ""), home) != 0) {
        rpc_fail_new(call, SJ_ERROR_DENIED, "%s may prepare migrations of its own jobs only, each once", home);
        return;
    }
    reasons = check_arrival(node, description, balance);
    if (json_length(reasons)) {
        g_autofree char *sentence = check_sentence(reasons);

        rpc_fail_new(call, SJ_ERROR_FAILED, "%s cannot take the job: %s", node_name(node), sentence);
        return;
    }
    a = g_new0(Arrival, 1);
    *a = (Arrival){.node = node, .id = g_strdup(id), .job = g_strdup(job), .home = g_strdup(home),
                   .source = g_strdup(json_get_string(params, "from", "")), .token = token_new(),
                   .epoch = json_get_int(params, "epoch", 0), .stream_fd = -1};
    a->incoming_path = g_strdup_printf("%s/ch/i.%.13s", node->conf->run_dir, id);
    channel = hosted_channel_path(node, job, a->epoch);
    hosted = hosted_new(node, job, a->epoch, description, channel);
    hosted->busy = hosted->coming = TRUE;
    hosted->demand = CLAMP(json_get_double(balance, "demand", hosted->demand), 0, 1000);
    hosted->expected_bytes = MAX(json_get_int(balance, "bytes", 0), 0);
    g_hash_table_insert(node->arrivals, a->id, a);
    a->timer = g_timeout_add_seconds(UNUSED_S, arrival_unused, a);
    fault("destination.asked");
    rpc_reply(call, json_set_string(json_object(), "token", a->token));
}

void arrival_cancel(Node *node, const char *home, Json *params, RpcCall *call)
{
    Arrival *a = arrival_find(node, json_get_string(params, "migration", ""));

    if (a && g_str_equal(a->home, home) && !a->committed)
        arrival_undo(a);
    rpc_reply(call, NULL);
}

gboolean arrival_full(const Node *node, const char *source)
{
    guint same = 0;
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->arrivals);
    while (g_hash_table_iter_next(&i, NULL, &value))
        same += g_str_equal(((Arrival *)value)->source, source);
    return g_hash_table_size(node->arrivals) >= node->conf->migrations || same >= node_link_migrations(node);
}

/* COMMIT */

/* For a callback that may come when the arrival is over. */
static NodeTicket *ticket_new(Arrival *a)
{
    return node_ticket_new(a->node, a->id);
}

static void arrival_commit(Arrival *a);

static gboolean commit_again(gpointer user)
{
    Arrival *a = user;

    a->timer = 0;
    arrival_commit(a);
    return G_SOURCE_REMOVE;
}

static void arrived(Arrival *a, gboolean runs)
{
    Hosted *hosted = hosted_find(a->node, a->job);

    if (hosted) {
        hosted->busy = hosted->coming = FALSE;
        hosted->busy_until_us = hosted->here_us = g_get_monotonic_time();
        hosted->state = runs ? GUEST_RUNNING : GUEST_PAUSED;
    }
    fault("destination.resumed");
    log_info("job %s: is here, epoch %" G_GUINT64_FORMAT, a->job, a->epoch);
    if (a->gate)
        gate_commit(a->gate);
}

static void resumed(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Arrival *a = arrival_find(ticket->node, ticket->id);
    g_autoptr(GError) error = NULL;

    if (!guest_finish(result, &error))
        log_error("migration %.8s: the guest could not be resumed: %s", ticket->id, error->message);
    if (a)
        arrived(a, !error);
}

static void continued(Json *result, gpointer user);

/* Where QEMU has a second monitor it is told without libvirt in between, which learns of it from QEMU: the guest stands still
 * while libvirt would find it, begin a job, and write its status. */
static void arrival_resume(Arrival *a)
{
    a->committed = TRUE;
    fault("destination.committed");
    if (a->resumed_us)
        arrived(a, TRUE);
    else if (a->monitor)
        monitor_command(a->monitor, "cont", continued, a);
    else
        guest_resume(a->node->hv, a->job, resumed, ticket_new(a));
}

static void continued(Json *result, gpointer user)
{
    Arrival *a = user;

    if (result) {
        arrived(a, TRUE);
        return;
    }
    log_warning("job %s: QEMU's second monitor does not let it go on; libvirt is asked to", a->job);
    guest_resume(a->node->hv, a->job, resumed, ticket_new(a));
}

static void refused(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Arrival *a = arrival_find(ticket->node, ticket->id);

    if (a && a->gate)
        gate_refuse(a->gate, "The job's deputy did not take the commit");
}

/* Only the deputy's own word counts as a refusal: an error may hide that an earlier question was answered with yes. */
static VerdictCommit commit_meaning(Json *result, const GError *error)
{
    if (error)
        return VERDICT_COMMIT_SILENT;
    return json_has(result, "refused") ? VERDICT_COMMIT_REFUSED : VERDICT_COMMIT_TAKEN;
}

/* Home says nothing, and may never again: the guest stands still until then, but not for ever (--orphan). */
static void commit_silent(Arrival *a)
{
    Hosted *hosted = hosted_find(a->node, a->job);

    if (!hosted || !hosted_forsaken(hosted)) {
        a->timer = g_timeout_add(COMMIT_AGAIN_MS, commit_again, a);
        return;
    }
    log_warning("job %s: its home %s says nothing about the COMMIT of epoch %" G_GUINT64_FORMAT " and has been silent for too long: ended",
                a->job, a->home, a->epoch);
    guest_destroy(a->node->hv, a->job, refused, ticket_new(a));
}

static void commit_answered(const char *home, Json *result, const GError *error, gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Arrival *a = arrival_find(ticket->node, ticket->id);

    if (!a)
        return;
    switch (verdict_destination(commit_meaning(result, error))) {
    case VERDICT_RESUME:
        arrival_resume(a);
        break;
    case VERDICT_DESTROY:
        log_warning("job %s: COMMIT of epoch %" G_GUINT64_FORMAT " was refused: %s", a->job, a->epoch,
                    json_get_string(result, "refused", ""));
        guest_destroy(a->node->hv, a->job, refused, ticket_new(a));
        break;
    default:
        commit_silent(a);
    }
}

static gboolean arrival_linked(const Arrival *a)
{
    Hosted *hosted = hosted_find(a->node, a->job);

    return hosted && (hosted->relay || hosted->given);
}

static void arrival_commit(Arrival *a)
{
    Json *params;

    if (!arrival_linked(a) && g_get_monotonic_time() - a->finished_us < LINK_PATIENCE_US) {
        a->timer = g_timeout_add(5, commit_again, a);
        return;
    }
    params = json_set_string(json_object(), "migration", a->id);
    json_set_string(params, "job", a->job);
    if (a->resumed_us)
        json_set_int(params, "ran_us", g_get_monotonic_time() - a->resumed_us);
    cluster_call(a->node->cluster, a->home, "migration.commit", json_set_int(params, "epoch", a->epoch), 5000,
                 commit_answered, ticket_new(a));
}

/* Ahead of the COMMIT */

static void arrival_event(const char *event, gpointer user)
{
    Arrival *a = user;

    if (g_str_equal(event, "RESUME"))
        a->resumed_us = g_get_monotonic_time();
    else if (g_str_equal(event, "STOP"))
        a->resumed_us = 0;
}

/* QEMU remembers it until all has come; its guest writes to a port at which nobody listens only if the link breaks meanwhile. */
static gboolean arrival_go_ahead(gpointer user)
{
    Arrival *a = user;

    if (!arrival_linked(a))
        return G_SOURCE_CONTINUE;
    a->ahead = 0;
    monitor_command(a->monitor, "cont", NULL, NULL);
    return G_SOURCE_REMOVE;
}

/* Whether the guest's clocks run here at the rate that it knows. Else it has to stand until it can be told, see gate_finished. */
static gboolean arrival_keeps_time(const Arrival *a)
{
    g_autoptr(Json) row = node_row_of(a->node, a->source);

    return row && host_same_tsc(json_get_int(row, "tsc_khz", 0), a->node->facts.tsc_khz);
}

/* An NMI makes the guest's kernel look at what rate the TSC counts here; if it stands still, before anything else runs in it. QEMU
 * takes one command after the other: this one before the one that lets it go on. */
static void arrival_told(Json *result, gpointer user)
{
    if (!result)
        log_warning("job %s: QEMU's second monitor takes no NMI for it, so its clocks may run at the rate of %s", ((Arrival *)user)->job,
                    ((Arrival *)user)->source);
}

static void arrival_monitor(Arrival *a, const Hosted *hosted)
{
    g_autofree char *path = monitor_path(hosted->channel_path);

    a->monitor = monitor_open(path, NULL);
    if (!a->monitor)
        return;
    monitor_watch(a->monitor, arrival_event, a);
    if (arrival_keeps_time(a))
        a->ahead = g_timeout_add(LINKED_MS, arrival_go_ahead, a);
}

/* Gate */

static void stream_ended(Relay *relay, guint64 from_source, guint64 to_source, gpointer user)
{
    ((Arrival *)user)->relay = NULL;
}

static void stream_join(Arrival *a)
{
    g_autoptr(GError) error = NULL;
    int incoming;

    if (!a->prepared || a->stream_fd < 0)
        return;
    incoming = rpc_connect_at_once(a->incoming_path, &error);
    if (incoming >= 0) {
        a->relay = relay_new(a->stream_fd, incoming, RELAY_EXPAND, stream_ended, a);
    } else {
        log_warning("job %s: the incoming QEMU does not listen: %s", a->job, error->message);
        close(a->stream_fd);
    }
    a->stream_fd = -1;
}

static void gate_prepared(Gate *gate, gpointer user)
{
    Arrival *a = user;
    Hosted *hosted = hosted_find(a->node, a->job);

    fault("destination.prepared");
    a->prepared = TRUE;
    if (hosted)
        hosted_link(hosted);
    if (hosted && g_str_equal(json_get_string(hosted->description, "accel", "tcg"), "tcg"))
        arrival_monitor(a, hosted);
    stream_join(a);
}

static void gate_finished(Gate *gate, gboolean present, gpointer user)
{
    Arrival *a = user;

    fault("destination.finished");
    a->finished_us = g_get_monotonic_time();
    if (!present)
        return;
    if (a->monitor && !arrival_keeps_time(a))
        monitor_command(a->monitor, "inject-nmi", arrival_told, a);
    arrival_commit(a);
}

static void gate_ended(Gate *gate, const char *reason, gboolean violation, gpointer user)
{
    Arrival *a = user;

    fault("destination.over");
    if (violation)
        log_warning("job %s: %s broke the rules of a migration: %s", a->job, a->source, reason);
    else if (reason)
        log_info("job %s: migration %.8s from %s: %s", a->job, a->id, a->source, reason);
    if (a->committed)
        arrival_free(a);
    else
        arrival_undo(a);
}

static void arrival_gate(Arrival *a, TlsAccept *accept)
{
    static const GateEvents events = {gate_prepared, gate_finished, gate_ended};
    Hosted *hosted = hosted_find(a->node, a->job);
    g_autofree char *name = guest_name(a->job), *xml = NULL;
    g_autoptr(GError) error = NULL;
    HostedSpec spec;
    GateConfig config;
    int fd;

    if (!hosted || !hosted_spec(a->node, hosted->description, a->epoch, &spec, &error)) {
        tls_refuse(accept, error ? error->message : "The reservation is gone");
        return;
    }
    xml = guest_xml(&spec.spec, &error);
    hosted_spec_clear(&spec);
    if (!xml) {
        tls_refuse(accept, error->message);
        return;
    }
    fault("destination.opened");
    fd = tls_accept(accept, &error);
    if (fd < 0)
        return;
    config = (GateConfig){.libvirtd_socket = hypervisor_socket(a->node->hv), .domain_name = name, .domain_uuid = a->job,
                          .domain_xml = xml, .incoming_path = a->incoming_path};
    if (a->timer)
        g_source_remove(a->timer);
    a->timer = 0;
    a->gate = gate_new(fd, &config, &events, a);
}

static gboolean same_text(const char *a, const char *b)
{
    gsize length = strlen(a);
    guint8 difference = length != strlen(b);

    for (gsize i = 0; !difference && i < length; i++)
        difference |= a[i] ^ b[i];
    return !difference;
}

void arrival_opened(Node *node, const char *source, Json *preamble, TlsAccept *accept)
{
    Arrival *a = arrival_find(node, json_get_string(preamble, "migration", ""));
    gboolean gate = g_str_equal(json_get_string(preamble, "purpose", ""), "gate");

    if (!a || g_strcmp0(a->source, source) != 0 || !same_text(a->token, json_get_string(preamble, "token", "")) ||
        (gate ? a->gate != NULL : a->stream_fd >= 0 || a->relay != NULL)) {
        log_warning("%s asked for a migration that is not prepared: refused", source);
        tls_refuse(accept, "No such migration is prepared here for this node");
    } else if (!gate && !g_str_equal(json_get_string(preamble, "codec", ""), CODEC_NAME)) {
        tls_refuse(accept, "The stream's coding is not one that is known here");
    } else if (gate) {
        arrival_gate(a, accept);
    } else {
        a->stream_fd = tls_accept(accept, NULL);
        stream_join(a);
    }
}
