/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.c - the two checksums of a frame: CRC-32C for the header, a fast sum for the payload
 *
 * Why not CRC-32C for both: half of all payload bytes are summed inside the guest, and where there
 * is no KVM the guest's instructions are emulated. There the CRC32 instruction of SSE4.2 makes 160
 * MB/s (QEMU computes it bit by bit), tables of eight 700 MB/s, and the sum below 5 GB/s, on a port
 * that carries 220 MB/s. The sum is only to tell whole frames from torn ones: each step is a
 * bijection of the state for a given word, so two payloads that differ in one word never agree.
 */
#include "checksum.h"

#include <endian.h>
#include <string.h>

#define SUM_FACTOR 0xd6e8feb86659fd93u
#define CRC32C_POLYNOMIAL 0x82f63b78u

static uint32_t crc_table[256];

__attribute__((constructor)) static void crc_table_fill(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
        crc_table[byte] = crc;
    }
}

uint32_t crc32c(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t crc = ~0u;

    while (size--)
        crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 255];
    return ~crc;
}

static inline uint64_t step(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * SUM_FACTOR;
    return sum ^ sum >> 29;
}

uint64_t sum_mix(uint64_t hash, uint64_t value)
{
    return step(hash, value);
}

/* Bytes one by one, until the part is a whole word or the data is at its end; returns how many. */
static size_t add_bytes(Sum *sum, uint8_t *target, const uint8_t *data, size_t size)
{
    size_t taken = 0;

    while (taken < size) {
        if (target)
            target[taken] = data[taken];
        sum->part |= (uint64_t) data[taken++] << (sum->size++ & 7) * 8;
        if ((sum->size & 7) == 0) {
            sum->sum = step(sum->sum, sum->part);
            sum->part = 0;
            break;
        }
    }
    return taken;
}

void sum_copy(Sum *sum, void *target, const void *data, size_t size)
{
    uint8_t *t = target;
    const uint8_t *p = data, *end = p + size;
    uint64_t value;

    if ((sum->size & 7) && size) {
        size_t taken = add_bytes(sum, t, p, size);
        p += taken;
        t += taken;
    }
    value = sum->sum;
    sum->size += (size_t) (end - p) & ~(size_t) 7;
    for (; end - p >= 8; p += 8, t += 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        memcpy(t, &word, 8);
        value = step(value, le64toh(word));
    }
    sum->sum = value;
    add_bytes(sum, t, p, end - p);
}

void sum_add(Sum *sum, const void *data, size_t size)
{
    const uint8_t *p = data, *end = p + size;
    uint64_t value;

    if ((sum->size & 7) && size)
        p += add_bytes(sum, NULL, p, size);
    value = sum->sum;
    sum->size += (size_t) (end - p) & ~(size_t) 7;
    for (; end - p >= 8; p += 8) {
        uint64_t word;

        memcpy(&word, p, 8);
        value = step(value, le64toh(word));
    }
    sum->sum = value;
    add_bytes(sum, NULL, p, end - p);
}

uint64_t sum_value(const Sum *sum)
{
    return step(step(sum->sum, sum->part), sum->size);
}
