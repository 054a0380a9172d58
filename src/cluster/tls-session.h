/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-session.h - one TLS session between two buffers: no socket, no thread, no waiting */
#pragma once

#include <glib.h>

/* What a session needs to know of itself and of whom to believe. Never changes once made; may be
 * used by many threads. */
typedef struct TlsCredentials TlsCredentials;

/* All PEM; crl may be NULL. */
TlsCredentials *tls_credentials_new(const char *key, const char *certificate, const char *ca,
                                    const char *crl, GError **error);
/* No certificate; believes a chain whose authority has this SHA-256 fingerprint (hexadecimal). */
TlsCredentials *tls_credentials_new_pinned(const char *fingerprint, GError **error);
TlsCredentials *tls_credentials_ref(TlsCredentials *credentials);
void tls_credentials_unref(TlsCredentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsCredentials, tls_credentials_unref)

/* Bytes from start to end are there. */
typedef struct {
    guint8 *data;
    gsize start, end, size;
} TlsBuffer;

/* Room for more at the end, *ret_length bytes (0: full); tls_buffer_add says how many were put. */
guint8 *tls_buffer_room(TlsBuffer *buffer, gsize *ret_length);
void tls_buffer_add(TlsBuffer *buffer, gsize length);
/* What is there, and that its first bytes were used up. */
gsize tls_buffer_length(const TlsBuffer *buffer);
void tls_buffer_drop(TlsBuffer *buffer, gsize length);

/* The most plain bytes in a record, and how much it grows at most by encryption. */
enum { TLS_RECORD = 16384, TLS_RECORD_EXTRA = 512 };

typedef struct TlsSession TlsSession;

TlsSession *tls_session_new(TlsCredentials *credentials, gboolean server);
void tls_session_free(TlsSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsSession, tls_session_free)

/* Encrypted bytes: the caller fills the one from the network and sends the other to it. */
TlsBuffer *tls_session_input(TlsSession *session);
TlsBuffer *tls_session_output(TlsSession *session);
/* The network has no more. */
void tls_session_input_ended(TlsSession *session);

/* Goes on with the handshake: 1 done, 0 more input is needed (send the output first), -1 failed
 * with SJ_ERROR_DENIED or SJ_ERROR_GONE. */
int tls_session_handshake(TlsSession *session, GError **error);

/* The name in the other end's certificate; NULL if it showed none. */
const char *tls_session_peer(TlsSession *session);

/* Why the other end broke off, if it said (static); else NULL. */
const char *tls_session_alert(TlsSession *session);

/* Encrypts at most TLS_RECORD bytes; output must have room for them. FALSE: it is broken. */
gboolean tls_session_put(TlsSession *session, const void *data, gsize length);

/* Says that nothing more will be put. */
void tls_session_put_end(TlsSession *session);

enum { TLS_GET_END = 0, TLS_GET_AGAIN = -1, TLS_GET_BROKEN = -2 };

/* Decrypts: a number of bytes, or one of the above; END is what the other side said with
 * tls_session_put_end, BROKEN anything else that is an end. */
gssize tls_session_get(TlsSession *session, void *data, gsize length);
