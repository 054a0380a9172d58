/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keyring.c - a node's own key, certificate, authority and revocation list on disk */
#include "keyring.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "common/error.h"
#include "x509.h"

void keyring_free(Keyring *keyring)
{
    if (!keyring)
        return;
    x509_key_free(keyring->key);
    g_free(keyring->certificate);
    g_free(keyring->ca);
    g_free(keyring->crl);
    x509_key_free(keyring->gossip);
    g_free(keyring);
}

char *keyring_read(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) reason = NULL;
    char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, &reason))
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot read %s: %s", path,
                    reason->message);
    return text;
}

gboolean keyring_write(const char *folder, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) reason = NULL;
    GFileSetContentsFlags flags = G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE;

    if (g_mkdir_with_parents(folder, 0700) == 0 &&
        g_file_set_contents_full(path, text, -1, flags, 0600, &reason))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot write %s: %s", path,
                reason ? reason->message : g_strerror(errno));
    return FALSE;
}

Keyring *keyring_load(const char *folder, GError **error)
{
    g_autoptr(Keyring) keyring = g_new0(Keyring, 1);

    keyring->key = keyring_read(folder, "node.key", error);
    if (!keyring->key)
        return NULL;
    keyring->certificate = keyring_read(folder, "node.crt", error);
    if (!keyring->certificate)
        return NULL;
    keyring->ca = keyring_read(folder, "ca.crt", error);
    if (!keyring->ca)
        return NULL;
    keyring->gossip = keyring_read(folder, "gossip.key", NULL);
    keyring->crl = keyring_read(folder, "crl.pem", error);
    return keyring->crl ? g_steal_pointer(&keyring) : NULL;
}

gboolean keyring_save(const Keyring *keyring, const char *folder, GError **error)
{
    return x509_check(keyring->certificate, keyring->ca, keyring->key, error) &&
           (!keyring->crl || x509_crl_number(keyring->crl, keyring->ca, error) >= 0) &&
           keyring_write(folder, "node.key", keyring->key, error) &&
           keyring_write(folder, "ca.crt", keyring->ca, error) &&
           keyring_write(folder, "node.crt", keyring->certificate, error) &&
           (!keyring->gossip || keyring_write(folder, "gossip.key", keyring->gossip, error)) &&
           (!keyring->crl || keyring_write(folder, "crl.pem", keyring->crl, error));
}

gboolean keyring_apply(const Keyring *keyring, TlsIdentity *identity, GError **error)
{
    return tls_identity_load(identity, keyring->key, keyring->certificate, keyring->ca,
                             keyring->crl, error);
}

void keyring_remove(const char *folder)
{
    static const char *const names[] = {"members.json", "node.crt", "node.key", "ca.crt",
                                        "crl.pem", "ca.key", "tokens.json", "gossip.key"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_unlink(path);
    }
}
