/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keyring.h - a node's own key, certificate, authority and revocation list on disk */
#pragma once

#include "tls.h"

typedef struct {
    char *key, *certificate, *ca;
    char *crl;    /* may be NULL */
    char *gossip; /* the gossip's key (gossip.h); NULL: not known yet */
} Keyring;

void keyring_free(Keyring *keyring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keyring, keyring_free)

/* Reads node.key, node.crt, ca.crt and crl.pem; NULL with an error if one cannot be read. */
Keyring *keyring_load(const char *folder, GError **error);

/* Checks that the parts belong together, then writes all of them. */
gboolean keyring_save(const Keyring *keyring, const char *folder, GError **error);

/* Makes the identity that of the keyring. */
gboolean keyring_apply(const Keyring *keyring, TlsIdentity *identity, GError **error);

/* Removes everything of a cluster from the folder. */
void keyring_remove(const char *folder);

/* One file of the folder: the whole text (g_free), or written atomically with mode 0600. */
char *keyring_read(const char *folder, const char *name, GError **error);
gboolean keyring_write(const char *folder, const char *name, const char *text, GError **error);
