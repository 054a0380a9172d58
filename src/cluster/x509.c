/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x509.c - keys, certificates, requests and revocation lists, as PEM text
 *
 * The half of GnuTLS that has nothing to do with connections. A cluster has one authority (path
 * length 0); all keys are Ed25519. A node's certificate is good for both ends of a connection,
 * names the node as CN and DNS name, and begins a day early, for clocks that differ.
 */
#include "x509.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/random.h>

#include "common/error.h"

enum { SERIAL_BYTES = 16, EARLY_S = 86400, CRL_DAYS = 3650 };

typedef struct gnutls_x509_privkey_int AnyKey;
typedef struct gnutls_x509_crt_int AnyCertificate;
typedef struct gnutls_x509_crq_int AnyRequest;
typedef struct gnutls_x509_crl_int AnyList;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnyKey, gnutls_x509_privkey_deinit)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnyCertificate, gnutls_x509_crt_deinit)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnyRequest, gnutls_x509_crq_deinit)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AnyList, gnutls_x509_crl_deinit)

/* TRUE for a GnuTLS success; else sets "WHAT: REASON". */
static gboolean went_well(int code, const char *what, GError **error)
{
    if (code >= 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "%s: %s", what, gnutls_strerror(code));
    return FALSE;
}

static gnutls_datum_t datum(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)text, strlen(text)};
}

/* Makes a text of what GnuTLS exported and frees that. */
static char *text_of(gnutls_datum_t *exported)
{
    char *text = g_strndup((const char *)exported->data, exported->size);

    gnutls_memset(exported->data, 0, exported->size);
    gnutls_free(exported->data);
    exported->data = NULL;
    return text;
}

static char *hex_of(const guint8 *data, gsize length)
{
    GString *hex = g_string_sized_new(2 * length);

    for (gsize i = 0; i < length; i++)
        g_string_append_printf(hex, "%02x", data[i]);
    return g_string_free(hex, FALSE);
}

static AnyKey *key_of(const char *text, GError **error)
{
    g_autoptr(AnyKey) key = NULL;
    gnutls_datum_t data = datum(text);

    if (!went_well(gnutls_x509_privkey_init(&key), "cannot hold a key", error) ||
        !went_well(gnutls_x509_privkey_import(key, &data, GNUTLS_X509_FMT_PEM),
                   "cannot read the private key", error))
        return NULL;
    return g_steal_pointer(&key);
}

static AnyCertificate *certificate_of(const char *text, GError **error)
{
    g_autoptr(AnyCertificate) certificate = NULL;
    gnutls_datum_t data = datum(text);

    if (!went_well(gnutls_x509_crt_init(&certificate), "cannot hold a certificate", error) ||
        !went_well(gnutls_x509_crt_import(certificate, &data, GNUTLS_X509_FMT_PEM),
                   "cannot read the certificate", error))
        return NULL;
    return g_steal_pointer(&certificate);
}

static AnyRequest *request_of(const char *text, GError **error)
{
    g_autoptr(AnyRequest) request = NULL;
    gnutls_datum_t data = datum(text);

    if (!went_well(gnutls_x509_crq_init(&request), "cannot hold a request", error) ||
        !went_well(gnutls_x509_crq_import(request, &data, GNUTLS_X509_FMT_PEM),
                   "cannot read the certificate request", error))
        return NULL;
    return g_steal_pointer(&request);
}

static AnyList *list_of(const char *text, GError **error)
{
    g_autoptr(AnyList) list = NULL;
    gnutls_datum_t data = datum(text);

    if (!went_well(gnutls_x509_crl_init(&list), "cannot hold a revocation list", error) ||
        !went_well(gnutls_x509_crl_import(list, &data, GNUTLS_X509_FMT_PEM),
                   "cannot read the revocation list", error))
        return NULL;
    return g_steal_pointer(&list);
}

void x509_info_free(X509Info *info)
{
    if (!info)
        return;
    g_free(info->name);
    g_free(info->serial);
    g_free(info->fingerprint);
    g_free(info);
}

char *x509_key_new(GError **error)
{
    g_autoptr(AnyKey) key = NULL;
    gnutls_datum_t exported = {NULL, 0};

    if (!went_well(gnutls_x509_privkey_init(&key), "cannot hold a key", error) ||
        !went_well(gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 0, 0),
                   "cannot make a key", error) ||
        !went_well(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
                                                     GNUTLS_PKCS_PLAIN, &exported),
                   "cannot write a key", error))
        return NULL;
    return text_of(&exported);
}

void x509_key_free(char *key)
{
    if (key)
        explicit_bzero(key, strlen(key));
    g_free(key);
}

/* What all certificates have: version, a random serial number, the time they are good for. */
static gboolean set_frame(AnyCertificate *certificate, guint valid_days, GError **error)
{
    guint8 serial[SERIAL_BYTES];
    time_t now = time(NULL);

    if (getrandom(serial, sizeof serial, 0) != sizeof serial) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "the system gives no random numbers");
        return FALSE;
    }
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and always of full length */
    return went_well(gnutls_x509_crt_set_version(certificate, 3), "version", error) &&
           went_well(gnutls_x509_crt_set_serial(certificate, serial, sizeof serial), "serial",
                     error) &&
           went_well(gnutls_x509_crt_set_activation_time(certificate, now - EARLY_S), "time",
                     error) &&
           went_well(gnutls_x509_crt_set_expiration_time(
                         certificate, now + (time_t)valid_days * 86400), "time", error);
}

static char *export_certificate(AnyCertificate *certificate, GError **error)
{
    gnutls_datum_t exported = {NULL, 0};

    if (!went_well(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &exported),
                   "cannot write a certificate", error))
        return NULL;
    return text_of(&exported);
}

char *x509_authority_new(const char *key_text, guint valid_days, GError **error)
{
    static const char dn[] = "CN=sojourn cluster authority";
    g_autoptr(AnyKey) key = key_of(key_text, error);
    g_autoptr(AnyCertificate) certificate = NULL;
    const char *what = "cannot make the authority's certificate";

    if (!key || !went_well(gnutls_x509_crt_init(&certificate), what, error) ||
        !set_frame(certificate, valid_days, error) ||
        !went_well(gnutls_x509_crt_set_dn(certificate, dn, NULL), what, error) ||
        !went_well(gnutls_x509_crt_set_key(certificate, key), what, error) ||
        !went_well(gnutls_x509_crt_set_basic_constraints(certificate, 1, 0), what, error) ||
        !went_well(gnutls_x509_crt_set_key_usage(
                       certificate, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN), what,
                   error) ||
        !went_well(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA512, 0),
                   what, error))
        return NULL;
    return export_certificate(certificate, error);
}

char *x509_request_new(const char *key_text, const char *name, GError **error)
{
    g_autoptr(AnyKey) key = key_of(key_text, error);
    g_autoptr(AnyRequest) request = NULL;
    gnutls_datum_t exported = {NULL, 0};
    const char *what = "cannot make a certificate request";

    if (!key || !went_well(gnutls_x509_crq_init(&request), what, error) ||
        !went_well(gnutls_x509_crq_set_version(request, 1), what, error) ||
        !went_well(gnutls_x509_crq_set_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                                 strlen(name)), what, error) ||
        !went_well(gnutls_x509_crq_set_key(request, key), what, error) ||
        !went_well(gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA512, 0), what, error) ||
        !went_well(gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, &exported), what,
                   error))
        return NULL;
    return text_of(&exported);
}

char *x509_request_name(const char *text, GError **error)
{
    g_autoptr(AnyRequest) request = request_of(text, error);
    char name[256];
    size_t length = sizeof name;

    if (!request ||
        !went_well(gnutls_x509_crq_verify(request, 0),
                   "the certificate request is not signed by its key", error) ||
        !went_well(gnutls_x509_crq_get_dn_by_oid(request, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
                                                 &length),
                   "the certificate request has no name", error))
        return NULL;
    return g_strndup(name, length);
}

/* What a node's certificate says beyond the key. */
static gboolean set_node(AnyCertificate *certificate, const char *name, GError **error)
{
    const char *what = "cannot make the node's certificate";

    return went_well(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0,
                                                   name, strlen(name)), what, error) &&
           went_well(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, name,
                                                          strlen(name), GNUTLS_FSAN_SET), what,
                     error) &&
           went_well(gnutls_x509_crt_set_basic_constraints(certificate, 0, -1), what, error) &&
           went_well(gnutls_x509_crt_set_key_usage(certificate, GNUTLS_KEY_DIGITAL_SIGNATURE),
                     what, error) &&
           went_well(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_SERVER,
                                                         0), what, error) &&
           went_well(gnutls_x509_crt_set_key_purpose_oid(certificate, GNUTLS_KP_TLS_WWW_CLIENT,
                                                         0), what, error);
}

/* Gives the certificate the request's key, and nothing else of it. */
static gboolean set_key_of(AnyCertificate *certificate, AnyRequest *request, GError **error)
{
    const char *what = "cannot use the key of the certificate request";
    gnutls_pubkey_t key;
    gboolean good;

    if (!went_well(gnutls_pubkey_init(&key), what, error))
        return FALSE;
    good = went_well(gnutls_pubkey_import_x509_crq(key, request, 0), what, error) &&
           went_well(gnutls_x509_crt_set_pubkey(certificate, key), what, error);
    gnutls_pubkey_deinit(key);
    return good;
}

char *x509_sign(const char *ca_key_text, const char *ca_text, const char *request_text,
                const char *name, guint valid_days, GError **error)
{
    g_autoptr(AnyKey) ca_key = key_of(ca_key_text, error);
    g_autoptr(AnyCertificate) ca = ca_key ? certificate_of(ca_text, error) : NULL;
    g_autoptr(AnyRequest) request = ca ? request_of(request_text, error) : NULL;
    g_autoptr(AnyCertificate) certificate = NULL;
    const char *what = "cannot sign the node's certificate";

    if (!request || !went_well(gnutls_x509_crt_init(&certificate), what, error) ||
        !set_frame(certificate, valid_days, error) ||
        !set_key_of(certificate, request, error) ||
        !set_node(certificate, name, error) ||
        !went_well(gnutls_x509_crt_sign2(certificate, ca, ca_key, GNUTLS_DIG_SHA512, 0), what,
                   error))
        return NULL;
    return export_certificate(certificate, error);
}

X509Info *x509_info_new(const char *text, GError **error)
{
    g_autoptr(AnyCertificate) certificate = certificate_of(text, error);
    g_autoptr(X509Info) info = NULL;
    char name[256];
    guint8 serial[64], print[32];
    size_t name_length = sizeof name, serial_length = sizeof serial, print_length = sizeof print;

    if (!certificate ||
        !went_well(gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                                 name, &name_length),
                   "the certificate has no name", error) ||
        !went_well(gnutls_x509_crt_get_serial(certificate, serial, &serial_length),
                   "the certificate has no serial number", error) ||
        !went_well(gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, print,
                                                   &print_length),
                   "the certificate has no fingerprint", error))
        return NULL;
    info = g_new0(X509Info, 1);
    info->name = g_strndup(name, name_length);
    info->serial = hex_of(serial, serial_length);
    info->fingerprint = hex_of(print, print_length);
    info->begins = gnutls_x509_crt_get_activation_time(certificate);
    info->ends = gnutls_x509_crt_get_expiration_time(certificate);
    return g_steal_pointer(&info);
}

/* Whether the certificate's public key is that of key. */
static gboolean is_for_key(AnyCertificate *certificate, AnyKey *key)
{
    guint8 one[64], other[64];
    size_t one_length = sizeof one, other_length = sizeof other;

    return gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, one,
                                      &one_length) == 0 &&
           gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, other,
                                          &other_length) == 0 &&
           one_length == other_length && memcmp(one, other, one_length) == 0;
}

gboolean x509_check(const char *text, const char *ca_text, const char *key_text, GError **error)
{
    g_autoptr(AnyCertificate) certificate = certificate_of(text, error);
    g_autoptr(AnyCertificate) ca = certificate ? certificate_of(ca_text, error) : NULL;
    g_autoptr(AnyKey) key = ca ? key_of(key_text, error) : NULL;
    gnutls_x509_crt_t authority = ca;
    unsigned int verdict = 0;

    if (!key || !went_well(gnutls_x509_crt_verify(certificate, &authority, 1, 0, &verdict),
                           "cannot check the certificate", error))
        return FALSE;
    if (verdict) {
        gnutls_datum_t reason = {NULL, 0};
        gnutls_certificate_verification_status_print(verdict, GNUTLS_CRT_X509, &reason, 0);
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "the certificate is not good: %s",
                    reason.data ? (const char *)reason.data : "unknown reason");
        gnutls_free(reason.data);
        return FALSE;
    }
    if (!is_for_key(certificate, key)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "the certificate is for another key");
        return FALSE;
    }
    return TRUE;
}

/* A revocation list with everything that the old one says; *ret_number is the old one's number. */
static AnyList *list_from(const char *old_text, guint64 *ret_number, GError **error)
{
    g_autoptr(AnyList) old = old_text ? list_of(old_text, error) : NULL;
    g_autoptr(AnyList) list = NULL;
    guint8 serial[64], number[8] = {0};
    size_t length, number_length = sizeof number;
    time_t when;
    gnutls_x509_crl_iter_t next = NULL;

    *ret_number = 0;
    if ((old_text && !old) || !went_well(gnutls_x509_crl_init(&list), "revocation list", error))
        return NULL;
    if (!old)
        return g_steal_pointer(&list);
    while (length = sizeof serial, gnutls_x509_crl_iter_crt_serial(old, &next, serial, &length,
                                                                   &when) >= 0)
        if (!went_well(gnutls_x509_crl_set_crt_serial(list, serial, length, when),
                       "revocation list", error))
            break;
    gnutls_x509_crl_iter_deinit(next);
    if (error && *error)
        return NULL;
    if (gnutls_x509_crl_get_number(old, number, &number_length, NULL) == 0)
        for (size_t i = 0; i < number_length; i++)
            *ret_number = *ret_number << 8 | number[i];
    return g_steal_pointer(&list);
}

static gboolean list_add(AnyList *list, const char *serial, GError **error)
{
    guint8 bytes[64];
    gsize length = strlen(serial) / 2;

    if (strlen(serial) % 2 || length == 0 || length > sizeof bytes ||
        strspn(serial, "0123456789abcdef") != strlen(serial)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "'%s' is not a serial number", serial);
        return FALSE;
    }
    for (gsize i = 0; i < length; i++)
        bytes[i] = g_ascii_xdigit_value(serial[2 * i]) << 4 |
                   g_ascii_xdigit_value(serial[2 * i + 1]);
    return went_well(gnutls_x509_crl_set_crt_serial(list, bytes, length, time(NULL)),
                     "cannot revoke the certificate", error);
}

char *x509_revoke(const char *ca_key_text, const char *ca_text, const char *crl,
                  const char *serial, GError **error)
{
    guint64 number = 0;
    g_autoptr(GError) failure = NULL;
    g_autoptr(AnyKey) ca_key = key_of(ca_key_text, error);
    g_autoptr(AnyCertificate) ca = ca_key ? certificate_of(ca_text, error) : NULL;
    g_autoptr(AnyList) list = ca ? list_from(crl, &number, &failure) : NULL;
    gnutls_datum_t exported = {NULL, 0};
    const char *what = "cannot sign the revocation list";
    guint8 next[8];
    time_t now = time(NULL);

    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    for (int i = 0; i < 8; i++)
        next[i] = (number + 1) >> (8 * (7 - i));
    if (!list || (serial && !list_add(list, serial, error)) ||
        !went_well(gnutls_x509_crl_set_version(list, 2), what, error) ||
        !went_well(gnutls_x509_crl_set_number(list, next, sizeof next), what, error) ||
        !went_well(gnutls_x509_crl_set_this_update(list, now - EARLY_S), what, error) ||
        !went_well(gnutls_x509_crl_set_next_update(list, now + (time_t)CRL_DAYS * 86400), what,
                   error) ||
        !went_well(gnutls_x509_crl_sign2(list, ca, ca_key, GNUTLS_DIG_SHA512, 0), what, error) ||
        !went_well(gnutls_x509_crl_export2(list, GNUTLS_X509_FMT_PEM, &exported), what, error))
        return NULL;
    return text_of(&exported);
}

char **x509_crl_serials(const char *text, GError **error)
{
    g_autoptr(AnyList) list = list_of(text, error);
    g_autoptr(GStrvBuilder) serials = g_strv_builder_new();
    gnutls_x509_crl_iter_t next = NULL;
    guint8 bytes[64];
    size_t length = sizeof bytes;

    if (!list)
        return NULL;
    while (gnutls_x509_crl_iter_crt_serial(list, &next, bytes, &length, NULL) >= 0) {
        g_autofree char *serial = hex_of(bytes, length);
        g_strv_builder_add(serials, serial);
        length = sizeof bytes;
    }
    gnutls_x509_crl_iter_deinit(next);
    return g_strv_builder_end(serials);
}

gint64 x509_crl_number(const char *text, const char *ca_text, GError **error)
{
    g_autoptr(AnyList) list = list_of(text, error);
    g_autoptr(AnyCertificate) ca = list ? certificate_of(ca_text, error) : NULL;
    gnutls_x509_crt_t authority = ca;
    unsigned int verdict = 0;
    guint8 bytes[16];
    size_t length = sizeof bytes;
    guint64 number = 0;

    if (!ca || !went_well(gnutls_x509_crl_verify(list, &authority, 1, 0, &verdict),
                          "cannot check the revocation list", error) ||
        !went_well(gnutls_x509_crl_get_number(list, bytes, &length, NULL),
                   "the revocation list has no number", error))
        return -1;
    if (verdict & ~GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED || length > 8) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "the revocation list is not signed by the cluster's authority");
        return -1;
    }
    for (size_t i = 0; i < length; i++)
        number = number << 8 | bytes[i];
    return number & G_MAXINT64;
}
