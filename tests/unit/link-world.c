/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link-world.c - two ends of a link and their connection, for tests */
#include "link-world.h"

#include <string.h>

static guint64 scramble(guint64 x)
{
    x = (x ^ x >> 31) * 0x7fb5d329728ea185u;
    return x ^ x >> 27;
}

static void message_fill(guint8 *data, gsize size, LinkChannel channel, guint64 number,
                         gboolean from_home)
{
    guint64 state = scramble(number * 16 + channel * 2 + from_home + 1);

    for (gsize i = 0; i < size; i += 8) {
        state = scramble(state + i + 1);
        memcpy(data + i, &state, MIN(size - i, 8));
    }
}

static void on_message(void *user, LinkChannel channel, const void *data, size_t size)
{
    End *end = user;
    g_autofree guint8 *expected = g_malloc(size);

    message_fill(expected, size, channel, end->received[channel]++, end->link->role == LINK_GUEST);
    g_assert_cmpmem(data, size, expected, size);
    end->owed[channel] += size;
    if (!end->hold_credit)
        end_give_credit(end);
}

static void on_writable(void *user, LinkChannel channel)
{
    End *end = user;

    end->writable |= 1u << channel;
}

static void on_established(void *user, uint64_t epoch)
{
    End *end = user;

    end->established++;
}

static void on_refused(void *user, const char *why)
{
    End *end = user;

    g_free(end->refused);
    end->refused = g_strdup(why);
}

static const LinkEvents events = { on_message, on_writable, on_established, on_refused };

World *world_new(void)
{
    World *world = g_new0(World, 1);

    world->home.link = link_new(LINK_HOME, &events, &world->home);
    world->guest.link = link_new(LINK_GUEST, &events, &world->guest);
    world->to_guest = g_byte_array_new();
    world->to_home = g_byte_array_new();
    world->now = 1000;
    return world;
}

void world_free(World *world)
{
    link_free(world->home.link);
    link_free(world->guest.link);
    g_byte_array_unref(world->to_guest);
    g_byte_array_unref(world->to_home);
    g_free(world->home.refused);
    g_free(world->guest.refused);
    g_free(world);
}

/* In two parts, or, if it is short, now and then where the link keeps it. */
static int send_somehow(End *end, LinkChannel channel, const guint8 *data, gsize size)
{
    gsize head = size / 3;

    if (size > FRAME_PAYLOAD_MAX || size % 2)
        return link_send2(end->link, channel, data, head, data + head, size - head);
    memcpy(link_prepare(end->link), data, size);
    return link_commit(end->link, channel, size);
}

gboolean end_send(End *end, LinkChannel channel, gsize size)
{
    g_autofree guint8 *data = g_malloc(size);
    int error;

    message_fill(data, size, channel, end->sent[channel], end->link->role == LINK_HOME);
    error = send_somehow(end, channel, data, size);
    if (error == -EAGAIN)
        return FALSE;
    g_assert_cmpint(error, ==, 0);
    end->sent[channel]++;
    return TRUE;
}

void end_give_credit(End *end)
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        if (end->owed[i])
            link_consumed(end->link, i, end->owed[i]);
        end->owed[i] = 0;
    }
}

gsize world_write(World *world, gboolean by_home, gsize most)
{
    End *end = by_home ? &world->home : &world->guest;
    GByteArray *pipe = by_home ? world->to_guest : world->to_home;
    gsize size;
    const void *data = link_output(end->link, &size);

    g_assert_cmpuint(size, <=, 32768);
    size = MIN(size, most);
    if (!size)
        return 0;
    g_byte_array_append(pipe, data, size);
    link_output_done(end->link, size);
    return size;
}

gsize world_deliver(World *world, gboolean to_home, gsize most, int *ret_error)
{
    End *end = to_home ? &world->home : &world->guest;
    GByteArray *pipe = to_home ? world->to_home : world->to_guest;
    gsize size = MIN(pipe->len, most);
    /* A buffer of exactly this size, so that a sanitizer sees what is read beyond it. */
    g_autofree guint8 *data = g_memdup2(pipe->data, size);
    int error = 0;

    if (size) {
        g_byte_array_remove_range(pipe, 0, size);
        *(to_home ? &world->passed_to_home : &world->passed_to_guest) += size;
        error = link_input(end->link, data, size);
    }
    if (ret_error)
        *ret_error = error;
    else if (to_home)
        g_assert_cmpint(error, ==, 0);
    else
        world->guest_lost += error != 0;
    return size;
}

void world_cut(World *world, gsize left_to_guest, gsize left_to_home)
{
    link_detach(world->home.link);
    g_byte_array_set_size(world->to_guest, MIN(left_to_guest, world->to_guest->len));
    g_byte_array_set_size(world->to_home, MIN(left_to_home, world->to_home->len));
}

void world_attach(World *world)
{
    link_attach(world->home.link, ++world->epoch);
}

static int tick(World *world)
{
    int a = link_timeout(world->home.link, world->now);
    int b = link_timeout(world->guest.link, world->now);
    int wait = a < 0 ? b : b < 0 ? a : MIN(a, b);

    if (wait < 0)
        return 0;
    world->now += wait;
    link_tick(world->home.link, world->now);
    link_tick(world->guest.link, world->now);
    return 1;
}

void world_settle(World *world)
{
    for (int idle = 0; idle < 4;) {
        gsize moved = world_write(world, TRUE, G_MAXSIZE) + world_write(world, FALSE, G_MAXSIZE);

        moved += world_deliver(world, TRUE, G_MAXSIZE, NULL);
        moved += world_deliver(world, FALSE, G_MAXSIZE, NULL);
        if (world->home.refused)
            return;
        if (moved)
            idle = 0;
        else if (!tick(world))
            return;
        else
            idle++;
    }
}

static LinkFrame *frame_copy(const LinkFrame *frame)
{
    return g_memdup2(frame, sizeof(*frame) + FRAME_HEADER + frame->head.length);
}

static void queue_copy(LinkQueue *queue, const Link *old, Link *new)
{
    LinkFrame **at = &queue->first;

    queue->last = NULL;
    for (const LinkFrame *frame = queue->first; frame; frame = frame->next) {
        *at = queue->last = frame_copy(frame);
        if (old->resend == frame)
            new->resend = *at;
        if (old->out_frame == frame) {
            new->out_frame = *at;
            new->out = (*at)->bytes;
        }
        at = &(*at)->next;
    }
    *at = NULL;
}

Link *link_copy(const Link *old, End *end)
{
    Link *new = g_memdup2(old, sizeof(*old));

    new->user = end;
    new->spare = NULL;
    new->spares = 0;
    new->prepared = NULL;
    queue_copy(&new->kept, old, new);
    if (old->out_orphan) {
        new->out_frame = frame_copy(old->out_frame);
        new->out = new->out_frame->bytes;
    }
    if (old->stage)
        new->stage = g_memdup2(old->stage, FRAME_MAX);
    if (old->out && old->out == old->stage)
        new->out = new->stage;
    for (int i = 0; i < LINK_CHANNELS; i++) {
        queue_copy(&new->lanes[i].queue, old, new);
        if (old->lanes[i].assembly)
            new->lanes[i].assembly = g_memdup2(old->lanes[i].assembly, old->lanes[i].capacity);
    }
    return new;
}

void world_check_done(World *world)
{
    End *ends[] = { &world->home, &world->guest };

    g_assert_cmpstr(world->home.refused, ==, NULL);
    for (int e = 0; e < 2; e++) {
        LinkCounters counters;

        link_counters(ends[e]->link, &counters);
        g_assert_cmpuint(counters.unacknowledged_bytes, ==, 0);
        g_assert_null(ends[e]->link->kept.first);
        for (int i = 0; i < LINK_CHANNELS; i++) {
            const LinkLane *lane = &ends[e]->link->lanes[i];

            g_assert_cmpuint(ends[e]->sent[i], ==, ends[!e]->received[i]);
            g_assert_cmpuint(lane->kept_cost, ==, 0);
            g_assert_cmpuint(lane->sent, ==, lane->peer_consumed);
            g_assert_cmpuint(link_room(ends[e]->link, i), ==,
                             MIN(link_windows[i], LINK_MESSAGE_MAX));
        }
    }
}
