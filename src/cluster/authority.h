/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authority.h - the cluster's authority: its key, the tokens it gave out, what it signs and revokes
 *
 * Kept in a folder: ca.key, ca.crt, crl.pem, tokens.json (all 0600, written atomically). Tokens
 * are kept hashed.
 */
#pragma once

#include <glib.h>

#include "token.h"

typedef struct Authority Authority;

/* Makes a new one in the folder; loads the one that is there (NULL without an error: none). */
Authority *authority_create(const char *folder, GError **error);
Authority *authority_load(const char *folder, GError **error);
void authority_free(Authority *authority);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Authority, authority_free)

/* PEM texts, good until the next authority_revoke or authority_free. */
const char *authority_certificate(Authority *authority);
const char *authority_crl(Authority *authority);

/* A token for the authority at this address, good for valid_s seconds and, with single, once;
 * sponsor is the node whose administrator ordered it, NULL: this one (g_free). */
char *authority_token(Authority *authority, const char *address, guint port, guint valid_s,
                      gboolean single, const char *sponsor, GError **error);

/* Whether a secret is one of a token that is still good; SJ_ERROR_DENIED with the reason if not. */
gboolean authority_check(Authority *authority, const char *secret, GError **error);

/* The node whose administrator ordered the token with this secret (owned by the authority, until that is spent); NULL: this
 * one. */
const char *authority_sponsor(Authority *authority, const char *secret);

/* The secret has served: if it was for once it is forgotten, on disk before this returns. */
gboolean authority_spend(Authority *authority, const char *secret, GError **error);

/* Signs the key in request for the node name, for a year (g_free). */
char *authority_sign(Authority *authority, const char *request, const char *name, GError **error);

/* Revokes the certificate with this serial number: in crl.pem before this returns. */
gboolean authority_revoke(Authority *authority, const char *serial, GError **error);
