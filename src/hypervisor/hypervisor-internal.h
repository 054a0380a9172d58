/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hypervisor-internal.h - what guest.c and guest-migrate.c need of hypervisor.c */
#pragma once

#include "hypervisor.h"
#include "virt.h"

/* The connection (a new reference), or NULL and SJ_ERROR_GONE. */
Virt *hypervisor_virt(Hypervisor *hv, GError **error);

/* A connection for one migration, opened beforehand if possible: NULL means open one. It is given back by
 * hypervisor_give_spare, which takes the reference over. */
Virt *hypervisor_take_spare(Hypervisor *hv);
void hypervisor_give_spare(Hypervisor *hv, Virt *virt);

/* What the events have told about a guest's migration; cleared by hypervisor_forget_migration, which is to be called
 * before one begins. */
typedef struct {
    gboolean done;
    VirtJobDone job;
    gint64 stopped_us;         /* when it was last seen to be paused; 0: not */
} MigrationSeen;

void hypervisor_forget_migration(Hypervisor *hv, const char *id);
MigrationSeen hypervisor_migration_seen(Hypervisor *hv, const char *id);

/* The guest's end will be our doing: its reason is "destroyed", unless it has been migrated. */
void hypervisor_note_kill(Hypervisor *hv, const char *id);

/* The node's settings. */
const Conf *hypervisor_conf(Hypervisor *hv);

/* hv is freed only when the operations that hold it are over. */
Hypervisor *hypervisor_ref(Hypervisor *hv);
void hypervisor_unref(Hypervisor *hv);
