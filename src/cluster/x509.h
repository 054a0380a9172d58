/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x509.h - keys, certificates, requests and revocation lists, as PEM text */
#pragma once

#include <glib.h>

typedef struct {
    char *name;        /* the node's: CN, and the same as DNS name */
    char *serial;      /* lower-case hexadecimal */
    char *fingerprint; /* SHA-256 of the certificate, lower-case hexadecimal */
    gint64 begins;     /* seconds since the epoch */
    gint64 ends;
} X509Info;

void x509_info_free(X509Info *info);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(X509Info, x509_info_free)

/* All texts returned are the caller's (g_free; keys better by x509_key_free); NULL means
 * failure, with a sentence. */

/* A new Ed25519 key; freeing it wipes the memory. */
char *x509_key_new(GError **error);
void x509_key_free(char *key);

/* The authority's own certificate, to sign nodes' certificates and nothing else. */
char *x509_authority_new(const char *key, guint valid_days, GError **error);

/* A request for a certificate for the node name, signed with its key. */
char *x509_request_new(const char *key, const char *name, GError **error);

/* The name a request asks for, if its signature proves that the asker has the key. */
char *x509_request_name(const char *request, GError **error);

/* The certificate of the request's key for the node name. */
char *x509_sign(const char *ca_key, const char *ca, const char *request, const char *name,
                guint valid_days, GError **error);

/* What the first certificate of the text says. */
X509Info *x509_info_new(const char *certificate, GError **error);

/* Whether certificate is a node's that ca has signed and that is for this key. */
gboolean x509_check(const char *certificate, const char *ca, const char *key, GError **error);

/* The revocation list crl (NULL: an empty one) with one more serial (NULL: none), signed anew. */
char *x509_revoke(const char *ca_key, const char *ca, const char *crl, const char *serial,
                  GError **error);

/* The serial numbers on a revocation list (g_strfreev); NULL with an error for any other text. Whose it is is not
 * looked at. */
char **x509_crl_serials(const char *crl, GError **error);

/* The running number of a revocation list that ca has signed; -1 with an error for any other
 * text. */
gint64 x509_crl_number(const char *crl, const char *ca, GError **error);
