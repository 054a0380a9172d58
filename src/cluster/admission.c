/* SPDX-License-Identifier: GPL-2.0-or-later */
/* admission.c - how a node comes into a cluster: init, join, and the cluster.* calls (see also removal.c, order.c)
 *
 * cluster.join     newcomer, without certificate → authority: {token, csr, name, address, port}
 *                  → {certificate, ca, crl, members, gossip}
 * cluster.update   authority → members: {members, crl, gossip}; who is a member is its word alone
 * cluster.address  member → member: {address, port}: where the sender is now
 * cluster.renew    member → authority: {csr} → {certificate}, for the key it has
 *
 * The newcomer knows the authority by the fingerprint in its token, and the authority knows the
 * newcomer by the secret in it. A token for one node is spent on disk before a certificate leaves.
 */
#include <string.h>

#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"
#include "x509.h"

enum { DIAL_MS = 10000, JOIN_MS = 20000, RENEW_MS = 30000 };

/* ---- The authority's side ---- */

static Json *update_message(Cluster *cluster)
{
    Json *message = json_set(json_object(), "members", members_document(cluster->members));

    json_set_string(message, "gossip", cluster->keyring->gossip);
    return json_set_string(message, "crl", authority_crl(cluster->authority));
}

static void push_to(const char *node, gpointer user)
{
    Cluster *cluster = user;

    peers_notify(cluster->peers, node, "cluster.update", update_message(cluster));
}

void admission_push(Cluster *cluster, const char *node)
{
    if (node)
        push_to(node, cluster);
    else
        members_each(cluster->members, push_to, cluster);
}

static gboolean is_loopback(const char *address)
{
    return g_str_has_prefix(address, "127.") || g_str_equal(address, "::1") ||
           g_str_equal(address, "localhost");
}

/* Whether the newcomer may be what and where it says. */
static gboolean check_newcomer(Cluster *cluster, Json *params, GError **error)
{
    const char *name = json_get_string(params, "name", "");
    const char *address = json_get_string(params, "address", "");
    gint64 port = json_get_int(params, "port", 0);
    g_autofree char *asked = x509_request_name(json_get_string(params, "csr", ""), error);

    if (!asked || !members_check(cluster->members, name, address,
                                 port > 0 && port < 65536 ? port : 0, error))
        return FALSE;
    if (!g_str_equal(asked, name)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "the certificate request is for '%s', not for '%s'", asked, name);
        return FALSE;
    }
    if (is_loopback(address) && !is_loopback(cluster_address(cluster))) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "node '%s' cannot be reached at %s from here: give it the address that others "
                    "know it by, with --address", name, address);
        return FALSE;
    }
    return TRUE;
}

/* Signs and enters the newcomer; the answer to it, or NULL. */
static Json *admit(Cluster *cluster, Json *params, GError **error)
{
    const char *secret = json_get_string(params, "token", "");
    const char *name = json_get_string(params, "name", "");
    g_autofree char *certificate = NULL, *sponsor = NULL;
    g_autoptr(X509Info) info = NULL;
    Json *answer;

    if (!authority_check(cluster->authority, secret, error) ||
        !check_newcomer(cluster, params, error))
        return NULL;
    sponsor = g_strdup(authority_sponsor(cluster->authority, secret));
    certificate = authority_sign(cluster->authority, json_get_string(params, "csr", ""), name,
                                 error);
    info = certificate ? x509_info_new(certificate, error) : NULL;
    if (!info || !authority_spend(cluster->authority, secret, error))
        return NULL;
    members_add(cluster->members, name, json_get_string(params, "address", ""),
                json_get_int(params, "port", 0), info->serial);
    members_set_sponsor(cluster->members, name, sponsor);
    answer = update_message(cluster);
    json_set_string(answer, "certificate", certificate);
    return json_set_string(answer, "ca", authority_certificate(cluster->authority));
}

static void join_called(Cluster *cluster, RpcCall *call, Json *params)
{
    g_autoptr(GError) error = NULL;
    Json *answer;

    if (!cluster->authority) {
        rpc_fail_new(call, SJ_ERROR_DENIED, "node '%s' does not hold the authority's key",
                     cluster->name);
        return;
    }
    answer = admit(cluster, params, &error);
    if (!answer) {
        cluster_stranger(cluster, error->message);
        rpc_fail(call, error);
        return;
    }
    log_info("node '%s' has joined the cluster", json_get_string(params, "name", ""));
    rpc_reply(call, answer);
    admission_push(cluster, NULL);
}

static void renew_called(Cluster *cluster, const char *node, RpcCall *call, Json *params)
{
    const char *request = json_get_string(params, "csr", "");
    g_autoptr(GError) error = NULL;
    g_autofree char *name = x509_request_name(request, &error), *certificate = NULL;
    g_autoptr(X509Info) info = NULL;

    if (name && cluster->authority && g_str_equal(name, node) &&
        members_has(cluster->members, node))
        certificate = authority_sign(cluster->authority, request, node, &error);
    info = certificate ? x509_info_new(certificate, &error) : NULL;
    if (info && !members_add_serial(cluster->members, node, info->serial))
        rpc_fail_new(call, SJ_ERROR_DENIED, "node '%s' has asked for a certificate too often: take it out and let it in again", node);
    else if (info) {
        rpc_reply(call, json_set_string(json_object(), "certificate", certificate));
        admission_push(cluster, NULL);
    } else if (error)
        rpc_fail(call, error);
    else
        rpc_fail_new(call, SJ_ERROR_DENIED, "no certificate for '%s' to '%s' from here", name,
                     node);
}

/* ---- Every member's side ---- */

/* A key of the gossip that is newer than ours is taken over. */
static void take_gossip(Cluster *cluster, const char *key)
{
    if (gossip_key_number(key) > gossip_key_number(cluster->keyring->gossip))
        cluster_set_gossip_key(cluster, g_strdup(key));
}

static void update_called(Cluster *cluster, Json *params)
{
    g_autoptr(GError) error = NULL;

    if (json_get_string(params, "crl", NULL))
        hello_take_crl(cluster, json_get_string(params, "crl", NULL));
    if (!members_replace(cluster->members, json_get(params, "members"), &error))
        log_warning("a list of members was not taken over: %s", error->message);
    take_gossip(cluster, json_get_string(params, "gossip", NULL));
}

static void address_called(Cluster *cluster, const char *node, Json *params)
{
    const char *address = json_get_string(params, "address", "");
    gint64 port = json_get_int(params, "port", 0);
    g_autoptr(GError) error = NULL;
    gboolean moved = g_strcmp0(address, members_address(cluster->members, node)) != 0 ||
                     port != members_port(cluster->members, node);

    if (!moved || !members_has(cluster->members, node))
        return;
    if (!members_move(cluster->members, node, address, port > 0 && port < 65536 ? port : 0,
                      &error))
        log_warning("%s", error->message);
    else if (cluster->authority)
        admission_push(cluster, NULL);
}

/* A notification of one who may send it; TRUE if it was one. */
static gboolean notified(Cluster *cluster, const char *node, const char *method, Json *params)
{
    gboolean from_authority = g_strcmp0(node, members_authority(cluster->members)) == 0 &&
                              !g_str_equal(node, cluster->name);

    if (g_str_equal(method, "cluster.address"))
        address_called(cluster, node, params);
    else if (g_str_equal(method, "cluster.hello"))
        hello_called(cluster, params);
    else if (from_authority && g_str_equal(method, "cluster.update"))
        update_called(cluster, params);
    else if (from_authority && g_str_equal(method, "cluster.removed"))
        cluster_depart(cluster);
    else
        return FALSE;
    return TRUE;
}

void admission_called(Cluster *cluster, const char *node, RpcCall *call, const char *method,
                      Json *params)
{
    if (!node && g_str_equal(method, "cluster.join"))
        join_called(cluster, call, params);
    else if (!node && g_str_equal(method, "cluster.admitted"))
        waiting_called(cluster, call, params);
    else if (!node || !cluster->keyring || members_has_left(cluster->members, node)) {
        cluster_stranger(cluster, method);
        rpc_fail_new(call, SJ_ERROR_DENIED, "only members of the cluster may call %s", method);
    } else if (g_str_equal(method, "cluster.renew"))
        renew_called(cluster, node, call, params);
    else if (g_str_equal(method, "cluster.leave"))
        removal_asked(cluster, node, call);
    else if (g_str_equal(method, "cluster.order"))
        order_called(cluster, node, call, params);
    else if (notified(cluster, node, method, params))
        rpc_reply(call, NULL);
    else
        rpc_fail_new(call, SJ_ERROR_DENIED, "node '%s' may not call %s here", node, method);
}

/* ---- Becoming a member ---- */

/* A key for this node with a request for its certificate; FALSE on failure. */
static gboolean new_request(const char *name, char **ret_key, char **ret_request, GError **error)
{
    *ret_key = x509_key_new(error);
    *ret_request = *ret_key ? x509_request_new(*ret_key, name, error) : NULL;
    return *ret_request != NULL;
}

/* Undoes what was written for a cluster that came to nothing. */
static void give_up(Cluster *cluster)
{
    g_clear_pointer(&cluster->authority, authority_free);
    g_clear_pointer(&cluster->keyring, keyring_free);
    g_clear_pointer(&cluster->listener, tls_listener_free);
    members_forget(cluster->members);
    keyring_remove(cluster->folder);
}

/* A new authority has this node's certificate made. */
static gboolean found(Cluster *cluster, const char *name, const char *address, gboolean fixed,
                      GError **error)
{
    g_autofree char *request = NULL;
    g_autoptr(Keyring) keyring = g_new0(Keyring, 1);
    g_autoptr(X509Info) info = NULL;

    cluster->authority = authority_create(cluster->folder, error);
    if (!cluster->authority || !new_request(name, &keyring->key, &request, error))
        return FALSE;
    keyring->ca = g_strdup(authority_certificate(cluster->authority));
    keyring->crl = g_strdup(authority_crl(cluster->authority));
    keyring->gossip = gossip_key_next(NULL, NULL);
    keyring->certificate = authority_sign(cluster->authority, request, name, error);
    info = keyring->certificate ? x509_info_new(keyring->certificate, error) : NULL;
    if (!info || !keyring_save(keyring, cluster->folder, error))
        return FALSE;
    cluster->keyring = g_steal_pointer(&keyring);
    members_set_self(cluster->members, name, fixed);
    members_set_authority(cluster->members, name);
    members_add(cluster->members, name, address, cluster->port, info->serial);
    return members_save(cluster->members, error) && cluster_enter(cluster, FALSE, error);
}

/* Why this node cannot enter a cluster. */
gboolean admission_check_alone(Cluster *cluster, GError **error)
{
    if (!cluster->keyring && !cluster->joining && !members_exist(cluster->members))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY, "node '%s' %s", cluster->name,
                cluster->joining ? "is joining a cluster already" : "belongs to a cluster already");
    return FALSE;
}

gboolean cluster_init(Cluster *cluster, const char *name, const char *address, GError **error)
{
    g_autofree char *own = address && *address ? g_strdup(address) : cluster_own_address(cluster);
    g_autofree char *own_name = g_strdup(name && *name ? name : cluster->name);

    if (!admission_check_alone(cluster, error) ||
        !members_check(cluster->members, own_name, own, cluster->port, error))
        return FALSE;
    if (cluster->waiting) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY,
                    "this node waits to be let into a cluster; \"sojourn cluster leave\" ends that");
        return FALSE;
    }
    if (found(cluster, own_name, own, address && *address, error))
        return TRUE;
    give_up(cluster);
    return FALSE;
}

/* A join under way; the task's data. */
typedef struct {
    Cluster *cluster;
    Token *token;
    char *key, *request;
    TlsIdentity *pinned;
    Rpc *rpc;
} Join;

static void join_free(gpointer data)
{
    Join *join = data;

    if (join->rpc) {
        rpc_close(join->rpc);
        rpc_unref(join->rpc);
    }
    tls_identity_unref(join->pinned);
    token_free(join->token);
    x509_key_free(join->key);
    g_free(join->request);
    cluster_unref(join->cluster);
    g_free(join);
}

/* What the authority has answered is what the token promised and what was asked for. */
static Keyring *check_answer(Join *join, Json *result, GError **error)
{
    g_autoptr(Keyring) keyring = g_new0(Keyring, 1);
    g_autoptr(X509Info) ca = NULL, own = NULL;

    keyring->key = g_strdup(join->key);
    keyring->certificate = g_strdup(json_get_string(result, "certificate", ""));
    keyring->ca = g_strdup(json_get_string(result, "ca", ""));
    keyring->crl = g_strdup(json_get_string(result, "crl", NULL));
    if (gossip_key_number(json_get_string(result, "gossip", NULL)) >= 0)
        keyring->gossip = g_strdup(json_get_string(result, "gossip", NULL));
    ca = x509_info_new(keyring->ca, error);
    own = ca ? x509_info_new(keyring->certificate, error) : NULL;
    if (!own)
        return NULL;
    if (!g_str_equal(ca->fingerprint, join->token->fingerprint) ||
        !g_str_equal(own->name, join->cluster->name) || !keyring->crl) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL,
                    "the authority's answer does not fit what was asked");
        return NULL;
    }
    return keyring_save(keyring, join->cluster->folder, error) ? g_steal_pointer(&keyring) : NULL;
}

static gboolean take_over(Join *join, Json *result, GError **error)
{
    Cluster *cluster = join->cluster;
    Json *document = json_get(result, "members");
    Keyring *keyring = check_answer(join, result, error);

    if (!keyring)
        return FALSE;
    cluster->keyring = keyring;
    members_set_self(cluster->members, cluster->name, FALSE);
    if (!members_replace(cluster->members, document, error))
        return FALSE;
    if (!members_has(cluster->members, cluster->name)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "the authority does not list this node");
        return FALSE;
    }
    if (!members_save(cluster->members, error))
        return FALSE;
    waiting_pause(cluster); /* it has the port */
    if (!cluster_enter(cluster, FALSE, error))
        return FALSE;
    waiting_over(cluster);
    return TRUE;
}

static void join_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    g_autoptr(GTask) task = user;
    Join *join = g_task_get_task_data(task);
    GError *failure = NULL;

    join->cluster->joining = FALSE;
    if (error)
        g_set_error(&failure, SJ_ERROR, error->code, "the authority's node: %s", error->message);
    else if (join->cluster->stopped)
        g_set_error(&failure, SJ_ERROR, SJ_ERROR_GONE, "this node is stopping");
    else if (!take_over(join, result, &failure)) {
        give_up(join->cluster);
        waiting_resume(join->cluster);
    }
    if (failure)
        g_task_return_error(task, failure);
    else
        g_task_return_boolean(task, TRUE);
}

static void join_dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GTask) task = user;
    Join *join = g_task_get_task_data(task);
    g_autofree char *own = NULL;
    GError *error = NULL;
    int fd = tls_dial_finish(result, NULL, &error);
    Json *params;

    if (fd < 0) {
        join->cluster->joining = FALSE;
        g_task_return_error(task, error);
        return;
    }
    own = cluster_own_address(join->cluster);
    params = json_set_string(json_object(), "token", join->token->secret);
    json_set_string(params, "csr", join->request);
    json_set_string(params, "name", join->cluster->name);
    json_set_string(params, "address", own);
    json_set_int(params, "port", join->cluster->port);
    join->rpc = rpc_new(fd, NULL, NULL);
    rpc_call(join->rpc, "cluster.join", params, -1, JOIN_MS, join_answered, g_steal_pointer(&task));
}

void cluster_join(Cluster *cluster, const char *text, GAsyncReadyCallback done, gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    Join *join = g_new0(Join, 1);
    GError *error = NULL;

    cluster->references++;
    join->cluster = cluster;
    join->pinned = tls_identity_new();
    g_task_set_task_data(task, join, join_free);
    if (admission_check_alone(cluster, &error))
        join->token = token_parse(text, &error);
    if (!join->token || !new_request(cluster->name, &join->key, &join->request, &error) ||
        !tls_identity_pin(join->pinned, join->token->fingerprint, &error)) {
        g_task_return_error(task, error);
        return;
    }
    cluster->joining = TRUE;
    tls_dial(join->pinned, join->token->address, join->token->port, NULL,
             json_set_string(json_object(), "purpose", "call"), DIAL_MS, join_dialled,
             g_object_ref(task));
}

gboolean cluster_join_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

/* ---- A new certificate in time ---- */

static void take_certificate(Cluster *cluster, const char *certificate)
{
    g_autoptr(GError) error = NULL;
    Keyring *keyring = cluster->keyring;
    g_autofree char *old = keyring->certificate;

    keyring->certificate = g_strdup(certificate);
    if (keyring_save(keyring, cluster->folder, &error) &&
        keyring_apply(keyring, cluster->identity, &error))
        return;
    log_warning("this node's certificate was not renewed: %s", error->message);
    g_free(keyring->certificate);
    keyring->certificate = g_steal_pointer(&old);
}

static void renewed(const char *node, Json *result, const GError *error, gpointer user)
{
    Cluster *cluster = user;

    if (error)
        log_warning("this node's certificate was not renewed: %s", error->message);
    else if (!cluster->stopped && cluster->keyring)
        take_certificate(cluster, json_get_string(result, "certificate", ""));
    cluster_unref(cluster);
}

void cluster_renew(Cluster *cluster)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *request = NULL;

    if (!cluster->keyring)
        return;
    request = x509_request_new(cluster->keyring->key, cluster->name, &error);
    if (!request) {
        log_warning("this node's certificate was not renewed: %s", error->message);
        return;
    }
    cluster->references++;
    peers_call(cluster->peers, members_authority(cluster->members), "cluster.renew",
               json_set_string(json_object(), "csr", request), RENEW_MS, renewed, cluster);
}
