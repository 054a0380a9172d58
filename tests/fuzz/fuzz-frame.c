/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-frame.c - any bytes as a header, HELLO or ACK: what is accepted is written back the same */
#include "common/frame.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_header(const uint8_t *data)
{
    uint8_t again[FRAME_HEADER];
    Frame frame;

    if (frame_decode(data, &frame) < 0)
        return;
    frame_encode(&frame, again);
    if (memcmp(again, data, FRAME_HEADER) || frame.length > FRAME_PAYLOAD_MAX ||
        !frame_begins(data, FRAME_HEADER))
        abort();
}

static void check_hello(const uint8_t *data, FrameType type)
{
    uint8_t again[FRAME_HELLO_SIZE], version;
    Hello hello, other;

    if (frame_decode_hello(data, type, &hello, &version) < 0)
        return;
    frame_encode_hello(type, &hello, again);
    if (frame_decode_hello(again, type, &other, &version) < 0 ||
        hello.connection != other.connection ||
        memcmp(hello.nonce, other.nonce, sizeof(hello.nonce)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t consumed[FRAME_CHANNELS];

    if (size)
        frame_begins(data, size);
    if (size >= FRAME_HEADER)
        check_header(data);
    if (size >= FRAME_ACK_SIZE)
        frame_decode_ack(data + FRAME_HEADER, consumed);
    if (size >= FRAME_HELLO_SIZE) {
        check_hello(data, FRAME_HELLO);
        check_hello(data, FRAME_HELLO_ACK);
    }
    return 0;
}
