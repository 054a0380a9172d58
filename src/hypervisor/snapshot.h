/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.h - the state of a guest, kept in memory, from which other guests of the same shape begin instead of booting
 *
 * Theory of operation. A guest that has booted, and belongs to nobody, is stopped by its second monitor and writes its state, as
 * for a migration, into a sealed memory file. A new guest of the same machine is then started as the destination of a migration
 * that comes from there: libvirt knows nothing of it, but that the guest takes a moment to begin. Zero pages are left out
 * (ram-stream.h): to look at each costs as much as a boot.
 *
 * Limits. Under TCG only: elsewhere guests have no second monitor, and boot in no time. What is random in the guest is the same
 * in each that begins from one snapshot, so home sends its own randomness with START (docs/protocol.md).
 */
#pragma once

#include "monitor.h"

typedef struct Snapshot Snapshot;

Snapshot *snapshot_ref(Snapshot *snapshot);
void snapshot_unref(Snapshot *snapshot);

/* Bytes that it takes. */
guint64 snapshot_size(const Snapshot *snapshot);

/* Saves the guest with this channel, which stands still from then on: it is to be ended, whatever comes out. done is called
 * once, on the default main context: the snapshot is the caller's; NULL: an error, which is done's to read only. */
typedef void (*SnapshotDone)(Snapshot *snapshot, const GError *error, gpointer user);
void snapshot_save(const char *channel_path, SnapshotDone done, gpointer user);

/* Has a QEMU that was started to wait for a migration ("-incoming defer") begin from the snapshot. done gets NULL if it has not
 * begun to read it, and goes on waiting; if it cannot read it to the end, it ends. */
void snapshot_load(Snapshot *snapshot, Monitor *monitor, MonitorDone done, gpointer user);
