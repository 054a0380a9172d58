/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virt.h - plain libvirt, as far as sojourn needs it: blocking calls for worker threads, events for
 * the main loop
 *
 * All calls may block for as long as libvirtd likes and belong into worker threads, except
 * virt_init, virt_ref, virt_unref, virt_watch's callbacks. Errors: SJ_ERROR_NOT_FOUND no such
 * guest, SJ_ERROR_GONE no (more) libvirtd, SJ_ERROR_BUSY another job is on the guest, else
 * SJ_ERROR_FAILED with libvirt's words.
 */
#pragma once

#include "guest.h"

typedef struct Virt Virt; /* a connection to a libvirtd or a gate */

/* Binds libvirt to GLib's main loop, forbids it to start daemons, ignores SIGPIPE; once, before
 * there are threads. */
void virt_init(void);

/* Opens a connection to the socket. */
Virt *virt_open(const char *socket, GError **error);
Virt *virt_ref(Virt *virt);
/* The last one closes the connection, in a thread of its own. NULL is fine. */
void virt_unref(Virt *virt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Virt, virt_unref)

typedef struct {
    guint64 bytes;      /* sent; 0: not told */
    gint64 downtime_ms; /* -1: not told */
} VirtJobDone;

typedef struct {
    /* The connection broke. */
    void (*closed)(gpointer user);
    void (*changed)(const char *id, GuestState state, gpointer user);
    void (*ended)(const char *id, const char *reason, gpointer user);
    /* A migration of this guest to elsewhere is over, one way or the other. */
    void (*migrated)(const char *id, const VirtJobDone *done, gpointer user);
} VirtEvents;

/* Asks for events, once a connection; they come on the main loop until virt_unwatch has been called
 * there, which does not block. */
gboolean virt_watch(Virt *virt, const VirtEvents *events, gpointer user, GError **error);
void virt_unwatch(Virt *virt);

/* Whether the connection is known to be broken; does not block. */
gboolean virt_is_broken(Virt *virt);

/* Makes libvirtd learn what the emulator can do, if it does not know yet. */
void virt_warm(Virt *virt);

gboolean virt_create(Virt *virt, const char *xml, GError **error);
gboolean virt_destroy(Virt *virt, const char *id, GError **error);
gboolean virt_suspend(Virt *virt, const char *id, GError **error);
gboolean virt_resume(Virt *virt, const char *id, GError **error);
gboolean virt_set_metadata(Virt *virt, const char *id, const char *xml, GError **error);

/* Guests as guest_list and guest_query give them; those of other owners are left out. virt_query: state GUEST_ENDED if there
 * is none. */
GPtrArray *virt_list(Virt *virt, GError **error);
GuestInfo *virt_query(Virt *virt, const char *id, GError **error);

/* virDomainMigrate3, live, to arrive paused. destination_xml: NULL, the source's. */
gboolean virt_migrate(Virt *source, const char *id, Virt *destination, const char *stream_path,
                      guint64 bandwidth_mib, const char *destination_xml, GError **error);
gboolean virt_set_max_downtime(Virt *virt, const char *id, guint ms, GError **error);
gboolean virt_abort(Virt *virt, const char *id, GError **error);

/* How far a migration is; FALSE where there is none. iteration counts passes over memory. */
gboolean virt_progress(Virt *virt, const char *id, guint64 *ret_total, guint64 *ret_remaining,
                       guint *ret_iteration);
