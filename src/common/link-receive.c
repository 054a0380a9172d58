/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link-receive.c - the receiving half of a link: finds frames, checks them, puts messages together
 *
 * A message that lies whole in the caller's buffer is delivered from there. Otherwise its bytes are
 * copied once, into the channel's assembly buffer, and count only when their frame is complete and
 * its sum right: a torn frame leaves no trace. Everything that the other end can say is bounded
 * here: by the header's check, the windows and LINK_MESSAGE_MAX.
 */
#include "link-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACK_BYTES (512u << 10)       /* acknowledge at once after so many bytes */
#define ASSEMBLY_SMALLEST 4096
#define ASSEMBLY_KEPT (1100u << 10)  /* a longer buffer is not kept for the next message */

void receive_reset(Link *link)
{
    link->head_fill = link->payload_fill = 0;
    link->in_payload = false;
}

bool receive_has_spare(const Link *link)
{
    for (int i = 0; i < LINK_CHANNELS; i++)
        if (link->lanes[i].capacity && !link->lanes[i].total)
            return true;
    return false;
}

static void assembly_free(LinkLane *lane)
{
    free(lane->assembly);
    lane->assembly = NULL;
    lane->capacity = 0;
}

void receive_trim(Link *link)
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        LinkLane *lane = &link->lanes[i];
        bool arriving = link->in_payload && link->frame.type == FRAME_DATA &&
            link->frame.channel == i;

        if (!lane->total && !arriving)
            assembly_free(lane);
    }
}

/* What came makes no sense. Home gives the connection up; the guest asks for another HELLO. */
static int bad(Link *link, int error)
{
    bool was_up = link->state == LINK_UP;

    link_detach(link);
    link->lost_due = link->role == LINK_GUEST && was_up;
    return error;
}

/* Room for a message of this size; 0 or -ENOMEM. */
static int assembly_reserve(LinkLane *lane, size_t size)
{
    uint8_t *larger;

    if (size <= lane->capacity)
        return 0;
    if (size < ASSEMBLY_SMALLEST)
        size = ASSEMBLY_SMALLEST;
    if (!lane->fill)
        assembly_free(lane);
    larger = realloc(lane->assembly, size);
    if (!larger)
        return -ENOMEM;
    lane->assembly = larger;
    lane->capacity = size;
    return 0;
}

static bool data_fits(const Link *link, const Frame *frame)
{
    const LinkLane *lane;
    uint64_t message = (uint64_t) frame->length + frame->rest;

    if (frame->channel >= LINK_CHANNELS || frame->length == 0 ||
        frame->sequence != link->rx_sequence + 1)
        return false;
    lane = &link->lanes[frame->channel];
    if (lane->total ? message != lane->total - lane->fill : message > LINK_MESSAGE_MAX)
        return false;
    return lane->received + message - lane->consumed <= link_windows[frame->channel];
}

/* Whether this header can come now. */
static bool frame_fits(const Link *link, const Frame *frame)
{
    if (frame->version != FRAME_VERSION || frame->ack > link->tx_sequence)
        return false;
    switch (frame->type) {
    case FRAME_DATA:
        return data_fits(link, frame);
    case FRAME_ACK:
        return frame->length == FRAME_ACK_PAYLOAD;
    case FRAME_HELLO:
        return link->role == LINK_GUEST && frame->length == FRAME_HELLO_PAYLOAD;
    case FRAME_HELLO_ACK:
        return link->role == LINK_HOME && frame->length == FRAME_HELLO_PAYLOAD;
    case FRAME_LOST:
        return link->role == LINK_HOME && frame->length == 0;
    }
    return false;
}

/* A complete frame without number; its payload stands in link->head after the header. */
static int take_unnumbered(Link *link)
{
    uint64_t consumed[LINK_CHANNELS];
    Hello hello;
    uint8_t version;

    switch (link->frame.type) {
    case FRAME_ACK:
        frame_decode_ack(link->head + FRAME_HEADER, consumed);
        if (!send_consumed(link, consumed))
            return bad(link, -EPROTO);
        break;
    case FRAME_HELLO:
        if (frame_decode_hello(link->head, FRAME_HELLO, &hello, &version) == 0)
            link_hello(link, &hello, version, false);
        return 0;
    case FRAME_LOST:
        link_greet(link);
        return 0;
    default: /* HELLO_ACK: the answer to a repetition */
        return 0;
    }
    send_acknowledge(link, link->frame.ack);
    send_writable(link);
    return 0;
}

/* A complete numbered frame, whose payload is at data or, NULL, in the assembly. */
static void take_data(Link *link, const uint8_t *data)
{
    Frame frame = link->frame;
    LinkLane *lane = &link->lanes[frame.channel];
    unsigned generation = link->generation;

    link->rx_sequence = frame.sequence;
    link->rx_chain = frame_chain(link->rx_chain, &frame);
    link->unacknowledged += FRAME_HEADER + frame.length;
    link->ack_waits = true;
    if (link->unacknowledged >= ACK_BYTES)
        link->ack_due = true;
    lane->received += frame.length;
    if (!data) {
        lane->fill += frame.length;
        lane->total = lane->fill + frame.rest;
    }
    send_acknowledge(link, frame.ack);
    if (frame.rest == 0) {
        size_t size = data ? frame.length : lane->total;

        lane->total = lane->fill = 0;
        link->events.message(link->user, frame.channel, data ? data : lane->assembly, size);
        if (lane->capacity > ASSEMBLY_KEPT)
            assembly_free(lane);
    }
    if (link->generation == generation)
        send_writable(link);
}

static int take_frame(Link *link, const uint8_t *data)
{
    if (sum_value(&link->sum) != link->frame.sum)
        return bad(link, -EPROTO);
    link->in_payload = false;
    link->head_fill = 0;
    link->counters.received_frames++;
    link->counters.received_bytes += FRAME_HEADER + link->frame.length;
    if (link->frame.type != FRAME_DATA)
        return take_unnumbered(link);
    take_data(link, data);
    return 0;
}

/* Collects a header; *used: bytes taken. The frame begins when in_payload is set. */
static int input_header(Link *link, const uint8_t *data, size_t size, size_t *used)
{
    size_t take = FRAME_HEADER - link->head_fill;

    if (take > size)
        take = size;
    memcpy(link->head + link->head_fill, data, take);
    link->head_fill += take;
    *used = take;
    if (!frame_begins(link->head, link->head_fill))
        return bad(link, -EPROTO);
    if (link->head_fill < FRAME_HEADER)
        return 0;
    if (frame_decode(link->head, &link->frame) < 0 || !frame_fits(link, &link->frame))
        return bad(link, -EPROTO);
    link->in_payload = true;
    link->payload_fill = 0;
    link->sum = SUM_INIT;
    return 0;
}

static int input_payload(Link *link, const uint8_t *data, size_t size, size_t *used)
{
    const Frame *frame = &link->frame;
    size_t take = frame->length - link->payload_fill;

    if (take > size)
        take = size;
    *used = take;
    if (frame->type == FRAME_DATA) {
        LinkLane *lane = &link->lanes[frame->channel];

        if (take == frame->length && frame->rest == 0 && lane->fill == 0) {
            sum_add(&link->sum, data, take);
            return take_frame(link, data);
        }
        if (assembly_reserve(lane, lane->fill + frame->length + frame->rest) < 0)
            return bad(link, -ENOMEM);
        sum_copy(&link->sum, lane->assembly + lane->fill + link->payload_fill, data, take);
    } else {
        sum_copy(&link->sum, link->head + FRAME_HEADER + link->payload_fill, data, take);
    }
    link->payload_fill += take;
    return link->payload_fill == frame->length ? take_frame(link, NULL) : 0;
}

/* Home, before the answer to HELLO: looks for it in whatever comes. Returns the bytes used, up to
 * its end. */
static size_t search(Link *link, const uint8_t *data, size_t size, int *error)
{
    size_t used = 0;
    Hello hello;
    uint8_t version;

    while (used < size) {
        link->head[link->head_fill++] = data[used++];
        while (link->head_fill && !frame_begins(link->head, link->head_fill))
            memmove(link->head, link->head + 1, --link->head_fill);
        if (link->head_fill < FRAME_HELLO_SIZE)
            continue;
        if (frame_decode_hello(link->head, FRAME_HELLO_ACK, &hello, &version) == 0 &&
            memcmp(hello.nonce, link->nonce, sizeof(link->nonce)) == 0) {
            link->head_fill = 0;
            *error = link_hello_ack(link, &hello, version);
            return used;
        }
        do
            memmove(link->head, link->head + 1, --link->head_fill);
        while (link->head_fill && !frame_begins(link->head, link->head_fill));
    }
    return used;
}

/* Guest: remembers the last bytes and looks whether they are a HELLO (see link.c) or, before the first of these, REHEARSE. */
static void watch_tail(Link *link, const uint8_t *data, size_t size)
{
    Hello hello;
    uint8_t version;

    if (size >= sizeof(link->tail)) {
        memcpy(link->tail, data + size - sizeof(link->tail), sizeof(link->tail));
        link->tail_fill = sizeof(link->tail);
    } else {
        size_t keep = sizeof(link->tail) - size;

        if (keep > link->tail_fill)
            keep = link->tail_fill;
        memmove(link->tail, link->tail + link->tail_fill - keep, keep);
        memcpy(link->tail + keep, data, size);
        link->tail_fill = keep + size;
    }
    if (link->state == LINK_UP && !link->in_payload && !link->head_fill)
        return;
    if (!link->has_token && link->events.rehearse && link->tail_fill >= FRAME_HEADER &&
        frame_is_rehearse(link->tail + link->tail_fill - FRAME_HEADER))
        link->events.rehearse(link->user);
    if (link->tail_fill == sizeof(link->tail) &&
        frame_decode_hello(link->tail, FRAME_HELLO, &hello, &version) == 0)
        link_hello(link, &hello, version, link->state == LINK_UP);
}

int link_input(Link *link, const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t left = size;
    int error = link->state == LINK_REFUSED ? -EPROTO : 0;

    while (left && !error) {
        size_t used;

        if (link->state == LINK_GREETING && link->role == LINK_HOME)
            used = search(link, p, left, &error);
        else if (link->state != LINK_UP)
            break;
        else if (link->in_payload)
            error = input_payload(link, p, left, &used);
        else
            error = input_header(link, p, left, &used);
        p += used;
        left -= used;
        if (link->in_payload && link->frame.length == 0 && !error)
            error = take_frame(link, NULL);
    }
    if (link->role == LINK_GUEST && size)
        watch_tail(link, data, size);
    return error;
}

size_t link_missing(const Link *link)
{
    return link->in_payload ? link->frame.length - link->payload_fill : 0;
}

void link_consumed(Link *link, LinkChannel channel, size_t size)
{
    LinkLane *lane = &link->lanes[channel];
    uint64_t owed = lane->received - lane->consumed;

    lane->consumed += size < owed ? size : owed;
    if (lane->consumed - lane->announced >= link_windows[channel] / 4)
        link->ack_due = true;
    else
        link->ack_waits = true;
}
