/* SPDX-License-Identifier: GPL-2.0-or-later */
/* removal.c - how a node goes out of a cluster: thrown out, or by itself
 *
 * cluster.leave    member → authority: take me out
 * cluster.removed  authority → member: it is one no more
 *
 * Who is out is out by the revocation list, which every node has on disk and hands on (hello.c); and
 * the gossip has a new key, that the one who left was not given.
 */
#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"

enum { REMOVAL_S = 1, LEAVE_MS = 8000 };

typedef struct {
    Cluster *cluster;
    char *node;
} Removal;

/* What a removed node has open is cut, once it had the time to hear why. */
static gboolean removal_over(gpointer user)
{
    g_autofree Removal *removal = user;
    g_autofree char *node = removal->node;

    if (!removal->cluster->stopped && members_has_left(removal->cluster->members, node))
        tls_identity_cut(removal->cluster->identity, node);
    cluster_unref(removal->cluster);
    return G_SOURCE_REMOVE;
}

/* Why node cannot be taken out. */
static gboolean check_removal(Cluster *cluster, const char *node, GError **error)
{
    if (!cluster->authority)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "nodes are taken out at the node that holds the authority's key%s%s",
                    cluster->keyring ? ": " : "",
                    cluster->keyring ? members_authority(cluster->members) : "");
    else if (g_str_equal(node, cluster->name))
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "node '%s' holds the authority's key: the cluster cannot be without it", node);
    else if (!members_has(cluster->members, node))
        g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND, "there is no node '%s' in the cluster",
                    node);
    else
        return TRUE;
    return FALSE;
}

gboolean cluster_remove(Cluster *cluster, const char *node, GError **error)
{
    g_autofree char *name = g_strdup(node);
    g_auto(GStrv) serials = g_strsplit(members_serials(cluster->members, name), " ", -1);
    Removal *removal;

    if (cluster->keyring && !cluster->authority && g_str_equal(name, cluster->name)) {
        cluster_depart(cluster);
        return TRUE;
    }
    if (!check_removal(cluster, name, error))
        return FALSE;
    for (guint i = 0; serials[i]; i++)
        if (!authority_revoke(cluster->authority, serials[i], error))
            return FALSE;
    g_free(cluster->keyring->crl);
    cluster->keyring->crl = g_strdup(authority_crl(cluster->authority));
    if (!keyring_apply(cluster->keyring, cluster->identity, error))
        return FALSE;
    peers_notify(cluster->peers, name, "cluster.removed", NULL);
    removal = g_new(Removal, 1);
    *removal = (Removal){cluster, g_strdup(name)};
    cluster->references++;
    g_source_unref(cluster_timer(REMOVAL_S, removal_over, removal));
    members_remove(cluster->members, name);
    cluster_set_gossip_key(cluster, gossip_key_next(cluster->keyring->gossip, NULL));
    admission_push(cluster, NULL);
    return TRUE;
}

/* ---- By itself ---- */

void removal_asked(Cluster *cluster, const char *node, RpcCall *call)
{
    g_autoptr(GError) error = NULL;

    if (cluster_remove(cluster, node, &error)) {
        log_info("node '%s' has left the cluster", node);
        rpc_reply(call, NULL);
    } else
        rpc_fail(call, error);
}

/* The authority has answered; or has taken this node out before its answer was here. */
static void left(const char *authority, Json *result, const GError *error, gpointer user)
{
    g_autoptr(GTask) task = user;
    Cluster *cluster = g_task_get_task_data(task);

    if (!cluster->stopped && !error && cluster->keyring)
        cluster_depart(cluster);
    if (error && (cluster->stopped || cluster->keyring))
        g_task_return_new_error(task, SJ_ERROR, error->code,
                                "%s; \"sojourn cluster leave --force %s\" forgets the cluster without its consent",
                                error->message, cluster->name);
    else
        g_task_return_boolean(task, TRUE);
}

static void count(const char *name, gpointer user)
{
    ++*(guint *)user;
}

void cluster_leave(Cluster *cluster, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    guint others = 0;

    members_each(cluster->members, count, &others);
    cluster->references++;
    g_task_set_task_data(task, cluster, (GDestroyNotify)cluster_unref);
    if (!cluster->keyring && cluster->waiting) {
        waiting_end(cluster);
        g_task_return_boolean(task, TRUE);
    } else if (!cluster->keyring)
        g_task_return_new_error(task, SJ_ERROR, SJ_ERROR_FAILED, "this node is in no cluster");
    else if (cluster->authority && others)
        g_task_return_new_error(task, SJ_ERROR, SJ_ERROR_FAILED,
                                "this node holds the authority's key: the others cannot be without it; take "
                                "them out first, with \"sojourn cluster leave --force NODE\"");
    else if (cluster->authority) {
        cluster_depart(cluster);
        g_task_return_boolean(task, TRUE);
    } else
        peers_call(cluster->peers, members_authority(cluster->members), "cluster.leave", NULL,
                   LEAVE_MS, left, g_steal_pointer(&task));
}

gboolean cluster_leave_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
