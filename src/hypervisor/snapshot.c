/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.c - the state of a guest from which others begin (see snapshot.h for the theory) */
#include "snapshot.h"

#include "common/error.h"
#include "common/fault.h"
#include "ram-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS 20
#define LOOKS_MAX 500
#define PIECE (256u << 10) /* bytes read at a time */
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

struct Snapshot {
    gint refs;
    int fd; /* a memory file */
};

static Snapshot *snapshot_new(GError **error)
{
    int fd = memfd_create("sojourn-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    Snapshot *snapshot;

    if (fd < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "there is no memory file for a guest's state: %s", g_strerror(errno));
        return NULL;
    }
    snapshot = g_new0(Snapshot, 1);
    snapshot->refs = 1;
    snapshot->fd = fd;
    return snapshot;
}

Snapshot *snapshot_ref(Snapshot *snapshot)
{
    g_atomic_int_inc(&snapshot->refs);
    return snapshot;
}

void snapshot_unref(Snapshot *snapshot)
{
    if (!snapshot || !g_atomic_int_dec_and_test(&snapshot->refs))
        return;
    close(snapshot->fd);
    g_free(snapshot);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Snapshot, snapshot_unref)

guint64 snapshot_size(const Snapshot *snapshot)
{
    struct stat it;

    return fstat(snapshot->fd, &it) == 0 ? it.st_size : 0;
}

/* Save */

typedef struct {
    Snapshot *raw; /* as QEMU writes it */
    Monitor *monitor;
    guint looks;
    SnapshotDone done;
    gpointer user;
} Save;

static void save_free(Save *save)
{
    monitor_free(save->monitor);
    snapshot_unref(save->raw);
    g_free(save);
}

/* In an idle moment, because it is called by what it frees. */
static gboolean save_fail(gpointer user)
{
    Save *save = user;
    g_autoptr(GError) error = g_error_new(SJ_ERROR, SJ_ERROR_FAILED, "QEMU does not save the guest");

    save->done(NULL, error, save->user);
    save_free(save);
    return G_SOURCE_REMOVE;
}

static gboolean write_all(int fd, const guint8 *bytes, gsize size)
{
    while (size) {
        gssize written = write(fd, bytes, size);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return FALSE;
        bytes += written;
        size -= written;
    }
    return TRUE;
}

/* Copies what QEMU wrote without the zero pages, and seals it: nobody shall ever change what guests begin from. */
static gboolean squeeze(int from, int to, GError **error)
{
    RamStream *stream = ram_stream_new();
    g_autofree guint8 *in = g_malloc(PIECE), *out = g_malloc(PIECE + RAM_STREAM_EXTRA);
    off_t at = 0;
    gssize got;
    gboolean ok;

    do {
        got = pread(from, in, PIECE, at);
        at += MAX(got, 0);
        ok = got >= 0 && write_all(to, out, ram_stream_pass(stream, in, got, out));
    } while (ok && got > 0);
    ok = ok && fcntl(to, F_ADD_SEALS, SEALS) == 0;
    if (!ok)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot keep the state of a guest: %s", g_strerror(errno));
    ram_stream_free(stream);
    return ok;
}

static void squeeze_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Save *save = data;
    GError *error = NULL;
    g_autoptr(Snapshot) snapshot = snapshot_new(&error);

    if (snapshot && squeeze(save->raw->fd, snapshot->fd, &error))
        g_task_return_pointer(task, g_steal_pointer(&snapshot), (GDestroyNotify)snapshot_unref);
    else
        g_task_return_error(task, error);
}

static void squeezed(GObject *source, GAsyncResult *result, gpointer user)
{
    Save *save = user;
    g_autoptr(GError) error = NULL;
    Snapshot *snapshot = g_task_propagate_pointer(G_TASK(result), &error);

    save->done(snapshot, error, save->user);
    save_free(save);
}

static void save_looked(Json *result, gpointer user);

static gboolean save_look(gpointer user)
{
    Save *save = user;

    monitor_command(save->monitor, "query-migrate", save_looked, save);
    return G_SOURCE_REMOVE;
}

static void save_looked(Json *result, gpointer user)
{
    Save *save = user;
    const char *status = result ? json_get_string(result, "status", "") : "failed";

    if (g_str_equal(status, "completed")) {
        g_autoptr(GTask) task = g_task_new(NULL, NULL, squeezed, save);

        g_task_set_task_data(task, save, NULL);
        g_task_run_in_thread(task, squeeze_thread);
    } else if (g_str_equal(status, "failed") || ++save->looks > LOOKS_MAX) {
        g_idle_add(save_fail, save);
    } else {
        g_timeout_add(LOOK_MS, save_look, save);
    }
}

void snapshot_save(const char *channel_path, SnapshotDone done, gpointer user)
{
    g_autofree char *path = monitor_path(channel_path);
    g_autoptr(GError) error = NULL;
    g_autoptr(Snapshot) raw = snapshot_new(&error);
    Monitor *monitor = raw ? monitor_open(path, &error) : NULL;
    Save *save;

    if (!monitor) {
        done(NULL, error, user);
        return;
    }
    save = g_new0(Save, 1);
    save->raw = g_steal_pointer(&raw);
    save->monitor = monitor;
    save->done = done;
    save->user = user;
    monitor_command(monitor, "stop", NULL, NULL);
    monitor_command_with(monitor, "migrate-set-parameters", "{\"max-bandwidth\":1099511627776}", -1, NULL, NULL);
    monitor_command_with(monitor, "getfd", "{\"fdname\":\"snapshot\"}", save->raw->fd, NULL, NULL);
    monitor_command_with(monitor, "migrate", "{\"uri\":\"fd:snapshot\"}", -1, NULL, NULL);
    save_look(save);
}

/* Load */

void snapshot_load(Snapshot *snapshot, Monitor *monitor, MonitorDone done, gpointer user)
{
    g_autofree char *path = fault("snapshot.load") ? g_strdup("/dev/null") : g_strdup_printf("/proc/self/fd/%d", snapshot->fd);
    int fd = fault("snapshot.open") ? -1 : open(path, O_RDONLY | O_CLOEXEC); /* with a position of its own */

    monitor_command_with(monitor, "getfd", "{\"fdname\":\"snapshot\"}", fd, NULL, NULL);
    monitor_command_with(monitor, "migrate-incoming", "{\"uri\":\"fd:snapshot\"}", -1, done, user);
    if (fd >= 0)
        close(fd);
}
