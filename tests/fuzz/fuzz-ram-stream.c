/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-ram-stream.c - any bytes as a migration's stream: the same comes out however they are cut, and nothing but less */
#include "hypervisor/ram-stream.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gsize pass(const uint8_t *data, size_t size, size_t piece, guint8 *output)
{
    RamStream *stream = ram_stream_new();
    gsize made = 0;

    for (size_t at = 0; at < size; at += piece)
        made += ram_stream_pass(stream, data + at, MIN(piece, size - at), output + made);
    if (made + ram_stream_spared(stream) > size || made + ram_stream_spared(stream) + RAM_STREAM_EXTRA <= size)
        abort();
    ram_stream_free(stream);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    g_autofree guint8 *whole = g_malloc(size + RAM_STREAM_EXTRA), *cut = g_malloc(size + RAM_STREAM_EXTRA);
    gsize made = pass(data + 1, size - 1, size, whole);

    if (made != pass(data + 1, size - 1, data[0] + 1, cut) || memcmp(whole, cut, made) != 0)
        abort();
    return 0;
}
