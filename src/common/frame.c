/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.c - the bytes of the link: one encoder and decoder for both ends */
#include "frame.h"

#include "checksum.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Where things stand in the header. */
enum { AT_MAGIC = 0, AT_VERSION = 4, AT_TYPE = 5, AT_CHANNEL = 6, AT_ZERO = 7, AT_LENGTH = 8,
       AT_REST = 12, AT_SEQUENCE = 16, AT_ACK = 24, AT_SUM = 32, AT_ZERO2 = 40, AT_CRC = 44 };

static void put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

void frame_encode(const Frame *frame, uint8_t bytes[FRAME_HEADER])
{
    put32(bytes + AT_MAGIC, FRAME_MAGIC);
    bytes[AT_VERSION] = frame->version;
    bytes[AT_TYPE] = frame->type;
    bytes[AT_CHANNEL] = frame->channel;
    bytes[AT_ZERO] = 0;
    put32(bytes + AT_LENGTH, frame->length);
    put32(bytes + AT_REST, frame->rest);
    put64(bytes + AT_SEQUENCE, frame->sequence);
    put64(bytes + AT_ACK, frame->ack);
    put64(bytes + AT_SUM, frame->sum);
    put32(bytes + AT_ZERO2, 0);
    put32(bytes + AT_CRC, crc32c(bytes, AT_CRC));
}

int frame_decode(const uint8_t bytes[FRAME_HEADER], Frame *ret_frame)
{
    if (get32(bytes + AT_MAGIC) != FRAME_MAGIC || get32(bytes + AT_CRC) != crc32c(bytes, AT_CRC))
        return -EPROTO;
    if (bytes[AT_ZERO] || get32(bytes + AT_ZERO2))
        return -EPROTO;
    *ret_frame = (Frame){
        .version = bytes[AT_VERSION],
        .type = bytes[AT_TYPE],
        .channel = bytes[AT_CHANNEL],
        .length = get32(bytes + AT_LENGTH),
        .rest = get32(bytes + AT_REST),
        .sequence = get64(bytes + AT_SEQUENCE),
        .ack = get64(bytes + AT_ACK),
        .sum = get64(bytes + AT_SUM),
    };
    return ret_frame->length <= FRAME_PAYLOAD_MAX ? 0 : -EPROTO;
}

bool frame_begins(const uint8_t *bytes, size_t size)
{
    uint8_t magic[4];

    put32(magic, FRAME_MAGIC);
    return memcmp(bytes, magic, size < 4 ? size : 4) == 0;
}

static uint64_t payload_sum(const void *payload, size_t size)
{
    Sum sum = SUM_INIT;

    sum_add(&sum, payload, size);
    return sum_value(&sum);
}

void frame_encode_hello(FrameType type, const Hello *hello, uint8_t bytes[FRAME_HELLO_SIZE])
{
    uint8_t *p = bytes + FRAME_HEADER;
    Frame frame = { .version = FRAME_VERSION, .type = type, .length = FRAME_HELLO_PAYLOAD };

    memcpy(p, hello->token, 16);
    memcpy(p + 16, hello->nonce, 16);
    put64(p + 32, hello->connection);
    put64(p + 40, hello->epoch);
    put64(p + 48, hello->next_tx);
    put64(p + 56, hello->last_rx);
    put64(p + 64, hello->chain_rx);
    put64(p + 72, hello->chain_tx);
    for (int i = 0; i < FRAME_CHANNELS; i++)
        put64(p + 80 + 8 * i, hello->consumed[i]);
    put32(p + 80 + 8 * FRAME_CHANNELS, hello->status);
    put32(p + 84 + 8 * FRAME_CHANNELS, 0);
    frame.sum = payload_sum(p, FRAME_HELLO_PAYLOAD);
    frame_encode(&frame, bytes);
}

int frame_decode_hello(const uint8_t bytes[FRAME_HELLO_SIZE], FrameType type, Hello *ret_hello,
                       uint8_t *ret_version)
{
    const uint8_t *p = bytes + FRAME_HEADER;
    Frame frame;

    if (frame_decode(bytes, &frame) < 0 || frame.type != type ||
        frame.length != FRAME_HELLO_PAYLOAD || frame.sum != payload_sum(p, FRAME_HELLO_PAYLOAD))
        return -EPROTO;
    memcpy(ret_hello->token, p, 16);
    memcpy(ret_hello->nonce, p + 16, 16);
    ret_hello->connection = get64(p + 32);
    ret_hello->epoch = get64(p + 40);
    ret_hello->next_tx = get64(p + 48);
    ret_hello->last_rx = get64(p + 56);
    ret_hello->chain_rx = get64(p + 64);
    ret_hello->chain_tx = get64(p + 72);
    for (int i = 0; i < FRAME_CHANNELS; i++)
        ret_hello->consumed[i] = get64(p + 80 + 8 * i);
    ret_hello->status = get32(p + 80 + 8 * FRAME_CHANNELS);
    *ret_version = frame.version;
    return 0;
}

void frame_encode_rehearse(uint8_t bytes[FRAME_HEADER])
{
    frame_encode(&(Frame){ .version = FRAME_VERSION, .type = FRAME_REHEARSE, .sum = payload_sum(NULL, 0) }, bytes);
}

bool frame_is_rehearse(const uint8_t bytes[FRAME_HEADER])
{
    uint8_t wanted[FRAME_HEADER];

    frame_encode_rehearse(wanted);
    return memcmp(bytes, wanted, FRAME_HEADER) == 0;
}

void frame_encode_ack(uint64_t sequence, uint64_t ack, const uint64_t consumed[FRAME_CHANNELS],
                      uint8_t bytes[FRAME_ACK_SIZE])
{
    Frame frame = { .version = FRAME_VERSION, .type = FRAME_ACK, .length = FRAME_ACK_PAYLOAD,
                    .sequence = sequence, .ack = ack };

    for (int i = 0; i < FRAME_CHANNELS; i++)
        put64(bytes + FRAME_HEADER + 8 * i, consumed[i]);
    frame.sum = payload_sum(bytes + FRAME_HEADER, FRAME_ACK_PAYLOAD);
    frame_encode(&frame, bytes);
}

void frame_decode_ack(const uint8_t payload[FRAME_ACK_PAYLOAD],
                      uint64_t ret_consumed[FRAME_CHANNELS])
{
    for (int i = 0; i < FRAME_CHANNELS; i++)
        ret_consumed[i] = get64(payload + 8 * i);
}

uint64_t frame_chain(uint64_t chain, const Frame *frame)
{
    chain = sum_mix(chain, frame->sequence);
    chain = sum_mix(chain,
                    (uint64_t) frame->channel << 56 | (uint64_t) frame->length << 32 | frame->rest);
    return sum_mix(chain, frame->sum);
}
