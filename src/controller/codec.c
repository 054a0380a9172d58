/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec.c - what a migration's stream looks like on the wire: squeezed by zstd */
#include "codec.h"

#include <zstd.h>

#define LEVEL -10        /* over a gigabyte a second and a fifth of the size; level 1: a seventh, at seven times the cost */
#define WINDOW_LOG 20    /* bounds the memory of both sides */

struct Codec {
    ZSTD_CCtx *squeeze;
    ZSTD_DCtx *expand;
};

Codec *codec_new(CodecKind kind)
{
    Codec *codec = g_new0(Codec, 1);

    if (kind == CODEC_SQUEEZE) {
        codec->squeeze = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(codec->squeeze, ZSTD_c_compressionLevel, LEVEL);
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

gssize codec_turn(Codec *codec, const void *input, gsize size, gsize *ret_taken, void *output, gsize space)
{
    ZSTD_inBuffer in = {input, size, 0};
    ZSTD_outBuffer out = {output, space, 0};
    size_t result = codec->squeeze ? ZSTD_compressStream2(codec->squeeze, &out, &in, ZSTD_e_flush)
                                   : ZSTD_decompressStream(codec->expand, &out, &in);

    if (ZSTD_isError(result))
        return -1;
    *ret_taken = in.pos;
    return out.pos;
}
