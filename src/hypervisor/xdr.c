/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xdr.c - the data encoding of libvirt's RPC (RFC 4506), as far as it is needed */
#include "xdr.h"

#include <string.h>

static gsize padding(gsize size)
{
    return (4 - size % 4) % 4;
}

static const guint8 *take(XdrReader *reader, gsize size)
{
    const guint8 *data = reader->data + reader->at;

    if (reader->bad || size > reader->size - reader->at) {
        reader->bad = TRUE;
        return NULL;
    }
    reader->at += size;
    return data;
}

guint32 xdr_get_u32(XdrReader *reader)
{
    const guint8 *data = take(reader, 4);
    guint32 value = 0;

    if (data)
        memcpy(&value, data, sizeof(value));
    return GUINT32_FROM_BE(value);
}

guint64 xdr_get_u64(XdrReader *reader)
{
    guint64 high = xdr_get_u32(reader);

    return high << 32 | xdr_get_u32(reader);
}

gboolean xdr_get_bool(XdrReader *reader)
{
    guint32 value = xdr_get_u32(reader);

    if (value > 1)
        reader->bad = TRUE;
    return value == 1;
}

const guint8 *xdr_get_fixed(XdrReader *reader, gsize size)
{
    const guint8 *data = take(reader, size), *pad = take(reader, padding(size));

    for (gsize i = 0; pad && i < padding(size); i++)
        reader->bad |= pad[i] != 0;
    return reader->bad ? NULL : data;
}

const guint8 *xdr_get_opaque(XdrReader *reader, gsize max, gsize *ret_size)
{
    gsize size = xdr_get_u32(reader);
    const guint8 *data;

    if (size > max)
        reader->bad = TRUE;
    data = xdr_get_fixed(reader, reader->bad ? 0 : size);
    *ret_size = data ? size : 0;
    return data;
}

char *xdr_get_string(XdrReader *reader, gsize max)
{
    gsize size;
    const guint8 *data = xdr_get_opaque(reader, max, &size);

    if (data && size > 0 && memchr(data, 0, size))
        reader->bad = TRUE;
    return reader->bad ? NULL : g_strndup((const char *)data, size);
}

char *xdr_get_optional_string(XdrReader *reader, gsize max)
{
    return xdr_get_bool(reader) ? xdr_get_string(reader, max) : NULL;
}

gboolean xdr_finished(const XdrReader *reader)
{
    return !reader->bad && reader->at == reader->size;
}

void xdr_put_u32(GByteArray *out, guint32 value)
{
    guint32 wire = GUINT32_TO_BE(value);

    g_byte_array_append(out, (const guint8 *)&wire, sizeof(wire));
}

void xdr_put_u64(GByteArray *out, guint64 value)
{
    xdr_put_u32(out, value >> 32);
    xdr_put_u32(out, value & G_MAXUINT32);
}

void xdr_put_fixed(GByteArray *out, const void *data, gsize size)
{
    static const guint8 zero[4];

    if (size > 0)
        g_byte_array_append(out, data, size);
    g_byte_array_append(out, zero, padding(size));
}

void xdr_put_opaque(GByteArray *out, const void *data, gsize size)
{
    xdr_put_u32(out, size);
    xdr_put_fixed(out, data, size);
}

void xdr_put_string(GByteArray *out, const char *text)
{
    xdr_put_opaque(out, text, strlen(text));
}

void xdr_put_optional_string(GByteArray *out, const char *text)
{
    xdr_put_u32(out, text != NULL);
    if (text)
        xdr_put_string(out, text);
}
