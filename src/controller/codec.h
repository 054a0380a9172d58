/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec.h - what a migration's stream looks like on the wire: squeezed by zstd; the only part that knows libzstd
 *
 * Most of what a small guest's memory holds is its kernel and tables of equal entries: a third of the bytes, and less, is
 * enough. Each piece that is put in comes out whole at the other side: nothing waits for the next one.
 */
#pragma once

#include <glib.h>

typedef struct Codec Codec;

typedef enum { CODEC_SQUEEZE, CODEC_EXPAND } CodecKind;

/* The codec's name in a connection's preamble. */
#define CODEC_NAME "zstd"

Codec *codec_new(CodecKind kind);
void codec_free(Codec *codec);

/* Turns input into output (of space bytes). *ret_taken: bytes of input that are done with; returns the bytes put into output, or
 * -1 when the input is broken. With CODEC_SQUEEZE and space of at least codec_bound(size) all is taken at once. */
gssize codec_turn(Codec *codec, const void *input, gsize size, gsize *ret_taken, void *output, gsize space);
gsize codec_bound(gsize size);

/* With CODEC_SQUEEZE: which part of the last while what was made had to wait for the other side (0 to 1). Much: the link is slow,
 * and from the next piece on more time is spent on less to send; little: the other way. */
void codec_pace(Codec *codec, double waited);

/* The step that codec_pace has come to, 0 (the quickest) to CODEC_STEPS - 1. */
#define CODEC_STEPS 3
guint codec_step(const Codec *codec);
