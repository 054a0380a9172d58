/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.h - a QMP monitor of our own beside libvirt's: for the two commands that libvirt cannot give at the right moment
 *
 * Why: under TCG, QEMU learns of a store to memory from the translated code itself. A vCPU thread that the host puts aside between
 * that code's check and its store, at the moment when the dirty bitmap is read and cleared, stores into a page that has been
 * sent already and counts as clean: the destination lacks the store. So the bitmap must never be read while the guest
 * runs. It is read once at the start (the guest is stopped for that, by this monitor; libvirt has no call for it while
 * it migrates), and once at the end (the guest is stopped anyway); in between not at all when the downtime limit is 0,
 * see GuestMigration.one_pass. KVM's dirty log is the processor's, and exact.
 */
#pragma once

#include <glib.h>

typedef struct Monitor Monitor;

/* Connects to QEMU's second monitor at path; NULL and a sentence. Runs on the default main context. */
Monitor *monitor_open(const char *path, GError **error);

/* Gives a command without arguments ("stop", "cont"). done (may be NULL) is called once, later: ok FALSE when QEMU refused
 * or went away, or did not answer within 5 s. */
void monitor_command(Monitor *monitor, const char *command, void (*done)(gboolean ok, gpointer user), gpointer user);

/* Closes; what is under way ends without its callback. NULL is fine. */
void monitor_free(Monitor *monitor);

/* Where the second monitor of the guest with this channel is (g_free). */
char *monitor_path(const char *channel_path);
