/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-link.c - a hostile other end: a script of frames, right in form and wrong in content
 *
 * The first byte says which end is tried (even: home). Then operations, a byte each with its
 * operands:
 *   0 n bytes...           n (16 bits) bytes as they are
 *   1 t c l r s a          a frame with right sums: type, channel, length (16 bits), rest (24 bits),
 *                          sequence and acknowledgement as differences (8 bits, signed) to what
 *                          would be right; zeros as payload
 *   2 n                    the HELLO (to a guest) or the answer (to home) as it should be, number
 *                          n (8 bits, signed) added to what was received
 *   3 c n                  our end sends n*64+1 bytes on channel c
 *   4 c                    our end gives back what it owes on channel c
 *   5                      our end writes all it has
 *   6                      200 ms pass
 *   7                      home: another connection
 * Whatever happens, memory stays within the windows.
 */
#include "common/link-private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const uint8_t *at, *end;
} Script;

static uint32_t take(Script *script, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t) (script->at < script->end ? *script->at++ : 0) << 8 * i;
    return value;
}

static void on_message(void *user, LinkChannel channel, const void *data, size_t size)
{
    volatile uint8_t sum = 0;

    if (channel >= LINK_CHANNELS || size == 0 || size > LINK_MESSAGE_MAX)
        abort();
    for (size_t i = 0; i < size; i += 512)
        sum += ((const uint8_t *) data)[i];
    (void) sum;
}

/* Only who belongs to nobody yet is told so. */
static void on_rehearse(void *user)
{
    const Link *const *link = user;

    if ((*link)->role != LINK_GUEST || (*link)->has_token)
        abort();
}

static void put_frame(Link *link, Script *script)
{
    static uint8_t bytes[FRAME_MAX];
    Frame frame = { .version = FRAME_VERSION };
    Sum sum = SUM_INIT;

    frame.type = take(script, 1);
    frame.channel = take(script, 1);
    frame.length = take(script, 2) % (FRAME_PAYLOAD_MAX + 1);
    frame.rest = take(script, 3);
    frame.sequence = link->rx_sequence + 1 + (int8_t) take(script, 1);
    frame.ack = link->tx_sequence + (int8_t) take(script, 1);
    sum_add(&sum, bytes + FRAME_HEADER, frame.length);
    frame.sum = sum_value(&sum);
    frame_encode(&frame, bytes);
    link_input(link, bytes, FRAME_HEADER + frame.length / 2);
    link_input(link, bytes + FRAME_HEADER + frame.length / 2, frame.length - frame.length / 2);
}

static void put_hello(Link *link, int difference)
{
    uint8_t bytes[FRAME_HELLO_SIZE];
    Hello hello = { .connection = link->connection, .next_tx = link->rx_sequence + 1 };

    if (link->role == LINK_GUEST)
        hello.connection++;
    memcpy(hello.token, link->token, sizeof(hello.token));
    memcpy(hello.nonce, link->nonce, sizeof(hello.nonce));
    hello.last_rx = link->tx_sequence + difference;
    if (!send_chain_at(link, hello.last_rx, &hello.chain_rx))
        hello.chain_rx = 0;
    hello.chain_tx = link->rx_chain;
    for (int i = 0; i < LINK_CHANNELS; i++)
        hello.consumed[i] = link->lanes[i].peer_consumed;
    frame_encode_hello(link->role == LINK_GUEST ? FRAME_HELLO : FRAME_HELLO_ACK, &hello, bytes);
    link_input(link, bytes, sizeof(bytes));
}

static void drain(Link *link)
{
    size_t size;

    for (int i = 0; i < 100 && link_output(link, &size); i++) {
        if (size > FRAME_MAX)
            abort();
        link_output_done(link, size - (size > 100 && i == 7));
    }
}

static void check(const Link *link)
{
    for (int i = 0; i < LINK_CHANNELS; i++) {
        const LinkLane *lane = &link->lanes[i];

        if (lane->fill > lane->capacity || lane->capacity > link_windows[i] + 4096u ||
            lane->received - lane->consumed > link_windows[i] || lane->kept_cost > 3u * link_windows[i])
            abort();
    }
}

static void operation(Link *link, Script *script, uint64_t *now)
{
    static const uint8_t zeros[256 * 64 + 1];
    unsigned count, channel;

    switch (take(script, 1)) {
    case 0:
        count = take(script, 2);
        if (count > script->end - script->at)
            count = script->end - script->at;
        link_input(link, script->at, count);
        script->at += count;
        break;
    case 1:
        put_frame(link, script);
        break;
    case 2:
        put_hello(link, (int8_t) take(script, 1));
        break;
    case 3:
        channel = take(script, 1) % LINK_CHANNELS;
        link_send(link, channel, zeros, take(script, 1) * 64 + 1);
        break;
    case 4:
        link_consumed(link, take(script, 1) % LINK_CHANNELS, LINK_MESSAGE_MAX);
        break;
    case 5:
        drain(link);
        break;
    case 6:
        *now += 200;
        link_timeout(link, *now);
        link_tick(link, *now);
        break;
    case 7:
        link_attach(link, 1);
    }
    check(link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LinkEvents events = { .message = on_message, .rehearse = on_rehearse };
    Script script = { data, data + size };
    uint64_t now = 1000;
    Link *link;

    link = link_new(take(&script, 1) & 1 ? LINK_GUEST : LINK_HOME, &events, &link);
    if (!link)
        abort();
    link_attach(link, 1);
    while (script.at < script.end)
        operation(link, &script, &now);
    link_free(link);
    return 0;
}
