/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.c - what two nodes tell each other first: where they are, and who is out
 *
 * cluster.hello    member → member: {crl}, the first thing each says on a connection for calls
 * cluster.address  member → member: {address, port}: where the sender is now
 *
 * A node that was away while another was thrown out must not wait for the authority to tell it: any
 * member will do, for the revocation list has the authority's signature. It comes before whatever
 * else is said on the connection, and counts before that is read.
 */
#include <string.h>

#include "cluster-private.h"
#include "common/log.h"
#include "x509.h"

/* Members whose certificates are revoked are out, whether the authority's document is here already or not. */
static void apply_list(Cluster *cluster)
{
    g_auto(GStrv) serials = x509_crl_serials(cluster->keyring->crl, NULL);

    for (guint i = 0; serials && serials[i]; i++) {
        const char *node = members_of_serial(cluster->members, serials[i]);
        g_autofree char *name = g_strdup(node);
        if (name && members_out(cluster->members, name))
            log_info("node '%s' was thrown out of the cluster", name);
    }
}

void hello_take_crl(Cluster *cluster, const char *crl)
{
    Keyring *keyring = cluster->keyring;
    g_autoptr(GError) error = NULL;
    gint64 number, old;

    if (g_strcmp0(crl, keyring->crl) == 0)
        return;
    number = x509_crl_number(crl, keyring->ca, &error);
    old = keyring->crl ? x509_crl_number(keyring->crl, keyring->ca, NULL) : -1;
    if (number > old) {
        g_free(keyring->crl);
        keyring->crl = g_strdup(crl);
        keyring_write(cluster->folder, "crl.pem", crl, &error);
        keyring_apply(keyring, cluster->identity, error ? NULL : &error); /* it counts on a full disk too */
        apply_list(cluster);
    }
    if (error)
        log_warning("a revocation list was not taken over: %s", error->message);
}

void hello_say(Cluster *cluster, Rpc *rpc)
{
    if (cluster->keyring && cluster->keyring->crl)
        rpc_notify(rpc, "cluster.hello", json_set_string(json_object(), "crl", cluster->keyring->crl));
}

void hello_called(Cluster *cluster, Json *params)
{
    const char *crl = json_get_string(params, "crl", NULL);

    if (crl)
        hello_take_crl(cluster, crl);
}
