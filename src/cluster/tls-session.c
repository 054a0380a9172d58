/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-session.c - one TLS session between two buffers: no socket, no thread, no waiting
 *
 * The half of GnuTLS that speaks. It is given its input and leaves its output in buffers, so that
 * the one who owns the socket can move many records by one system call, and nothing here ever
 * blocks.
 *
 * TLS 1.3 only. A server asks for a certificate but lets a client without one in, nameless: what it
 * may do then is decided by the caller. A certificate that is shown must be the cluster's own, for
 * the right use, and not revoked. No session tickets: every connection proves itself anew.
 */
#include "tls-session.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <string.h>

#include "common/error.h"

enum { INPUT_SIZE = 256 * 1024, OUTPUT_SIZE = 256 * 1024 };

struct TlsCredentials {
    atomic_int references;
    gnutls_certificate_credentials_t certificate;
    gnutls_priority_t priority;
    char *pin;
};

struct TlsSession {
    TlsCredentials *credentials;
    gnutls_session_t session;
    TlsBuffer input, output;
    char *peer;
    gboolean server, input_ended, overflow;
    const char *alert; /* what the other end said when it broke off; static */
    GError *refusal;   /* why the other end's certificate was not good */
};

/* Whether the processor has instructions for AES-GCM; without them ChaCha20 is faster. */
static gboolean has_aes(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
#else
    return FALSE;
#endif
}

static const char *priorities(void)
{
#define PRIORITIES(ciphers) "SECURE128:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:" ciphers \
    ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:%SERVER_PRECEDENCE"
    return has_aes() ? PRIORITIES("+AES-128-GCM:+CHACHA20-POLY1305")
                     : PRIORITIES("+CHACHA20-POLY1305:+AES-128-GCM");
#undef PRIORITIES
}

static gboolean credentials_failed(int code, const char *what, GError **error)
{
    if (code >= 0)
        return FALSE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "%s cannot be used for TLS: %s", what,
                gnutls_strerror(code));
    return TRUE;
}

static int verify(gnutls_session_t gnutls);

static TlsCredentials *credentials_base(GError **error)
{
    g_autoptr(TlsCredentials) credentials = g_new0(TlsCredentials, 1);

    atomic_init(&credentials->references, 1);
    if (credentials_failed(gnutls_certificate_allocate_credentials(&credentials->certificate),
                           "a certificate", error) ||
        credentials_failed(gnutls_priority_init(&credentials->priority, priorities(), NULL),
                           "this machine's GnuTLS", error))
        return NULL;
    gnutls_certificate_set_verify_function(credentials->certificate, verify);
    return g_steal_pointer(&credentials);
}

TlsCredentials *tls_credentials_new(const char *key, const char *certificate, const char *ca,
                                    const char *crl, GError **error)
{
    g_autoptr(TlsCredentials) credentials = credentials_base(error);
    gnutls_datum_t key_data = {(unsigned char *)key, strlen(key)};
    gnutls_datum_t ca_data = {(unsigned char *)ca, strlen(ca)};
    gnutls_datum_t crl_data = {(unsigned char *)crl, crl ? strlen(crl) : 0};
    g_autofree char *chain = g_strconcat(certificate, ca, NULL); /* a newcomer needs the root too */
    gnutls_datum_t chain_data = {(unsigned char *)chain, strlen(chain)};

    if (!credentials ||
        credentials_failed(gnutls_certificate_set_x509_key_mem(
                               credentials->certificate, &chain_data, &key_data,
                               GNUTLS_X509_FMT_PEM), "the node's certificate", error) ||
        credentials_failed(gnutls_certificate_set_x509_trust_mem(
                               credentials->certificate, &ca_data, GNUTLS_X509_FMT_PEM),
                           "the authority's certificate", error) ||
        (crl && credentials_failed(gnutls_certificate_set_x509_crl_mem(
                                       credentials->certificate, &crl_data, GNUTLS_X509_FMT_PEM),
                                   "the revocation list", error)))
        return NULL;
    return g_steal_pointer(&credentials);
}

TlsCredentials *tls_credentials_new_pinned(const char *fingerprint, GError **error)
{
    g_autoptr(TlsCredentials) credentials = credentials_base(error);

    if (credentials)
        credentials->pin = g_ascii_strdown(fingerprint, -1);
    return g_steal_pointer(&credentials);
}

TlsCredentials *tls_credentials_ref(TlsCredentials *credentials)
{
    atomic_fetch_add(&credentials->references, 1);
    return credentials;
}

void tls_credentials_unref(TlsCredentials *credentials)
{
    if (!credentials || atomic_fetch_sub(&credentials->references, 1) > 1)
        return;
    if (credentials->certificate)
        gnutls_certificate_free_credentials(credentials->certificate);
    if (credentials->priority)
        gnutls_priority_deinit(credentials->priority);
    g_free(credentials->pin);
    g_free(credentials);
}

guint8 *tls_buffer_room(TlsBuffer *buffer, gsize *ret_length)
{
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
    if (buffer->start > 0 && buffer->end == buffer->size) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    *ret_length = buffer->size - buffer->end;
    return buffer->data + buffer->end;
}

void tls_buffer_add(TlsBuffer *buffer, gsize length)
{
    g_assert(length <= buffer->size - buffer->end);
    buffer->end += length;
}

gsize tls_buffer_length(const TlsBuffer *buffer)
{
    return buffer->end - buffer->start;
}

void tls_buffer_drop(TlsBuffer *buffer, gsize length)
{
    g_assert(length <= tls_buffer_length(buffer));
    buffer->start += length;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

/* GnuTLS wants bytes from the network. */
static ssize_t pull(gnutls_transport_ptr_t user, void *data, size_t length)
{
    TlsSession *session = user;
    gsize there = tls_buffer_length(&session->input);

    if (there == 0 && session->input_ended)
        return 0;
    if (there == 0) {
        gnutls_transport_set_errno(session->session, EAGAIN);
        return -1;
    }
    length = MIN(length, there);
    memcpy(data, session->input.data + session->input.start, length);
    tls_buffer_drop(&session->input, length);
    return length;
}

/* GnuTLS has bytes for the network. Room was made sure of by the caller, except for a peer that
 * makes us answer without ever reading: that one is broken off. */
static ssize_t push(gnutls_transport_ptr_t user, const void *data, size_t length)
{
    TlsSession *session = user;
    TlsBuffer *output = &session->output;
    gsize room;
    guint8 *to = tls_buffer_room(output, &room);

    if (room < length && output->start > 0) {
        memmove(output->data, output->data + output->start, tls_buffer_length(output));
        output->end -= output->start;
        output->start = 0;
        to = tls_buffer_room(output, &room);
    }
    if (room < length) {
        session->overflow = TRUE;
        gnutls_transport_set_errno(session->session, EPIPE);
        return -1;
    }
    memcpy(to, data, length);
    tls_buffer_add(output, length);
    return length;
}

/* Nothing here waits: either there is input or there is not. */
static int pull_timeout(gnutls_transport_ptr_t user, unsigned int ms)
{
    TlsSession *session = user;

    return tls_buffer_length(&session->input) > 0 || session->input_ended;
}

TlsSession *tls_session_new(TlsCredentials *credentials, gboolean server)
{
    TlsSession *session = g_new0(TlsSession, 1);
    unsigned int flags = (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS |
                         GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL;

    session->credentials = tls_credentials_ref(credentials);
    session->server = server;
    session->input = (TlsBuffer){g_malloc(INPUT_SIZE), 0, 0, INPUT_SIZE};
    session->output = (TlsBuffer){g_malloc(OUTPUT_SIZE), 0, 0, OUTPUT_SIZE};
    if (gnutls_init(&session->session, flags) < 0)
        g_error("out of memory for a TLS session");
    gnutls_session_set_ptr(session->session, session);
    gnutls_priority_set(session->session, credentials->priority);
    gnutls_credentials_set(session->session, GNUTLS_CRD_CERTIFICATE, credentials->certificate);
    if (server) {
        gnutls_certificate_server_set_request(session->session, GNUTLS_CERT_REQUEST);
        /* Without a list of authorities a client shows what it has, good or not. */
        gnutls_certificate_send_x509_rdn_sequence(session->session, 1);
    }
    gnutls_transport_set_ptr(session->session, session);
    gnutls_transport_set_pull_function(session->session, pull);
    gnutls_transport_set_pull_timeout_function(session->session, pull_timeout);
    gnutls_transport_set_push_function(session->session, push);
    gnutls_handshake_set_timeout(session->session, 0);
    return session;
}

void tls_session_free(TlsSession *session)
{
    if (!session)
        return;
    gnutls_deinit(session->session);
    explicit_bzero(session->input.data, session->input.end);
    g_free(session->input.data);
    g_free(session->output.data);
    g_free(session->peer);
    g_clear_error(&session->refusal);
    tls_credentials_unref(session->credentials);
    g_free(session);
}

TlsBuffer *tls_session_input(TlsSession *session)
{
    return &session->input;
}

TlsBuffer *tls_session_output(TlsSession *session)
{
    return &session->output;
}

void tls_session_input_ended(TlsSession *session)
{
    session->input_ended = TRUE;
}

/* Refuses the other end's certificate with this reason. */
G_GNUC_PRINTF(2, 3) static int refuse(TlsSession *session, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_clear_error(&session->refusal);
    session->refusal = g_error_new_valist(SJ_ERROR, SJ_ERROR_DENIED, format, args);
    va_end(args);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* A newcomer's check: the last certificate of the chain is the authority of the token, and the
 * first one is signed by it. */
static int verify_pinned(TlsSession *session, const gnutls_datum_t *chain, unsigned int length)
{
    g_autofree char *print = g_compute_checksum_for_data(G_CHECKSUM_SHA256, chain[length - 1].data,
                                                         chain[length - 1].size);
    gnutls_x509_trust_list_t list = NULL;
    gnutls_x509_crt_t node = NULL, ca = NULL;
    unsigned int verdict = ~0u;

    if (!g_str_equal(print, session->credentials->pin))
        return refuse(session, "its authority has the fingerprint %s, not the token's", print);
    if (gnutls_x509_crt_init(&node) == 0 && gnutls_x509_crt_init(&ca) == 0 &&
        gnutls_x509_crt_import(node, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_crt_import(ca, &chain[length - 1], GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_trust_list_init(&list, 0) == 0 &&
        gnutls_x509_trust_list_add_cas(list, &ca, 1, 0) == 1 &&
        gnutls_x509_trust_list_verify_crt(list, &node, 1, 0, &verdict, NULL) < 0)
        verdict = ~0u;
    if (list)
        gnutls_x509_trust_list_deinit(list, 0);
    if (node)
        gnutls_x509_crt_deinit(node);
    if (ca)
        gnutls_x509_crt_deinit(ca);
    return verdict ? refuse(session, "its certificate is not signed by its authority") : 0;
}

/* Everybody else's check: signed by the cluster's authority, in time, for this use, not revoked. */
static int verify_member(TlsSession *session)
{
    gnutls_typed_vdata_st purpose = {
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (void *)(session->server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER),
    };
    gnutls_datum_t reason = {NULL, 0};
    unsigned int verdict = ~0u;
    int code = gnutls_certificate_verify_peers(session->session, &purpose, 1, &verdict);

    if (code < 0)
        return refuse(session, "its certificate cannot be checked: %s", gnutls_strerror(code));
    if (!verdict)
        return 0;
    gnutls_certificate_verification_status_print(verdict, GNUTLS_CRT_X509, &reason, 0);
    code = refuse(session, "its certificate is not good in this cluster: %s",
                  reason.data ? g_strchomp((char *)reason.data) : "unknown reason");
    gnutls_free(reason.data);
    return code;
}

/* The node's name from its certificate (g_free). */
static char *name_of(const gnutls_datum_t *der)
{
    gnutls_x509_crt_t certificate;
    char name[256];
    size_t length = sizeof name;
    char *result = NULL;

    if (gnutls_x509_crt_init(&certificate) < 0)
        return NULL;
    if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) == 0 &&
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
                                      &length) == 0 && length > 0 && !memchr(name, 0, length) &&
        g_utf8_validate(name, length, NULL))
        result = g_strndup(name, length);
    gnutls_x509_crt_deinit(certificate);
    return result;
}

/* GnuTLS asks whether the certificate that the other end showed is good. */
static int verify(gnutls_session_t gnutls)
{
    TlsSession *session = gnutls_session_get_ptr(gnutls);
    unsigned int length = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(gnutls, &length);
    int code;

    if (!chain || length == 0)
        return session->server ? 0 : refuse(session, "it has shown no certificate");
    code = session->credentials->pin ? verify_pinned(session, chain, length)
                                     : verify_member(session);
    if (code)
        return code;
    g_free(session->peer);
    session->peer = name_of(&chain[0]);
    return session->peer ? 0 : refuse(session, "its certificate names no node");
}

/* The sentence for a handshake that failed. */
static void handshake_error(TlsSession *session, int code, GError **error)
{
    if (session->refusal)
        g_propagate_error(error, g_steal_pointer(&session->refusal));
    else if (code == GNUTLS_E_PREMATURE_TERMINATION || code == GNUTLS_E_PULL_ERROR)
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "it closed the connection");
    else if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "it refused: %s",
                    gnutls_alert_get_name(gnutls_alert_get(session->session)));
    else
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "no TLS 1.3 with it: %s",
                    gnutls_strerror(code));
}

int tls_session_handshake(TlsSession *session, GError **error)
{
    int code;

    do
        code = gnutls_handshake(session->session);
    while (code == GNUTLS_E_INTERRUPTED || (code < 0 && code != GNUTLS_E_AGAIN &&
                                            !gnutls_error_is_fatal(code)));
    if (code == GNUTLS_E_AGAIN)
        return 0;
    if (code == 0)
        return 1;
    gnutls_alert_send_appropriate(session->session, code);
    handshake_error(session, code, error);
    return -1;
}

const char *tls_session_peer(TlsSession *session)
{
    return session->peer;
}

const char *tls_session_alert(TlsSession *session)
{
    return session->alert;
}

gboolean tls_session_put(TlsSession *session, const void *data, gsize length)
{
    g_assert(length <= TLS_RECORD);
    while (length > 0) {
        ssize_t put = gnutls_record_send(session->session, data, length);
        if (put <= 0)
            return FALSE;
        data = (const guint8 *)data + put;
        length -= put;
    }
    return TRUE;
}

void tls_session_put_end(TlsSession *session)
{
    gnutls_bye(session->session, GNUTLS_SHUT_WR);
}

gssize tls_session_get(TlsSession *session, void *data, gsize length)
{
    for (int tries = 0; tries < 1000; tries++) {
        ssize_t got = gnutls_record_recv(session->session, data, length);
        if (got >= 0)
            return got;
        if (got == GNUTLS_E_FATAL_ALERT_RECEIVED)
            session->alert = gnutls_alert_get_name(gnutls_alert_get(session->session));
        if (session->overflow || gnutls_error_is_fatal(got))
            return TLS_GET_BROKEN;
        if (got == GNUTLS_E_AGAIN && tls_buffer_length(&session->input) == 0 &&
            !session->input_ended)
            return TLS_GET_AGAIN;
    }
    return TLS_GET_BROKEN;
}
