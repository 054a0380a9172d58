/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discovery.c - nodes that wait to be let in, found by Avahi; the only part that knows Avahi
 *
 * Avahi is there if and when it is: without a system bus, or without avahi-daemon, it is tried again
 * now and then, and nothing else is different. A client that Avahi has given up is replaced from the
 * main loop, never from its own callback.
 */
#include "discovery.h"

#include <avahi-client/client.h>
#include <avahi-client/lookup.h>
#include <avahi-client/publish.h>
#include <avahi-common/alternative.h>
#include <avahi-common/error.h>
#include <avahi-common/malloc.h>
#include <avahi-glib/glib-watch.h>

#include "common/log.h"
#include "common/source.h"

enum { AGAIN_S = 10, SERVICES_MAX = 256 };

static const char type[] = "_sojourn._tcp";

struct Discovery {
    DiscoveryEvents events;
    gpointer user;
    GMainContext *context;
    AvahiGLibPoll *poll;
    AvahiClient *client;
    AvahiServiceBrowser *browser;
    AvahiEntryGroup *group;
    GHashTable *resolvers; /* service → AvahiServiceResolver */
    GSource *again;
    gboolean looks, ready;
    char *name, *service, *fingerprint; /* published, if name is not NULL */
    guint port;
    char *trouble;
};

static void connect_avahi(Discovery *discovery);

static void resolver_free(gpointer resolver)
{
    avahi_service_resolver_free(resolver);
}

Discovery *discovery_new(const DiscoveryEvents *events, gpointer user)
{
    Discovery *discovery = g_new0(Discovery, 1);

    discovery->events = *events;
    discovery->user = user;
    discovery->context = g_main_context_ref_thread_default();
    discovery->resolvers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, resolver_free);
    discovery->trouble = g_strdup("Avahi is not asked");
    return discovery;
}

/* ---- Finding ---- */

/* The value of a key of a TXT record (avahi_free); NULL if there is none. */
static char *txt_value(AvahiStringList *txt, const char *key)
{
    AvahiStringList *pair = avahi_string_list_find(txt, key);
    char *value = NULL;

    if (pair && avahi_string_list_get_pair(pair, NULL, &value, NULL) < 0)
        return NULL;
    return value;
}

static void resolved(AvahiServiceResolver *resolver, AvahiIfIndex interface, AvahiProtocol protocol,
                     AvahiResolverEvent event, const char *name, const char *service_type,
                     const char *domain, const char *host, const AvahiAddress *address, uint16_t port,
                     AvahiStringList *txt, AvahiLookupResultFlags flags, void *user)
{
    Discovery *discovery = user;
    g_autofree char *service = g_strdup_printf("%d %s", interface, name);
    char place[AVAHI_ADDRESS_STR_MAX], *node = NULL, *key = NULL;

    if (event != AVAHI_RESOLVER_FOUND)
        return;
    avahi_address_snprint(place, sizeof place, address);
    node = txt_value(txt, "name");
    key = txt_value(txt, "key");
    if (node && key && g_utf8_validate(node, -1, NULL) && g_utf8_validate(key, -1, NULL))
        discovery->events.found(service, &(DiscoveryNode){node, place, key, port}, discovery->user);
    avahi_free(node);
    avahi_free(key);
}

static void browsed(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                    AvahiBrowserEvent event, const char *name, const char *service_type,
                    const char *domain, AvahiLookupResultFlags flags, void *user)
{
    Discovery *discovery = user;
    g_autofree char *service = name ? g_strdup_printf("%d %s", interface, name) : NULL;
    AvahiServiceResolver *resolver;

    if (event == AVAHI_BROWSER_REMOVE && g_hash_table_remove(discovery->resolvers, service))
        discovery->events.lost(service, discovery->user);
    if (event != AVAHI_BROWSER_NEW || g_hash_table_size(discovery->resolvers) >= SERVICES_MAX)
        return;
    resolver = avahi_service_resolver_new(discovery->client, interface, protocol, name, service_type,
                                          domain, AVAHI_PROTO_INET, 0, resolved, discovery);
    if (resolver)
        g_hash_table_replace(discovery->resolvers, g_steal_pointer(&service), resolver);
}

static void lose_all(Discovery *discovery)
{
    g_autoptr(GList) services = g_hash_table_get_keys(discovery->resolvers);

    for (GList *i = services; i; i = i->next)
        discovery->events.lost(i->data, discovery->user);
    g_hash_table_remove_all(discovery->resolvers);
}

static void stop_browsing(Discovery *discovery)
{
    lose_all(discovery);
    g_clear_pointer(&discovery->browser, avahi_service_browser_free);
}

static void browse(Discovery *discovery)
{
    if (discovery->looks && discovery->ready && !discovery->browser)
        discovery->browser = avahi_service_browser_new(discovery->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_INET,
                                                       type, NULL, 0, browsed, discovery);
}

/* ---- Publishing ---- */

static void publish(Discovery *discovery);

static void published(AvahiEntryGroup *group, AvahiEntryGroupState state, void *user)
{
    Discovery *discovery = user;
    char *other;

    if (state != AVAHI_ENTRY_GROUP_COLLISION)
        return;
    other = avahi_alternative_service_name(discovery->service);
    g_free(discovery->service);
    discovery->service = g_strdup(other);
    avahi_free(other);
    publish(discovery);
}

static void publish(Discovery *discovery)
{
    AvahiStringList *txt = NULL;
    int code = 0;

    if (!discovery->name || !discovery->ready)
        return;
    if (!discovery->group)
        discovery->group = avahi_entry_group_new(discovery->client, published, discovery);
    if (!discovery->group)
        return;
    avahi_entry_group_reset(discovery->group);
    txt = avahi_string_list_add_pair(txt, "key", discovery->fingerprint);
    txt = avahi_string_list_add_pair(txt, "name", discovery->name);
    code = avahi_entry_group_add_service_strlst(discovery->group, AVAHI_IF_UNSPEC, AVAHI_PROTO_INET, 0,
                                                discovery->service, type, NULL, NULL, discovery->port, txt);
    avahi_string_list_free(txt);
    if (code >= 0)
        code = avahi_entry_group_commit(discovery->group);
    if (code < 0)
        log_warning("this node is not published by Avahi: %s", avahi_strerror(code));
}

/* ---- The connection with Avahi ---- */

static void disconnect(Discovery *discovery)
{
    source_clear(&discovery->again);
    stop_browsing(discovery);
    g_clear_pointer(&discovery->group, avahi_entry_group_free);
    g_clear_pointer(&discovery->client, avahi_client_free);
    discovery->ready = FALSE;
}

static gboolean try_again(gpointer user)
{
    Discovery *discovery = user;

    disconnect(discovery);
    connect_avahi(discovery);
    return G_SOURCE_REMOVE;
}

static void again_after(Discovery *discovery, guint seconds, int code)
{
    g_free(discovery->trouble);
    discovery->trouble = g_strdup_printf("Avahi does not answer: %s", avahi_strerror(code));
    discovery->ready = FALSE;
    source_clear(&discovery->again);
    discovery->again = source_add(g_timeout_source_new_seconds(seconds), discovery->context, try_again, discovery);
}

static void client_changed(AvahiClient *client, AvahiClientState state, void *user)
{
    Discovery *discovery = user;

    discovery->client = client; /* the first time it is not known yet */
    if (state == AVAHI_CLIENT_FAILURE) {
        again_after(discovery, AGAIN_S, avahi_client_errno(client));
    } else if (state == AVAHI_CLIENT_S_RUNNING) {
        discovery->ready = TRUE;
        browse(discovery);
        publish(discovery);
    } else { /* the daemon is not there, or chooses another name for the machine: what was published is void */
        discovery->ready = FALSE;
        g_free(discovery->trouble);
        discovery->trouble = g_strdup("avahi-daemon does not run");
        if (discovery->group)
            avahi_entry_group_reset(discovery->group);
        if (state == AVAHI_CLIENT_CONNECTING) {
            stop_browsing(discovery);
            g_clear_pointer(&discovery->group, avahi_entry_group_free);
        }
    }
}

/* If there is anything to be asked of it. */
static void connect_avahi(Discovery *discovery)
{
    int code = 0;

    if (discovery->client || (!discovery->looks && !discovery->name))
        return;
    if (!discovery->poll)
        discovery->poll = avahi_glib_poll_new(discovery->context, G_PRIORITY_DEFAULT);
    if (!avahi_client_new(avahi_glib_poll_get(discovery->poll), AVAHI_CLIENT_NO_FAIL, client_changed, discovery,
                          &code)) {
        discovery->client = NULL;
        again_after(discovery, AGAIN_S, code);
    }
}

void discovery_free(Discovery *discovery)
{
    if (!discovery)
        return;
    disconnect(discovery);
    g_clear_pointer(&discovery->poll, avahi_glib_poll_free);
    g_hash_table_unref(discovery->resolvers);
    g_main_context_unref(discovery->context);
    g_free(discovery->name);
    g_free(discovery->service);
    g_free(discovery->fingerprint);
    g_free(discovery->trouble);
    g_free(discovery);
}

void discovery_look(Discovery *discovery, gboolean look)
{
    discovery->looks = look;
    if (!look)
        stop_browsing(discovery);
    connect_avahi(discovery);
    browse(discovery);
}

void discovery_publish(Discovery *discovery, const char *name, guint port, const char *fingerprint)
{
    g_free(discovery->name);
    g_free(discovery->service);
    g_free(discovery->fingerprint);
    discovery->name = g_strdup(name);
    discovery->service = g_strdup(name);
    discovery->fingerprint = g_strdup(fingerprint);
    discovery->port = port;
    if (!name)
        g_clear_pointer(&discovery->group, avahi_entry_group_free);
    connect_avahi(discovery);
    publish(discovery);
}

gboolean discovery_is_ready(Discovery *discovery)
{
    return discovery->ready;
}

char *discovery_state(Discovery *discovery, const char **ret_remedy)
{
    *ret_remedy = discovery->ready ? "" : "install and start avahi-daemon; or let nodes in by token or address";
    if (discovery->ready)
        return g_strdup("Avahi shows nodes of this network that wait to be let in");
    return g_strdup_printf("nodes that wait to be let in are not seen: %s", discovery->trouble);
}
