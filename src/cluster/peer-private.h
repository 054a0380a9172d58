/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer-private.h - what peer.c and peer-call.c share; others include peer.h */
#pragma once

#include "peer.h"

typedef struct Peer Peer;

/* A connection for calls, either way. */
typedef struct {
    Peers *peers; /* NULL once peers is being freed */
    char *node;   /* NULL: without certificate */
    Rpc *rpc;
    gint64 since;
    GSource *expiry; /* of one without certificate */
} Connection;

/* A call, from peers_call to its answer. */
typedef struct {
    Peers *peers; /* NULL when it was answered before its Rpc did */
    char *node, *method;
    Json *params; /* NULL once it was sent */
    gint64 deadline;
    GSource *timer; /* while it waits for a connection, or for its immediate failure */
    GError *failure;
    PeerAnswer answer;
    gpointer user;
} Call;

struct Peer {
    Peers *peers;
    char *name, *address;
    guint port;
    Connection *connection; /* dialled and open */
    guint dial;             /* number of the dial that counts; 0: none under way */
    GSource *redial;
    guint pause_ms;
    gint64 tried;
    GQueue waiting; /* of Call */
    GError *reason; /* why the last dial failed */
};

struct Peers {
    int references; /* the owner's, and one of each dial under way */
    gboolean stopped;
    TlsIdentity *identity;
    char *self;
    PeerEvents events;
    gpointer user;
    GMainContext *context;
    GHashTable *table;      /* name → Peer */
    GPtrArray *connections; /* of Connection */
    GPtrArray *calls;       /* of Call */
    Connection *loop;       /* our own end of the calls to ourselves */
    guint dials;
};

/* Calls function in so many milliseconds, in the loop of these peers. */
GSource *peers_timer(Peers *peers, guint ms, GSourceFunc function, gpointer data);

/* The connection calls to node go out on; NULL if there is none now. peer: that node's, or NULL. */
Connection *peers_connection(Peers *peers, const char *node, Peer *peer);

/* There is a reason to dial now; it does so not more often than makes sense. */
void peer_dial_soon(Peer *peer);

/* Frees a call that was answered. */
void call_free(Call *call);

/* Answers the call, once. */
void call_answer(Call *call, Json *result, const GError *error);

/* Sends a call that has waited. */
void call_send(Call *call, Connection *connection);

/* Makes a call fail soon, from the main loop; failure is taken over. */
void call_fail(Call *call, GError *failure);
