/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-frame.c - the bytes of the link: known sums, known frames, and what is not a frame */
#include "common/checksum.h"
#include "common/frame.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

static void test_crc32c(void)
{
    guint8 zeros[32] = { 0 };

    g_assert_cmphex(crc32c("123456789", 9), ==, 0xe3069283);
    g_assert_cmphex(crc32c(zeros, sizeof(zeros)), ==, 0x8a9136aa); /* RFC 3720, B.4 */
    g_assert_cmphex(crc32c("", 0), ==, 0);
}

static guint64 sum_of(const guint8 *data, gsize size)
{
    Sum sum = SUM_INIT;

    sum_add(&sum, data, size);
    return sum_value(&sum);
}

/* The pieces that a payload comes in make no difference; a copy is a copy. */
static void test_sum_pieces(void)
{
    guint8 data[100], copy[101];
    guint64 whole;

    for (guint i = 0; i < sizeof(data); i++)
        data[i] = i * 37 + 1;
    whole = sum_of(data, sizeof(data));
    g_assert_cmphex(whole, ==, 0xebe7c7b27c6cc395); /* by docs/protocol.md, in another language */
    for (guint first = 0; first <= sizeof(data); first++)
        for (guint second = 0; first + second <= sizeof(data); second++) {
            Sum sum = SUM_INIT;

            memset(copy, 0xee, sizeof(copy));
            sum_copy(&sum, copy, data, first);
            sum_add(&sum, data + first, second);
            sum_copy(&sum, copy + first + second, data + first + second,
                     sizeof(data) - first - second);
            g_assert_cmphex(sum_value(&sum), ==, whole);
            g_assert_cmpmem(copy, first, data, first);
            g_assert_cmphex(copy[sizeof(data)], ==, 0xee);
        }
}

/* Any changed bit, another length and another order change the sum. */
static void test_sum_differs(void)
{
    guint8 data[64] = { 1, 2, 3 };
    guint64 whole = sum_of(data, sizeof(data));

    for (guint bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= 1 << bit % 8;
        g_assert_cmphex(sum_of(data, sizeof(data)), !=, whole);
        data[bit / 8] ^= 1 << bit % 8;
    }
    for (guint size = 0; size < sizeof(data); size++)
        g_assert_cmphex(sum_of(data, size), !=, whole);
    data[0] = 0;
    data[8] = 1;
    g_assert_cmphex(sum_of(data, sizeof(data)), !=, whole);
}

static const Frame sample = {
    .version = FRAME_VERSION, .type = FRAME_DATA, .channel = 2, .length = 0x1234, .rest = 0x56789a,
    .sequence = 0x1122334455667788, .ack = 0x99aabbccddeeff00, .sum = 0x0102030405060708,
};

/* The format itself: whoever changes it must change FRAME_VERSION. */
static void test_bytes(void)
{
    static const guint8 expected[FRAME_HEADER - 4] = {
        'S', 'J', 'L', 'K', 3, 1, 2, 0, 0x34, 0x12, 0, 0, 0x9a, 0x78, 0x56, 0,
        0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x00, 0xff, 0xee, 0xdd, 0xcc, 0xbb, 0xaa,
        0x99,
        8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0,
    };
    guint8 bytes[FRAME_HEADER];

    frame_encode(&sample, bytes);
    g_assert_cmpmem(bytes, sizeof(expected), expected, sizeof(expected));
    g_assert_cmphex(sum_of((const guint8 *) "sojourn", 7), ==, 0x2220e46609dc3d5d);
    g_assert_cmphex(frame_chain(0, &sample), ==, 0x6989a61a40d007d5);
}

static void test_decode(void)
{
    guint8 bytes[FRAME_HEADER];
    Frame frame;

    frame_encode(&sample, bytes);
    g_assert_cmpint(frame_decode(bytes, &frame), ==, 0);
    g_assert_cmpint(frame.version, ==, sample.version);
    g_assert_cmpint(frame.type, ==, sample.type);
    g_assert_cmpint(frame.channel, ==, sample.channel);
    g_assert_cmpuint(frame.length, ==, sample.length);
    g_assert_cmpuint(frame.rest, ==, sample.rest);
    g_assert_cmphex(frame.sequence, ==, sample.sequence);
    g_assert_cmphex(frame.ack, ==, sample.ack);
    g_assert_cmphex(frame.sum, ==, sample.sum);
    for (guint bit = 0; bit < FRAME_HEADER * 8; bit++) {
        bytes[bit / 8] ^= 1 << bit % 8;
        g_assert_cmpint(frame_decode(bytes, &frame), ==, -EPROTO);
        bytes[bit / 8] ^= 1 << bit % 8;
    }
    frame = sample;
    frame.length = FRAME_PAYLOAD_MAX + 1;
    frame_encode(&frame, bytes);
    g_assert_cmpint(frame_decode(bytes, &frame), ==, -EPROTO);
}

static void test_begins(void)
{
    guint8 bytes[FRAME_HEADER];

    frame_encode(&sample, bytes);
    for (guint size = 1; size <= FRAME_HEADER; size++) {
        g_assert_true(frame_begins(bytes, size));
        if (size <= 4) {
            bytes[size - 1]++;
            g_assert_false(frame_begins(bytes, size));
            bytes[size - 1]--;
        }
    }
}

static void test_hello(void)
{
    Hello in = { .token = "0123456789abcde", .nonce = "ABCDEFGHIJKLMNO", .connection = 7,
                 .epoch = 3, .next_tx = 11, .last_rx = 12, .chain_rx = 13, .chain_tx = 14,
                 .consumed = { 1, 2, 3, 4 }, .status = HELLO_MISFIT };
    guint8 bytes[FRAME_HELLO_SIZE], again[FRAME_HELLO_SIZE], version;
    Hello out = { 0 };

    frame_encode_hello(FRAME_HELLO_ACK, &in, bytes);
    g_assert_cmpint(frame_decode_hello(bytes, FRAME_HELLO, &out, &version), ==, -EPROTO);
    g_assert_cmpint(frame_decode_hello(bytes, FRAME_HELLO_ACK, &out, &version), ==, 0);
    g_assert_cmpint(version, ==, FRAME_VERSION);
    frame_encode_hello(FRAME_HELLO_ACK, &out, again);
    g_assert_cmpmem(bytes, sizeof(bytes), again, sizeof(again));
    g_assert_cmpmem(in.token, 16, out.token, 16);
    g_assert_cmpmem(in.nonce, 16, out.nonce, 16);
    g_assert_cmpuint(in.connection, ==, out.connection);
    g_assert_cmpuint(in.last_rx, ==, out.last_rx);
    g_assert_cmpuint(in.status, ==, out.status);
    for (guint i = 0; i < FRAME_HELLO_SIZE; i++) {
        bytes[i] ^= 0x10;
        g_assert_cmpint(frame_decode_hello(bytes, FRAME_HELLO_ACK, &out, &version), ==, -EPROTO);
        bytes[i] ^= 0x10;
    }
}

static void test_ack(void)
{
    guint64 in[FRAME_CHANNELS] = { 1, 1000, 1ull << 40, 0 }, out[FRAME_CHANNELS];
    guint8 bytes[FRAME_ACK_SIZE];
    Frame frame;

    frame_encode_ack(5, 6, in, bytes);
    g_assert_cmpint(frame_decode(bytes, &frame), ==, 0);
    g_assert_cmpint(frame.type, ==, FRAME_ACK);
    g_assert_cmpuint(frame.ack, ==, 6);
    g_assert_cmpuint(frame.length, ==, FRAME_ACK_PAYLOAD);
    g_assert_cmphex(frame.sum, ==, sum_of(bytes + FRAME_HEADER, FRAME_ACK_PAYLOAD));
    frame_decode_ack(bytes + FRAME_HEADER, out);
    g_assert_cmpmem(in, sizeof(in), out, sizeof(out));
}

/* The chain depends on all that makes a frame what it is, and on nothing that a repetition
 * changes. */
static void test_chain(void)
{
    Frame frame = sample;
    guint64 chain = frame_chain(1, &frame);

    frame.ack++;
    g_assert_cmphex(frame_chain(1, &frame), ==, chain);
    g_assert_cmphex(frame_chain(2, &frame), !=, chain);
    frame.sum++;
    g_assert_cmphex(frame_chain(1, &frame), !=, chain);
    frame = sample;
    frame.channel++;
    g_assert_cmphex(frame_chain(1, &frame), !=, chain);
    frame = sample;
    frame.rest++;
    g_assert_cmphex(frame_chain(1, &frame), !=, chain);
    frame = sample;
    frame.sequence++;
    g_assert_cmphex(frame_chain(1, &frame), !=, chain);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frame/crc32c", test_crc32c);
    g_test_add_func("/frame/sum-pieces", test_sum_pieces);
    g_test_add_func("/frame/sum-differs", test_sum_differs);
    g_test_add_func("/frame/bytes", test_bytes);
    g_test_add_func("/frame/decode", test_decode);
    g_test_add_func("/frame/begins", test_begins);
    g_test_add_func("/frame/hello", test_hello);
    g_test_add_func("/frame/ack", test_ack);
    g_test_add_func("/frame/chain", test_chain);
    return g_test_run();
}
