/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xdr.h - the data encoding of libvirt's RPC (RFC 4506), as far as it is needed */
#pragma once

#include <glib.h>

/* Reads from memory it does not own. After the first fault bad is set and every further value is 0
 * or NULL, so that a caller can read a whole structure and look once. */
typedef struct {
    const guint8 *data;
    gsize size;
    gsize at;
    gboolean bad;
} XdrReader;

guint32 xdr_get_u32(XdrReader *reader);
guint64 xdr_get_u64(XdrReader *reader);
gboolean xdr_get_bool(XdrReader *reader);  /* anything but 0 and 1 is a fault */

/* So many bytes, and their padding (which must be zero); NULL at a fault. Not owned by the caller.
 * */
const guint8 *xdr_get_fixed(XdrReader *reader, gsize size);

/* Length and bytes; more than max is a fault. Not owned by the caller. */
const guint8 *xdr_get_opaque(XdrReader *reader, gsize max, gsize *ret_size);

/* A string (g_free); a NUL within it is a fault. */
char *xdr_get_string(XdrReader *reader, gsize max);

/* A string that may be absent: NULL then. */
char *xdr_get_optional_string(XdrReader *reader, gsize max);

/* Everything was read, and without a fault. */
gboolean xdr_finished(const XdrReader *reader);

void xdr_put_u32(GByteArray *out, guint32 value);
void xdr_put_u64(GByteArray *out, guint64 value);
void xdr_put_fixed(GByteArray *out, const void *data, gsize size);
void xdr_put_opaque(GByteArray *out, const void *data, gsize size);
void xdr_put_string(GByteArray *out, const char *text);
void xdr_put_optional_string(GByteArray *out, const char *text);  /* NULL: absent */
