/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-ram-stream.c - which zero pages are left out of a migration's stream, however it is cut into pieces */
#include "hypervisor/ram-stream.h"

#include <string.h>

enum { ZERO = 0x02, SIZES = 0x04, PAGE = 0x08, END = 0x10, GOES_ON = 0x20, XBZRLE = 0x40 };

#define ROM_BYTES 0x20000
#define RAM_BYTES 0x2000000

static void number(GByteArray *stream, guint bytes, guint64 value)
{
    while (bytes--) {
        guint8 byte = value >> 8 * bytes;

        g_byte_array_append(stream, &byte, 1);
    }
}

static void name(GByteArray *stream, const char *text)
{
    number(stream, 1, strlen(text));
    g_byte_array_append(stream, (const guint8 *)text, strlen(text));
}

static void record(GByteArray *stream, guint64 page, guint flags, const char *block)
{
    number(stream, 8, page << 12 | flags | (block ? 0 : GOES_ON));
    if (block)
        name(stream, block);
}

static void zero(GByteArray *stream, guint64 page, const char *block)
{
    record(stream, page, ZERO, block);
    number(stream, 1, 0);
}

static void page(GByteArray *stream, guint64 page, const char *block)
{
    guint8 contents[4096];

    for (guint i = 0; i < sizeof contents; i++)
        contents[i] = page + i;
    record(stream, page, PAGE, block);
    g_byte_array_append(stream, contents, sizeof contents);
}

static void section(GByteArray *stream, guint kind)
{
    number(stream, 1, kind);
    number(stream, 4, 2);
}

static void section_end(GByteArray *stream)
{
    number(stream, 8, END);
    section(stream, 0x7e);
}

/* The head, the configuration, a command, and the begin of the ram section. */
static GByteArray *begin(guint version)
{
    GByteArray *stream = g_byte_array_new();

    number(stream, 4, 0x5145564d);
    number(stream, 4, version);
    number(stream, 1, 0x07);
    number(stream, 4, 7);
    g_byte_array_append(stream, (const guint8 *)"microvm", 7);
    number(stream, 1, 0x08);
    number(stream, 2, 1);
    number(stream, 2, 0);
    section(stream, 0x01);
    name(stream, "ram");
    number(stream, 4, 0);
    number(stream, 4, 4);
    number(stream, 8, (ROM_BYTES + RAM_BYTES) | SIZES);
    name(stream, "rom");
    number(stream, 8, ROM_BYTES);
    name(stream, "microvm.ram");
    number(stream, 8, RAM_BYTES);
    section_end(stream);
    return stream;
}

/* stream through a RamStream, the first piece of first bytes, the others of size bytes. */
static GByteArray *passed(const GByteArray *stream, gsize first, gsize size)
{
    RamStream *ram = ram_stream_new();
    GByteArray *out = g_byte_array_new();
    g_autofree guint8 *output = g_malloc(stream->len + RAM_STREAM_EXTRA);
    gsize length = first;

    for (gsize at = 0; at < stream->len; at += length, length = size) {
        length = MIN(length, stream->len - at);
        g_byte_array_append(out, output, ram_stream_pass(ram, stream->data + at, length, output));
    }
    g_assert_cmpuint(ram_stream_spared(ram) + out->len, ==, stream->len);
    ram_stream_free(ram);
    return out;
}

static void expect(const GByteArray *stream, const GByteArray *wanted)
{
    for (gsize first = 0; first <= MIN(stream->len, 9000); first++) {
        g_autoptr(GByteArray) out = passed(stream, first, stream->len);

        g_assert_cmpmem(out->data, out->len, wanted->data, wanted->len);
    }
    for (gsize size = 1; size < 20; size++) {
        g_autoptr(GByteArray) out = passed(stream, size, size);

        g_assert_cmpmem(out->data, out->len, wanted->data, wanted->len);
    }
}

static void device(GByteArray *stream)
{
    number(stream, 1, 0x04);
    zero(stream, 9, NULL); /* whatever this is, it is the device's */
    number(stream, 1, 0x00);
}

/* In stream all, in wanted what must be left of it. */
static void test_zeros(void)
{
    g_autoptr(GByteArray) stream = begin(3), wanted = begin(3);

    section(stream, 0x02), section(wanted, 0x02);
    zero(stream, 0, "rom"), zero(wanted, 0, "rom");
    zero(stream, 1, NULL), zero(wanted, 1, NULL); /* a ROM may be there */
    page(stream, 0, "microvm.ram"), page(wanted, 0, "microvm.ram");
    zero(stream, 1, NULL);
    zero(stream, 2, NULL);
    page(stream, 3, NULL), page(wanted, 3, NULL);
    zero(stream, RAM_BYTES / 4096 - 1, NULL);
    zero(stream, RAM_BYTES / 4096, NULL), zero(wanted, RAM_BYTES / 4096, NULL); /* beyond its end */
    section_end(stream), section_end(wanted);
    section(stream, 0x02), section(wanted, 0x02);
    zero(stream, 3, "microvm.ram"), zero(wanted, 3, "microvm.ram"); /* had other contents */
    zero(stream, 0, NULL), zero(wanted, 0, NULL);                   /* so had this */
    zero(stream, 1, NULL);
    page(stream, 1, NULL), page(wanted, 1, NULL);
    zero(stream, 1, NULL), zero(wanted, 1, NULL);
    record(stream, 5, ZERO, NULL), number(stream, 1, 7); /* filled with sevens */
    record(wanted, 5, ZERO, NULL), number(wanted, 1, 7);
    section_end(stream), section_end(wanted);
    section(stream, 0x03), section(wanted, 0x03);
    zero(stream, 8, "microvm.ram"), zero(wanted, 8, "microvm.ram"); /* what follows depends on its name */
    zero(stream, 9, NULL);
    section_end(stream), section_end(wanted);
    device(stream), device(wanted);
    expect(stream, wanted);
}

/* What is not known is passed on as it is, and so is all that follows. */
static void test_unknown(void)
{
    static const guint versions[] = {3, 4};

    for (guint way = 0; way < 4; way++) {
        g_autoptr(GByteArray) stream = begin(versions[way == 0]);

        section(stream, way == 1 ? 0x05 : 0x02);
        page(stream, 0, "microvm.ram");
        if (way == 2)
            record(stream, 1, XBZRLE, NULL);
        if (way == 3)
            number(stream, 8, ROM_BYTES | SIZES);
        zero(stream, 2, NULL);
        section_end(stream);
        expect(stream, stream);
    }
}

int main(int argc, char *argv[])
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ram-stream/zeros", test_zeros);
    g_test_add_func("/ram-stream/unknown", test_unknown);
    return g_test_run();
}
