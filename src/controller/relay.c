/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.c - a thread that carries bytes between two local sockets until both ways are closed */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

typedef struct {
    int from, to;
    gsize start, end;  /* what is in the buffer */
    guint64 moved;
    gboolean finished; /* no more comes, and all has gone */
    char *buffer;
} Way;

struct Relay {
    Way ways[2]; /* a to b, b to a */
    GMainContext *context;
    void (*ended)(Relay *relay, guint64 a_to_b, guint64 b_to_a, gpointer user);
    gpointer user;
    GThread *thread;
    GMutex lock;          /* of what follows */
    guint64 notice_at;    /* 0: no notice wanted, or given */
    void (*noticed)(Relay *relay, gpointer user);
};

static gboolean would_block(ssize_t result)
{
    return result < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Moves what can be moved; FALSE when the connection as a whole is broken. */
static gboolean way_move(Way *way)
{
    for (int turns = 0; turns < 16 && !way->finished; turns++) {
        ssize_t n;

        if (way->start == way->end) {
            n = recv(way->from, way->buffer, BUFFER_BYTES, MSG_DONTWAIT);
            if (would_block(n))
                return TRUE;
            if (n < 0)
                return FALSE;
            if (n == 0) {
                way->finished = TRUE;
                shutdown(way->to, SHUT_WR);
                return TRUE;
            }
            way->start = 0;
            way->end = n;
        }
        n = send(way->to, way->buffer + way->start, way->end - way->start, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (would_block(n))
            return TRUE;
        if (n < 0)
            return FALSE;
        way->start += n;
        way->moved += n;
    }
    return TRUE;
}

static void want(struct pollfd *polled, const Way *way)
{
    if (way->finished)
        return;
    if (way->start == way->end)
        polled[way->from == polled[0].fd ? 0 : 1].events |= POLLIN;
    else
        polled[way->to == polled[0].fd ? 0 : 1].events |= POLLOUT;
}

static gboolean relay_done(gpointer user)
{
    Relay *relay = user;

    g_thread_join(relay->thread);
    if (relay->ended)
        relay->ended(relay, relay->ways[0].moved, relay->ways[1].moved, relay->user);
    close(relay->ways[0].from);
    close(relay->ways[0].to);
    g_main_context_unref(relay->context);
    g_mutex_clear(&relay->lock);
    g_free(relay);
    return G_SOURCE_REMOVE;
}

static gboolean relay_noticed(gpointer user)
{
    Relay *relay = user;

    if (relay->ended) /* not forgotten by its owner */
        relay->noticed(relay, relay->user);
    return G_SOURCE_REMOVE;
}

static void relay_later(Relay *relay, GSourceFunc callback)
{
    GSource *source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, callback, relay, NULL);
    g_source_attach(source, relay->context);
    g_source_unref(source);
}

static void relay_look(Relay *relay)
{
    g_mutex_lock(&relay->lock);
    if (relay->notice_at && relay->ways[0].moved >= relay->notice_at) {
        relay->notice_at = 0;
        relay_later(relay, relay_noticed);
    }
    g_mutex_unlock(&relay->lock);
}

void relay_notice(Relay *relay, guint64 bytes, void (*noticed)(Relay *relay, gpointer user))
{
    g_mutex_lock(&relay->lock);
    relay->noticed = noticed;
    relay->notice_at = bytes;
    g_mutex_unlock(&relay->lock);
}

static gpointer relay_thread(gpointer user)
{
    Relay *relay = user;
    Way *ways = relay->ways;

    while (way_move(&ways[0]) && way_move(&ways[1]) && !(ways[0].finished && ways[1].finished)) {
        struct pollfd polled[2] = {{.fd = ways[0].from}, {.fd = ways[0].to}};

        relay_look(relay);
        want(polled, &ways[0]);
        want(polled, &ways[1]);
        /* a side of which nothing is wanted would report its end for ever */
        for (int i = 0; i < 2; i++)
            if (!polled[i].events)
                polled[i].fd = -1;
        if (poll(polled, 2, -1) < 0 && errno != EINTR)
            break;
    }
    shutdown(ways[0].from, SHUT_RDWR);
    shutdown(ways[0].to, SHUT_RDWR);
    g_free(ways[0].buffer);
    g_free(ways[1].buffer);
    relay_later(relay, relay_done);
    return NULL;
}

Relay *relay_new(int a, int b, void (*ended)(Relay *relay, guint64 a_to_b, guint64 b_to_a, gpointer user),
                 gpointer user)
{
    Relay *relay = g_new0(Relay, 1);

    relay->ways[0] = (Way){.from = a, .to = b, .buffer = g_malloc(BUFFER_BYTES)};
    relay->ways[1] = (Way){.from = b, .to = a, .buffer = g_malloc(BUFFER_BYTES)};
    g_mutex_init(&relay->lock);
    relay->context = g_main_context_ref_thread_default();
    relay->ended = ended;
    relay->user = user;
    relay->thread = g_thread_new("relay", relay_thread, relay);
    return relay;
}

void relay_cut(Relay *relay, gboolean forget)
{
    if (forget)
        relay->ended = NULL;
    shutdown(relay->ways[0].from, SHUT_RDWR);
    shutdown(relay->ways[0].to, SHUT_RDWR);
}
