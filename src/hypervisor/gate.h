/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.h - the destination's end of a migration's libvirt RPC: admits one reserved job only
 *
 * The peer speaks to a Gate as to a libvirtd; the Gate decodes what it says and speaks for itself
 * with the node's own libvirtd. Everything runs on the main context that was the thread default at
 * gate_new; nothing blocks.
 */
#pragma once

#include <glib.h>

typedef struct Gate Gate;

typedef struct {
    const char *libvirtd_socket; /* the node's own libvirtd */
    const char *domain_name;     /* of the reserved job, as at the source */
    const char *domain_uuid;     /* "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" */
    const char *domain_xml;      /* from our own template, never from the peer */
    const char *incoming_path;   /* UNIX socket path that our QEMU is to listen on */
    guint silence_s;             /* patience with a peer that should speak; 0: 30 */
    guint copy_s;                /* longest time between PREPARE3's answer and FINISH3; 0: 3600 */
} GateConfig;

/* Callbacks come from the main loop, never from within gate_new. In each of them gate_free may be
 * called. */
typedef struct {
    /* Our libvirtd has answered PREPARE3: QEMU waits at incoming_path, the guest's channel socket
     * exists. The answer goes to the source when this returns. */
    void (*prepared)(Gate *gate, gpointer user);
    /* FINISH3 is done here. present: the guest is whole and paused; nothing more happens until
     * gate_commit or gate_refuse is called, from here or later (ended() does not come in between,
     * even if the peer leaves). Not present: the migration failed, there is no guest, an error is
     * on its way to the source and ended() follows. */
    void (*finished)(Gate *gate, gboolean present, gpointer user);
    /* The last callback; gate_free is due. reason NULL: the conversation was complete. violation:
     * the peer said what it may not say; it has been logged and should be counted against it. After
     * an end without finished(present) our libvirtd has destroyed, or is destroying, what had come
     * of the guest; should it be found later all the same (libvirtd died meanwhile), it is judged
     * by verdict_host as any other. */
    void (*ended)(Gate *gate, const char *reason, gboolean violation, gpointer user);
} GateEvents;

/* Takes over peer_fd (a connected stream); config is copied, events must outlive the gate. Never
 * fails: what goes wrong is told by ended(). */
Gate *gate_new(int peer_fd, const GateConfig *config, const GateEvents *events, gpointer user);

/* After finished(present): the job is ours and has been resumed; the source may remove its guest.
 * */
void gate_commit(Gate *gate);

/* After finished(present): the job is not ours and has been destroyed here; the source gets an
 * error with this sentence. */
void gate_refuse(Gate *gate, const char *text);

/* Closes both connections and frees. Before finished(present) our libvirtd then destroys the
 * incoming guest. NULL is fine. */
void gate_free(Gate *gate);

/* The same with a connection to a libvirtd that is made already (taken over): for tests and
 * fuzzing. */
Gate *gate_new_connected(int peer_fd, int libvirtd_fd, const GateConfig *config,
                         const GateEvents *events, gpointer user);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Gate, gate_free)
