/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.h - a QMP monitor of our own beside libvirt's: for commands that libvirt cannot give, or not at the right moment
 *
 * Why: a guest can begin from a snapshot (snapshot.h), and above all, under TCG, QEMU learns of a store to memory from the
 * translated code itself. A vCPU thread that the host puts aside between that code's check and its store, at the moment when
 * the dirty bitmap is read and cleared, stores into a page that has been sent already and counts as clean: the destination
 * lacks the store. So the bitmap must never be read while the guest runs. It is read once at the start (the guest is stopped
 * for that, by this monitor; libvirt has no call for it while it migrates), and once at the end (the guest is stopped anyway);
 * in between not at all when the downtime limit is 0, see GuestMigration.one_pass. KVM's dirty log is the processor's, and exact.
 */
#pragma once

#include "common/json.h"

typedef struct Monitor Monitor;

/* Connects to QEMU's second monitor at path; NULL and a sentence. Runs on the default main context. */
Monitor *monitor_open(const char *path, GError **error);

/* result: what QEMU returned (borrowed); NULL when it refused, went away, or did not answer within 5 s. */
typedef void (*MonitorDone)(Json *result, gpointer user);

/* Gives a command without arguments ("stop", "cont"). done (may be NULL) is called once, later. */
void monitor_command(Monitor *monitor, const char *command, MonitorDone done, gpointer user);

/* The same with arguments, an object as JSON text, and a descriptor that goes with it ("getfd"; copied; -1: none). */
void monitor_command_with(Monitor *monitor, const char *command, const char *arguments, int fd, MonitorDone done, gpointer user);

/* Has each event that QEMU tells from now on handed over by its name ("STOP", "RESUME"), as soon as it comes. */
typedef void (*MonitorEvent)(const char *event, gpointer user);
void monitor_watch(Monitor *monitor, MonitorEvent event, gpointer user);

/* Closes; what is under way ends without its callback. NULL is fine. */
void monitor_free(Monitor *monitor);

/* Where the second monitor of the guest with this channel is (g_free). */
char *monitor_path(const char *channel_path);
