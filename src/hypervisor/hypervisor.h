/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor.h - the connection to the node's private libvirtd: made, lost, made again; and what it
 * tells of guests
 *
 * Everything runs on the default main context. No function blocks.
 */
#pragma once

#include "common/conf.h"

typedef struct Hypervisor Hypervisor;

/* What a guest is doing, as far as libvirt knows. */
typedef enum {
    GUEST_RUNNING,
    GUEST_PAUSED,
    GUEST_ENDED,   /* there is no such guest (any more) */
    GUEST_UNKNOWN, /* libvirtd could not be asked */
    GUEST_STATE_LAST
} GuestState;

/* "running", "paused", "ended", "unknown" */
const char *guest_state_name(GuestState state);

typedef struct {
    /* Connected (again) and every guest listed: for each that ended meanwhile guest_ended has been
     * called before. */
    void (*ready)(Hypervisor *hv, gpointer user);
    /* libvirtd went away; the connection is tried again by itself. Guests go on. */
    void (*lost)(Hypervisor *hv, gpointer user);
    /* A guest is gone. reason is "shutdown" (it ended itself), "destroyed", "crashed", "migrated",
     * "saved", "failed", or "lost" (it ended while libvirtd was away). Also called for guests ended
     * by guest_destroy. */
    void (*guest_ended)(Hypervisor *hv, const char *id, const char *reason, gpointer user);
    /* A guest began to run or was paused (also by a migration under way). */
    void (*guest_changed)(Hypervisor *hv, const char *id, GuestState state, gpointer user);
} HypervisorEvents;

/* Connects to conf's private libvirtd, and again whenever it is lost, until hypervisor_free. To be
 * called once, before threads are started (it sets LIBVIRT_AUTOSTART in the environment and
 * libvirt's event loop, and ignores SIGPIPE). conf must outlive it. */
Hypervisor *hypervisor_new(const Conf *conf, const HypervisorEvents *events, gpointer user);

/* Lets go of libvirtd; guests go on. Operations under way end with SJ_ERROR_GONE or their result.
 */
void hypervisor_free(Hypervisor *hv);

/* Whether libvirtd answers at the moment. */
gboolean hypervisor_is_ready(Hypervisor *hv);

/* Path of libvirtd's socket, for the gate (owned by hv). */
const char *hypervisor_socket(Hypervisor *hv);
