/* SPDX-License-Identifier: GPL-2.0-or-later */
/* departure.c - the source's part of a migration
 *
 * libvirt's client in a worker thread talks to a socket of ours; a GateSource carries that conversation to the
 * destination's gate. QEMU sends its stream to another socket of ours; a relay carries it. Both go over TLS connections of
 * their own that are dialled before libvirt's call begins. When the call's last step is not known here, the GateSource keeps
 * libvirt waiting until home has settled it (verdict_source): the guest stays paused meanwhile, in no case two of them run on.
 */
#include "departure.h"

#include "codec.h"
#include "common/error.h"
#include "common/fault.h"
#include "common/log.h"
#include "hosted.h"
#include "load.h"
#include "hypervisor/gate-source.h"
#include "hypervisor/monitor.h"

#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPENT_MAX_MS 60000
#define SET_UP_BYTES 4096   /* QEMU's stream: beyond that memory is being sent, so the first bitmap has been made */
#define STREAM_LATE_MS 3000

typedef struct {
    Node *node;
    RpcCall *call;
    char *id, *job, *home, *to, *token;
    guint64 epoch;                 /* of the guest here */
    char *gate_path, *stream_path;
    int gate_listener, stream_listener;
    guint gate_watch, stream_watch;
    int gate_fd, stream_fd;        /* plain ends, until used */
    guint missing;                 /* dials under way */
    GateSource *gate;
    guint64 streamed;              /* bytes of QEMU's stream */
    Monitor *monitor;              /* under TCG */
    gboolean stopped;              /* by it, and not yet told to go on */
    guint go_on;                   /* timer: in case the stream never begins */
    Relay *relay;
    GError *error;                 /* of a dial */
    GCancellable *cancellable;     /* of libvirt's call */
    gint64 begun_us;               /* when home began with it */
    guint64 bytes;                 /* of the guest's memory then */
    gint64 stopped_us;             /* when QEMU said for the last time that the guest stands still; 0: it has not */
    gint64 finished_us;            /* when the destination said that the guest runs there */
} Departure;

static void watch_clear(guint *watch)
{
    if (*watch)
        g_source_remove(*watch);
    *watch = 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void departure_free(Departure *d)
{
    g_hash_table_remove(d->node->departures, d->id);
    watch_clear(&d->gate_watch);
    watch_clear(&d->stream_watch);
    close_fd(&d->gate_listener);
    close_fd(&d->stream_listener);
    close_fd(&d->gate_fd);
    close_fd(&d->stream_fd);
    unlink(d->gate_path);
    unlink(d->stream_path);
    gate_source_free(d->gate);
    watch_clear(&d->go_on);
    monitor_free(d->monitor);
    if (d->relay)
        relay_cut(d->relay, TRUE);
    g_clear_error(&d->error);
    g_clear_object(&d->cancellable);
    g_free(d->id);
    g_free(d->job);
    g_free(d->home);
    g_free(d->to);
    g_free(d->token);
    g_free(d->gate_path);
    g_free(d->stream_path);
    g_free(d);
}

/* For a callback that may come when the departure is over. */
static NodeTicket *ticket_new(Departure *d)
{
    return node_ticket_new(d->node, d->id);
}

/* Doubt about the last step */

static void settle_ask(Departure *d);

static gboolean settle_again(gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Departure *d = g_hash_table_lookup(ticket->node->departures, ticket->id);

    if (d)
        settle_ask(d);
    return G_SOURCE_REMOVE;
}

static void settle_later(Departure *d)
{
    g_timeout_add(500, settle_again, ticket_new(d));
}

/* The guest here stands still until home says whose the job is, but not for ever (--orphan). */
static gboolean departure_forsaken(const Departure *d)
{
    Hosted *hosted = hosted_find(d->node, d->job);

    if (!hosted || !hosted_forsaken(hosted))
        return FALSE;
    log_warning("job %s: its home %s has been silent for too long: ended", d->job, d->home);
    return TRUE;
}

static void settle_answered(const char *home, Json *result, const GError *error, gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Departure *d = g_hash_table_lookup(ticket->node->departures, ticket->id);
    VerdictTruth truth = {.home = error ? VERDICT_HOME_SILENT
                                  : json_get_bool(result, "known", FALSE) ? VERDICT_HOME_KNOWS : VERDICT_HOME_NO_JOB,
                          .node = json_get_string(result, "node", ""),
                          .epoch = json_get_int(result, "epoch", 0),
                          .expected_epoch = json_get_int(result, "expected_epoch", 0)};
    VerdictHere here = {node_name(ticket->node), GUEST_PAUSED, TRUE, FALSE, d ? d->epoch : 0};
    Verdict verdict;

    if (!d || !d->gate)
        return;
    verdict = verdict_source(&here, &truth);
    if (verdict == VERDICT_ASK && departure_forsaken(d))
        verdict = VERDICT_DESTROY;
    log_info("job %s: migration %.8s: its last step was not known: %s", d->job, d->id, verdict_name(verdict));
    if (verdict == VERDICT_ASK)
        settle_later(d);
    else
        gate_source_settle(d->gate, verdict == VERDICT_RESUME);
}

static void settle_ask(Departure *d)
{
    Json *params = json_set_string(json_object(), "job", d->job);

    json_set_string(params, "migration", d->id);
    cluster_call(d->node->cluster, d->home, "job.truth", json_set_bool(params, "settle", TRUE), 5000, settle_answered,
                 ticket_new(d));
}

static void gate_unsure(GateSource *gate, const char *text, gpointer user)
{
    Departure *d = user;

    log_warning("job %s: migration %.8s: %s", d->job, d->id, text);
    settle_ask(d);
}

/* Under TCG the guest stands still while QEMU makes the first dirty bitmap (monitor.h): from just before libvirt begins to copy
 * until the stream has come so far that the bitmap must be there. */

static void copy_begun(Departure *d)
{
    watch_clear(&d->go_on);
    if (d->stopped)
        monitor_command(d->monitor, "cont", NULL, NULL);
    d->stopped = FALSE;
}

static gboolean copy_late(gpointer user)
{
    Departure *d = user;

    d->go_on = 0;
    log_warning("job %s: migration %.8s: the stream does not begin", d->job, d->id);
    copy_begun(d);
    return G_SOURCE_REMOVE;
}

static void copy_noticed(Relay *relay, gpointer user)
{
    fault("source.copying");
    copy_begun(user);
}

static void guest_stopped(Json *result, gpointer user)
{
    Departure *d = user;

    if (!result)
        log_warning("job %s: its guest could not be stopped for a moment; the migration goes on", d->job);
    d->go_on = g_timeout_add(STREAM_LATE_MS, copy_late, d);
    if (d->gate)
        gate_source_go_on(d->gate);
}

static gboolean gate_prepared(GateSource *gate, gpointer user)
{
    Departure *d = user;

    fault("source.prepared");
    if (!d->monitor)
        return FALSE;
    d->stopped = TRUE;
    monitor_command(d->monitor, "stop", guest_stopped, d);
    return TRUE;
}

static void old_guest_gone(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(NodeTicket) ticket = user;
    Departure *d = g_hash_table_lookup(ticket->node->departures, ticket->id);

    guest_finish(result, NULL);
    fault("source.gone");
    if (d && d->gate)
        gate_source_go_on(d->gate);
}

/* The guest here is nobody any more. libvirt is told when it is gone: it would ask its QEMU to end, and look 200 ms later. */
static gboolean gate_finished(GateSource *gate, gpointer user)
{
    Departure *d = user;

    d->finished_us = g_get_monotonic_time();
    guest_end(d->node->hv, d->job, old_guest_gone, ticket_new(d));
    return TRUE;
}

static void gate_ended(GateSource *gate, const char *reason, gboolean violation, gpointer user)
{
    Departure *d = user;

    if (violation)
        log_warning("job %s: %s broke the rules of a migration: %s", d->job, d->to, reason);
    else if (reason)
        log_debug("job %s: migration %.8s: %s", d->job, d->id, reason);
    g_clear_pointer(&d->gate, gate_source_free);
}

/* libvirt's call */

/* From the guest's stop here to the word that it runs there; by one clock. */
static gint64 downtime_ms(const Departure *d, gint64 stopped_us, const GuestMigrated *stats)
{
    if (stopped_us && d->finished_us > stopped_us)
        return (d->finished_us - stopped_us + 500) / 1000;
    return stats->downtime_ms;
}

/* Home has heard when it went on there, if that was before the COMMIT. */
static Json *departure_stats(const Departure *d, const GuestMigrated *stats)
{
    gint64 stopped_us = d->stopped_us ? d->stopped_us : stats->stopped_us;
    Json *answer = json_set_int(json_object(), "total_ms", stats->total_ms);

    json_set_int(answer, "downtime_ms", downtime_ms(d, stopped_us, stats));
    if (stopped_us)
        json_set_int(answer, "since_stop_us", g_get_monotonic_time() - stopped_us);
    return json_set_int(answer, "bytes", d->streamed ? d->streamed : stats->bytes);
}

static void migrated(GObject *source, GAsyncResult *result, gpointer user)
{
    Departure *d = user;
    Hosted *hosted = hosted_find(d->node, d->job);
    g_autoptr(GError) error = NULL;
    GuestMigrated stats = {0};
    gboolean moved = guest_migrate_finish(result, &stats, &error);

    fault("source.over");
    if (!moved)
        copy_begun(d);
    if (hosted) {
        hosted->busy = hosted->leaving = FALSE;
        hosted->busy_until_us = g_get_monotonic_time();
        hosted->state = stats.state;
    }
    if (moved) {
        exodus_learn(&d->node->pace, d->bytes, (g_get_monotonic_time() - d->begun_us) / 1e6);
        rpc_reply(d->call, departure_stats(d, &stats));
        hosted_remove(d->node, d->job);
    } else {
        rpc_fail(d->call, d->error ? d->error : error);
        if (hosted && hosted->doomed)
            hosted_destroy(hosted);
        else if (hosted)
            hosted_doubt(hosted);
    }
    departure_free(d);
}

static void progressed(const char *id, guint64 total, guint64 remaining, gpointer user)
{
    Departure *d = user;
    Json *params = json_set_string(json_object(), "job", d->job);

    json_set_string(params, "phase", "copy");
    json_set_int(params, "bytes_total", total);
    json_set_int(params, "bytes_done", total > remaining ? total - remaining : 0);
    rpc_notify(rpc_call_connection(d->call), "migration.progress", params);
}

static void stream_ended(Relay *relay, guint64 to_peer, guint64 from_peer, gpointer user)
{
    Departure *d = user;

    d->streamed = to_peer;
    d->relay = NULL;
}

static gboolean gate_connected(gint listener, GIOCondition condition, gpointer user)
{
    static const GateSourceEvents events = {gate_unsure, gate_prepared, gate_finished, gate_ended};
    Departure *d = user;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    g_autofree char *name = guest_name(d->job);
    GateSourceConfig config = {name, d->job};

    if (fd < 0)
        return G_SOURCE_CONTINUE;
    d->gate = gate_source_new(fd, d->gate_fd, &config, &events, d);
    d->gate_fd = -1;
    d->gate_watch = 0;
    close_fd(&d->gate_listener);
    return G_SOURCE_REMOVE;
}

static gboolean stream_connected(gint listener, GIOCondition condition, gpointer user)
{
    Departure *d = user;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return G_SOURCE_CONTINUE;
    d->relay = relay_new(fd, d->stream_fd, RELAY_SQUEEZE, stream_ended, d);
    relay_notice(d->relay, SET_UP_BYTES, copy_noticed);
    d->stream_fd = -1;
    d->stream_watch = 0;
    close_fd(&d->stream_listener);
    return G_SOURCE_REMOVE;
}

static void departure_event(const char *event, gpointer user)
{
    if (g_str_equal(event, "STOP"))
        ((Departure *)user)->stopped_us = g_get_monotonic_time();
}

static void departure_monitor(Departure *d)
{
    Hosted *hosted = hosted_find(d->node, d->job);
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;

    if (!hosted || !g_str_equal(json_get_string(hosted->description, "accel", "tcg"), "tcg"))
        return;
    path = monitor_path(hosted->channel_path);
    d->monitor = monitor_open(path, &error);
    if (d->monitor)
        monitor_watch(d->monitor, departure_event, d);
    else
        log_warning("job %s: QEMU's second monitor does not answer: %s", d->job, error->message);
}

static void departure_fail(Departure *d, const GError *error)
{
    Hosted *hosted = hosted_find(d->node, d->job);

    rpc_fail(d->call, error);
    if (hosted)
        hosted->busy = hosted->leaving = FALSE;
    if (hosted && hosted->doomed)
        hosted_destroy(hosted);
    departure_free(d);
}

static void departure_go(Departure *d)
{
    GuestMigration migration = {.gate_socket = d->gate_path, .stream_path = d->stream_path, .progress = progressed,
                                .progress_user = d};

    if (!d->error)
        g_cancellable_set_error_if_cancelled(d->cancellable, &d->error);
    if (d->error) {
        g_autoptr(GError) error = g_error_copy(d->error);

        departure_fail(d, error);
        return;
    }
    fault("source.dialled");
    departure_monitor(d);
    migration.one_pass = d->monitor != NULL;
    d->gate_watch = g_unix_fd_add(d->gate_listener, G_IO_IN, gate_connected, d);
    d->stream_watch = g_unix_fd_add(d->stream_listener, G_IO_IN, stream_connected, d);
    guest_migrate(d->node->hv, d->job, &migration, d->cancellable, migrated, d);
}

static void dialled(Departure *d, int *slot, GAsyncResult *result)
{
    g_autoptr(GError) error = NULL;

    *slot = cluster_dial_finish(result, &error);
    if (*slot < 0 && !d->error)
        d->error = g_steal_pointer(&error);
    if (--d->missing == 0)
        departure_go(d);
}

static void gate_dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    dialled(user, &((Departure *)user)->gate_fd, result);
}

static void stream_dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    dialled(user, &((Departure *)user)->stream_fd, result);
}

static void departure_dial(Departure *d, const char *purpose, GAsyncReadyCallback done)
{
    Json *preamble = json_set_string(json_object(), "purpose", purpose);

    d->missing++;
    json_set_string(preamble, "migration", d->id);
    if (g_str_equal(purpose, "migration"))
        json_set_string(preamble, "codec", CODEC_NAME);
    cluster_dial(d->node->cluster, d->to, json_set_string(preamble, "token", d->token), 10000, done, d);
}

void departure_run(Node *node, const char *home, Json *params, RpcCall *call)
{
    const char *job = json_get_string(params, "job", ""), *id = json_get_string(params, "migration", "");
    Hosted *hosted = hosted_find(node, job);
    g_autoptr(GError) error = NULL;
    Departure *d;

    if (!hosted || g_strcmp0(hosted->home, home) != 0) {
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "%s has no guest of job %s of %s", node_name(node), job, home);
        return;
    }
    if (hosted->busy || hosted->ordered || !g_uuid_string_is_valid(id) || g_hash_table_contains(node->departures, id)) {
        rpc_fail_new(call, SJ_ERROR_BUSY, "A migration of job %s is under way on %s already", job, node_name(node));
        return;
    }
    d = g_new0(Departure, 1);
    *d = (Departure){.node = node, .call = call, .id = g_strdup(id), .job = g_strdup(job), .home = g_strdup(home),
                     .to = g_strdup(json_get_string(params, "to", "")), .epoch = hosted->epoch,
                     .token = g_strdup(json_get_string(params, "token", "")), .gate_fd = -1, .stream_fd = -1};
    d->gate_path = g_strdup_printf("%s/ch/g.%.13s", node->conf->run_dir, id);
    d->stream_path = g_strdup_printf("%s/ch/s.%.13s", node->conf->run_dir, id);
    d->gate_listener = rpc_listen(d->gate_path, 0600, &error);
    d->stream_listener = error ? -1 : rpc_listen(d->stream_path, 0600, &error);
    g_hash_table_insert(node->departures, d->id, d);
    if (error) {
        departure_fail(d, error);
        return;
    }
    d->begun_us = g_get_monotonic_time() - CLAMP(json_get_int(params, "spent_ms", 0), 0, SPENT_MAX_MS) * 1000;
    d->bytes = load_bytes(hosted);
    d->cancellable = g_cancellable_new();
    hosted->busy = hosted->leaving = TRUE;
    fault("source.asked");
    departure_dial(d, "gate", gate_dialled);
    departure_dial(d, "migration", stream_dialled);
}

void departure_room(Node *node, const char *home, Json *params, RpcCall *call)
{
    const char *to = json_get_string(params, "to", "");
    guint same = 0;
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->departures);
    while (g_hash_table_iter_next(&i, NULL, &value))
        same += g_str_equal(((Departure *)value)->to, to);
    rpc_reply(call, json_set_bool(json_object(), "full", g_hash_table_size(node->departures) >= node->conf->migrations ||
                                                             same >= node_link_migrations(node)));
}

gboolean departure_cancel(Node *node, const char *job)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->departures);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Departure *d = value;

        if (!g_str_equal(d->job, job) || !d->cancellable)
            continue;
        g_cancellable_cancel(d->cancellable);
        return TRUE;
    }
    return FALSE;
}
