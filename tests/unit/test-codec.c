/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-codec.c - what is squeezed comes out whole at once, also while the level changes; and a slow link gets less */
#include "controller/codec.h"

#include <string.h>

#define PIECE 65536

/* Something like a heap: small records that are alike. */
static void fill(guint8 *piece, guint32 seed)
{
    for (guint i = 0; i < PIECE; i += 16) {
        guint32 record[4] = {0x55d0c000, i, seed % 977, g_random_int_range(0, 64)};

        memcpy(piece + i, record, sizeof record);
    }
}

/* One piece through both; returns its size on the wire. */
static gsize pass(Codec *there, Codec *here, const guint8 *piece)
{
    gsize space = codec_bound(PIECE), taken = 0, done = 0, got = 0, read;
    g_autofree guint8 *wire = g_malloc(space), *out = g_malloc(PIECE);
    gssize made = codec_turn(there, piece, PIECE, &taken, wire, space);

    g_assert_cmpint(made, >, 0);
    g_assert_cmpuint(taken, ==, PIECE);
    while (done < (gsize)made) {
        gssize part = codec_turn(here, wire + done, made - done, &read, out + got, PIECE - got);

        g_assert_cmpint(part, >=, 0);
        g_assert_true(part > 0 || read > 0);
        done += read;
        got += part;
    }
    g_assert_cmpmem(out, got, piece, PIECE);
    return made;
}

static gsize pass_some(Codec *there, Codec *here, guint pieces)
{
    g_autofree guint8 *piece = g_malloc(PIECE);
    gsize size = 0;

    for (guint i = 0; i < pieces; i++) {
        fill(piece, i);
        size += pass(there, here, piece);
    }
    return size;
}

static void test_pace(void)
{
    Codec *there = codec_new(CODEC_SQUEEZE), *here = codec_new(CODEC_EXPAND);
    gsize quick, slow;

    g_assert_cmpuint(codec_step(there), ==, 1);
    codec_pace(there, 0.5);
    g_assert_cmpuint(codec_step(there), ==, 1);
    codec_pace(there, 0);
    g_assert_cmpuint(codec_step(there), ==, 0);
    pass_some(there, here, 2);
    quick = pass_some(there, here, 20);
    for (guint step = 1; step < CODEC_STEPS; step++) {
        codec_pace(there, 0.95);
        g_assert_cmpuint(codec_step(there), ==, step);
        pass_some(there, here, 2);
    }
    codec_pace(there, 1);
    g_assert_cmpuint(codec_step(there), ==, CODEC_STEPS - 1);
    slow = pass_some(there, here, 20);
    g_assert_cmpuint(slow, <, quick * 9 / 10);
    for (guint step = CODEC_STEPS - 1; step > 0; step--) {
        codec_pace(there, 0.01);
        g_assert_cmpuint(codec_step(there), ==, step - 1);
        pass_some(there, here, 2);
    }
    codec_free(there);
    codec_free(here);
}

/* Asked for often, with nothing in between: one change at most. */
static void test_impatient(void)
{
    Codec *there = codec_new(CODEC_SQUEEZE), *here = codec_new(CODEC_EXPAND);

    for (guint i = 0; i < 100; i++) {
        codec_pace(there, i % 3 ? 0.9 : 0);
        pass_some(there, here, i % 2);
    }
    codec_free(there);
    codec_free(here);
}

static void test_broken(void)
{
    Codec *here = codec_new(CODEC_EXPAND);
    guint8 out[100];
    gsize taken;

    g_assert_cmpint(codec_turn(here, "no frame of zstd's", 18, &taken, out, sizeof out), ==, -1);
    codec_free(here);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/codec/pace", test_pace);
    g_test_add_func("/codec/impatient", test_impatient);
    g_test_add_func("/codec/broken", test_broken);
    return g_test_run();
}
