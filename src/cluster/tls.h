/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.h - connections between nodes: dial and listen; what comes out is a plain descriptor */
#pragma once

#include <gio/gio.h>

#include "common/json.h"

/* Who this node is: its key and certificate, the authority it trusts, revocations. Reference
 * counted, may be reloaded at any time (connections under way keep what they began with), also
 * keeps the books: connections that are open and bytes by purpose. Made, loaded and used on one
 * main context. */
typedef struct TlsIdentity TlsIdentity;
typedef struct TlsListener TlsListener;
typedef struct TlsAccept TlsAccept; /* a connection that came in and waits for its answer */

/* How long a preamble or its answer may be, with its newline; connections one node may have
 * open here; handshakes under way at once. */
enum { TLS_PREAMBLE_MAX = 4096, TLS_PEER_MAX = 1024, TLS_HANDSHAKES_MAX = 64 };

/* An identity that cannot do anything yet. */
TlsIdentity *tls_identity_new(void);
TlsIdentity *tls_identity_ref(TlsIdentity *identity);
void tls_identity_unref(TlsIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsIdentity, tls_identity_unref)

/* Takes key, certificate chain, authority and revocation list (crl may be NULL), all PEM, for
 * the connections to come. On failure what was loaded before stays. */
gboolean tls_identity_load(TlsIdentity *identity, const char *key, const char *certificate,
                           const char *ca, const char *crl, GError **error);

/* For a newcomer: no certificate of its own; the other end is believed if its chain ends in an
 * authority with this SHA-256 fingerprint (lower-case hexadecimal). */
gboolean tls_identity_pin(TlsIdentity *identity, const char *fingerprint, GError **error);

/* {PURPOSE: {open, connections, bytes_in, bytes_out}}: payload bytes of every connection since
 * the start, both dialled and accepted (a new reference). */
Json *tls_identity_counters(TlsIdentity *identity);

/* Connections that are open now with this node; all of them for NULL. */
guint tls_identity_open(TlsIdentity *identity, const char *node);

/* Breaks every connection with this node (NULL: with all), as if the network had. */
void tls_identity_cut(TlsIdentity *identity, const char *node);

/* Connects, makes the handshake, sends the preamble (taken over; {"purpose": P, ...}) and waits
 * for its answer, all in a thread of the connection's own; calls back on the main context that
 * is the thread default now. expected_node: the name the other end's certificate must have
 * (NULL: any of this cluster). Fails with a sentence: SJ_ERROR_GONE (no connection),
 * SJ_ERROR_TIMEOUT, SJ_ERROR_DENIED (not who it should be, or it refused) or SJ_ERROR_PROTOCOL. */
void tls_dial(TlsIdentity *identity, const char *address, guint port, const char *expected_node,
              Json *preamble, guint timeout_ms, GAsyncReadyCallback done, gpointer user);

/* The plain end of the connection, the caller's to close (non-blocking is the caller's to set);
 * ret_node (may be NULL) is the other end's name (g_free). -1 on failure. What is written comes
 * out at the other node; shutdown() of one direction travels; a connection that breaks looks
 * like one that ends, so what is said on it must know its own end. */
int tls_dial_finish(GAsyncResult *result, char **ret_node, GError **error);

/* A connection came in and its preamble is an object with a purpose. node is NULL when the
 * client showed no certificate: then nothing but joining may be allowed. The callee answers,
 * now or within 30 s, by exactly one of tls_accept and tls_refuse. preamble is valid during the
 * callback; take a reference to keep it. */
typedef void (*TlsAccepted)(TlsListener *listener, const char *node, Json *preamble,
                            TlsAccept *accept, gpointer user);

/* Listens on address (NULL, "" or "*": all) and port (0: any); callbacks on the main context
 * that is the thread default now. NULL with a sentence when that cannot be. */
TlsListener *tls_listen(TlsIdentity *identity, const char *address, guint port,
                        TlsAccepted accepted, gpointer user, GError **error);

/* Stops listening; no callback follows. Connections that were accepted go on, those that were
 * not are closed. */
void tls_listener_free(TlsListener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsListener, tls_listener_free)

/* The port that is listened on. */
guint tls_listener_port(TlsListener *listener);

/* Says yes and gives the plain end, the caller's to close; nothing written to it overtakes the
 * yes. -1 with an error when the connection is gone meanwhile. Either call frees accept. */
int tls_accept(TlsAccept *accept, GError **error);
void tls_refuse(TlsAccept *accept, const char *sentence);

/* The address the connection came from, without port; valid until it is answered. */
const char *tls_accept_address(TlsAccept *accept);

/* Parses a preamble line without its newline the way a listener does; NULL with an error if it
 * would be refused. tls_answer_check does so with the answer to one: FALSE with the reason if
 * it is not a yes. For tests and fuzzing too. */
Json *tls_preamble_parse(const char *line, gsize length, GError **error);
gboolean tls_answer_check(const char *line, gsize length, const char *node, GError **error);
