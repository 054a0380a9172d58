/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ram-stream.c - a migration's stream without the zero pages that the destination has anyway
 *
 * Goal. QEMU tells its peer of each page of zeros, and the peer looks at the page to see whether it has to be cleared: in a new
 * QEMU the kernel answers each such look by a page fault. Most of a small guest's memory has never been touched, so
 * these faults are most of what the peer has to do. A page of the guest's RAM which has not been sent with other contents is
 * zero in a QEMU that waits for its guest (it does not even load its ROMs), so the record is left out.
 *
 * How. The stream is read as QEMU 7.2 writes it (migration/savevm.c, migration/ram.c): a head, the configuration, commands, and
 * sections of which the first is "ram". Its first record tells the blocks and their sizes; the largest is the guest's RAM, and
 * for it there is a bit for each page that has been sent. A record is left out if it says "page of zeros", is of that block,
 * goes on in the block of the record before (so that no other record depends on it), and the page's bit is not set.
 *
 * Invariants. What is put out is what came in, in order, without such records. From the first byte that is not understood (a
 * device's state, which ends the RAM; another section; a feature that is not used here) all passes unchanged, for good.
 */
#include "ram-stream.h"

#include <string.h>

#define PAGE_BITS 12
#define PAGE_BYTES (1 << PAGE_BITS)
#define MOST_RAM (G_GUINT64_CONSTANT(1) << 40)

#define MAGIC 0x5145564d /* "QEVM" */
#define STREAM_VERSION 3
#define RAM_VERSION 4

/* migration/savevm.h */
#define SECTION_START 0x01
#define SECTION_PART 0x02
#define SECTION_END 0x03
#define CONFIGURATION 0x07
#define COMMAND 0x08
#define FOOTER 0x7e

/* migration/ram.c: in the low bits of a page's address */
#define FLAG_ZERO 0x02
#define FLAG_SIZES 0x04
#define FLAG_PAGE 0x08
#define FLAG_END 0x10
#define FLAG_CONTINUE 0x20

/* What comes next. */
typedef enum { HEAD, SECTION, SIZES, RECORD, SKIP, UNKNOWN } Expected;

struct RamStream {
    Expected expected, after_skip;
    gsize skip;                      /* bytes that pass unseen */
    guint8 kept[RAM_STREAM_EXTRA];   /* the begin of something whose rest has not come */
    gsize kept_size;
    gboolean has_ram;
    guint32 section;                 /* the number of the ram section */
    guint64 sizes_left;              /* bytes of blocks that are still to be told */
    char ram[256], block[256];       /* the guest's RAM; the block that records are of */
    guint64 ram_bytes;
    gulong *sent;                    /* a bit for each page of the guest's RAM */
    guint64 spared;
};

RamStream *ram_stream_new(void)
{
    return g_new0(RamStream, 1);
}

void ram_stream_free(RamStream *stream)
{
    if (!stream)
        return;
    g_free(stream->sent);
    g_free(stream);
}

guint64 ram_stream_spared(const RamStream *stream)
{
    return stream->spared;
}

/* Bytes, and how far they have been read. */
typedef struct {
    const guint8 *data;
    gsize size, at;
} Reader;

/* FALSE: it has not come yet. */
static gboolean read_number(Reader *reader, guint bytes, guint64 *ret_number)
{
    if (reader->size - reader->at < bytes)
        return FALSE;
    *ret_number = 0;
    while (bytes--)
        *ret_number = *ret_number << 8 | reader->data[reader->at++];
    return TRUE;
}

static gboolean read_name(Reader *reader, char name[256])
{
    guint64 length;

    if (!read_number(reader, 1, &length) || reader->size - reader->at < length)
        return FALSE;
    memcpy(name, reader->data + reader->at, length);
    name[length] = '\0';
    reader->at += length;
    return TRUE;
}

/* Each take_ reads one thing whole and returns TRUE, or FALSE: it has not come whole. What it says is not believed before. */

static void skip(RamStream *stream, gsize bytes, Expected then)
{
    stream->skip = bytes;
    stream->after_skip = then;
    stream->expected = SKIP;
}

static gboolean take_head(RamStream *stream, Reader *reader)
{
    guint64 magic, version;

    if (!read_number(reader, 4, &magic) || !read_number(reader, 4, &version))
        return FALSE;
    stream->expected = magic == MAGIC && version == STREAM_VERSION ? SECTION : UNKNOWN;
    return TRUE;
}

static gboolean take_start(RamStream *stream, Reader *reader)
{
    guint64 number, instance, version;
    char name[256];

    if (!read_number(reader, 4, &number) || !read_name(reader, name) || !read_number(reader, 4, &instance) ||
        !read_number(reader, 4, &version))
        return FALSE;
    stream->expected = !stream->has_ram && g_str_equal(name, "ram") && version == RAM_VERSION ? RECORD : UNKNOWN;
    stream->has_ram = TRUE;
    stream->section = number;
    return TRUE;
}

static gboolean take_number_of_section(RamStream *stream, Reader *reader, Expected then)
{
    guint64 number;

    if (!read_number(reader, 4, &number))
        return FALSE;
    stream->expected = stream->has_ram && number == stream->section ? then : UNKNOWN;
    return TRUE;
}

static gboolean take_section(RamStream *stream, Reader *reader)
{
    guint64 kind, length;

    if (!read_number(reader, 1, &kind))
        return FALSE;
    switch (kind) {
    case SECTION_START:
        return take_start(stream, reader);
    case SECTION_PART:
    case SECTION_END:
        return take_number_of_section(stream, reader, RECORD);
    case FOOTER:
        return take_number_of_section(stream, reader, SECTION);
    case CONFIGURATION:
        if (!read_number(reader, 4, &length))
            return FALSE;
        skip(stream, length, SECTION);
        return TRUE;
    case COMMAND:
        if (!read_number(reader, 4, &length))
            return FALSE;
        skip(stream, length & 0xffff, SECTION);
        return TRUE;
    default:
        stream->expected = UNKNOWN;
        return TRUE;
    }
}

/* One block of memory. */
static gboolean take_sizes(RamStream *stream, Reader *reader)
{
    char name[256];
    guint64 bytes;

    if (!read_name(reader, name) || !read_number(reader, 8, &bytes))
        return FALSE;
    if (bytes > stream->sizes_left) {
        stream->expected = UNKNOWN;
        return TRUE;
    }
    stream->sizes_left -= bytes;
    if (bytes > stream->ram_bytes) {
        stream->ram_bytes = bytes;
        memcpy(stream->ram, name, sizeof name);
    }
    if (!stream->sizes_left) {
        stream->sent = g_new0(gulong, (stream->ram_bytes >> PAGE_BITS) / (8 * sizeof(gulong)) + 1);
        stream->expected = RECORD;
    }
    return TRUE;
}

static void take_total(RamStream *stream, guint64 total)
{
    stream->sizes_left = total;
    stream->expected = stream->sent || stream->ram_bytes || !total || total > MOST_RAM ? UNKNOWN : SIZES;
}

/* The word of a page in stream->sent, and its bit; NULL: it is not one of the guest's RAM. */
static gulong *page_word(RamStream *stream, guint64 address, gulong *ret_bit)
{
    guint64 page = address >> PAGE_BITS;

    if (!stream->sent || address >= stream->ram_bytes || !g_str_equal(stream->block, stream->ram))
        return NULL;
    *ret_bit = 1UL << page % (8 * sizeof(gulong));
    return &stream->sent[page / (8 * sizeof(gulong))];
}

/* A page of zeros: *ret_spare if nobody needs to hear of it. */
static gboolean take_zeros(RamStream *stream, Reader *reader, guint64 address, gboolean goes_on, gboolean *ret_spare)
{
    guint64 fill;
    gulong bit, *word;

    if (!read_number(reader, 1, &fill))
        return FALSE;
    word = page_word(stream, address, &bit);
    *ret_spare = goes_on && fill == 0 && word && !(*word & bit);
    return TRUE;
}

static void take_page(RamStream *stream, guint64 address)
{
    gulong bit, *word = page_word(stream, address, &bit);

    if (word)
        *word |= bit;
    skip(stream, PAGE_BYTES, RECORD);
}

static gboolean take_record(RamStream *stream, Reader *reader, gboolean *ret_spare)
{
    guint64 word, flags;
    char name[256];

    if (!read_number(reader, 8, &word))
        return FALSE;
    flags = word & (PAGE_BYTES - 1);
    word -= flags;
    if (flags == FLAG_END) {
        stream->expected = SECTION;
    } else if (flags == FLAG_SIZES) {
        take_total(stream, word);
    } else if ((flags & ~FLAG_CONTINUE) == FLAG_PAGE || (flags & ~FLAG_CONTINUE) == FLAG_ZERO) {
        if (!(flags & FLAG_CONTINUE)) {
            if (!read_name(reader, name) || reader->size == reader->at)
                return FALSE;
            memcpy(stream->block, name, sizeof name);
        }
        if (flags & FLAG_ZERO)
            return take_zeros(stream, reader, word, flags & FLAG_CONTINUE, ret_spare);
        take_page(stream, word);
    } else {
        stream->expected = UNKNOWN;
    }
    return TRUE;
}

static gboolean take(RamStream *stream, Reader *reader, gboolean *ret_spare)
{
    switch (stream->expected) {
    case HEAD:
        return take_head(stream, reader);
    case SECTION:
        return take_section(stream, reader);
    case SIZES:
        return take_sizes(stream, reader);
    case RECORD:
        return take_record(stream, reader, ret_spare);
    case SKIP:
        reader->at = MIN(stream->skip, reader->size);
        stream->skip -= reader->at;
        if (!stream->skip)
            stream->expected = stream->after_skip;
        return TRUE;
    default:
        reader->at = reader->size;
        return TRUE;
    }
}

/* Takes from data what can be taken; returns how much that was. What is to go on is appended to output. */
static gsize take_all(RamStream *stream, const guint8 *data, gsize size, guint8 *output, gsize *made)
{
    gsize taken = 0;

    while (taken < size) {
        Reader reader = {data + taken, size - taken, 0};
        gboolean spare = FALSE;

        if (!take(stream, &reader, &spare)) {
            if (reader.size < RAM_STREAM_EXTRA)
                return taken;
            stream->expected = UNKNOWN; /* nothing that is known is so long */
            continue;
        }
        if (spare) {
            stream->spared += reader.at;
        } else {
            memcpy(output + *made, data + taken, reader.at);
            *made += reader.at;
        }
        taken += reader.at;
    }
    return taken;
}

/* Completes what was kept back, byte by byte: it is short, and rare. */
static gsize finish_kept(RamStream *stream, const guint8 *input, gsize size, guint8 *output, gsize *made)
{
    gsize used = 0;

    while (stream->kept_size && used < size) {
        gsize taken;

        stream->kept[stream->kept_size++] = input[used++];
        taken = take_all(stream, stream->kept, stream->kept_size, output, made);
        stream->kept_size -= taken;
        memmove(stream->kept, stream->kept + taken, stream->kept_size);
    }
    return used;
}

gsize ram_stream_pass(RamStream *stream, const guint8 *input, gsize size, guint8 *output)
{
    gsize made = 0, used = finish_kept(stream, input, size, output, &made);

    used += take_all(stream, input + used, size - used, output, &made);
    if (used < size) {
        stream->kept_size = size - used;
        memcpy(stream->kept, input + used, stream->kept_size);
    }
    return made;
}
