/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replies.c - answers of the files server on their way from its worker threads to the link
 *
 * Workers append to one locked list and wake the main loop only when the list was empty; the main
 * loop takes the whole list at once. Small and bulk messages then wait for their own channel's
 * credit, so that many large reads cannot hold up a lookup. There are never more messages than the
 * guest has requests under way.
 */
#include "replies.h"

#include "common/source.h"

#include <errno.h>
#include <string.h>

struct Replies {
    Link *link;
    Port *port;
    GMainContext *context;
    GSource *source;
    GMutex mutex;
    GPtrArray *fresh;               /* of GByteArray; under mutex */
    guint64 bytes;                  /* of all that was added; under mutex */
    gint some;                      /* fresh is not empty; atomic */
    GQueue waiting[LINK_CHANNELS];  /* FILES and BULK */
};

typedef struct {
    GSource source;
    Replies *replies;
} RepliesSource;

static void flush_channel(Replies *replies, LinkChannel channel)
{
    GQueue *waiting = &replies->waiting[channel];
    GByteArray *message;

    while ((message = g_queue_peek_head(waiting))) {
        if (link_send(replies->link, channel, message->data, message->len) == -EAGAIN)
            return;
        g_byte_array_unref(g_queue_pop_head(waiting));
    }
}

static GPtrArray *take_fresh(Replies *replies)
{
    g_mutex_lock(&replies->mutex);
    GPtrArray *fresh = replies->fresh;
    replies->fresh = g_ptr_array_new();
    g_atomic_int_set(&replies->some, 0);
    g_mutex_unlock(&replies->mutex);
    return fresh;
}

static gboolean prepare(GSource *source, int *timeout)
{
    *timeout = -1;
    return g_atomic_int_get(&((RepliesSource *) source)->replies->some);
}

static gboolean check(GSource *source)
{
    return g_atomic_int_get(&((RepliesSource *) source)->replies->some);
}

gboolean replies_some(const Replies *replies)
{
    return g_atomic_int_get(&replies->some);
}

void replies_flush(Replies *replies)
{
    g_autoptr(GPtrArray) fresh = take_fresh(replies);

    for (guint i = 0; i < fresh->len; i++) {
        GByteArray *message = fresh->pdata[i];
        g_queue_push_tail(&replies->waiting[message->len > LINK_SMALL ? LINK_BULK : LINK_FILES],
                          message);
    }
    flush_channel(replies, LINK_FILES);
    flush_channel(replies, LINK_BULK);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Replies *replies = ((RepliesSource *) source)->replies;

    replies_flush(replies);
    port_flush(replies->port);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = { .prepare = prepare, .check = check, .dispatch = dispatch };

Replies *replies_new(Link *link, Port *port)
{
    Replies *replies = g_new0(Replies, 1);

    replies->link = link;
    replies->port = port;
    replies->context = g_main_context_ref_thread_default();
    replies->fresh = g_ptr_array_new();
    g_mutex_init(&replies->mutex);
    for (int channel = 0; channel < LINK_CHANNELS; channel++)
        g_queue_init(&replies->waiting[channel]);
    replies->source = g_source_new(&functions, sizeof(RepliesSource));
    ((RepliesSource *) replies->source)->replies = replies;
    g_source_set_static_name(replies->source, "replies");
    g_source_attach(replies->source, replies->context);
    return replies;
}

void replies_free(Replies *replies)
{
    if (!replies)
        return;
    source_clear(&replies->source);
    for (guint i = 0; i < replies->fresh->len; i++)
        g_byte_array_unref(replies->fresh->pdata[i]);
    g_ptr_array_unref(replies->fresh);
    for (int channel = 0; channel < LINK_CHANNELS; channel++)
        g_queue_clear_full(&replies->waiting[channel], (GDestroyNotify) g_byte_array_unref);
    g_mutex_clear(&replies->mutex);
    g_main_context_unref(replies->context);
    g_free(replies);
}

void replies_add(Replies *replies, const struct iovec *parts, int count)
{
    gsize size = 0;

    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    GByteArray *message = g_byte_array_sized_new((guint) size);
    for (int i = 0; i < count; i++)
        g_byte_array_append(message, parts[i].iov_base, (guint) parts[i].iov_len);

    g_mutex_lock(&replies->mutex);
    gboolean first = replies->fresh->len == 0;
    g_ptr_array_add(replies->fresh, message);
    replies->bytes += size;
    g_atomic_int_set(&replies->some, 1);
    g_mutex_unlock(&replies->mutex);
    if (first)
        g_main_context_wakeup(replies->context);
}

guint64 replies_bytes(Replies *replies)
{
    g_mutex_lock(&replies->mutex);
    guint64 bytes = replies->bytes;
    g_mutex_unlock(&replies->mutex);
    return bytes;
}

void replies_writable(Replies *replies, LinkChannel channel)
{
    flush_channel(replies, channel);
}
