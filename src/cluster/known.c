/* SPDX-License-Identifier: GPL-2.0-or-later */
/* known.c - what this node knows of the cluster, for who asks */
#include "cluster-private.h"
#include "x509.h"

typedef struct {
    Cluster *cluster;
    GPtrArray *names;
} Alive;

static void add_alive(const char *name, gpointer user)
{
    Alive *alive = user;

    if (members_is_alive(alive->cluster->members, name))
        g_ptr_array_add(alive->names, g_strdup(name));
}

GPtrArray *cluster_alive(Cluster *cluster)
{
    Alive alive = {cluster, g_ptr_array_new_with_free_func(g_free)};

    members_each(cluster->members, add_alive, &alive);
    return alive.names;
}

Json *cluster_row(Cluster *cluster, const char *node)
{
    return members_row(cluster->members, node);
}

Json *cluster_rows(Cluster *cluster)
{
    return members_rows(cluster->members);
}

gboolean cluster_is_alive(Cluster *cluster, const char *node)
{
    return g_str_equal(node, cluster->name) || members_is_alive(cluster->members, node);
}

gboolean cluster_gossips(Cluster *cluster, char **ret_text, const char **ret_remedy)
{
    g_autofree char *state = gossip_state(cluster->gossip, ret_remedy);
    gboolean ready = gossip_is_ready(cluster->gossip);

    *ret_text = ready ? g_strdup_printf("%s: %u of the others are there", state,
                                        members_heard_alive(cluster->members))
                      : g_steal_pointer(&state);
    return ready;
}

gboolean cluster_discovers(Cluster *cluster, char **ret_text, const char **ret_remedy)
{
    gboolean asked = cluster->discovers && (cluster->keyring || cluster->waiting);

    *ret_remedy = "";
    *ret_text = asked ? discovery_state(cluster->discovery, ret_remedy) : NULL;
    return asked && discovery_is_ready(cluster->discovery);
}

char *cluster_fingerprint(Cluster *cluster)
{
    g_autoptr(X509Info) info = cluster->keyring ? x509_info_new(cluster->keyring->ca, NULL) : NULL;

    return info ? g_strdup(info->fingerprint) : NULL;
}

Json *cluster_members(Cluster *cluster)
{
    return members_list(cluster->members);
}

Json *cluster_counters(Cluster *cluster)
{
    return tls_identity_counters(cluster->identity);
}
