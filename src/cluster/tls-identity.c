/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-identity.c - who this node is to others, and the books of its connections
 *
 * Threads of connections and the main thread meet here, under one mutex.
 */
#include "tls-identity.h"

#include <pthread.h>
#include <sys/socket.h>

#include "common/error.h"

/* Nameless connections (newcomers that join) at once. */
enum { NAMELESS_MAX = 16 };

/* The last one stands for all purposes that have no name here. */
static const char *const purposes[] = {"call", "link", "gate", "migration", "other"};

struct TlsEntry {
    char *node;
    int socket;
    TlsCounter *counter;
};

struct TlsIdentity {
    atomic_int references;
    pthread_mutex_t mutex;
    TlsCredentials *credentials;
    GPtrArray *entries;
    TlsCounter counters[G_N_ELEMENTS(purposes)];
};

TlsIdentity *tls_identity_new(void)
{
    TlsIdentity *identity = g_new0(TlsIdentity, 1);

    atomic_init(&identity->references, 1);
    pthread_mutex_init(&identity->mutex, NULL);
    identity->entries = g_ptr_array_new();
    return identity;
}

TlsIdentity *tls_identity_ref(TlsIdentity *identity)
{
    atomic_fetch_add(&identity->references, 1);
    return identity;
}

void tls_identity_unref(TlsIdentity *identity)
{
    if (!identity || atomic_fetch_sub(&identity->references, 1) > 1)
        return;
    tls_credentials_unref(identity->credentials);
    g_ptr_array_unref(identity->entries);
    pthread_mutex_destroy(&identity->mutex);
    g_free(identity);
}

/* Takes over credentials; FALSE for NULL. */
static gboolean replace_credentials(TlsIdentity *identity, TlsCredentials *credentials)
{
    TlsCredentials *old = credentials;

    if (!credentials)
        return FALSE;
    pthread_mutex_lock(&identity->mutex);
    old = identity->credentials;
    identity->credentials = credentials;
    pthread_mutex_unlock(&identity->mutex);
    tls_credentials_unref(old);
    return TRUE;
}

gboolean tls_identity_load(TlsIdentity *identity, const char *key, const char *certificate,
                           const char *ca, const char *crl, GError **error)
{
    return replace_credentials(identity, tls_credentials_new(key, certificate, ca, crl, error));
}

gboolean tls_identity_pin(TlsIdentity *identity, const char *fingerprint, GError **error)
{
    return replace_credentials(identity, tls_credentials_new_pinned(fingerprint, error));
}

TlsCredentials *tls_identity_credentials(TlsIdentity *identity, GError **error)
{
    TlsCredentials *credentials = NULL;

    pthread_mutex_lock(&identity->mutex);
    if (identity->credentials)
        credentials = tls_credentials_ref(identity->credentials);
    pthread_mutex_unlock(&identity->mutex);
    if (!credentials)
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED,
                    "this node belongs to no cluster: use 'sojourn cluster init' or 'join'");
    return credentials;
}

/* How many entries are with node; with the mutex held. */
static guint count_entries(TlsIdentity *identity, const char *node, gboolean all)
{
    guint count = 0;

    for (guint i = 0; i < identity->entries->len; i++) {
        TlsEntry *entry = g_ptr_array_index(identity->entries, i);
        count += all || g_strcmp0(entry->node, node) == 0;
    }
    return count;
}

static TlsCounter *counter_of(TlsIdentity *identity, const char *purpose)
{
    guint i = 0;

    while (i < G_N_ELEMENTS(purposes) - 1 && !g_str_equal(purposes[i], purpose))
        i++;
    return &identity->counters[i];
}

TlsEntry *tls_identity_enter(TlsIdentity *identity, const char *node, const char *purpose,
                             int socket)
{
    TlsEntry *entry = NULL;

    pthread_mutex_lock(&identity->mutex);
    if (count_entries(identity, node, FALSE) < (node ? TLS_PEER_MAX : NAMELESS_MAX)) {
        entry = g_new(TlsEntry, 1);
        *entry = (TlsEntry){g_strdup(node), socket, counter_of(identity, purpose)};
        g_ptr_array_add(identity->entries, entry);
        atomic_fetch_add(&entry->counter->open, 1);
        atomic_fetch_add(&entry->counter->connections, 1);
    }
    pthread_mutex_unlock(&identity->mutex);
    return entry;
}

void tls_identity_leave(TlsIdentity *identity, TlsEntry *entry)
{
    pthread_mutex_lock(&identity->mutex);
    g_ptr_array_remove_fast(identity->entries, entry);
    atomic_fetch_sub(&entry->counter->open, 1);
    pthread_mutex_unlock(&identity->mutex);
    g_free(entry->node);
    g_free(entry);
}

TlsCounter *tls_entry_counter(TlsEntry *entry)
{
    return entry->counter;
}

Json *tls_identity_counters(TlsIdentity *identity)
{
    Json *result = json_object();

    for (guint i = 0; i < G_N_ELEMENTS(purposes); i++) {
        TlsCounter *counter = &identity->counters[i];
        Json *row = json_object();
        json_set_int(row, "open", atomic_load(&counter->open));
        json_set_int(row, "connections", atomic_load(&counter->connections));
        json_set_int(row, "bytes_in", atomic_load(&counter->bytes_in));
        json_set_int(row, "bytes_out", atomic_load(&counter->bytes_out));
        json_set(result, purposes[i], row);
    }
    return result;
}

guint tls_identity_open(TlsIdentity *identity, const char *node)
{
    guint count;

    pthread_mutex_lock(&identity->mutex);
    count = count_entries(identity, node, node == NULL);
    pthread_mutex_unlock(&identity->mutex);
    return count;
}

void tls_identity_cut(TlsIdentity *identity, const char *node)
{
    pthread_mutex_lock(&identity->mutex);
    for (guint i = 0; i < identity->entries->len; i++) {
        TlsEntry *entry = g_ptr_array_index(identity->entries, i);
        if (!node || g_strcmp0(entry->node, node) == 0)
            shutdown(entry->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&identity->mutex);
}
