/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.c - a thread that carries bytes between two local sockets until both ways are closed */
#include "relay.h"

#include "codec.h"
#include "hypervisor/ram-stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)
#define PACE_US 200000 /* over which it is seen whether the other side is slow */

typedef struct {
    int from, to;
    gsize start, end;         /* what is in the buffer */
    guint64 taken, moved;     /* bytes that came, bytes that went */
    gboolean finished;        /* no more comes, and all has gone */
    char *buffer;
    gsize space;
    Codec *codec;             /* NULL: what comes goes as it is */
    RamStream *stream;        /* when squeezing: leaves out what the other side need not hear */
    guint8 *whole;            /* what came, before that */
    char *raw;                /* with a codec: what came ... */
    gsize raw_start, raw_end; /* ... and is not yet turned */
    gboolean more;            /* the codec has more to give without being given more */
    gint64 since, blocked, waited; /* us: begin of this while; since when nothing is taken (0: it is); how long of the while */
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

typedef enum { WAY_GOT, WAY_NOTHING, WAY_BROKEN } WayResult;

static WayResult way_receive(Way *way, char *into, gsize *ret_size)
{
    ssize_t n = recv(way->from, into, BUFFER_BYTES, MSG_DONTWAIT);

    if (would_block(n))
        return WAY_NOTHING;
    if (n < 0)
        return WAY_BROKEN;
    if (n == 0) {
        way->finished = TRUE;
        shutdown(way->to, SHUT_WR);
        return WAY_NOTHING;
    }
    way->taken += n;
    *ret_size = n;
    return WAY_GOT;
}

/* What is to go through the codec. */
static WayResult way_receive_raw(Way *way)
{
    gsize size = 0;
    WayResult result = way_receive(way, way->stream ? (char *)way->whole : way->raw, &size);

    way->raw_start = 0;
    way->raw_end = way->stream ? ram_stream_pass(way->stream, way->whole, size, (guint8 *)way->raw) : size;
    return result;
}

/* Fills the empty buffer, by way of the codec if there is one. */
static WayResult way_fill(Way *way)
{
    gsize taken = 0;
    gssize made;
    WayResult result;

    way->start = way->end = 0;
    if (!way->codec)
        return way_receive(way, way->buffer, &way->end);
    if (way->raw_start == way->raw_end && !way->more) {
        result = way_receive_raw(way);
        if (result != WAY_GOT || way->raw_end == 0)
            return result;
    }
    made = codec_turn(way->codec, way->raw + way->raw_start, way->raw_end - way->raw_start, &taken, way->buffer, way->space);
    if (made < 0)
        return WAY_BROKEN;
    way->raw_start += taken;
    way->end = made;
    way->more = (gsize)made == way->space;
    return WAY_GOT;
}

/* What was made has gone, or has to wait; now and then the codec hears how much of the time it had to. */
static void way_pace(Way *way, gboolean blocked)
{
    gint64 now = g_get_monotonic_time();

    if (way->blocked)
        way->waited += now - way->blocked;
    way->blocked = blocked ? now : 0;
    if (now - way->since < PACE_US)
        return;
    if (way->since)
        codec_pace(way->codec, (double)way->waited / (now - way->since));
    way->since = now;
    way->waited = 0;
}

/* Moves what can be moved; FALSE when the connection as a whole is broken. */
static gboolean way_move(Way *way)
{
    for (int turns = 0; turns < 16 && !way->finished; turns++) {
        WayResult result = way->start == way->end ? way_fill(way) : WAY_GOT;
        ssize_t n;

        if (result != WAY_GOT)
            return result == WAY_NOTHING;
        if (way->start == way->end)
            continue;
        n = send(way->to, way->buffer + way->start, way->end - way->start, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (way->stream)
            way_pace(way, would_block(n));
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
    if (way->start == way->end && !way->more && way->raw_start == way->raw_end)
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
    if (relay->notice_at && relay->ways[0].taken >= relay->notice_at) {
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
    for (int i = 0; i < 2; i++) {
        codec_free(ways[i].codec);
        ram_stream_free(ways[i].stream);
        g_free(ways[i].whole);
        g_free(ways[i].buffer);
        g_free(ways[i].raw);
    }
    relay_later(relay, relay_done);
    return NULL;
}

static Way way_new(int from, int to, RelayCoding coding)
{
    Way way = {.from = from, .to = to, .space = BUFFER_BYTES};

    if (coding != RELAY_PLAIN) {
        way.codec = codec_new(coding == RELAY_SQUEEZE ? CODEC_SQUEEZE : CODEC_EXPAND);
        way.raw = g_malloc(BUFFER_BYTES + RAM_STREAM_EXTRA);
        way.space = codec_bound(BUFFER_BYTES + RAM_STREAM_EXTRA);
    }
    if (coding == RELAY_SQUEEZE) {
        way.stream = ram_stream_new();
        way.whole = g_malloc(BUFFER_BYTES);
    }
    way.buffer = g_malloc(way.space);
    return way;
}

Relay *relay_new(int a, int b, RelayCoding coding, void (*ended)(Relay *relay, guint64 a_to_b, guint64 b_to_a, gpointer user),
                 gpointer user)
{
    Relay *relay = g_new0(Relay, 1);

    relay->ways[0] = way_new(a, b, coding);
    relay->ways[1] = way_new(b, a, RELAY_PLAIN);
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
