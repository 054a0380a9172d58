/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ram-stream.h - a migration's stream without the zero pages that the destination has anyway */
#pragma once

#include <glib.h>

typedef struct RamStream RamStream;

RamStream *ram_stream_new(void);
void ram_stream_free(RamStream *stream);

/* The bytes that ram_stream_pass may put out beyond what it is given: what it had kept back. */
#define RAM_STREAM_EXTRA 512

/* Passes the next size bytes of what QEMU sends on to output, which has room for size + RAM_STREAM_EXTRA; less comes out by what
 * is left out or, up to RAM_STREAM_EXTRA bytes, kept back until the rest of it comes. Returns how many bytes came out. */
gsize ram_stream_pass(RamStream *stream, const guint8 *input, gsize size, guint8 *output);

/* Bytes left out so far. */
guint64 ram_stream_spared(const RamStream *stream);
