/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.c - what can be done to a guest: one worker thread an operation, its result on the main
 * context */
#include "guest.h"

#include "common/error.h"
#include "common/log.h"
#include "guest-process.h"
#include "hypervisor-internal.h"
#include "monitor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EARLY_MS 2
#define EARLY_TRIES 500
#define LATE_MS 20
#define LATE_TRIES 100

/* One operation: what its worker needs, all of it its own. */
typedef struct {
    Hypervisor *hv;
    GTaskThreadFunc work;
    Virt *virt; /* borrowed while the work is done */
    char *id;
    char *xml; /* a domain or its metadata */
    GuestEnd *end;
    gboolean (*act)(Virt *virt, const char *text, GError **error);
} Operation;

static void operation_free(gpointer data)
{
    Operation *operation = data;

    if (operation->hv)
        hypervisor_unref(operation->hv);
    g_free(operation->id);
    g_free(operation->xml);
    guest_end_free(operation->end);
    g_free(operation);
}

void guest_info_free(GuestInfo *info)
{
    if (!info)
        return;
    g_free(info->id);
    g_free(info->description);
    g_free(info->channel_path);
    g_free(info);
}

static void operation_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;

    operation->virt = hypervisor_borrow(operation->hv, &error);
    if (operation->virt)
        operation->work(task, source, data, cancellable);
    else
        g_task_return_error(task, error);
    hypervisor_give_back(operation->hv, g_steal_pointer(&operation->virt));
}

/* Runs work in a thread; with error set (taken over) the callback gets that. */
static void run(Hypervisor *hv, Operation *operation, GError *error, GTaskThreadFunc work,
                GAsyncReadyCallback callback, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user);

    operation->hv = hypervisor_ref(hv);
    operation->work = work;
    g_task_set_task_data(task, operation, operation_free);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_run_in_thread(task, operation_thread);
}

static Operation *operation_new(const char *id)
{
    Operation *operation = g_new0(Operation, 1);

    operation->id = g_strdup(id);
    return operation;
}

static void return_boolean(GTask *task, gboolean done, GError *error)
{
    if (done)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

gboolean guest_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

static void start_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    gboolean done = virt_create(operation->virt, operation->xml, &error);

    return_boolean(task, done, error);
}

/* libvirt starts QEMU with its CPUs stopped and asks it a dozen questions, none of which the guest's boot disturbs, before it
 * lets them go. Where there is a second monitor that is done as soon as QEMU listens; libvirt hears of it from QEMU. With a
 * snapshot QEMU takes "cont", whoever says it, as the wish to run as soon as its state is there. libvirt does not know of that
 * state: so a QEMU that does not get it would wait for it for ever, and is ended here, at the latest soon after libvirt has it.
 * */
typedef struct {
    Hypervisor *hv;
    char *id, *path;
    Snapshot *snapshot; /* may be NULL */
    Monitor *monitor;
    guint tries;
    gboolean trying;    /* we are not done here */
    gboolean starting;  /* libvirt is not */
    gboolean failed;    /* it could not */
    gboolean stuck;     /* QEMU did not take the snapshot */
    GAsyncReadyCallback callback;
    gpointer user;
} Early;

static void early_free(Early *early)
{
    if (early->trying || early->starting)
        return;
    monitor_free(early->monitor);
    snapshot_unref(early->snapshot);
    hypervisor_unref(early->hv);
    g_free(early->path);
    g_free(early->id);
    g_free(early);
}

static gboolean early_end(gpointer user)
{
    Early *early = user;

    early->trying = FALSE;
    g_clear_pointer(&early->monitor, monitor_free);
    early_free(early);
    return G_SOURCE_REMOVE;
}

static void early_done(Json *result, gpointer user)
{
    Early *early = user;

    if (!result && early->stuck && !early->failed)
        guest_kill(early->hv, early->id);
    g_idle_add(early_end, early); /* libvirt lets the CPUs go a moment later, so a failure is none */
}

static void early_loaded(Json *result, gpointer user)
{
    Early *early = user;

    early->stuck = !result;
    if (early->stuck && !early->failed)
        log_warning("guest %s does not take the snapshot it is to begin from: it is ended", early->id);
    monitor_command(early->monitor, early->stuck ? "quit" : "cont", early_done, early);
}

/* Without a snapshot it is soon libvirt's affair alone. */
static gboolean early_hopes(Early *early)
{
    early->tries = early->starting ? MIN(early->tries + 1, EARLY_TRIES) : early->tries + 1;
    return !early->failed && early->tries < (early->snapshot ? EARLY_TRIES + LATE_TRIES : EARLY_TRIES);
}

static gboolean early_try(gpointer user)
{
    Early *early = user;

    early->monitor = early->failed ? NULL : monitor_open(early->path, NULL);
    if (early->monitor && early->snapshot) {
        snapshot_load(early->snapshot, early->monitor, early_loaded, early);
    } else if (early->monitor) {
        monitor_command(early->monitor, "cont", early_done, early);
    } else if (early_hopes(early)) {
        g_timeout_add(early->tries < EARLY_TRIES ? EARLY_MS : LATE_MS, early_try, early);
    } else {
        if (early->snapshot && !early->failed) {
            log_warning("guest %s cannot be given the snapshot it is to begin from: it is ended", early->id);
            guest_kill(early->hv, early->id);
        }
        early_end(early);
    }
    return G_SOURCE_REMOVE;
}

/* libvirt is done with it. */
static void early_started(GObject *source, GAsyncResult *result, gpointer user)
{
    Early *early = user;

    early->failed = g_task_had_error(G_TASK(result));
    early->starting = FALSE;
    if (early->callback)
        early->callback(source, result, early->user);
    early_free(early);
}

static Early *early_start(Hypervisor *hv, const GuestSpec *spec, GAsyncReadyCallback callback, gpointer user)
{
    Early *early = g_new0(Early, 1);

    early->hv = hypervisor_ref(hv);
    early->id = g_strdup(spec->id);
    early->path = monitor_path(spec->channel_path);
    early->snapshot = spec->snapshot ? snapshot_ref(spec->snapshot) : NULL;
    early->callback = callback;
    early->user = user;
    early->trying = early->starting = TRUE;
    g_timeout_add(EARLY_MS, early_try, early);
    return early;
}

void guest_start(Hypervisor *hv, const GuestSpec *spec, GAsyncReadyCallback callback, gpointer user)
{
    Operation *operation = operation_new(spec->id);
    GError *error = NULL;

    operation->xml = guest_xml(spec, &error);
    if (!error && g_str_equal(spec->accel, "tcg"))
        run(hv, operation, NULL, start_thread, early_started, early_start(hv, spec, callback, user));
    else
        run(hv, operation, error, start_thread, callback, user);
}

/* suspend and resume */
static void act_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    gboolean done = operation->act(operation->virt, operation->id, &error);

    return_boolean(task, done, error);
}

void guest_suspend(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user)
{
    Operation *operation = operation_new(id);

    operation->act = virt_suspend;
    run(hv, operation, NULL, act_thread, callback, user);
}

void guest_resume(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user)
{
    Operation *operation = operation_new(id);

    operation->act = virt_resume;
    run(hv, operation, NULL, act_thread, callback, user);
}

static void end_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    guest_end_wait(data);
    g_task_return_boolean(task, TRUE);
}

void guest_end(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user);

    g_task_set_task_data(task, guest_end_begin(hv, id), (GDestroyNotify)guest_end_free);
    g_task_run_in_thread(task, end_thread);
}

static void destroy_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    gboolean done;

    guest_end_wait(operation->end);
    done = virt_destroy(operation->virt, operation->id, &error);

    if (g_error_matches(error, SJ_ERROR, SJ_ERROR_NOT_FOUND)) {
        g_clear_error(&error);
        done = TRUE;
    }
    return_boolean(task, done, error);
}

void guest_destroy(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user)
{
    Operation *operation = operation_new(id);

    operation->end = guest_end_begin(hv, id);
    run(hv, operation, NULL, destroy_thread, callback, user);
}

void guest_unlink(const char *channel_path)
{
    g_autofree char *monitor = monitor_path(channel_path);

    unlink(channel_path);
    unlink(monitor);
}

static void describe_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    gboolean done = virt_set_metadata(operation->virt, operation->id, operation->xml, &error);

    return_boolean(task, done, error);
}

void guest_set_description(Hypervisor *hv, const char *id, guint64 epoch, const char *description,
                           GAsyncReadyCallback callback, gpointer user)
{
    Operation *operation = operation_new(id);

    operation->xml = guest_xml_metadata(epoch, description);
    run(hv, operation, NULL, describe_thread, callback, user);
}

static void list_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    GPtrArray *guests = virt_list(operation->virt, &error);

    if (guests)
        g_task_return_pointer(task, guests, (GDestroyNotify)g_ptr_array_unref);
    else
        g_task_return_error(task, error);
}

void guest_list(Hypervisor *hv, GAsyncReadyCallback callback, gpointer user)
{
    run(hv, operation_new(NULL), NULL, list_thread, callback, user);
}

GPtrArray *guest_list_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void query_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Operation *operation = data;
    GError *error = NULL;
    GuestInfo *info = virt_query(operation->virt, operation->id, &error);

    if (info)
        g_task_return_pointer(task, info, (GDestroyNotify)guest_info_free);
    else
        g_task_return_error(task, error);
}

void guest_query(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user)
{
    run(hv, operation_new(id), NULL, query_thread, callback, user);
}

GuestInfo *guest_query_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}
