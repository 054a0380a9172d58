/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discovery.c - nodes that wait to be let in: what goes to and fro between the main loop and the thread that asks Avahi
 *
 * libavahi waits for the system bus, which may hang: so whatever asks it (seeker.c) runs in a thread of its own, made when it
 * is first needed. The main loop gives orders, which wait in that thread's queue, and is sent what was found. It knows itself
 * what it was told of, so that it need not wait for the thread to forget it; what the thread says of a time before the last
 * order to look no more (another *round*) does not count. A thread that hangs is left behind at the end: it owns what it uses.
 */
#include "discovery.h"

#include "seeker.h"

enum { BEAT_S = 2, HANGS_S = 10 };

/* What both threads hold on to. */
typedef struct {
    gatomicrefcount references;
    GMainContext *main, *context; /* the main loop's; the thread's */
    GMainLoop *loop;              /* the thread's */
    Discovery *owner;             /* the main loop's alone; NULL: gone */
    Seeker *seeker;               /* the thread's alone */
    guint round;                  /* as the thread knows it */
    gint beat_s;                  /* when the thread last went round its loop (atomic) */
} Shared;

struct Discovery {
    DiscoveryEvents events;
    gpointer user;
    Shared *shared;
    gboolean begun, looks, publishes, ready;
    guint round;
    GHashTable *services; /* those that the owner was told of */
    char *trouble;
};

static void shared_unref(gpointer data)
{
    Shared *shared = data;

    if (!g_atomic_ref_count_dec(&shared->references))
        return;
    g_main_loop_unref(shared->loop);
    g_main_context_unref(shared->context);
    g_main_context_unref(shared->main);
    g_free(shared);
}

static Shared *shared_ref(Shared *shared)
{
    g_atomic_ref_count_inc(&shared->references);
    return shared;
}

/* A message to the other side, either way. */
typedef struct {
    Shared *shared;
    guint round;
    guint value; /* whether; or a port */
    char *text, *name, *address, *fingerprint;
} Message;

static Message *message_new(Shared *shared, const char *text, guint value, guint round)
{
    Message *message = g_new0(Message, 1);

    message->shared = shared_ref(shared);
    message->text = g_strdup(text);
    message->value = value;
    message->round = round;
    return message;
}

static void message_free(gpointer data)
{
    Message *message = data;

    shared_unref(message->shared);
    g_free(message->text);
    g_free(message->name);
    g_free(message->address);
    g_free(message->fingerprint);
    g_free(message);
}

/* Has the message handled by the side whose context it is, later; takes it over. */
static void message_send(Message *message, GMainContext *to, GSourceFunc handle)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, handle, message, message_free);
    g_source_attach(source, to);
    g_source_unref(source);
}

/* ---- The main loop's side: what it hears ---- */

/* The one that the message is for, if it still counts. */
static Discovery *owner_of(const Message *message)
{
    Discovery *discovery = message->shared->owner;

    return discovery && discovery->looks && discovery->round == message->round ? discovery : NULL;
}

static gboolean hear_found(gpointer data)
{
    Message *message = data;
    Discovery *discovery = owner_of(message);

    if (!discovery)
        return G_SOURCE_REMOVE;
    g_hash_table_add(discovery->services, g_strdup(message->text));
    discovery->events.found(message->text, &(DiscoveryNode){message->name, message->address, message->fingerprint, message->value},
                            discovery->user);
    return G_SOURCE_REMOVE;
}

static gboolean hear_lost(gpointer data)
{
    Message *message = data;
    Discovery *discovery = owner_of(message);

    if (discovery && g_hash_table_remove(discovery->services, message->text))
        discovery->events.lost(message->text, discovery->user);
    return G_SOURCE_REMOVE;
}

static gboolean hear_ready(gpointer data)
{
    Message *message = data;
    Discovery *discovery = message->shared->owner;

    if (!discovery)
        return G_SOURCE_REMOVE;
    discovery->ready = message->value;
    g_free(discovery->trouble);
    discovery->trouble = g_strdup(message->text);
    return G_SOURCE_REMOVE;
}

/* ---- The thread's side ---- */

static void say_found(const char *service, const DiscoveryNode *node, gpointer user)
{
    Shared *shared = user;
    Message *message = message_new(shared, service, node->port, shared->round);

    message->name = g_strdup(node->name);
    message->address = g_strdup(node->address);
    message->fingerprint = g_strdup(node->fingerprint);
    message_send(message, shared->main, hear_found);
}

static void say_lost(const char *service, gpointer user)
{
    Shared *shared = user;

    message_send(message_new(shared, service, FALSE, shared->round), shared->main, hear_lost);
}

static void say_ready(gboolean ready, const char *trouble, gpointer user)
{
    Shared *shared = user;

    message_send(message_new(shared, trouble, ready, 0), shared->main, hear_ready);
}

static gint now_s(void)
{
    return g_get_monotonic_time() / G_USEC_PER_SEC;
}

static gboolean beat(gpointer user)
{
    g_atomic_int_set(&((Shared *)user)->beat_s, now_s());
    return G_SOURCE_CONTINUE;
}

static gpointer seek(gpointer user)
{
    static const SeekerEvents events = {say_found, say_lost, say_ready};
    Shared *shared = user;
    GSource *beats = g_timeout_source_new_seconds(BEAT_S);

    g_main_context_push_thread_default(shared->context);
    g_source_set_callback(beats, beat, shared, NULL);
    g_source_attach(beats, shared->context);
    shared->seeker = seeker_new(&events, shared);
    g_main_loop_run(shared->loop);
    g_source_destroy(beats);
    g_source_unref(beats);
    seeker_free(shared->seeker);
    g_main_context_pop_thread_default(shared->context);
    shared_unref(shared);
    return NULL;
}

static gboolean do_look(gpointer data)
{
    Message *message = data;

    message->shared->round = message->round;
    seeker_look(message->shared->seeker, message->value);
    return G_SOURCE_REMOVE;
}

static gboolean do_publish(gpointer data)
{
    Message *message = data;

    seeker_publish(message->shared->seeker, message->name, message->value, message->fingerprint);
    return G_SOURCE_REMOVE;
}

static gboolean do_end(gpointer data)
{
    g_main_loop_quit(((Message *)data)->shared->loop);
    return G_SOURCE_REMOVE;
}

/* ---- The main loop's side: what it orders ---- */

Discovery *discovery_new(const DiscoveryEvents *events, gpointer user)
{
    Discovery *discovery = g_new0(Discovery, 1);
    Shared *shared = g_new0(Shared, 1);

    g_atomic_ref_count_init(&shared->references);
    shared->main = g_main_context_ref_thread_default();
    shared->context = g_main_context_new();
    shared->loop = g_main_loop_new(shared->context, FALSE);
    shared->owner = discovery;
    discovery->events = *events;
    discovery->user = user;
    discovery->shared = shared;
    discovery->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    discovery->trouble = g_strdup("Avahi is not asked");
    return discovery;
}

/* With something to ask there is a thread. */
static void begin(Discovery *discovery)
{
    if (discovery->begun)
        return;
    discovery->begun = TRUE;
    discovery->shared->beat_s = now_s();
    g_thread_unref(g_thread_new("avahi", seek, shared_ref(discovery->shared)));
}

static void lose_all(Discovery *discovery)
{
    g_autoptr(GHashTable) services = discovery->services;
    GHashTableIter i;
    gpointer service;

    discovery->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_iter_init(&i, services);
    while (g_hash_table_iter_next(&i, &service, NULL))
        discovery->events.lost(service, discovery->user);
}

void discovery_free(Discovery *discovery)
{
    if (!discovery)
        return;
    if (discovery->begun)
        message_send(message_new(discovery->shared, NULL, FALSE, 0), discovery->shared->context, do_end);
    discovery->shared->owner = NULL;
    shared_unref(discovery->shared);
    g_hash_table_unref(discovery->services);
    g_free(discovery->trouble);
    g_free(discovery);
}

void discovery_look(Discovery *discovery, gboolean look)
{
    if (look == discovery->looks)
        return;
    discovery->looks = look;
    discovery->round++;
    begin(discovery);
    message_send(message_new(discovery->shared, NULL, look, discovery->round), discovery->shared->context, do_look);
    if (!look)
        lose_all(discovery);
}

void discovery_publish(Discovery *discovery, const char *name, guint port, const char *fingerprint)
{
    Message *message;

    if (!name && !discovery->publishes)
        return;
    discovery->publishes = name != NULL;
    begin(discovery);
    message = message_new(discovery->shared, NULL, port, 0);
    message->name = g_strdup(name);
    message->fingerprint = g_strdup(fingerprint);
    message_send(message, discovery->shared->context, do_publish);
}

/* Whether the thread waits for an answer of the bus, for longer than that takes. */
static gboolean hangs(Discovery *discovery)
{
    return discovery->begun && now_s() - g_atomic_int_get(&discovery->shared->beat_s) > HANGS_S;
}

gboolean discovery_is_ready(Discovery *discovery)
{
    return discovery->ready && !hangs(discovery);
}

char *discovery_state(Discovery *discovery, const char **ret_remedy)
{
    gboolean ready = discovery_is_ready(discovery);

    *ret_remedy = ready ? "" : "install and start avahi-daemon; or let nodes in by token or address";
    if (ready)
        return g_strdup("Avahi shows nodes of this network that wait to be let in");
    return g_strdup_printf("nodes that wait to be let in are not seen: %s",
                           hangs(discovery) ? "the system bus, or Avahi, gives no answer" : discovery->trouble);
}
