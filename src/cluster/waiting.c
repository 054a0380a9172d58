/* SPDX-License-Identifier: GPL-2.0-or-later */
/* waiting.c - a node that waits to be let into a cluster
 *
 * Its administrator has said which cluster: the fingerprint of its authority's certificate. The node
 * makes a key, and a certificate of its own that proves nothing but that it has that key; it
 * publishes itself, listens, and answers one call only:
 *
 * cluster.admitted  anybody → who waits: {token} → {name}
 *
 * The token must be one of that authority. It is used as if it had been given to `cluster join`: the
 * node dials the authority, whose certificate must have that fingerprint. So whoever calls can make
 * the node join the cluster that it waits for, and nothing else. That the token reaches no other node
 * is the authority's part: pending.c.
 *
 * The key outlives the controller (waiting.json): the fingerprint that was read out to somebody stays
 * good.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "cluster-private.h"
#include "common/error.h"
#include "common/log.h"
#include "x509.h"

enum { OWN_DAYS = 3650, DIGITS_MIN = 20, DIGITS = 64, LISTEN_AGAIN_S = 2 };

struct Waiting {
    char *authority;   /* as many digits of its fingerprint as were given */
    char *fingerprint; /* our own */
    Json *kept;        /* waiting.json: {authority, key, certificate, ca} */
};

static void waiting_free(Waiting *waiting)
{
    g_free(waiting->authority);
    g_free(waiting->fingerprint);
    json_unref(waiting->kept);
    g_free(waiting);
}

char *waiting_digits(const char *text, GError **error)
{
    g_autoptr(GString) digits = g_string_new(NULL);

    for (; *text; text++) {
        if (g_ascii_isxdigit(*text))
            g_string_append_c(digits, g_ascii_tolower(*text));
        else if (!strchr("-: ", *text))
            break;
    }
    if (!*text && digits->len >= DIGITS_MIN && digits->len <= DIGITS)
        return g_strdup(digits->str);
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE,
                "that is no fingerprint: %d to %d hexadecimal digits are, as the other node shows them", DIGITS_MIN,
                DIGITS);
    return NULL;
}

static char *file_of(Cluster *cluster)
{
    return g_build_filename(cluster->folder, "waiting.json", NULL);
}

/* A key, and a chain for it whose end is nobody's authority but its own. */
static Json *new_kept(const char *name, const char *authority, GError **error)
{
    g_autofree char *ca = NULL, *request = NULL, *certificate = NULL;
    char *ca_key = x509_key_new(error), *key = ca_key ? x509_key_new(error) : NULL;
    Json *kept = NULL;

    ca = key ? x509_authority_new(ca_key, OWN_DAYS, error) : NULL;
    request = ca ? x509_request_new(key, name, error) : NULL;
    certificate = request ? x509_sign(ca_key, ca, request, name, OWN_DAYS, error) : NULL;
    if (certificate) {
        kept = json_set_string(json_object(), "authority", authority);
        json_set_string(kept, "key", key);
        json_set_string(kept, "certificate", certificate);
        json_set_string(kept, "ca", ca);
    }
    x509_key_free(key);
    x509_key_free(ca_key);
    return kept;
}

/* Listens with that key, and says so on the network. FALSE where it cannot listen: it is tried again. */
static gboolean open_door(Cluster *cluster, GError **error)
{
    Waiting *waiting = cluster->waiting;

    if (!tls_identity_load(cluster->identity, json_get_string(waiting->kept, "key", ""),
                           json_get_string(waiting->kept, "certificate", ""),
                           json_get_string(waiting->kept, "ca", ""), NULL, error))
        return FALSE;
    cluster_listen(cluster, TRUE, error);
    if (cluster->discovers)
        discovery_publish(cluster->discovery, cluster->name, cluster->port, waiting->fingerprint);
    return cluster->listener != NULL;
}

/* Takes over kept. */
static gboolean begin(Cluster *cluster, Json *kept, GError **error)
{
    g_autoptr(X509Info) info = x509_info_new(json_get_string(kept, "ca", ""), error);

    if (!info) {
        json_unref(kept);
        return FALSE;
    }
    cluster->waiting = g_new(Waiting, 1);
    *cluster->waiting = (Waiting){g_strdup(json_get_string(kept, "authority", "")), g_strdup(info->fingerprint), kept};
    log_info("this node waits to be let into a cluster; its key is %s", info->fingerprint);
    return TRUE;
}

gboolean waiting_load(Cluster *cluster, GError **error)
{
    g_autofree char *file = file_of(cluster);
    Json *kept;

    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return TRUE;
    kept = json_load(file, error);
    return kept && begin(cluster, kept, error) && open_door(cluster, error);
}

/* The cluster to wait for is another one now; the key stays. */
static gboolean change(Cluster *cluster, const char *authority)
{
    g_free(cluster->waiting->authority);
    cluster->waiting->authority = g_strdup(authority);
    json_set_string(cluster->waiting->kept, "authority", authority);
    return TRUE;
}

gboolean cluster_wait(Cluster *cluster, const char *text, GError **error)
{
    g_autofree char *authority = waiting_digits(text, error), *file = file_of(cluster);
    Json *kept;

    if (!authority || !admission_check_alone(cluster, error))
        return FALSE;
    if (cluster->waiting ? !change(cluster, authority)
                         : !(kept = new_kept(cluster->name, authority, error)) || !begin(cluster, kept, error))
        return FALSE;
    g_mkdir_with_parents(cluster->folder, 0700);
    if (!json_save(cluster->waiting->kept, file, 0600, error) || !open_door(cluster, error)) {
        waiting_end(cluster);
        return FALSE;
    }
    return TRUE;
}

const char *cluster_waits(Cluster *cluster)
{
    return cluster->waiting ? cluster->waiting->fingerprint : NULL;
}

const char *cluster_waits_for(Cluster *cluster)
{
    return cluster->waiting ? cluster->waiting->authority : NULL;
}

void waiting_pause(Cluster *cluster)
{
    if (!cluster->waiting)
        return;
    discovery_publish(cluster->discovery, NULL, 0, NULL);
    cluster_listen_no_more(cluster);
}

void waiting_resume(Cluster *cluster)
{
    g_autoptr(GError) error = NULL;

    if (cluster->waiting && !cluster->listener && !open_door(cluster, &error))
        log_warning("%s", error->message);
}

void waiting_over(Cluster *cluster)
{
    g_autofree char *file = file_of(cluster);

    if (cluster->waiting)
        g_unlink(file);
    g_clear_pointer(&cluster->waiting, waiting_free);
}

void waiting_end(Cluster *cluster)
{
    waiting_pause(cluster);
    waiting_over(cluster);
}

void waiting_forget(Cluster *cluster)
{
    g_clear_pointer(&cluster->waiting, waiting_free);
}

/* ---- cluster.admitted ---- */

static void joined(GObject *source, GAsyncResult *result, gpointer user)
{
    RpcCall *call = user;
    g_autoptr(GError) error = NULL;

    if (cluster_join_finish(result, &error))
        rpc_reply(call, NULL);
    else {
        log_warning("this node was to be let in, but: %s", error->message);
        rpc_fail(call, error);
    }
}

void waiting_called(Cluster *cluster, RpcCall *call, Json *params)
{
    const char *text = json_get_string(params, "token", "");
    g_autoptr(GError) error = NULL;
    g_autoptr(Token) token = cluster->waiting ? token_parse(text, &error) : NULL;

    if (!cluster->waiting)
        rpc_fail_new(call, SJ_ERROR_DENIED, "this node does not wait to be let in");
    else if (!token)
        rpc_fail(call, error);
    else if (!g_str_has_prefix(token->fingerprint, cluster->waiting->authority))
        rpc_fail_new(call, SJ_ERROR_DENIED, "this node waits for another cluster, whose fingerprint begins with %s",
                     cluster->waiting->authority);
    else
        cluster_join(cluster, text, joined, call);
}
