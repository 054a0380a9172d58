/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-private.h - what gate.c and gate-peer.c share: the gate's phases and its memory */
#pragma once

#include "gate.h"
#include "libvirt-rpc.h"

#define GATE_PACKET_MAX (2u << 20)
#define GATE_FLAGS (LV_MIGRATE_LIVE | LV_MIGRATE_PAUSED)

typedef enum {
    GATE_GREETING,     /* AUTH_LIST must come */
    GATE_OPENING,      /* CONNECT_OPEN */
    GATE_READY,        /* PREPARE3 */
    GATE_PREPARING,    /* our libvirtd is at it */
    GATE_COPYING,      /* FINISH3 must come */
    GATE_FINISHING,    /* our libvirtd is at it */
    GATE_DECIDING,     /* gate_commit or gate_refuse must come */
    GATE_CLOSING,      /* the last answer is out */
    GATE_ENDED
} GatePhase;

struct Gate {
    char *name, *uuid, *xml, *incoming_uri;
    guint silence_s, copy_s;
    const GateEvents *events;
    gpointer user;

    GatePhase phase;
    LvConn *peer, *local;          /* NULL when closed */
    gboolean local_open;           /* our CONNECT_OPEN has been answered */
    guint32 serial;                /* of our last call */
    LvHeader call;                 /* the peer's, that waits for its answer */
    guint features;
    char *stream_uri;              /* the peer's own, as it came in PREPARE3 */
    GByteArray *prepare;           /* waits for local_open */
    gboolean cancelled;
    LvMigrateAnswer finish;        /* what our libvirtd said, held back */

    char *reason;
    gboolean violation;
    GSource *timer, *quiet, *end;
    guint busy;                    /* callbacks of the user under way */
    gboolean dead;
};

/* gate.c */
void gate_enter(Gate *gate, GatePhase phase);

/* Closes both sides; ended() comes from the main loop. Only the first reason counts; a format of
 * NULL keeps it. */
void gate_end(Gate *gate, gboolean violation, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The peer said what it may not say, or is gone. Once FINISH3 has been passed on the decision is
 * not the peer's any more: only its connection ends. */
void gate_peer_fault(Gate *gate, gboolean violation, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* A peer that pings is heard of even during a long copy. */
void gate_heard(Gate *gate);

/* Answers a call of the peer; body may be NULL. */
void gate_answer(Gate *gate, const LvHeader *call, guint32 status, GByteArray *body);

/* The peer's calls, admitted, on to our libvirtd; cookie as it may be passed on (or NULL). */
void gate_prepare(Gate *gate, const LvHeader *call, GBytes *cookie);
void gate_finish(Gate *gate, const LvHeader *call, GBytes *cookie);

/* gate-peer.c: pings are answered at any time; TRUE when it was one, or the answer to one. */
gboolean gate_keepalive(LvConn *conn, const LvHeader *header, gsize size);
extern const LvEvents gate_peer_events;
