/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cluster.c - this node among the others: start and end, calls and connections */
#include "cluster.h"

#include <string.h>

#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"
#include "common/source.h"
#include "x509.h"

enum { RENEWAL_S = 6 * 3600, TOKEN_S = 3600, STRANGER_S = 60 };

void cluster_tell(Cluster *cluster, const char *node)
{
    if (cluster->events.changed && !cluster->stopped)
        cluster->events.changed(cluster, node, cluster->user);
}

GSource *cluster_timer(guint seconds, GSourceFunc function, gpointer data)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();

    return source_add(g_timeout_source_new(seconds * 1000), context, function, data);
}

/* ---- What comes from others ---- */

void cluster_stranger(Cluster *cluster, const char *what)
{
    gint64 now = g_get_monotonic_time();

    if (cluster->stranger_us && now - cluster->stranger_us < STRANGER_S * G_USEC_PER_SEC)
        return;
    cluster->stranger_us = now;
    log_warning("somebody who is no member of the cluster was refused: %s", what);
}

static void called(const char *node, Rpc *rpc, RpcCall *call, const char *method, Json *params,
                   gpointer user)
{
    Cluster *cluster = user;

    if (g_str_has_prefix(method, "cluster."))
        admission_called(cluster, node, call, method, params);
    else if (!node || members_has_left(cluster->members, node)) {
        cluster_stranger(cluster, method);
        rpc_fail_new(call, SJ_ERROR_DENIED, "only members of the cluster may call %s", method);
    } else
        cluster->events.called(cluster, node, rpc, call, method, params, cluster->user);
}

/* Two nodes can call each other. */
static void connected(const char *node, gboolean up, gpointer user)
{
    Cluster *cluster = user;
    Json *where;

    if (!up || !cluster->keyring)
        return;
    where = json_set_string(json_object(), "address", cluster_address(cluster));
    peers_notify(cluster->peers, node, "cluster.address",
                 json_set_int(where, "port", cluster_port(cluster)));
    if (cluster->authority)
        admission_push(cluster, node);
    members_hurry(cluster->members, node);
}

static void greet(const char *node, Rpc *rpc, gpointer user)
{
    hello_say(user, rpc);
}

static void member_changed(const char *node, gpointer user)
{
    Cluster *cluster = user;

    if (members_has_left(cluster->members, node) && !cluster->authority)
        tls_identity_cut(cluster->identity, node); /* the authority does so a little later */
    pending_member(cluster, node);
    cluster_tell(cluster, node);
}

/* ---- Start and end ---- */

static void new_peers(Cluster *cluster, const char *self)
{
    static const PeerEvents events = {called, connected, greet};

    Peers *old = cluster->peers;

    cluster->peers = peers_new(cluster->identity, self, &events, cluster);
    peers_free(old);
}

static void new_members(Cluster *cluster)
{
    g_autofree char *file = g_build_filename(cluster->folder, "members.json", NULL);

    members_free(cluster->members);
    cluster->members = members_new(file, member_changed, cluster);
}

static void gossip_heard(const char *node, const char *address, GossipNews news, gpointer user)
{
    members_heard(((Cluster *)user)->members, node, address, news);
}

static void gossip_ready(gboolean ready, gpointer user)
{
    members_gossip(((Cluster *)user)->members, ready);
}

static void gossip_look(gpointer user)
{
    Cluster *cluster = user;

    if (cluster->events.look && !cluster->stopped)
        cluster->events.look(cluster, cluster->user);
}

static const GossipEvents gossip_events = {gossip_heard, gossip_ready, gossip_look};

static const DiscoveryEvents discovery_events = {pending_found, pending_lost};

Cluster *cluster_new(const Conf *conf, const ClusterEvents *events, gpointer user)
{
    Cluster *cluster = g_new0(Cluster, 1);

    cluster->references = 1;
    cluster->name = g_strdup(conf->name);
    cluster->address = g_strdup(conf->address ? conf->address : "");
    cluster->listen = g_strdup(conf->listen);
    cluster->port = conf->port;
    cluster->folder = g_build_filename(conf->state_dir, "cluster", NULL);
    cluster->events = *events;
    cluster->user = user;
    cluster->identity = tls_identity_new();
    cluster->gossip = gossip_new(conf, &gossip_events, cluster);
    cluster->discovers = g_strcmp0(conf->discovery, "on") == 0;
    cluster->orders_here = g_strcmp0(conf->orders, "here") == 0;
    cluster->discovery = discovery_new(&discovery_events, cluster);
    cluster->candidates = g_ptr_array_new_with_free_func(pending_free);
    new_peers(cluster, cluster->name);
    new_members(cluster);
    return cluster;
}

void cluster_unref(Cluster *cluster)
{
    if (--cluster->references > 0)
        return;
    tls_identity_unref(cluster->identity);
    g_ptr_array_unref(cluster->candidates);
    g_free(cluster->name);
    g_free(cluster->address);
    g_free(cluster->listen);
    g_free(cluster->folder);
    g_free(cluster);
}

void cluster_free(Cluster *cluster)
{
    if (!cluster)
        return;
    cluster->stopped = TRUE;
    source_clear(&cluster->renewal);
    source_clear(&cluster->listening);
    g_clear_pointer(&cluster->listener, tls_listener_free);
    g_clear_pointer(&cluster->gossip, gossip_free);
    g_clear_pointer(&cluster->discovery, discovery_free);
    waiting_forget(cluster);
    peers_free(cluster->peers); /* answers calls, and who gets the answers may look around here */
    members_free(cluster->members);
    g_clear_pointer(&cluster->authority, authority_free);
    g_clear_pointer(&cluster->keyring, keyring_free);
    cluster_unref(cluster);
}

/* Renews the certificate when a third of its time is left. */
static gboolean check_renewal(gpointer user)
{
    Cluster *cluster = user;
    g_autoptr(X509Info) info = x509_info_new(cluster->keyring->certificate, NULL);
    gint64 left = info ? info->ends - g_get_real_time() / G_USEC_PER_SEC : 0;

    if (!info || left < (info->ends - info->begins) / 3)
        cluster_renew(cluster);
    return G_SOURCE_CONTINUE;
}

/* Has gossip say who and where this node is now. */
static void gossip(Cluster *cluster)
{
    if (cluster->authority && !cluster->keyring->gossip) /* of a cluster from before there was one */
        cluster_set_gossip_key(cluster, gossip_key_next(NULL, NULL));
    else
        gossip_start(cluster->gossip, cluster->name, cluster_address(cluster), cluster->port,
                     cluster->keyring->gossip);
}

void cluster_set_gossip_key(Cluster *cluster, char *key)
{
    g_autoptr(GError) error = NULL;

    if (!key)
        return;
    x509_key_free(cluster->keyring->gossip);
    cluster->keyring->gossip = key;
    if (!keyring_write(cluster->folder, "gossip.key", key, &error))
        log_warning("the gossip's key is not on disk: %s", error->message);
    gossip(cluster);
}

gboolean cluster_enter(Cluster *cluster, gboolean retry, GError **error)
{
    const char *self = members_self(cluster->members);
    g_autofree char *address = cluster_own_address(cluster);
    g_autoptr(GError) clash = NULL;
    gboolean listening;

    if (!keyring_apply(cluster->keyring, cluster->identity, error)) {
        g_clear_pointer(&cluster->authority, authority_free);
        g_clear_pointer(&cluster->keyring, keyring_free);
        return FALSE;
    }
    listening = cluster_listen(cluster, retry, error);
    if (!listening && !retry)
        return FALSE;
    if (!g_str_equal(self, cluster->name)) {
        g_free(cluster->name);
        cluster->name = g_strdup(self);
        new_peers(cluster, self);
    }
    if (members_is_fixed(cluster->members)) {
        g_free(address);
        address = g_strdup(members_address(cluster->members, self));
    }
    if (!members_move(cluster->members, self, address, cluster->port, &clash))
        log_warning("%s", clash->message);
    members_start(cluster->members, cluster->peers, cluster->gossip, 0);
    gossip(cluster);
    discovery_look(cluster->discovery, cluster->discovers);
    cluster->renewal = cluster_timer(RENEWAL_S, check_renewal, cluster);
    check_renewal(cluster);
    cluster_tell(cluster, NULL);
    return listening;
}

gboolean cluster_start(Cluster *cluster, GError **error)
{
    g_autoptr(GError) reason = NULL;

    if (!members_exist(cluster->members)) {
        gossip_stop(cluster->gossip); /* what a controller before this one may have left */
        return waiting_load(cluster, error);
    }
    if (!members_load(cluster->members, error))
        return FALSE;
    cluster->keyring = keyring_load(cluster->folder, error);
    if (!cluster->keyring)
        return FALSE;
    cluster->authority = authority_load(cluster->folder, &reason);
    if (reason) {
        g_propagate_error(error, g_steal_pointer(&reason));
        g_clear_pointer(&cluster->keyring, keyring_free);
        return FALSE;
    }
    if (!g_str_equal(cluster->name, members_self(cluster->members)))
        log_info("this node's name in its cluster is '%s'", members_self(cluster->members));
    return cluster_enter(cluster, TRUE, error);
}

void cluster_depart(Cluster *cluster)
{
    log_warning("this node was taken out of its cluster");
    source_clear(&cluster->renewal);
    cluster_listen_no_more(cluster);
    discovery_look(cluster->discovery, FALSE);
    g_clear_pointer(&cluster->authority, authority_free);
    g_clear_pointer(&cluster->keyring, keyring_free);
    keyring_remove(cluster->folder);
    gossip_stop(cluster->gossip);
    new_members(cluster);
    new_peers(cluster, cluster->name);
    tls_identity_cut(cluster->identity, NULL);
    cluster_tell(cluster, NULL);
}

/* ---- Membership ---- */

char *cluster_token(Cluster *cluster, guint valid_s, gboolean single, GError **error)
{
    if (cluster->authority)
        return authority_token(cluster->authority, cluster_address(cluster), cluster_port(cluster),
                               valid_s ? valid_s : TOKEN_S, single, NULL, error);
    if (!cluster->keyring)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "this node belongs to no cluster: make one with 'sojourn cluster init'");
    else
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "tokens are made at node '%s', which holds the authority's key",
                    members_authority(cluster->members));
    return NULL;
}

const char *cluster_self(Cluster *cluster)
{
    return cluster->name;
}

guint cluster_port(Cluster *cluster)
{
    return cluster->port;
}

gboolean cluster_exists(Cluster *cluster)
{
    return cluster->keyring != NULL;
}

gboolean cluster_is_authority(Cluster *cluster)
{
    return cluster->authority != NULL;
}

/* ---- Calls and connections ---- */

void cluster_call(Cluster *cluster, const char *node, const char *method, Json *params,
                  guint timeout_ms, PeerAnswer answer, gpointer user)
{
    peers_call(cluster->peers, node, method, params, timeout_ms, answer, user);
}

void cluster_notify(Cluster *cluster, const char *node, const char *method, Json *params)
{
    peers_notify(cluster->peers, node, method, params);
}

void cluster_dial(Cluster *cluster, const char *node, Json *preamble, guint timeout_ms,
                  GAsyncReadyCallback done, gpointer user)
{
    if (cluster->keyring && members_has(cluster->members, node)) {
        tls_dial(cluster->identity, members_address(cluster->members, node),
                 members_port(cluster->members, node), node, preamble, timeout_ms, done, user);
        return;
    }
    json_unref(preamble);
    g_task_report_new_error(NULL, done, user, tls_dial, SJ_ERROR, SJ_ERROR_NOT_FOUND,
                            "there is no node '%s' in the cluster", node);
}

int cluster_dial_finish(GAsyncResult *result, GError **error)
{
    return tls_dial_finish(result, NULL, error);
}
