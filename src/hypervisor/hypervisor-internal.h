/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor-internal.h - what guest.c and guest-migrate.c need of hypervisor.c */
#pragma once

#include "hypervisor.h"
#include "virt.h"

/* Connections are borrowed: while somebody has one it is theirs alone, for libvirt's client may
 * lose the wake-up of a second thread that uses it, which then waits until libvirtd happens to say
 * something. Any thread; may block to open one. NULL and SJ_ERROR_GONE where there is no libvirtd.
 */
Virt *hypervisor_borrow(Hypervisor *hv, GError **error);

/* Takes the reference over. NULL is fine. Any thread, does not block. */
void hypervisor_give_back(Hypervisor *hv, Virt *virt);

/* What the events have told about a guest's migration; from hypervisor_begin_migration to
 * hypervisor_forget_migration. */
typedef struct {
    gboolean under_way;
    gboolean ended;    /* the guest here is gone; what libvirt says of the migration follows at once, or not at all */
    gboolean done;
    VirtJobDone job;
    gint64 stopped_us; /* when it was last seen to be paused; 0: not */
} MigrationSeen;

void hypervisor_begin_migration(Hypervisor *hv, const char *id);
void hypervisor_forget_migration(Hypervisor *hv, const char *id);
MigrationSeen hypervisor_migration_seen(Hypervisor *hv, const char *id);

/* The guest's end will be our doing: its reason is "destroyed", unless it has been migrated. */
void hypervisor_note_kill(Hypervisor *hv, const char *id);

/* What guest-usage.c keeps of each guest, by id, until it has ended; and its maker. */
GHashTable *hypervisor_meters(Hypervisor *hv);
GHashTable *guest_meters_new(void);

/* The node's settings. */
const Conf *hypervisor_conf(Hypervisor *hv);

/* hv is freed only when the operations that hold it are over. */
Hypervisor *hypervisor_ref(Hypervisor *hv);
void hypervisor_unref(Hypervisor *hv);
