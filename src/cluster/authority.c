/* SPDX-License-Identifier: GPL-2.0-or-later */
/* authority.c - the authority: its key, the tokens it gave out, what it signs and revokes */
#include "authority.h"

#include <string.h>
#include <sys/random.h>

#include "common/error.h"
#include "common/json.h"
#include "keyring.h"
#include "x509.h"

enum { CA_DAYS = 20 * 365, NODE_DAYS = 365, SECRET_BYTES = 32, TOKENS_MAX = 1000 };

struct Authority {
    char *folder;
    char *key, *certificate, *crl;
    Json *tokens; /* [{hash, expires, single, sponsor?}] */
};

void authority_free(Authority *authority)
{
    if (!authority)
        return;
    x509_key_free(authority->key);
    g_free(authority->folder);
    g_free(authority->certificate);
    g_free(authority->crl);
    json_unref(authority->tokens);
    g_free(authority);
}

static gboolean save_tokens(Authority *authority, GError **error)
{
    g_autofree char *path = g_build_filename(authority->folder, "tokens.json", NULL);

    return json_save(authority->tokens, path, 0600, error);
}

Authority *authority_create(const char *folder, GError **error)
{
    g_autoptr(Authority) authority = g_new0(Authority, 1);

    authority->folder = g_strdup(folder);
    authority->tokens = json_array();
    authority->key = x509_key_new(error);
    if (!authority->key)
        return NULL;
    authority->certificate = x509_authority_new(authority->key, CA_DAYS, error);
    if (!authority->certificate)
        return NULL;
    authority->crl = x509_revoke(authority->key, authority->certificate, NULL, NULL, error);
    if (!authority->crl || !keyring_write(folder, "ca.key", authority->key, error) ||
        !keyring_write(folder, "ca.crt", authority->certificate, error) ||
        !keyring_write(folder, "crl.pem", authority->crl, error) ||
        !save_tokens(authority, error))
        return NULL;
    return g_steal_pointer(&authority);
}

Authority *authority_load(const char *folder, GError **error)
{
    g_autoptr(Authority) authority = g_new0(Authority, 1);
    g_autofree char *path = g_build_filename(folder, "tokens.json", NULL);
    g_autofree char *key_path = g_build_filename(folder, "ca.key", NULL);

    if (!g_file_test(key_path, G_FILE_TEST_EXISTS))
        return NULL;
    authority->folder = g_strdup(folder);
    authority->key = keyring_read(folder, "ca.key", error);
    if (!authority->key)
        return NULL;
    authority->certificate = keyring_read(folder, "ca.crt", error);
    if (!authority->certificate)
        return NULL;
    authority->crl = keyring_read(folder, "crl.pem", error);
    if (!authority->crl)
        return NULL;
    authority->tokens = json_load(path, NULL);
    if (!json_is_array(authority->tokens)) {
        json_unref(authority->tokens);
        authority->tokens = json_array(); /* without the file no token is good */
    }
    return g_steal_pointer(&authority);
}

const char *authority_certificate(Authority *authority)
{
    return authority->certificate;
}

const char *authority_crl(Authority *authority)
{
    return authority->crl;
}

static char *hash_of(const char *secret)
{
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, secret, -1);
}

static gint64 now_s(void)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

/* Keeps the tokens that are still good and not this one (NULL: all that are good). */
static void sweep_tokens(Authority *authority, const char *spent_hash)
{
    Json *kept = json_array();

    for (guint i = 0; i < json_length(authority->tokens); i++) {
        Json *token = json_at(authority->tokens, i);
        if (json_get_int(token, "expires", 0) > now_s() &&
            g_strcmp0(json_get_string(token, "hash", ""), spent_hash) != 0)
            json_append(kept, json_ref(token));
    }
    json_unref(authority->tokens);
    authority->tokens = kept;
}

/* The token with this secret, good or not; NULL if there is none. */
static Json *find_token(Authority *authority, const char *secret)
{
    g_autofree char *hash = hash_of(secret);

    for (guint i = 0; i < json_length(authority->tokens); i++) {
        Json *token = json_at(authority->tokens, i);
        if (g_str_equal(json_get_string(token, "hash", ""), hash))
            return token;
    }
    return NULL;
}

static char *new_secret(GError **error)
{
    guint8 bytes[SECRET_BYTES];
    GString *secret;

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "the system gives no random numbers");
        return NULL;
    }
    secret = g_string_sized_new(2 * sizeof bytes);
    for (guint i = 0; i < sizeof bytes; i++)
        g_string_append_printf(secret, "%02x", bytes[i]);
    return g_string_free(secret, FALSE);
}

char *authority_token(Authority *authority, const char *address, guint port, guint valid_s,
                      gboolean single, const char *sponsor, GError **error)
{
    g_autoptr(X509Info) info = x509_info_new(authority->certificate, error);
    g_autoptr(Token) token = g_new0(Token, 1);
    g_autofree char *hash = NULL;
    Json *row;

    token->secret = info ? new_secret(error) : NULL;
    if (!token->secret)
        return NULL;
    sweep_tokens(authority, NULL);
    if (json_length(authority->tokens) >= TOKENS_MAX) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY,
                    "%d tokens wait for their nodes: use one of them, or wait", TOKENS_MAX);
        return NULL;
    }
    token->address = g_strdup(address);
    token->port = port;
    token->fingerprint = g_strdup(info->fingerprint);
    token->expires = now_s() + valid_s;
    hash = hash_of(token->secret);
    row = json_set_string(json_object(), "hash", hash);
    json_set_int(row, "expires", token->expires);
    if (sponsor)
        json_set_string(row, "sponsor", sponsor);
    json_append(authority->tokens, json_set_bool(row, "single", single));
    return save_tokens(authority, error) ? token_print(token) : NULL;
}

gboolean authority_check(Authority *authority, const char *secret, GError **error)
{
    Json *token = find_token(authority, secret);

    if (!token)
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "the token is not known here, or was used already: make a new one with "
                    "'sojourn cluster token'");
    else if (json_get_int(token, "expires", 0) <= now_s())
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "the token has expired: make a new one with 'sojourn cluster token'");
    else
        return TRUE;
    return FALSE;
}

const char *authority_sponsor(Authority *authority, const char *secret)
{
    Json *token = find_token(authority, secret);

    return token ? json_get_string(token, "sponsor", NULL) : NULL;
}

gboolean authority_spend(Authority *authority, const char *secret, GError **error)
{
    Json *token = find_token(authority, secret);
    g_autofree char *hash = hash_of(secret);

    if (!token || !json_get_bool(token, "single", TRUE))
        return TRUE;
    sweep_tokens(authority, hash);
    return save_tokens(authority, error);
}

char *authority_sign(Authority *authority, const char *request, const char *name, GError **error)
{
    return x509_sign(authority->key, authority->certificate, request, name, NODE_DAYS, error);
}

gboolean authority_revoke(Authority *authority, const char *serial, GError **error)
{
    g_autofree char *crl = x509_revoke(authority->key, authority->certificate, authority->crl,
                                       serial, error);

    if (!crl || !keyring_write(authority->folder, "crl.pem", crl, error))
        return FALSE;
    g_free(authority->crl);
    authority->crl = g_steal_pointer(&crl);
    return TRUE;
}
