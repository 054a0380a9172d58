/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-source.h - the source's end of a migration's libvirt RPC: our client and their gate
 *
 * Two reasons not to join the two streams byte by byte:
 *   - libvirt resumes the guest here when FINISH3 fails or its answer is lost. The COMMIT may have
 *     been taken all the same, or be taken a moment later; what the guest did meanwhile would make
 *     the copy at the destination useless. So a failed or lost FINISH3 is kept from libvirt, which
 *     leaves the guest paused, until home has said what is true.
 *   - an answer of the destination could send our QEMU's stream to another socket, or have our
 *     libvirt act on its cookie. Answers are checked as calls are at the gate.
 */
#pragma once

#include <glib.h>

typedef struct GateSource GateSource;

typedef struct {
    const char *domain_name;
    const char *domain_uuid;
} GateSourceConfig;

/* Callbacks come from the main loop; gate_source_free may be called in each. */
typedef struct {
    /* FINISH3 failed or its answer is lost (text says why): ask home to settle, judge by
     * verdict_source, then call gate_source_settle. libvirt waits, the guest stays paused. */
    void (*unsure)(GateSource *gate, const char *text, gpointer user);
    /* PREPARE3 has been answered: libvirt begins to copy when it hears that. TRUE: not before gate_source_go_on (may be
     * NULL). */
    gboolean (*prepared)(GateSource *gate, gpointer user);
    /* FINISH3 succeeded, or home has settled that it did: the guest runs there, and is nobody here (may be NULL). TRUE:
     * libvirt is not told before gate_source_go_on. */
    gboolean (*finished)(GateSource *gate, gpointer user);
    /* The last callback. violation: the destination said what it may not say. Our libvirt client
     * sees its connection end when gate_source_free is called. */
    void (*ended)(GateSource *gate, const char *reason, gboolean violation, gpointer user);
} GateSourceEvents;

/* Takes over both: client_fd is the accepted connection of our own libvirt client, peer_fd leads to
 * the destination's gate. config is copied, events must outlive it. */
GateSource *gate_source_new(int client_fd, int peer_fd, const GateSourceConfig *config,
                            const GateSourceEvents *events, gpointer user);

/* After prepared() or finished() was answered with TRUE, once. */
void gate_source_go_on(GateSource *gate);

/* After unsure(), once. ours: the guest is effective here and nothing is expected: libvirt gets an error and resumes it. Not
 * ours: libvirt is told that all is well and removes the guest. */
void gate_source_settle(GateSource *gate, gboolean ours);

/* Closes both and frees. While FINISH3 is open libvirt then resumes the guest: not to be called
 * between unsure() and gate_source_settle unless the program ends. NULL is fine. */
void gate_source_free(GateSource *gate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GateSource, gate_source_free)
