/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pending.c - nodes that wait to be let in: which there are, and letting one in
 *
 * What is seen on the network is shown and nothing more: it may be a lie. The administrator reads the
 * fingerprint of the newcomer's key at the newcomer, and gives it here. The authority dials the node
 * that is said to have it; TLS proves that it has; then it is sent a token for one node that is good
 * for two minutes (`cluster.admitted`, waiting.c), with which it joins.
 */
#include <string.h>

#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"

enum { CANDIDATES_MAX = 100, DIGITS = 64, TOKEN_S = 120, DIAL_MS = 10000, ADMIT_MS = 25000, TOLD_MAX = 20, TOLD_S = 60 };

typedef struct {
    char *service, *name, *address, *fingerprint;
    guint port;
    gboolean told; /* that it is there; nothing is told of the others */
} Candidate;

void pending_free(gpointer data)
{
    Candidate *candidate = data;

    g_free(candidate->service);
    g_free(candidate->name);
    g_free(candidate->address);
    g_free(candidate->fingerprint);
    g_free(candidate);
}

static gboolean find(Cluster *cluster, const char *service, guint *ret_index)
{
    for (guint i = 0; i < cluster->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(cluster->candidates, i);
        if (g_str_equal(candidate->service, service)) {
            *ret_index = i;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean pending_check(const DiscoveryNode *node)
{
    gsize length = strlen(node->name);

    return length > 0 && length <= 63 && node->port > 0 && node->port < 65536 && strlen(node->fingerprint) == DIGITS &&
           strspn(node->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == length &&
           strspn(node->fingerprint, "0123456789abcdef") == DIGITS && g_hostname_is_ip_address(node->address);
}

/* The same node, seen by another of its or our networks. */
static Candidate *find_twin(Cluster *cluster, const Candidate *of)
{
    for (guint i = 0; i < cluster->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(cluster->candidates, i);
        if (candidate != of && g_str_equal(candidate->name, of->name) && g_str_equal(candidate->fingerprint, of->fingerprint))
            return candidate;
    }
    return NULL;
}

/* Anybody on the network can come and go as often as they like: of some in a minute it is told, of more it is not. */
static gboolean may_tell(Cluster *cluster)
{
    gint64 now = g_get_monotonic_time();

    if (!cluster->pending_us || now - cluster->pending_us > TOLD_S * G_USEC_PER_SEC) {
        cluster->pending_us = now;
        cluster->pending_told = 0;
    }
    return cluster->pending_told++ < TOLD_MAX;
}

static void tell(Cluster *cluster, const Candidate *candidate, const char *text)
{
    log_info("%s", text);
    if (cluster->events.pending && !cluster->stopped)
        cluster->events.pending(cluster, candidate->name, text, cluster->user);
}

static void tell_found(Cluster *cluster, Candidate *candidate)
{
    Candidate *twin = find_twin(cluster, candidate);
    g_autofree char *text = g_strdup_printf("a node that calls itself %s, at %s port %u, waits to be let in", candidate->name,
                                            candidate->address, candidate->port);

    if (members_has(cluster->members, candidate->name)) /* it cannot be let in under that name */
        return;
    candidate->told = twin ? twin->told : may_tell(cluster);
    if (candidate->told && !twin)
        tell(cluster, candidate, text);
}

static void tell_lost(Cluster *cluster, Candidate *candidate)
{
    g_autofree char *text = g_strdup_printf("%s, at %s, waits no more to be let in", candidate->name, candidate->address);

    if (candidate->told && !find_twin(cluster, candidate))
        tell(cluster, candidate, text);
}

void pending_member(Cluster *cluster, const char *name)
{
    gboolean told = FALSE;

    for (guint i = 0; members_has(cluster->members, name) && i < cluster->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(cluster->candidates, i);
        g_autofree char *text = g_strdup_printf("%s, which has waited for it, was let in", name);

        if (!g_str_equal(candidate->name, name))
            continue;
        if (candidate->told && !told)
            tell(cluster, candidate, text);
        told = told || candidate->told;
        candidate->told = FALSE;
    }
}

static gboolean says_the_same(const Candidate *candidate, const DiscoveryNode *node)
{
    return g_str_equal(candidate->name, node->name) && g_str_equal(candidate->address, node->address) &&
           g_str_equal(candidate->fingerprint, node->fingerprint) && candidate->port == node->port;
}

void pending_found(const char *service, const DiscoveryNode *node, gpointer user)
{
    Cluster *cluster = user;
    Candidate *candidate;
    guint index;

    if (find(cluster, service, &index) && says_the_same(g_ptr_array_index(cluster->candidates, index), node))
        return;
    pending_lost(service, cluster);
    if (!pending_check(node) || cluster->candidates->len >= CANDIDATES_MAX)
        return;
    candidate = g_new(Candidate, 1);
    *candidate = (Candidate){g_strdup(service), g_strdup(node->name), g_strdup(node->address),
                             g_strdup(node->fingerprint), node->port, FALSE};
    g_ptr_array_add(cluster->candidates, candidate);
    tell_found(cluster, candidate);
}

void pending_lost(const char *service, gpointer user)
{
    Cluster *cluster = user;
    guint index;

    if (!find(cluster, service, &index))
        return;
    tell_lost(cluster, g_ptr_array_index(cluster->candidates, index));
    g_ptr_array_remove_index(cluster->candidates, index);
}

/* Whether one before it is the same node. */
static gboolean seen_before(Cluster *cluster, guint index)
{
    Candidate *twin = find_twin(cluster, g_ptr_array_index(cluster->candidates, index));
    guint at;

    return twin && g_ptr_array_find(cluster->candidates, twin, &at) && at < index;
}

Json *cluster_pending(Cluster *cluster)
{
    Json *rows = json_array();

    for (guint i = 0; cluster->keyring && i < cluster->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(cluster->candidates, i);
        Json *row;

        if (members_has(cluster->members, candidate->name) || /* it has just been let in, or nobody can be under that name */
            seen_before(cluster, i))
            continue;
        row = json_set_string(json_object(), "name", candidate->name);
        json_set_string(row, "address", candidate->address);
        json_set_int(row, "port", candidate->port);
        json_set_string(row, "state", "pending");
        json_append(rows, json_set_string(row, "fingerprint", candidate->fingerprint));
    }
    return rows;
}

/* ---- Letting one in ---- */

typedef struct {
    Cluster *cluster;
    char *name; /* as it is called in sentences */
    char *token;
    TlsIdentity *pinned;
    Rpc *rpc;
} Admit;

static void admit_free(gpointer data)
{
    Admit *admit = data;

    if (admit->rpc) {
        rpc_close(admit->rpc);
        rpc_unref(admit->rpc);
    }
    tls_identity_unref(admit->pinned);
    if (admit->token)
        explicit_bzero(admit->token, strlen(admit->token));
    g_free(admit->token);
    g_free(admit->name);
    cluster_unref(admit->cluster);
    g_free(admit);
}

static void admitted(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    g_autoptr(GTask) task = user;
    Admit *admit = g_task_get_task_data(task);

    if (error)
        g_task_return_new_error(task, SJ_ERROR, error->code, "%s: %s", admit->name, error->message);
    else
        g_task_return_boolean(task, TRUE);
}

static void dialled(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GTask) task = user;
    Admit *admit = g_task_get_task_data(task);
    GError *error = NULL;
    int fd = tls_dial_finish(result, NULL, &error);

    if (fd < 0) {
        g_task_return_error(task, error);
        return;
    }
    admit->rpc = rpc_new(fd, NULL, NULL);
    rpc_call(admit->rpc, "cluster.admitted", json_set_string(json_object(), "token", admit->token), -1, ADMIT_MS,
             admitted, g_steal_pointer(&task));
}

/* The candidate of this name whose key begins so; for an address and a whole fingerprint what they say (pending_free).
 * NULL with the reason. */
static Candidate *meant(Cluster *cluster, const char *node, const char *digits, GError **error)
{
    const char *colon = strchr(node, ':');
    g_autofree char *address = NULL;
    guint64 port = cluster->port;
    gboolean known = FALSE;
    Candidate *found;

    for (guint i = 0; i < cluster->candidates->len; i++) {
        Candidate *candidate = g_ptr_array_index(cluster->candidates, i);
        if (!g_str_equal(candidate->name, node))
            continue;
        known = TRUE;
        if (!g_str_has_prefix(candidate->fingerprint, digits))
            continue;
        found = g_new(Candidate, 1);
        *found = (Candidate){NULL, g_strdup(node), g_strdup(candidate->address), g_strdup(candidate->fingerprint),
                             candidate->port, FALSE};
        return found;
    }
    if (known) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "the node that calls itself '%s' has another key: compare it with what \"sojourn cluster join "
                    "--wait\" has said there", node);
        return NULL;
    }
    if (colon && colon == strrchr(node, ':') && g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL))
        address = g_strndup(node, colon - node);
    else
        address = g_strdup(node);
    if (strlen(digits) < DIGITS || !g_hostname_is_ip_address(address)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND,
                    "no node '%s' is seen to wait here: give its address, as ADDRESS or ADDRESS:PORT, and all %d digits of "
                    "its key", node, DIGITS);
        return NULL;
    }
    found = g_new(Candidate, 1);
    *found = (Candidate){NULL, NULL, g_steal_pointer(&address), g_strdup(digits), port, FALSE};
    return found;
}

/* FALSE where only another node can let nodes in. */
static gboolean check_authority(Cluster *cluster, GError **error)
{
    if (cluster->authority)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "nodes are let in at the node that holds the authority's key%s%s",
                cluster->keyring ? ": " : "; this one is in no cluster",
                cluster->keyring ? members_authority(cluster->members) : "");
    return FALSE;
}

Json *pending_place(Cluster *cluster, const char *node, const char *key, GError **error)
{
    g_autofree char *digits = waiting_digits(key, error), *place = NULL;
    GError *reason = NULL;
    Candidate *candidate = digits ? meant(cluster, node, digits, &reason) : NULL;
    Json *found = NULL;

    if (candidate) {
        place = g_strdup_printf("%s:%u", candidate->address, candidate->port);
        found = json_set_string(json_object(), "node", place);
        json_set_string(found, "key", candidate->fingerprint);
        pending_free(candidate);
    } else if (reason && reason->code == SJ_ERROR_NOT_FOUND)
        g_clear_error(&reason);
    else if (reason)
        g_propagate_error(error, reason);
    return found;
}

void cluster_admit(Cluster *cluster, const char *node, const char *key, const char *sponsor, GAsyncReadyCallback done,
                   gpointer user)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, done, user);
    g_autofree char *digits = NULL;
    Candidate *candidate = NULL;
    Admit *admit = g_new0(Admit, 1);
    GError *error = NULL;

    cluster->references++;
    admit->cluster = cluster;
    admit->name = g_strdup(node);
    admit->pinned = tls_identity_new();
    g_task_set_task_data(task, admit, admit_free);
    if (check_authority(cluster, &error))
        digits = waiting_digits(key, &error);
    if (digits)
        candidate = meant(cluster, node, digits, &error);
    if (candidate && tls_identity_pin(admit->pinned, candidate->fingerprint, &error))
        admit->token = authority_token(cluster->authority, cluster_address(cluster), cluster_port(cluster), TOKEN_S, TRUE,
                                       sponsor, &error);
    if (!admit->token)
        g_task_return_error(task, error);
    else
        tls_dial(admit->pinned, candidate->address, candidate->port, candidate->name,
                 json_set_string(json_object(), "purpose", "call"), DIAL_MS, dialled, g_object_ref(task));
    g_clear_pointer(&candidate, pending_free);
}

gboolean cluster_admit_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
