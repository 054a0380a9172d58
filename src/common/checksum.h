/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.h - the two checksums of a frame: CRC-32C for the header, a fast sum for the payload */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) of size bytes, by table. */
uint32_t crc32c(const void *data, size_t size);

/* The running sum of a payload that may come in pieces; the pieces' borders do not matter. */
#define SUM_LANES 4
#define SUM_BLOCK (SUM_LANES * 8)
typedef struct {
    uint64_t lane[SUM_LANES];   /* of every fourth word */
    uint64_t size;
    uint64_t part;   /* the size % 8 bytes that do not make a word yet, first byte lowest */
} Sum;

#define SUM_INIT ((Sum){ .lane = { 0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd1342543de82ef95u } })

/* Takes size bytes into the sum; sum_copy also copies them to target on the way. */
void sum_add(Sum *sum, const void *data, size_t size);
void sum_copy(Sum *sum, void *target, const void *data, size_t size);

/* The sum of all that was taken in; the state can be used on. */
uint64_t sum_value(const Sum *sum);

/* Mixes value into a running 64-bit hash; depends on the order. */
uint64_t sum_mix(uint64_t hash, uint64_t value);
