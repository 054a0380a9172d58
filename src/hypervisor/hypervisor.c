/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor.c - the connection to the node's private libvirtd, and what it tells of guests
 *
 * States: connecting (a worker opens and lists, or a timer waits for the next try), ready, closed.
 * libvirt is the database of running guests; here only their ids are kept, to find out which of
 * them ended while libvirtd was away.
 *
 * The connection kept here only carries events. Operations borrow others from a pool; those of
 * before a loss are not put back. An attempt is one worker: open, ask for events, list. Events are
 * asked for before the list, so a guest that comes or goes meanwhile may be told of twice, never
 * not at all.
 */
#include "hypervisor-internal.h"

#include "common/error.h"
#include "common/log.h"
#include "libvirtd.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_MAX 8   /* idle connections kept */
#define POOL_WARM 3  /* opened beforehand */
#define RETRY_MIN 20 /* ms */
#define RETRY_MAX 500
#define TRIM_EVERY 5 /* s */
#define GUEST_LOG_MAX (1 << 20) /* bytes; a longer console, or log of QEMU's, is cut to nothing */
#define OWN_LOG_MAX (16 << 20) /* and those of sojournd and libvirtd */

struct Hypervisor {
    gint refs;
    const Conf *conf;
    HypervisorEvents events;
    gpointer user;
    char *socket;
    Virt *virt;         /* of events; NULL: not ready */
    GMutex pool_lock;   /* of the two below */
    GQueue pool;        /* connections that nobody uses */
    gboolean pool_open; /* libvirtd answers */
    gboolean closed;
    guint retry, retry_ms, trim;
    GHashTable *guests; /* those there are: id -> last GuestState told */
    GHashTable *killed; /* ids of those that we have killed */
    GHashTable *seen;   /* id -> MigrationSeen */
    GHashTable *meters; /* see guest-usage.c */
};

static const char *const state_names[] = {
    [GUEST_RUNNING] = "running",
    [GUEST_PAUSED] = "paused",
    [GUEST_ENDED] = "ended",
    [GUEST_UNKNOWN] = "unknown",
};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == GUEST_STATE_LAST);

const char *guest_state_name(GuestState state)
{
    return state_names[state];
}

Hypervisor *hypervisor_ref(Hypervisor *hv)
{
    g_atomic_int_inc(&hv->refs);
    return hv;
}

void hypervisor_unref(Hypervisor *hv)
{
    if (!g_atomic_int_dec_and_test(&hv->refs))
        return;
    g_mutex_clear(&hv->pool_lock);
    g_hash_table_unref(hv->guests);
    g_hash_table_unref(hv->killed);
    g_hash_table_unref(hv->seen);
    g_hash_table_unref(hv->meters);
    g_free(hv->socket);
    g_free(hv);
}

Virt *hypervisor_borrow(Hypervisor *hv, GError **error)
{
    Virt *virt = NULL;

    g_mutex_lock(&hv->pool_lock);
    gboolean open = hv->pool_open;
    if (open)
        virt = g_queue_pop_head(&hv->pool);
    g_mutex_unlock(&hv->pool_lock);
    if (virt)
        return virt;
    if (open)
        return virt_open(hv->socket, error);
    g_set_error(error, SJ_ERROR, SJ_ERROR_GONE,
                "libvirtd does not answer on this node: it is being started again");
    return NULL;
}

void hypervisor_give_back(Hypervisor *hv, Virt *virt)
{
    if (!virt)
        return;
    g_mutex_lock(&hv->pool_lock);
    if (hv->pool_open && hv->pool.length < POOL_MAX && !virt_is_broken(virt)) {
        g_queue_push_head(&hv->pool, virt);
        virt = NULL;
    }
    g_mutex_unlock(&hv->pool_lock);
    virt_unref(virt);
}

static void pool_set_open(Hypervisor *hv, gboolean open)
{
    Virt *virt;

    g_mutex_lock(&hv->pool_lock);
    hv->pool_open = open;
    while (!open && (virt = g_queue_pop_head(&hv->pool)))
        virt_unref(virt);
    g_mutex_unlock(&hv->pool_lock);
}

void hypervisor_note_kill(Hypervisor *hv, const char *id)
{
    if (g_hash_table_contains(hv->guests, id))
        g_hash_table_add(hv->killed, g_strdup(id));
}

gboolean guest_is_ending(Hypervisor *hv, const char *id)
{
    return g_hash_table_contains(hv->killed, id);
}

void hypervisor_forget_migration(Hypervisor *hv, const char *id)
{
    g_hash_table_remove(hv->seen, id);
}

MigrationSeen hypervisor_migration_seen(Hypervisor *hv, const char *id)
{
    const MigrationSeen *seen = g_hash_table_lookup(hv->seen, id);

    return seen ? *seen : (MigrationSeen){.job.downtime_ms = -1};
}

static MigrationSeen *note_migration(Hypervisor *hv, const char *id)
{
    MigrationSeen *seen = g_hash_table_lookup(hv->seen, id);

    if (!seen) {
        seen = g_new0(MigrationSeen, 1);
        seen->job.downtime_ms = -1;
        g_hash_table_insert(hv->seen, g_strdup(id), seen);
    }
    return seen;
}

void hypervisor_begin_migration(Hypervisor *hv, const char *id)
{
    hypervisor_forget_migration(hv, id);
    note_migration(hv, id)->under_way = TRUE;
}

/* Logs of guests: a hostile one must not fill the disk, a dead one leaves only what is of use. */

static void trim_dir(const char *dir, const char *suffix, goffset max)
{
    g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
    const char *name;

    while (list && (name = g_dir_read_name(list))) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        struct stat st;

        if (g_str_has_suffix(name, suffix) && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
            st.st_size > max && truncate(path, 0) < 0)
            log_warning("cannot cut the log %s", path);
    }
}

static char *console_dir(const Conf *conf)
{
    return g_build_filename(conf->run_dir, "log", NULL);
}

static char *qemu_log_dir(const Conf *conf)
{
    return g_build_filename(conf->state_dir, "cache", "libvirt", "qemu", "log", NULL);
}

static gboolean on_trim(gpointer user)
{
    Hypervisor *hv = user;
    g_autofree char *consoles = console_dir(hv->conf), *qemus = qemu_log_dir(hv->conf);

    trim_dir(consoles, ".console", GUEST_LOG_MAX);
    trim_dir(qemus, ".log", GUEST_LOG_MAX);
    trim_dir(consoles, ".log", OWN_LOG_MAX);
    return G_SOURCE_CONTINUE;
}

/* What QEMU said is only kept where it may explain an end. */
static void drop_log(Hypervisor *hv, const char *id, const char *reason)
{
    g_autofree char *dir = qemu_log_dir(hv->conf), *name = guest_name(id);
    g_autofree char *path = g_strdup_printf("%s/%s.log", dir, name);

    if (g_str_equal(reason, "shutdown") || g_str_equal(reason, "destroyed") ||
        g_str_equal(reason, "migrated"))
        unlink(path);
}

/* Events of libvirt. */

static void on_changed(const char *id, GuestState state, gpointer user)
{
    Hypervisor *hv = user;

    gpointer before;
    gboolean known = g_hash_table_lookup_extended(hv->guests, id, NULL, &before);

    if (state == GUEST_PAUSED)
        note_migration(hv, id)->stopped_us = g_get_monotonic_time();
    if (known && GPOINTER_TO_INT(before) == (int)state)
        return; /* libvirt says both "started" and "resumed" */
    g_hash_table_insert(hv->guests, g_strdup(id), GINT_TO_POINTER(state));
    if (hv->events.guest_changed)
        hv->events.guest_changed(hv, id, state, hv->user);
}

static void on_ended(const char *id, const char *reason, gpointer user)
{
    Hypervisor *hv = user;
    g_autofree char *copy = g_strdup(id);

    g_hash_table_remove(hv->guests, copy);
    g_hash_table_remove(hv->meters, copy);
    if (g_hash_table_remove(hv->killed, copy) && !g_str_equal(reason, "migrated"))
        reason = "destroyed";
    if (hypervisor_migration_seen(hv, copy).under_way)
        note_migration(hv, copy)->ended = TRUE;
    else
        hypervisor_forget_migration(hv, copy);
    drop_log(hv, copy, reason);
    if (hv->events.guest_ended)
        hv->events.guest_ended(hv, copy, reason, hv->user);
}

static void on_migrated(const char *id, const VirtJobDone *job, gpointer user)
{
    MigrationSeen *seen = note_migration(user, id);

    seen->done = TRUE;
    seen->job = *job;
}

static void connect_later(Hypervisor *hv);

static void on_closed(gpointer user)
{
    Hypervisor *hv = user;

    if (!hv->virt)
        return;
    log_warning("the connection to libvirtd is lost; guests go on");
    virt_unwatch(hv->virt);
    g_clear_pointer(&hv->virt, virt_unref);
    pool_set_open(hv, FALSE);
    hv->retry_ms = RETRY_MIN;
    connect_later(hv);
    if (hv->events.lost)
        hv->events.lost(hv, hv->user);
}

static const VirtEvents virt_events = {
    .closed = on_closed, .changed = on_changed, .ended = on_ended, .migrated = on_migrated};

/* Connecting. */

typedef struct {
    char *socket;
    Hypervisor *hv;
    Virt *virt;
    GPtrArray *guests;
} Attempt;

static void attempt_free(gpointer data)
{
    Attempt *attempt = data;

    if (attempt->virt)
        virt_unwatch(attempt->virt);
    virt_unref(attempt->virt);
    g_clear_pointer(&attempt->guests, g_ptr_array_unref);
    g_free(attempt->socket);
    hypervisor_unref(attempt->hv);
    g_free(attempt);
}

static void attempt_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Attempt *attempt = data;
    GError *error = NULL;

    attempt->virt = virt_open(attempt->socket, &error);
    if (attempt->virt && virt_watch(attempt->virt, &virt_events, attempt->hv, &error) &&
        (attempt->guests = virt_list(attempt->virt, &error)))
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* Opens the first connections of the pool and has libvirtd learn about QEMU, so that nobody waits
 * for that later. */
static gpointer warm_thread(gpointer data)
{
    Hypervisor *hv = data;
    Virt *warm[POOL_WARM];

    for (guint i = 0; i < POOL_WARM; i++)
        warm[i] = hypervisor_borrow(hv, NULL);
    if (warm[0])
        virt_warm(warm[0]);
    for (guint i = 0; i < POOL_WARM; i++)
        hypervisor_give_back(hv, warm[i]);
    hypervisor_unref(hv);
    return NULL;
}

/* Compares what there is with what there was. */
static void take_over(Hypervisor *hv, GPtrArray *guests)
{
    g_autoptr(GHashTable) before = g_steal_pointer(&hv->guests);
    GHashTableIter iter;
    gpointer id;

    hv->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < guests->len; i++) {
        const GuestInfo *info = g_ptr_array_index(guests, i);
        if (info->state != GUEST_ENDED)
            g_hash_table_insert(hv->guests, g_strdup(info->id), GINT_TO_POINTER(info->state));
    }
    g_hash_table_iter_init(&iter, before);
    while (g_hash_table_iter_next(&iter, &id, NULL))
        if (!g_hash_table_contains(hv->guests, id))
            on_ended(id, "lost", hv);
}

static void attempt_done(GObject *source, GAsyncResult *result, gpointer user)
{
    Hypervisor *hv = user;
    Attempt *attempt = g_task_get_task_data(G_TASK(result));
    g_autoptr(GError) error = NULL;

    if (hv->closed)
        return;
    if (!g_task_propagate_boolean(G_TASK(result), &error) || virt_is_broken(attempt->virt)) {
        log_debug("%s", error ? error->message : "libvirtd went away at once");
        connect_later(hv);
        return;
    }
    hv->virt = g_steal_pointer(&attempt->virt);
    hv->retry_ms = RETRY_MIN;
    pool_set_open(hv, TRUE);
    g_thread_unref(g_thread_new("libvirt-warm", warm_thread, hypervisor_ref(hv)));
    take_over(hv, attempt->guests);
    if (hv->virt && hv->events.ready)
        hv->events.ready(hv, hv->user);
}

static gboolean connect_now(gpointer user)
{
    Hypervisor *hv = user;
    g_autoptr(GTask) task = g_task_new(NULL, NULL, attempt_done, hv);
    Attempt *attempt = g_new0(Attempt, 1);

    hv->retry = 0;
    attempt->socket = g_strdup(hv->socket);
    attempt->hv = hypervisor_ref(hv);
    g_task_set_task_data(task, attempt, attempt_free);
    g_task_run_in_thread(task, attempt_thread);
    return G_SOURCE_REMOVE;
}

static void connect_later(Hypervisor *hv)
{
    hv->retry = g_timeout_add(hv->retry_ms, connect_now, hv);
    hv->retry_ms = MIN(hv->retry_ms * 2, RETRY_MAX);
}

Hypervisor *hypervisor_new(const Conf *conf, const HypervisorEvents *events, gpointer user)
{
    Hypervisor *hv = g_new0(Hypervisor, 1);

    virt_init();
    hv->refs = 1;
    g_mutex_init(&hv->pool_lock);
    g_queue_init(&hv->pool);
    hv->conf = conf;
    hv->events = *events;
    hv->user = user;
    hv->socket = libvirtd_socket(conf);
    hv->retry_ms = RETRY_MIN;
    hv->guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    hv->killed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    hv->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    hv->meters = guest_meters_new();
    hv->trim = g_timeout_add_seconds(TRIM_EVERY, on_trim, hv);
    connect_now(hv);
    return hv;
}

void hypervisor_free(Hypervisor *hv)
{
    hv->closed = TRUE;
    memset(&hv->events, 0, sizeof hv->events);
    g_clear_handle_id(&hv->retry, g_source_remove);
    g_clear_handle_id(&hv->trim, g_source_remove);
    if (hv->virt)
        virt_unwatch(hv->virt);
    g_clear_pointer(&hv->virt, virt_unref);
    pool_set_open(hv, FALSE);
    hypervisor_unref(hv);
}

gboolean hypervisor_is_ready(Hypervisor *hv)
{
    return hv->virt != NULL;
}

GHashTable *hypervisor_meters(Hypervisor *hv)
{
    return hv->meters;
}

const char *hypervisor_socket(Hypervisor *hv)
{
    return hv->socket;
}

const Conf *hypervisor_conf(Hypervisor *hv)
{
    return hv->conf;
}
