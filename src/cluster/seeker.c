/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeker.c - nodes that wait to be let in, found by Avahi; the only part that knows Avahi
 *
 * Avahi is there if and when it is: without a system bus, or without avahi-daemon, it is tried again
 * now and then, and nothing else is different. A client that Avahi has given up is replaced from the
 * loop, never from its own callback. libavahi waits for answers of the bus, up to 25 s for each: nothing
 * here may run in a thread that others wait for.
 */
#include "seeker.h"

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

struct Seeker {
    SeekerEvents events;
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
};

static void connect_avahi(Seeker *seeker);

static void set_ready(Seeker *seeker, gboolean ready, const char *trouble)
{
    seeker->ready = ready;
    seeker->events.ready(ready, trouble, seeker->user);
}

static void resolver_free(gpointer resolver)
{
    avahi_service_resolver_free(resolver);
}

Seeker *seeker_new(const SeekerEvents *events, gpointer user)
{
    Seeker *seeker = g_new0(Seeker, 1);

    seeker->events = *events;
    seeker->user = user;
    seeker->context = g_main_context_ref_thread_default();
    seeker->resolvers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, resolver_free);
    return seeker;
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
    Seeker *seeker = user;
    g_autofree char *service = g_strdup_printf("%d %s", interface, name);
    char place[AVAHI_ADDRESS_STR_MAX], *node = NULL, *key = NULL;

    if (event != AVAHI_RESOLVER_FOUND)
        return;
    avahi_address_snprint(place, sizeof place, address);
    node = txt_value(txt, "name");
    key = txt_value(txt, "key");
    if (node && key && g_utf8_validate(node, -1, NULL) && g_utf8_validate(key, -1, NULL))
        seeker->events.found(service, &(DiscoveryNode){node, place, key, port}, seeker->user);
    avahi_free(node);
    avahi_free(key);
}

static void browsed(AvahiServiceBrowser *browser, AvahiIfIndex interface, AvahiProtocol protocol,
                    AvahiBrowserEvent event, const char *name, const char *service_type,
                    const char *domain, AvahiLookupResultFlags flags, void *user)
{
    Seeker *seeker = user;
    g_autofree char *service = name ? g_strdup_printf("%d %s", interface, name) : NULL;
    AvahiServiceResolver *resolver;

    if (event == AVAHI_BROWSER_REMOVE && g_hash_table_remove(seeker->resolvers, service))
        seeker->events.lost(service, seeker->user);
    if (event != AVAHI_BROWSER_NEW || g_hash_table_size(seeker->resolvers) >= SERVICES_MAX)
        return;
    resolver = avahi_service_resolver_new(seeker->client, interface, protocol, name, service_type,
                                          domain, AVAHI_PROTO_INET, 0, resolved, seeker);
    if (resolver)
        g_hash_table_replace(seeker->resolvers, g_steal_pointer(&service), resolver);
}

static void lose_all(Seeker *seeker)
{
    g_autoptr(GList) services = g_hash_table_get_keys(seeker->resolvers);

    for (GList *i = services; i; i = i->next)
        seeker->events.lost(i->data, seeker->user);
    g_hash_table_remove_all(seeker->resolvers);
}

static void stop_browsing(Seeker *seeker)
{
    lose_all(seeker);
    g_clear_pointer(&seeker->browser, avahi_service_browser_free);
}

static void browse(Seeker *seeker)
{
    if (seeker->looks && seeker->ready && !seeker->browser)
        seeker->browser = avahi_service_browser_new(seeker->client, AVAHI_IF_UNSPEC, AVAHI_PROTO_INET,
                                                       type, NULL, 0, browsed, seeker);
}

/* ---- Publishing ---- */

static void publish(Seeker *seeker);

static void published(AvahiEntryGroup *group, AvahiEntryGroupState state, void *user)
{
    Seeker *seeker = user;
    char *other;

    if (state != AVAHI_ENTRY_GROUP_COLLISION)
        return;
    other = avahi_alternative_service_name(seeker->service);
    g_free(seeker->service);
    seeker->service = g_strdup(other);
    avahi_free(other);
    publish(seeker);
}

static void publish(Seeker *seeker)
{
    AvahiStringList *txt = NULL;
    int code = 0;

    if (!seeker->name || !seeker->ready)
        return;
    if (!seeker->group)
        seeker->group = avahi_entry_group_new(seeker->client, published, seeker);
    if (!seeker->group)
        return;
    avahi_entry_group_reset(seeker->group);
    txt = avahi_string_list_add_pair(txt, "key", seeker->fingerprint);
    txt = avahi_string_list_add_pair(txt, "name", seeker->name);
    code = avahi_entry_group_add_service_strlst(seeker->group, AVAHI_IF_UNSPEC, AVAHI_PROTO_INET, 0,
                                                seeker->service, type, NULL, NULL, seeker->port, txt);
    avahi_string_list_free(txt);
    if (code >= 0)
        code = avahi_entry_group_commit(seeker->group);
    if (code < 0)
        log_warning("this node is not published by Avahi: %s", avahi_strerror(code));
}

/* ---- The connection with Avahi ---- */

static void disconnect(Seeker *seeker)
{
    source_clear(&seeker->again);
    stop_browsing(seeker);
    g_clear_pointer(&seeker->group, avahi_entry_group_free);
    g_clear_pointer(&seeker->client, avahi_client_free);
    seeker->ready = FALSE;
}

static gboolean try_again(gpointer user)
{
    Seeker *seeker = user;

    disconnect(seeker);
    connect_avahi(seeker);
    return G_SOURCE_REMOVE;
}

static void again_after(Seeker *seeker, guint seconds, int code)
{
    g_autofree char *trouble = g_strdup_printf("Avahi does not answer: %s", avahi_strerror(code));

    set_ready(seeker, FALSE, trouble);
    source_clear(&seeker->again);
    seeker->again = source_add(g_timeout_source_new_seconds(seconds), seeker->context, try_again, seeker);
}

static void client_changed(AvahiClient *client, AvahiClientState state, void *user)
{
    Seeker *seeker = user;

    seeker->client = client; /* the first time it is not known yet */
    if (state == AVAHI_CLIENT_FAILURE) {
        again_after(seeker, AGAIN_S, avahi_client_errno(client));
    } else if (state == AVAHI_CLIENT_S_RUNNING) {
        set_ready(seeker, TRUE, "");
        browse(seeker);
        publish(seeker);
    } else { /* the daemon is not there, or chooses another name for the machine: what was published is void */
        set_ready(seeker, FALSE, "avahi-daemon does not run");
        if (seeker->group)
            avahi_entry_group_reset(seeker->group);
        if (state == AVAHI_CLIENT_CONNECTING) {
            stop_browsing(seeker);
            g_clear_pointer(&seeker->group, avahi_entry_group_free);
        }
    }
}

/* If there is anything to be asked of it. */
static void connect_avahi(Seeker *seeker)
{
    int code = 0;

    if (seeker->client || (!seeker->looks && !seeker->name))
        return;
    if (!seeker->poll)
        seeker->poll = avahi_glib_poll_new(seeker->context, G_PRIORITY_DEFAULT);
    if (!avahi_client_new(avahi_glib_poll_get(seeker->poll), AVAHI_CLIENT_NO_FAIL, client_changed, seeker,
                          &code)) {
        seeker->client = NULL;
        again_after(seeker, AGAIN_S, code);
    }
}

void seeker_free(Seeker *seeker)
{
    if (!seeker)
        return;
    disconnect(seeker);
    g_clear_pointer(&seeker->poll, avahi_glib_poll_free);
    g_hash_table_unref(seeker->resolvers);
    g_main_context_unref(seeker->context);
    g_free(seeker->name);
    g_free(seeker->service);
    g_free(seeker->fingerprint);
    g_free(seeker);
}

void seeker_look(Seeker *seeker, gboolean look)
{
    seeker->looks = look;
    if (!look)
        stop_browsing(seeker);
    connect_avahi(seeker);
    browse(seeker);
}

void seeker_publish(Seeker *seeker, const char *name, guint port, const char *fingerprint)
{
    g_free(seeker->name);
    g_free(seeker->service);
    g_free(seeker->fingerprint);
    seeker->name = g_strdup(name);
    seeker->service = g_strdup(name);
    seeker->fingerprint = g_strdup(fingerprint);
    seeker->port = port;
    if (!name)
        g_clear_pointer(&seeker->group, avahi_entry_group_free);
    connect_avahi(seeker);
    publish(seeker);
}
