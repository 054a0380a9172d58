/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-authority.c - tokens, the authority and what it signs, keys on disk */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cluster/authority.h"
#include "cluster/keyring.h"
#include "cluster/x509.h"
#include "common/error.h"

static char *folder_new(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *base = g_dir_make_tmp("sojourn-authority-XXXXXX", &error);
    char *folder = g_build_filename(base, "cluster", NULL);

    g_assert_no_error(error);
    return folder;
}

static void folder_remove(const char *folder)
{
    g_autofree char *base = g_path_get_dirname(folder);

    keyring_remove(folder);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
    g_assert_cmpint(g_rmdir(base), ==, 0);
}

static void assert_private(const char *folder, const char *name)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    struct stat status;

    g_assert_cmpint(stat(path, &status), ==, 0);
    g_assert_cmpint(status.st_mode & 0777, ==, 0600);
}

static void test_token(void)
{
    Token token = {(char *)"10.0.0.7", 7227, NULL, NULL, 1900000000};
    g_autofree char *print = g_strnfill(64, 'a'), *secret = g_strnfill(64, '9');
    g_autofree char *text = NULL, *spaced = NULL;
    g_autoptr(Token) again = NULL;
    g_autoptr(GError) error = NULL;

    token.fingerprint = print;
    token.secret = secret;
    text = token_print(&token);
    g_assert_true(g_str_has_prefix(text, "sojourn1:"));
    g_assert_null(strpbrk(text, " +/="));
    spaced = g_strdup_printf(" %s\n", text);
    again = token_parse(spaced, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again->address, ==, token.address);
    g_assert_cmpuint(again->port, ==, token.port);
    g_assert_cmpstr(again->fingerprint, ==, token.fingerprint);
    g_assert_cmpstr(again->secret, ==, token.secret);
    g_assert_cmpint(again->expires, ==, token.expires);
}

static void test_bad_tokens(void)
{
    static const char *const bad[] = {"", "sojourn1:", "sojourn2:e30", "sojourn1:e30",
                                      "sojourn1:W10", "sojourn1:!!!!", "hello",
                                      "sojourn1:eyJhZGRyZXNzIjoiYSJ9"};
    Token token = {(char *)"a", 1, NULL, NULL, 5};
    g_autofree char *short_print = g_strnfill(63, 'a'), *secret = g_strnfill(64, 'Z');
    g_autofree char *long_text = g_strnfill(5000, 'A'), *text = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(token_parse(bad[i], &error));
        g_assert_error(error, SJ_ERROR, SJ_ERROR_USAGE);
    }
    memcpy(long_text, "sojourn1:", 9);
    g_assert_null(token_parse(long_text, NULL));
    token.fingerprint = short_print;
    token.secret = secret;
    text = token_print(&token);
    g_assert_null(token_parse(text, NULL));
}

/* The secret of a new token. */
static char *secret_of(Authority *authority, guint valid_s, gboolean single)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = authority_token(authority, "127.0.0.1", 7227, valid_s, single, single ? "b" : NULL, &error);
    g_autoptr(Token) token = NULL;

    g_assert_no_error(error);
    token = token_parse(text, &error);
    g_assert_no_error(error);
    return g_strdup(token->secret);
}

static void test_secrets(void)
{
    g_autofree char *folder = folder_new(), *stored = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Authority) authority = authority_create(folder, &error);
    g_autofree char *once = NULL, *often = NULL, *brief = NULL;

    g_assert_no_error(error);
    once = secret_of(authority, 100, TRUE);
    often = secret_of(authority, 100, FALSE);
    brief = secret_of(authority, 1, FALSE);
    stored = keyring_read(folder, "tokens.json", NULL);
    g_assert_null(strstr(stored, once));
    g_assert_null(strstr(stored, often));

    /* A new life of the controller knows them all the same. */
    authority_free(g_steal_pointer(&authority));
    authority = authority_load(folder, &error);
    g_assert_no_error(error);
    for (int i = 0; i < 3; i++) {
        g_assert_true(authority_check(authority, often, NULL));
        g_assert_true(authority_spend(authority, often, NULL));
    }
    g_assert_true(authority_check(authority, once, NULL));
    g_assert_true(authority_spend(authority, once, NULL));
    g_assert_false(authority_check(authority, once, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
    g_clear_error(&error);
    once[0] = once[0] == '0' ? '1' : '0';
    g_assert_false(authority_check(authority, once, NULL));
    g_assert_false(authority_check(authority, "", NULL));
    g_usleep(1100000);
    g_assert_false(authority_check(authority, brief, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_DENIED);
    authority_free(g_steal_pointer(&authority));
    authority = authority_load(folder, NULL);
    g_assert_true(authority_check(authority, often, NULL));
    folder_remove(folder);
}

static void test_sign(void)
{
    g_autofree char *folder = folder_new(), *other_folder = folder_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Authority) authority = authority_create(folder, &error);
    g_autoptr(Authority) other = authority_create(other_folder, NULL);
    g_autofree char *key = x509_key_new(NULL), *wrong_key = x509_key_new(NULL);
    g_autofree char *request = x509_request_new(key, "node1", NULL);
    g_autofree char *name = x509_request_name(request, &error), *certificate = NULL;
    const char *ca = authority_certificate(authority);
    g_autoptr(X509Info) info = NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(name, ==, "node1");
    certificate = authority_sign(authority, request, "node1", &error);
    g_assert_no_error(error);
    info = x509_info_new(certificate, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(info->name, ==, "node1");
    g_assert_cmpuint(strlen(info->serial), ==, 32);
    g_assert_cmpint(info->begins, <, g_get_real_time() / G_USEC_PER_SEC);
    g_assert_cmpint(info->ends, >, g_get_real_time() / G_USEC_PER_SEC + 300 * 86400);
    g_assert_true(x509_check(certificate, ca, key, NULL));
    g_assert_false(x509_check(certificate, ca, wrong_key, NULL));
    g_assert_false(x509_check(certificate, authority_certificate(other), key, NULL));
    g_assert_false(x509_check(ca, certificate, key, NULL));
    g_assert_null(x509_request_name("nonsense", NULL));
    g_assert_null(authority_sign(authority, "nonsense", "node1", NULL));
    folder_remove(folder);
    folder_remove(other_folder);
}

/* A request whose signature is not its key's. */
static void test_forged_request(void)
{
    g_autofree char *key = x509_key_new(NULL), *request = x509_request_new(key, "node1", NULL);
    g_autofree char *name = NULL;
    g_auto(GStrv) lines = g_strsplit(request, "\n", -1);
    gsize length;
    g_autofree guchar *der = NULL;
    g_autoptr(GString) base64 = g_string_new(NULL);
    g_autofree char *again = NULL, *forged = NULL;

    for (guint i = 1; lines[i] && lines[i][0] != '-'; i++)
        g_string_append(base64, lines[i]);
    der = g_base64_decode(base64->str, &length);
    der[length - 1] ^= 1;
    again = g_base64_encode(der, length);
    forged = g_strdup_printf("%s\n%s\n-----END NEW CERTIFICATE REQUEST-----\n", lines[0], again);
    g_assert_null(x509_request_name(forged, NULL));
    der[length - 1] ^= 1;
    g_free(again);
    again = g_base64_encode(der, length);
    g_free(forged);
    forged = g_strdup_printf("%s\n%s\n-----END NEW CERTIFICATE REQUEST-----\n", lines[0], again);
    name = x509_request_name(forged, NULL);
    g_assert_cmpstr(name, ==, "node1");
}

static void test_revoke(void)
{
    g_autofree char *folder = folder_new(), *other_folder = folder_new(), *first = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Authority) authority = authority_create(folder, &error);
    g_autoptr(Authority) other = authority_create(other_folder, NULL);
    const char *ca = authority_certificate(authority);

    first = g_strdup(authority_crl(authority));
    g_assert_cmpint(x509_crl_number(first, ca, NULL), ==, 1);
    g_assert_cmpint(x509_crl_number(first, authority_certificate(other), NULL), ==, -1);
    g_assert_true(authority_revoke(authority, "40aabbccddeeff00112233445566778899", NULL));
    g_assert_true(authority_revoke(authority, "40aabbccddeeff00112233445566778898", NULL));
    g_assert_cmpint(x509_crl_number(authority_crl(authority), ca, NULL), ==, 3);
    g_assert_cmpuint(strlen(authority_crl(authority)), >, strlen(first));
    g_assert_false(authority_revoke(authority, "", &error));
    g_assert_nonnull(error);
    g_assert_false(authority_revoke(authority, "xyz0", NULL));
    authority_free(g_steal_pointer(&authority));
    authority = authority_load(folder, NULL);
    g_assert_cmpint(x509_crl_number(authority_crl(authority), authority_certificate(authority),
                                    NULL), ==, 3);
    folder_remove(folder);
    folder_remove(other_folder);
}

static void test_keyring(void)
{
    g_autofree char *folder = folder_new(), *own_folder = folder_new(), *request = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Authority) authority = authority_create(folder, &error);
    g_autoptr(Keyring) keyring = g_new0(Keyring, 1), again = NULL;
    g_autoptr(TlsIdentity) identity = tls_identity_new();
    g_autofree char *good_key = NULL;

    assert_private(folder, "ca.key");
    assert_private(folder, "tokens.json");
    keyring->key = x509_key_new(NULL);
    request = x509_request_new(keyring->key, "n", NULL);
    keyring->certificate = authority_sign(authority, request, "n", NULL);
    keyring->ca = g_strdup(authority_certificate(authority));
    keyring->crl = g_strdup(authority_crl(authority));
    g_assert_null(keyring_load(own_folder, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_true(keyring_save(keyring, own_folder, &error));
    g_assert_no_error(error);
    assert_private(own_folder, "node.key");
    again = keyring_load(own_folder, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(again->certificate, ==, keyring->certificate);
    g_assert_true(keyring_apply(again, identity, &error));
    good_key = keyring->key;
    keyring->key = x509_key_new(NULL);
    g_assert_false(keyring_save(keyring, own_folder, &error));
    g_assert_nonnull(error);
    folder_remove(folder);
    folder_remove(own_folder);
}

static void test_none(void)
{
    g_autofree char *folder = folder_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(authority_load(folder, &error));
    g_assert_no_error(error);
    g_mkdir(folder, 0700);
    keyring_write(folder, "ca.key", "rubbish", NULL);
    g_assert_null(authority_load(folder, &error));
    g_assert_nonnull(error);
    folder_remove(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/authority/token", test_token);
    g_test_add_func("/authority/bad-tokens", test_bad_tokens);
    g_test_add_func("/authority/secrets", test_secrets);
    g_test_add_func("/authority/sign", test_sign);
    g_test_add_func("/authority/forged-request", test_forged_request);
    g_test_add_func("/authority/revoke", test_revoke);
    g_test_add_func("/authority/keyring", test_keyring);
    g_test_add_func("/authority/none", test_none);
    return g_test_run();
}
