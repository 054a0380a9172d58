/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listen.c - where this node is for others, its TLS port, and what comes to it */
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include "cluster-private.h"
#include "common/log.h"
#include "common/source.h"

enum { LISTEN_AGAIN_S = 2 };

/* The first address of this machine that is not loopback (g_free); 127.0.0.1 if there is none. */
static char *first_address(void)
{
    struct ifaddrs *all = NULL;
    char host[NI_MAXHOST];
    char *found = NULL;

    if (getifaddrs(&all) < 0)
        return g_strdup("127.0.0.1");
    for (struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && (i->ifa_flags & IFF_UP) &&
            !(i->ifa_flags & IFF_LOOPBACK) &&
            getnameinfo(i->ifa_addr, sizeof(struct sockaddr_in), host, sizeof host, NULL, 0,
                        NI_NUMERICHOST) == 0)
            found = g_strdup(host);
    freeifaddrs(all);
    return found ? found : g_strdup("127.0.0.1");
}

char *cluster_own_address(Cluster *cluster)
{
    if (*cluster->address && !g_str_equal(cluster->address, "*") &&
        !g_str_equal(cluster->address, "0.0.0.0") && !g_str_equal(cluster->address, "::"))
        return g_strdup(cluster->address);
    return first_address();
}

const char *cluster_address(Cluster *cluster)
{
    if (cluster->keyring)
        return members_address(cluster->members, cluster->name);
    if (!*cluster->address) {
        g_free(cluster->address);
        cluster->address = first_address();
    }
    return cluster->address;
}

static void accepted(TlsListener *listener, const char *node, Json *preamble, TlsAccept *accept,
                     gpointer user)
{
    Cluster *cluster = user;
    gboolean is_call = g_str_equal(json_get_string(preamble, "purpose", ""), "call");
    int fd;

    if (node ? members_has_left(cluster->members, node) : !is_call)
        cluster_stranger(cluster, json_get_string(preamble, "purpose", ""));
    if (node ? members_has_left(cluster->members, node) : !is_call)
        tls_refuse(accept, node ? "this node was taken out of the cluster"
                                : "only members of the cluster may do that");
    else if (!is_call)
        cluster->events.opened(cluster, node, preamble, accept, cluster->user);
    else if ((fd = tls_accept(accept, NULL)) >= 0)
        peers_incoming(cluster->peers, node, fd);
}

static gboolean try_to_listen(Cluster *cluster, GError **error)
{
    cluster->listener = tls_listen(cluster->identity, cluster->listen, cluster->port, accepted,
                                   cluster, error);
    return cluster->listener != NULL;
}

static gboolean listen_again(gpointer user);

gboolean cluster_listen(Cluster *cluster, gboolean retry, GError **error)
{
    cluster_listen_no_more(cluster);
    if (try_to_listen(cluster, error))
        return TRUE;
    if (retry)
        cluster->listening = cluster_timer(LISTEN_AGAIN_S, listen_again, cluster);
    return FALSE;
}

void cluster_listen_no_more(Cluster *cluster)
{
    source_clear(&cluster->listening);
    g_clear_pointer(&cluster->listener, tls_listener_free);
}

static gboolean listen_again(gpointer user)
{
    Cluster *cluster = user;

    if (!try_to_listen(cluster, NULL))
        return G_SOURCE_CONTINUE;
    log_info("other nodes can reach this one now: port %u", cluster->port);
    source_clear(&cluster->listening);
    return G_SOURCE_REMOVE;
}
