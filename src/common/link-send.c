/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link-send.c - the sending half of a link: queues, order of channels, credit, replay
 *
 * A message is cut into frames and copied once, when it is taken: the frames are what is written
 * and what is kept. A frame gets its number, and with it its place in the chain, when it is first
 * written, so that an urgent message overtakes the rest of a long one. Repeated frames keep their
 * numbers; only the acknowledgement in their header is new.
 */
#include "link-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_COST (sizeof(LinkFrame) + FRAME_HEADER + 16)
#define STAGE_FRAME 4096           /* frames up to this size are gathered into one write */
#define COMMIT_SMALLEST 16384      /* a shorter message does not keep a whole frame's memory */
#define SPARES_MAX 40              /* full frames kept for the next message: a megabyte and a bit */
/* bytes that more urgent channels may write while another waits */
#define PASS_OVER_MAX (128u << 10)

static void queue_push(LinkQueue *queue, LinkFrame *frame)
{
    frame->next = NULL;
    if (queue->last)
        queue->last->next = frame;
    else
        queue->first = frame;
    queue->last = frame;
}

static LinkFrame *queue_pop(LinkQueue *queue)
{
    LinkFrame *frame = queue->first;

    queue->first = frame->next;
    if (!queue->first)
        queue->last = NULL;
    return frame;
}

static LinkFrame *frame_alloc(Link *link, size_t length)
{
    LinkFrame *frame = link->spare;

    if (length < FRAME_PAYLOAD_MAX || !frame)
        return malloc(sizeof(*frame) + FRAME_HEADER + length);
    link->spare = frame->next;
    link->spares--;
    return frame;
}

static void frame_free(Link *link, LinkFrame *frame)
{
    if (frame->head.length < FRAME_PAYLOAD_MAX || link->spares >= SPARES_MAX) {
        free(frame);
        return;
    }
    frame->next = link->spare;
    link->spare = frame;
    link->spares++;
}

static void queue_free(Link *link, LinkQueue *queue)
{
    while (queue->first)
        frame_free(link, queue_pop(queue));
}

bool send_has_spare(const Link *link)
{
    return link->spare || (link->stage && !link->out_size);
}

void send_trim(Link *link)
{
    while (link->spare) {
        LinkFrame *frame = link->spare;

        link->spare = frame->next;
        free(frame);
    }
    link->spares = 0;
    if (!link->out_size) {
        free(link->stage);
        link->stage = NULL;
    }
}

void send_free(Link *link)
{
    send_reset(link);
    queue_free(link, &link->kept);
    for (int i = 0; i < LINK_CHANNELS; i++)
        queue_free(link, &link->lanes[i].queue);
    free(link->prepared);
    send_trim(link);
}

/* What the other end's window has left; nothing while too many small frames are kept. */
static size_t room(const Link *link, LinkChannel channel)
{
    const LinkLane *lane = &link->lanes[channel];
    uint64_t window = link_windows[channel], under_way = lane->sent - lane->peer_consumed;

    if (under_way >= window || lane->kept_cost >= 2 * window)
        return 0;
    return window - under_way;
}

size_t link_room(const Link *link, LinkChannel channel)
{
    size_t left = room(link, channel);

    return left < LINK_MESSAGE_MAX ? left : LINK_MESSAGE_MAX;
}

bool link_queued(const Link *link, LinkChannel channel)
{
    return link->lanes[channel].queue.first;
}

void send_writable(Link *link)
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        LinkLane *lane = &link->lanes[i];

        if (lane->wanted && room(link, i) >= lane->wanted) {
            lane->wanted = 0;
            if (link->events.writable)
                link->events.writable(link->user, i);
        }
    }
}

/* The two parts of a message as one run of bytes. */
typedef struct {
    const uint8_t *part[2];
    size_t left[2];
} Parts;

static void parts_take(Parts *parts, uint8_t *target, size_t size, Sum *sum)
{
    for (int i = 0; i < 2; i++) {
        size_t take = size < parts->left[i] ? size : parts->left[i];

        if (take) {
            sum_copy(sum, target, parts->part[i], take);
            parts->part[i] += take;
            parts->left[i] -= take;
            target += take;
            size -= take;
        }
    }
}

static LinkFrame *frame_new(Link *link, LinkChannel channel, Parts *parts)
{
    size_t all = parts->left[0] + parts->left[1];
    size_t length = all < FRAME_PAYLOAD_MAX ? all : FRAME_PAYLOAD_MAX;
    LinkFrame *frame = frame_alloc(link, length);
    Sum sum = SUM_INIT;

    if (!frame)
        return NULL;
    parts_take(parts, frame->bytes + FRAME_HEADER, length, &sum);
    frame->head = (Frame){ .version = FRAME_VERSION, .type = FRAME_DATA, .channel = channel,
                           .length = length, .rest = all - length, .sum = sum_value(&sum) };
    return frame;
}

static void queue_append(LinkQueue *queue, LinkQueue *more)
{
    if (queue->last)
        queue->last->next = more->first;
    else
        queue->first = more->first;
    queue->last = more->last;
}

/* Whether a message of this size may be queued; -EAGAIN: later, -EMSGSIZE. */
static int may_send(Link *link, LinkChannel channel, size_t size)
{
    LinkLane *lane;

    if (channel >= LINK_CHANNELS || size == 0 || size > LINK_MESSAGE_MAX ||
        size > link_windows[channel])
        return -EMSGSIZE;
    lane = &link->lanes[channel];
    if (size <= room(link, channel))
        return 0;
    if (!lane->wanted || size < lane->wanted)
        lane->wanted = size;
    return -EAGAIN;
}

/* A message in frames: from here on it is the link's. */
static void enqueue(Link *link, LinkChannel channel, LinkQueue *frames, size_t size, size_t cost)
{
    LinkLane *lane = &link->lanes[channel];

    queue_append(&lane->queue, frames);
    lane->sent += size;
    lane->kept_cost += cost;
    link->counters.unacknowledged_bytes += size;
}

int link_send2(Link *link, LinkChannel channel, const void *head, size_t head_size,
               const void *data, size_t size)
{
    Parts parts = { { head, data }, { head_size, size } };
    size_t all = head_size + size, cost = 0;
    LinkQueue frames = { NULL, NULL };
    int error = all < size ? -EMSGSIZE : may_send(link, channel, all);

    if (error)
        return error;
    while (parts.left[0] + parts.left[1]) {
        LinkFrame *frame = frame_new(link, channel, &parts);

        if (!frame) {
            queue_free(link, &frames);
            return -ENOMEM;
        }
        queue_push(&frames, frame);
        cost += FRAME_COST + frame->head.length;
    }
    enqueue(link, channel, &frames, all, cost);
    return 0;
}

int link_send(Link *link, LinkChannel channel, const void *data, size_t size)
{
    return link_send2(link, channel, NULL, 0, data, size);
}

void *link_prepare(Link *link)
{
    if (!link->prepared)
        link->prepared = frame_alloc(link, FRAME_PAYLOAD_MAX);
    return link->prepared ? link->prepared->bytes + FRAME_HEADER : NULL;
}

int link_commit(Link *link, LinkChannel channel, size_t size)
{
    LinkFrame *frame = link->prepared;
    LinkQueue frames = { NULL, NULL };
    Sum sum = SUM_INIT;
    int error;

    if (!frame || size > FRAME_PAYLOAD_MAX)
        return -EMSGSIZE;
    if (size < COMMIT_SMALLEST)
        return link_send(link, channel, frame->bytes + FRAME_HEADER, size);
    error = may_send(link, channel, size);
    if (error)
        return error;
    sum_add(&sum, frame->bytes + FRAME_HEADER, size);
    frame->head = (Frame){ .version = FRAME_VERSION, .type = FRAME_DATA, .channel = channel,
                           .length = size, .rest = 0, .sum = sum_value(&sum) };
    link->prepared = NULL;
    queue_push(&frames, frame);
    enqueue(link, channel, &frames, size, FRAME_COST + size);
    return 0;
}

bool send_chain_at(const Link *link, uint64_t sequence, uint64_t *ret_chain)
{
    if (sequence == link->acked) {
        *ret_chain = link->acked_chain;
        return true;
    }
    for (const LinkFrame *frame = link->kept.first; frame; frame = frame->next)
        if (frame->head.sequence == sequence) {
            *ret_chain = frame->chain;
            return true;
        }
    return false;
}

bool send_acknowledge(Link *link, uint64_t sequence)
{
    if (sequence > link->tx_sequence)
        return false;
    while (link->acked < sequence) {
        LinkFrame *frame = queue_pop(&link->kept);

        link->acked = frame->head.sequence;
        link->acked_chain = frame->chain;
        link->lanes[frame->head.channel].kept_cost -= FRAME_COST + frame->head.length;
        link->counters.unacknowledged_bytes -= frame->head.length;
        if (link->resend == frame)
            link->resend = frame->next;
        if (link->out_frame == frame)
            link->out_orphan = true;
        else
            frame_free(link, frame);
    }
    return true;
}

bool send_consumed(Link *link, const uint64_t consumed[LINK_CHANNELS])
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        if (consumed[i] < link->lanes[i].peer_consumed || consumed[i] > link->lanes[i].sent)
            return false;
        link->lanes[i].peer_consumed = consumed[i];
    }
    return true;
}

static void output_end(Link *link)
{
    if (link->out_orphan)
        frame_free(link, link->out_frame);
    link->out = NULL;
    link->out_frame = NULL;
    link->out_orphan = false;
    link->out_size = link->out_done = 0;
}

void send_reset(Link *link)
{
    output_end(link);
    link->resend = NULL;
    link->ack_due = link->ack_waits = false;
    link->ack_at = 0;
}

void send_resume(Link *link)
{
    link->resend = link->kept.first;
}

/* The channel whose turn it is: the most urgent, unless another was passed over for too long. */
static const LinkLane *next_lane(const Link *link)
{
    const LinkLane *chosen = NULL;

    for (int i = 0; i < LINK_CHANNELS; i++) {
        const LinkLane *lane = &link->lanes[i];

        if (lane->queue.first && (!chosen || lane->passed_over >= PASS_OVER_MAX))
            chosen = lane;
    }
    return chosen;
}

static void count_passed_over(Link *link, const LinkLane *chosen, size_t size)
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        LinkLane *lane = &link->lanes[i];

        lane->passed_over = lane == chosen || !lane->queue.first ? 0 : lane->passed_over + size;
    }
}

/* The frame to be written next, without taking it. */
static LinkFrame *peek_frame(const Link *link)
{
    const LinkLane *lane;

    if (link->resend)
        return link->resend;
    lane = next_lane(link);
    return lane ? lane->queue.first : NULL;
}

/* Takes that frame: numbers it if it is new, and writes its header. */
static void take_frame(Link *link, LinkFrame *frame)
{
    if (frame == link->resend) {
        link->resend = frame->next;
        link->counters.resent_frames++;
    } else {
        LinkLane *lane = &link->lanes[frame->head.channel];

        queue_pop(&lane->queue);
        count_passed_over(link, lane, FRAME_HEADER + frame->head.length);
        frame->head.sequence = ++link->tx_sequence;
        frame->chain = link->tx_chain = frame_chain(link->tx_chain, &frame->head);
        queue_push(&link->kept, frame);
    }
    frame->head.ack = link->rx_sequence;
    frame_encode(&frame->head, frame->bytes);
    link->unacknowledged = 0;
    link->counters.sent_frames++;
    link->counters.sent_bytes += FRAME_HEADER + frame->head.length;
}

static bool credit_waits(const Link *link)
{
    for (int i = 0; i < LINK_CHANNELS; i++)
        if (link->lanes[i].consumed != link->lanes[i].announced)
            return true;
    return false;
}

static void stage_ack(Link *link)
{
    uint64_t consumed[LINK_CHANNELS];

    for (int i = 0; i < LINK_CHANNELS; i++)
        link->lanes[i].announced = consumed[i] = link->lanes[i].consumed;
    frame_encode_ack(link->tx_sequence, link->rx_sequence, consumed, link->stage + link->out_size);
    link->out_size += FRAME_ACK_SIZE;
    link->unacknowledged = 0;
    link->ack_due = link->ack_waits = false;
    link->ack_at = 0;
    link->counters.sent_frames++;
    link->counters.sent_bytes += FRAME_ACK_SIZE;
}

static void stage_hello(Link *link)
{
    Hello hello;

    link_fill_hello(link, &hello);
    frame_encode_hello(link->role == LINK_HOME ? FRAME_HELLO : FRAME_HELLO_ACK, &hello,
                       link->stage + link->out_size);
    link->out_size += FRAME_HELLO_SIZE;
    link->hello_due = false;
    link->counters.sent_frames++;
    link->counters.sent_bytes += FRAME_HELLO_SIZE;
}

static void stage_lost(Link *link)
{
    Sum sum = SUM_INIT;
    Frame frame = { .version = FRAME_VERSION, .type = FRAME_LOST, .sequence = link->tx_sequence,
                    .ack = link->rx_sequence, .sum = sum_value(&sum) };

    frame_encode(&frame, link->stage + link->out_size);
    link->out_size += FRAME_HEADER;
    link->lost_due = false;
}

/* Gathers frames into the stage, or points at one large frame where it lies. */
static void prepare_output(Link *link)
{
    LinkFrame *frame;

    if (!link->stage && !(link->stage = malloc(FRAME_MAX)))
        return;
    link->out = link->stage;
    if (link->hello_due)
        stage_hello(link);
    if (link->lost_due)
        stage_lost(link);
    if (link->state != LINK_UP)
        return;
    if (link->ack_due)
        stage_ack(link);
    while ((frame = peek_frame(link))) {
        size_t size = FRAME_HEADER + frame->head.length;

        if (size > STAGE_FRAME || size > FRAME_MAX - link->out_size) {
            if (link->out_size)
                break;
            take_frame(link, frame);
            link->out_frame = frame;
            link->out = frame->bytes;
            link->out_size = size;
            break;
        }
        take_frame(link, frame);
        memcpy(link->stage + link->out_size, frame->bytes, size);
        link->out_size += size;
    }
    link->ack_waits = link->unacknowledged || credit_waits(link);
    if (!link->ack_waits)
        link->ack_at = 0;
}

bool link_wants_output(Link *link)
{
    if (link->out_size || link->hello_due || link->lost_due)
        return true;
    return link->state == LINK_UP && (link->ack_due || peek_frame(link));
}

bool link_only_bulk(const Link *link)
{
    const LinkFrame *frame;

    if (link->out_size || link->hello_due || link->lost_due || link->ack_due || link->state != LINK_UP)
        return false;
    frame = peek_frame(link);
    return frame && frame->head.channel == LINK_BULK;
}

const void *link_output(Link *link, size_t *size)
{
    *size = 0;
    if (!link->out_size && link_wants_output(link))
        prepare_output(link);
    if (!link->out_size)
        return NULL;
    *size = link->out_size - link->out_done;
    return link->out + link->out_done;
}

void link_output_done(Link *link, size_t written)
{
    link->out_done += written;
    if (link->out_done >= link->out_size)
        output_end(link);
}
