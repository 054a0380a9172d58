/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-migrate.c - one live migration: libvirt's call, which blocks, and who watches over it
 * meanwhile
 *
 * Two threads a migration. The *worker* opens the connection to the gate and makes the call. The
 * *watcher* looks each WATCH_MS: it aborts when that is wanted (until libvirt has taken it or the
 * call is over), tells of progress, and raises the permitted downtime of a guest that dirties its
 * memory faster than it can be copied. It begins late, so that it does not disturb the short
 * migrations which are the usual ones.
 *
 * With one_pass the limit is 0 and stays so: QEMU then never looks at the dirty bitmap between the
 * first pass and the guest's stop. Else the downtime limit is small (QEMU then makes one more pass over memory instead of
 * sending what is left while the guest stands still: the freeze is a millisecond instead of sixty, the total is the
 * same).
 *
 * What libvirt says of the migration afterwards comes as an event on the main connection; finish
 * waits for it briefly.
 */
#include "guest.h"

#include "common/error.h"
#include "common/log.h"
#include "hypervisor-internal.h"

#define WATCH_MS 100      /* between looks */
#define WATCH_FROM_MS 250 /* first progress */
#define PATIENT_PASSES 4  /* passes over memory before the downtime limit is raised */
#define DOWNTIME_MAX_MS 2000
#define SEEN_WAIT_MS 100 /* for the event after the call */
#define ENDED_WAIT_MS 10 /* libvirt says what it did right after it has said that the guest is gone */

typedef struct {
    Hypervisor *hv;
    GMainContext *context;
    char *id, *gate_socket, *stream_path, *destination_xml;
    guint64 bandwidth_mib;
    guint max_downtime_ms;
    GuestProgress progress;
    gpointer progress_user;
    Virt *virt, *watch; /* the worker's and the watcher's connection */
    GCancellable *cancellable;
    GMutex lock;
    GCond over_cond;
    gboolean over;       /* the call has returned */
    gint64 settle_until; /* monotonic, us */
    gboolean ended;      /* libvirt has said that the guest is gone here */
    GuestMigrated migrated;
    gboolean success;
    GError *error;
} Migration;

static void migration_free(gpointer data)
{
    Migration *migration = data;

    hypervisor_unref(migration->hv);
    g_main_context_unref(migration->context);
    g_clear_object(&migration->cancellable);
    g_clear_error(&migration->error);
    g_mutex_clear(&migration->lock);
    g_cond_clear(&migration->over_cond);
    g_free(migration->id);
    g_free(migration->gate_socket);
    g_free(migration->stream_path);
    g_free(migration->destination_xml);
    g_free(migration);
}

/* Progress, carried over to the main context. */
typedef struct {
    Migration *migration;
    GTask *task; /* keeps the migration */
    guint64 total, remaining;
} Report;

static gboolean report(gpointer data)
{
    Report *report = data;
    Migration *migration = report->migration;

    if (!migration->over)
        migration->progress(migration->id, report->total, report->remaining,
                            migration->progress_user);
    return G_SOURCE_REMOVE;
}

static void report_free(gpointer data)
{
    Report *report = data;

    g_object_unref(report->task);
    g_free(report);
}

static void report_later(GTask *task, Migration *migration, guint64 total, guint64 remaining)
{
    Report *item = g_new0(Report, 1);

    item->migration = migration;
    item->task = g_object_ref(task);
    item->total = total;
    item->remaining = remaining;
    g_main_context_invoke_full(migration->context, G_PRIORITY_DEFAULT, report, item, report_free);
}

/* The limit doubles with each two passes beyond the patience. */
static void raise_downtime(Migration *migration, guint iteration, guint *limit)
{
    guint steps = iteration > PATIENT_PASSES ? MIN((iteration - PATIENT_PASSES + 1) / 2, 10) : 0;
    guint wanted = migration->max_downtime_ms
                       ? MIN(migration->max_downtime_ms << steps,
                             MAX(DOWNTIME_MAX_MS, migration->max_downtime_ms))
                       : 0;

    if (wanted > *limit && virt_set_max_downtime(migration->watch, migration->id, wanted, NULL))
        *limit = wanted;
}

static void watch(GTask *task, Migration *migration, guint *limit)
{
    guint64 total, remaining;
    guint iteration;

    if (!virt_progress(migration->watch, migration->id, &total, &remaining, &iteration))
        return;
    raise_downtime(migration, iteration, limit);
    if (migration->progress)
        report_later(task, migration, total, remaining);
}

static gpointer watcher_thread(gpointer data)
{
    GTask *task = data;
    Migration *migration = g_task_get_task_data(task);
    gint64 begun = g_get_monotonic_time();
    guint limit = migration->max_downtime_ms;
    gboolean aborted = FALSE;

    migration->watch = hypervisor_borrow(migration->hv, NULL);
    g_mutex_lock(&migration->lock);
    while (!migration->over && migration->watch) {
        g_cond_wait_until(&migration->over_cond, &migration->lock,
                          g_get_monotonic_time() + WATCH_MS * 1000);
        if (migration->over)
            break;
        g_mutex_unlock(&migration->lock);
        if (g_cancellable_is_cancelled(migration->cancellable))
            aborted = aborted || virt_abort(migration->watch, migration->id, NULL);
        else if (g_get_monotonic_time() - begun > WATCH_FROM_MS * 1000)
            watch(task, migration, &limit);
        g_mutex_lock(&migration->lock);
    }
    g_mutex_unlock(&migration->lock);
    hypervisor_give_back(migration->hv, g_steal_pointer(&migration->watch));
    g_object_unref(task);
    return NULL;
}

static void look_at_guest(Migration *migration)
{
    g_autoptr(GuestInfo) info = virt_query(migration->virt, migration->id, NULL);

    migration->migrated.state = info ? info->state : GUEST_UNKNOWN;
    migration->migrated.pause = info ? info->pause : GUEST_PAUSE_NONE;
}

static gboolean call(Migration *migration, GError **error)
{
    g_autoptr(Virt) gate = NULL;
    g_autoptr(GError) why = NULL;

    if (g_cancellable_set_error_if_cancelled(migration->cancellable, error))
        return FALSE;
    if (!virt_set_max_downtime(migration->virt, migration->id, migration->max_downtime_ms, &why))
        log_warning("%s", why->message);
    gate = virt_open(migration->gate_socket, error);
    if (!gate) {
        g_prefix_error(error, "the destination did not open its gate: ");
        return FALSE;
    }
    return virt_migrate(migration->virt, migration->id, gate, migration->stream_path,
                        migration->bandwidth_mib, migration->destination_xml, error);
}

/* Back on the main context: waits until libvirt's own account has come, or cannot come any more. */
static gboolean settle(gpointer user)
{
    GTask *task = user;
    Migration *migration = g_task_get_task_data(task);
    MigrationSeen seen = hypervisor_migration_seen(migration->hv, migration->id);
    gint64 now = g_get_monotonic_time();

    if (seen.ended && !migration->ended) {
        migration->ended = TRUE;
        migration->settle_until = MIN(migration->settle_until, now + ENDED_WAIT_MS * 1000);
    }
    if (migration->success && !seen.done && now < migration->settle_until)
        return G_SOURCE_CONTINUE;
    migration->migrated.downtime_ms = seen.job.downtime_ms;
    migration->migrated.bytes = seen.job.bytes;
    migration->migrated.stopped_us = seen.stopped_us;
    hypervisor_forget_migration(migration->hv, migration->id);
    g_task_return_boolean(task, TRUE);
    return G_SOURCE_REMOVE;
}

static gboolean on_call_over(gpointer user)
{
    if (settle(user) == G_SOURCE_CONTINUE)
        g_timeout_add_full(G_PRIORITY_DEFAULT, 1, settle, g_object_ref(user), g_object_unref);
    return G_SOURCE_REMOVE;
}

static gpointer worker_thread(gpointer data)
{
    GTask *task = data;
    Migration *migration = g_task_get_task_data(task);
    gint64 begun = g_get_monotonic_time();
    GThread *watcher = NULL;

    migration->virt = hypervisor_borrow(migration->hv, &migration->error);
    if (migration->virt) {
        watcher = g_thread_new("migration-watch", watcher_thread, g_object_ref(task));
        migration->success = call(migration, &migration->error);
    }
    migration->migrated.total_ms = (g_get_monotonic_time() - begun) / 1000;
    g_mutex_lock(&migration->lock);
    migration->over = TRUE;
    g_cond_signal(&migration->over_cond);
    g_mutex_unlock(&migration->lock);
    if (watcher)
        g_thread_join(watcher);
    if (migration->success)
        migration->migrated.state = GUEST_ENDED;
    else if (migration->virt)
        look_at_guest(migration);
    hypervisor_give_back(migration->hv, g_steal_pointer(&migration->virt));
    migration->settle_until = g_get_monotonic_time() + SEEN_WAIT_MS * 1000;
    g_main_context_invoke_full(migration->context, G_PRIORITY_DEFAULT, on_call_over, task,
                               g_object_unref);
    return NULL;
}

void guest_migrate(Hypervisor *hv, const char *id, const GuestMigration *wanted,
                   GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user)
{
    GTask *task = g_task_new(NULL, NULL, callback, user); /* the worker's */
    Migration *migration = g_new0(Migration, 1);

    migration->hv = hypervisor_ref(hv);
    migration->context = g_main_context_ref(g_main_context_default());
    migration->id = g_strdup(id);
    migration->gate_socket = g_strdup(wanted->gate_socket);
    migration->stream_path = g_strdup(wanted->stream_path);
    migration->destination_xml = g_strdup(wanted->destination_xml);
    migration->bandwidth_mib = wanted->bandwidth_mib;
    migration->max_downtime_ms = wanted->one_pass          ? 0
                                 : wanted->max_downtime_ms ? wanted->max_downtime_ms
                                                           : GUEST_DOWNTIME_MS;
    migration->progress = wanted->progress;
    migration->progress_user = wanted->progress_user;
    migration->cancellable = cancellable ? g_object_ref(cancellable) : g_cancellable_new();
    migration->migrated.state = GUEST_UNKNOWN;
    g_mutex_init(&migration->lock);
    g_cond_init(&migration->over_cond);
    hypervisor_begin_migration(hv, id);
    g_task_set_task_data(task, migration, migration_free);
    g_thread_unref(g_thread_new("migration", worker_thread, task));
}

gboolean guest_migrate_finish(GAsyncResult *result, GuestMigrated *ret_migrated, GError **error)
{
    Migration *migration = g_task_get_task_data(G_TASK(result));

    *ret_migrated = migration->migrated;
    if (migration->error)
        g_propagate_error(error, g_steal_pointer(&migration->error));
    return migration->success;
}
