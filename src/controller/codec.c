/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec.c - what a migration's stream looks like on the wire: squeezed by zstd, the harder the slower the link
 *
 * A program's heap (Python objects) goes to a fifth, a fourteenth, a fourteenth of its size by levels -10, 1 and 3, at 2.2,
 * 1.4 and 0.7 GB/s; programs and libraries to 67, 42 and 39 %, at 0.9, 0.45 and 0.22 GB/s; noise costs nothing much at any.
 * Level 2 takes a tenth more time than 1 and leaves a twentieth less of a kernel; levels above 3 give a few percent for many
 * times the work. A level holds for a whole frame, so a change ends the frame; the other side reads one after another.
 *
 * It begins with the middle one: a small guest, most of which is its kernel, has gone over before a pace is seen.
 */
#include "codec.h"

#include <zstd.h>

#define WAITED_LONG 0.7  /* of the time: a step up */
#define WAITED_SHORT 0.3 /* a step down */
#define WINDOW_LOG 20    /* bounds the memory of both sides */

#define FIRST_STEP 1

static const int levels[CODEC_STEPS] = {-10, 2, 3};

struct Codec {
    ZSTD_CCtx *squeeze;
    ZSTD_DCtx *expand;
    guint step, wanted; /* in levels: of this frame, of the next */
};

Codec *codec_new(CodecKind kind)
{
    Codec *codec = g_new0(Codec, 1);

    if (kind == CODEC_SQUEEZE) {
        codec->step = codec->wanted = FIRST_STEP;
        codec->squeeze = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(codec->squeeze, ZSTD_c_compressionLevel, levels[FIRST_STEP]);
        ZSTD_CCtx_setParameter(codec->squeeze, ZSTD_c_windowLog, WINDOW_LOG);
    } else {
        codec->expand = ZSTD_createDCtx();
        ZSTD_DCtx_setParameter(codec->expand, ZSTD_d_windowLogMax, WINDOW_LOG);
    }
    return codec;
}

void codec_free(Codec *codec)
{
    if (!codec)
        return;
    ZSTD_freeCCtx(codec->squeeze);
    ZSTD_freeDCtx(codec->expand);
    g_free(codec);
}

gsize codec_bound(gsize size)
{
    return ZSTD_compressBound(size) + 64; /* and the ends of blocks that a flush makes */
}

void codec_pace(Codec *codec, double waited)
{
    if (waited > WAITED_LONG && codec->step + 1 < CODEC_STEPS)
        codec->wanted = codec->step + 1;
    else if (waited < WAITED_SHORT && codec->step > 0)
        codec->wanted = codec->step - 1;
}

guint codec_step(const Codec *codec)
{
    return codec->wanted;
}

static size_t squeeze(Codec *codec, ZSTD_outBuffer *out, ZSTD_inBuffer *in)
{
    gboolean last = codec->wanted != codec->step;
    size_t left = ZSTD_compressStream2(codec->squeeze, out, in, last ? ZSTD_e_end : ZSTD_e_flush);

    if (last && left == 0) {
        codec->step = codec->wanted;
        ZSTD_CCtx_setParameter(codec->squeeze, ZSTD_c_compressionLevel, levels[codec->step]);
    }
    return left;
}

gssize codec_turn(Codec *codec, const void *input, gsize size, gsize *ret_taken, void *output, gsize space)
{
    ZSTD_inBuffer in = {input, size, 0};
    ZSTD_outBuffer out = {output, space, 0};
    size_t result = codec->squeeze ? squeeze(codec, &out, &in)
                                   : ZSTD_decompressStream(codec->expand, &out, &in);

    if (ZSTD_isError(result))
        return -1;
    *ret_taken = in.pos;
    return out.pos;
}
