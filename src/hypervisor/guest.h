/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest.h - what can be done to a guest: start, end, stop, go on, describe, migrate
 *
 * Every function takes a job's id (UUID text), works in another thread and calls back on the
 * caller's main context, exactly once. source_object is NULL. All but those with a _finish of their
 * own are finished by guest_finish. An id that has no guest gives SJ_ERROR_NOT_FOUND; no libvirtd
 * gives SJ_ERROR_GONE.
 */
#pragma once

#include <gio/gio.h>

#include "guest-usage.h"
#include "guest-xml.h"
#include "hypervisor.h"

/* Why a guest is paused. */
typedef enum {
    GUEST_PAUSE_NONE, /* it is not */
    GUEST_PAUSE_USER, /* by guest_suspend, or a finished migration whose resume has not been ordered
                         yet */
    GUEST_PAUSE_MIGRATION, /* source or destination of a migration, under way or cut off (see busy)
                            */
    GUEST_PAUSE_FAULT,     /* I/O error, watchdog, crash, failed post-copy */
    GUEST_PAUSE_OTHER,
    GUEST_PAUSE_LAST
} GuestPause;

typedef struct {
    char *id;
    GuestState state;
    GuestPause pause;
    gboolean busy;        /* libvirt has a job on it (a migration, in or out) */
    guint64 epoch;        /* from the metadata; 0: none */
    char *description;    /* JSON text; may be NULL */
    char *channel_path;   /* where QEMU listens for the link; NULL: none */
} GuestInfo;

void guest_info_free(GuestInfo *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestInfo, guest_info_free)

/* TRUE when the operation succeeded. */
gboolean guest_finish(GAsyncResult *result, GError **error);

/* Starts a transient domain from spec (copied); done when its CPUs run. */
void guest_start(Hypervisor *hv, const GuestSpec *spec, GAsyncReadyCallback callback,
                 gpointer user);

/* Ends the guest at once, by SIGKILL. A guest that is already gone is a success. */
void guest_destroy(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user);

/* Only sends the SIGKILL: needs no libvirtd, does not wait; libvirt notices by itself. For a guest
 * that must not run one moment longer. FALSE where there is no such guest. */
gboolean guest_kill(Hypervisor *hv, const char *id);

/* The same, and calls back (TRUE in any case) when the process is gone, or after 100 ms: to whom libvirt would otherwise wait
 * 200 ms for its end. */
void guest_end(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user);

/* Whether it was killed, or destroyed, on our order, and libvirt has not said yet that it is gone. */
gboolean guest_is_ending(Hypervisor *hv, const char *id);

/* Removes the sockets of a guest that has gone: QEMU, killed, did not. */
void guest_unlink(const char *channel_path);

/* Both are done at once where the guest is so already. */
void guest_suspend(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user);
void guest_resume(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user);

/* Replaces the job's description and epoch in the live metadata. */
void guest_set_description(Hypervisor *hv, const char *id, guint64 epoch, const char *description,
                           GAsyncReadyCallback callback, gpointer user);

/* Every guest of the node, as an array of GuestInfo * (g_ptr_array_unref frees them) of which only id, state and pause are
 * known; NULL and an error. Cheap. */
void guest_list(Hypervisor *hv, GAsyncReadyCallback callback, gpointer user);
GPtrArray *guest_list_finish(GAsyncResult *result, GError **error);

/* All of one guest. With state GUEST_ENDED and no error where there is none. */
void guest_query(Hypervisor *hv, const char *id, GAsyncReadyCallback callback, gpointer user);
GuestInfo *guest_query_finish(GAsyncResult *result, GError **error);

/* Progress of a migration, in bytes of guest memory; called on the main context, not before 250 ms
 * have passed. */
typedef void (*GuestProgress)(const char *id, guint64 bytes_total, guint64 bytes_remaining,
                              gpointer user);

typedef struct {
    const char *gate_socket; /* UNIX socket that leads to the destination's gate */
    const char *stream_path; /* UNIX socket QEMU sends its stream to; something must listen there by
                              * the time PREPARE3 has been answered */
    guint64 bandwidth_mib;   /* MiB/s, 0: as fast as it goes */
    guint max_downtime_ms; /* 0: the default, GUEST_DOWNTIME_MS; raised by itself when the copy does
                              not converge */
    const char
        *destination_xml;   /* only where there is a bare libvirtd instead of a gate; else NULL */
    gboolean one_pass;      /* memory is copied once while the guest runs, the rest when it stands still
                             * (max_downtime_ms does not count): under TCG the dirty bitmap must not be read
                             * while it runs, see monitor.h */
    GuestProgress progress; /* may be NULL */
    gpointer progress_user;
} GuestMigration;

#define GUEST_DOWNTIME_MS 10

typedef struct {
    guint64 total_ms;   /* of libvirt's call, with opening the connection to the gate */
    gint64 downtime_ms; /* as libvirt reckons it; -1: it did not say */
    guint64 bytes;      /* sent by QEMU; 0: not known */
    gint64 stopped_us;  /* monotonic time when the guest was seen to stop here; 0: it was not */
    GuestState state;   /* of the guest here, after the call: GUEST_ENDED after success */
    GuestPause pause;
} GuestMigrated;

/* Migrates live, to arrive paused. The call is over when both sides are settled as far as libvirt
 * can settle them. Cancelling (may be NULL) aborts the copy; if it is too late for that the
 * migration succeeds. When it fails ret_migrated still says in what state the guest is here:
 * RUNNING (libvirt resumed it) or PAUSED (the last step is not known: ask home). */
void guest_migrate(Hypervisor *hv, const char *id, const GuestMigration *migration,
                   GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user);
gboolean guest_migrate_finish(GAsyncResult *result, GuestMigrated *ret_migrated, GError **error);
