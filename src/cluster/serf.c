/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serf.c - serf's RPC, as bytes; the only part that knows msgpack
 *
 * Whether a body follows a header depends on serf's mood (an error may have one or not), but only
 * headers have a Seq: so an object with one is a header, and any other belongs to the last.
 */
#include "serf.h"

#include <msgpack.h>
#include <string.h>

#include "common/error.h"

enum { OBJECT_MAX = 16 << 20, SKIM_DEPTH = 16 };

static const char *const commands[] = {
    [SERF_HANDSHAKE] = "handshake", [SERF_AUTH] = "auth", [SERF_STREAM] = "stream",
    [SERF_MEMBERS] = "members",     [SERF_JOIN] = "join",
};

/* ---- Requests ---- */

static int append(void *data, const char *bytes, size_t length)
{
    g_byte_array_append(data, (const guint8 *)bytes, length);
    return 0;
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

void serf_request(GByteArray *bytes, SerfRequest request, const char *text)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, bytes, append);
    msgpack_pack_map(&packer, 2);
    pack_text(&packer, "Command");
    pack_text(&packer, commands[request]);
    pack_text(&packer, "Seq");
    msgpack_pack_uint64(&packer, request);
    if (request == SERF_MEMBERS)
        return;
    msgpack_pack_map(&packer, request == SERF_JOIN ? 2 : 1);
    if (request == SERF_HANDSHAKE) {
        pack_text(&packer, "Version");
        msgpack_pack_int(&packer, 1);
    } else if (request == SERF_AUTH) {
        pack_text(&packer, "AuthKey");
        pack_text(&packer, text);
    } else if (request == SERF_STREAM) {
        pack_text(&packer, "Type");
        pack_text(&packer, "member-join,member-failed,member-leave,member-update,member-reap");
    } else {
        pack_text(&packer, "Existing");
        msgpack_pack_array(&packer, 1);
        pack_text(&packer, text);
        pack_text(&packer, "Replay");
        msgpack_pack_false(&packer);
    }
}

/* ---- Answers ---- */

struct SerfReader {
    SerfEvents events;
    gpointer user;
    GByteArray *bytes;
    gboolean stream_answered;
};

SerfReader *serf_reader_new(const SerfEvents *events, gpointer user)
{
    SerfReader *reader = g_new0(SerfReader, 1);

    reader->events = *events;
    reader->user = user;
    reader->bytes = g_byte_array_new();
    return reader;
}

void serf_reader_free(SerfReader *reader)
{
    if (!reader)
        return;
    g_byte_array_unref(reader->bytes);
    g_free(reader);
}

/* Big-endian number of size bytes, as far as they are there. */
static gboolean skim_number(const guint8 **at, const guint8 *end, guint size, guint64 *ret_number)
{
    if ((gsize)(end - *at) < size)
        return FALSE;
    for (*ret_number = 0; size > 0; size--)
        *ret_number = *ret_number << 8 | *(*at)++;
    return TRUE;
}

/* Steps over one object without making anything of it: libmsgpack would believe a length that
 * it reads, and allocate. FALSE when it is not whole yet; ret_bad when it cannot become one. */
static gboolean skim(const guint8 **at, const guint8 *end, guint depth, gboolean *ret_bad)
{
    /* bytes of the length that follows; objects each of what it counts (0: it counts bytes); bytes more */
    static const struct {
        guint8 length, objects, more;
    } kinds[32] = {
        {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0},                       /* c0: nil, false, true */
        {1, 0, 0}, {2, 0, 0}, {4, 0, 0}, {1, 0, 1}, {2, 0, 1}, {4, 0, 1}, /* c4: bin, ext */
        {0, 0, 4}, {0, 0, 8}, {0, 0, 1}, {0, 0, 2}, {0, 0, 4}, {0, 0, 8}, /* ca: float, uint */
        {0, 0, 1}, {0, 0, 2}, {0, 0, 4}, {0, 0, 8},                       /* d0: int */
        {0, 0, 2}, {0, 0, 3}, {0, 0, 5}, {0, 0, 9}, {0, 0, 17},           /* d4: ext of fixed length */
        {1, 0, 0}, {2, 0, 0}, {4, 0, 0},                                  /* d9: str */
        {2, 1, 0}, {4, 1, 0}, {2, 2, 0}, {4, 2, 0},                       /* dc: array, map */
    };
    guint64 items = 0, bytes = 0;
    guint8 tag;

    if (depth == 0)
        return !(*ret_bad = TRUE);
    if (*at == end)
        return FALSE;
    tag = *(*at)++;
    if ((tag & 0xf0) == 0x80)
        items = 2 * (tag & 15);
    else if ((tag & 0xf0) == 0x90)
        items = tag & 15;
    else if ((tag & 0xe0) == 0xa0)
        bytes = tag & 31;
    else if (tag >= 0xc0 && tag < 0xe0) {
        if (!skim_number(at, end, kinds[tag - 0xc0].length, &bytes))
            return FALSE;
        items = bytes * kinds[tag - 0xc0].objects;
        bytes = kinds[tag - 0xc0].objects ? 0 : bytes + kinds[tag - 0xc0].more;
    }
    if (bytes > OBJECT_MAX || items > OBJECT_MAX)
        return !(*ret_bad = TRUE);
    if (bytes > (gsize)(end - *at))
        return FALSE;
    *at += bytes;
    for (; items > 0; items--)
        if (!skim(at, end, depth - 1, ret_bad))
            return FALSE;
    return TRUE;
}

/* A member of a map, or NULL. */
static const msgpack_object *member_of(const msgpack_object *map, const char *key)
{
    if (map->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (guint i = 0; i < map->via.map.size; i++) {
        const msgpack_object *name = &map->via.map.ptr[i].key;
        if (name->type == MSGPACK_OBJECT_STR && name->via.str.size == strlen(key) &&
            memcmp(name->via.str.ptr, key, name->via.str.size) == 0)
            return &map->via.map.ptr[i].val;
    }
    return NULL;
}

/* A text member of a map (g_free), "" if there is none. */
static char *text_of(const msgpack_object *map, const char *key)
{
    const msgpack_object *text = member_of(map, key);

    if (!text || text->type != MSGPACK_OBJECT_STR)
        return g_strdup("");
    return g_utf8_make_valid(text->via.str.ptr, text->via.str.size);
}

static void take_members(SerfReader *reader, const msgpack_object *body)
{
    const msgpack_object *members = member_of(body, "Members");

    if (!members || members->type != MSGPACK_OBJECT_ARRAY)
        return;
    for (guint i = 0; i < members->via.array.size; i++) {
        g_autofree char *name = text_of(&members->via.array.ptr[i], "Name");
        g_autofree char *status = text_of(&members->via.array.ptr[i], "Status");
        if (*name)
            reader->events.member(name, status, reader->user);
    }
}

static void take_object(SerfReader *reader, const msgpack_object *object)
{
    const msgpack_object *number = member_of(object, "Seq");
    g_autofree char *error = text_of(object, "Error");
    guint64 request = 0;

    if (!number) {
        take_members(reader, object);
        return;
    }
    if (number->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        request = number->via.u64;
    if (request < SERF_HANDSHAKE || request > SERF_JOIN)
        return;
    if (request == SERF_STREAM && reader->stream_answered) /* the header of an event */
        return;
    if (request == SERF_STREAM)
        reader->stream_answered = TRUE;
    reader->events.answered(request, error, reader->user);
}

static gboolean refuse(GError **error, const char *why)
{
    g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "what serf says cannot be understood: %s", why);
    return FALSE;
}

/* One object off the front; ret_done when there is none that is whole. */
static gboolean take_one(SerfReader *reader, gboolean *ret_done, GError **error)
{
    const guint8 *start = reader->bytes->data, *end = start + reader->bytes->len, *at = start;
    gboolean bad = FALSE;
    msgpack_unpacked unpacked;
    gsize used = 0;

    if (!skim(&at, end, SKIM_DEPTH, &bad)) {
        *ret_done = TRUE;
        return bad ? refuse(error, "an object is too long or too deep") : TRUE;
    }
    msgpack_unpacked_init(&unpacked);
    if (msgpack_unpack_next(&unpacked, (const char *)start, at - start, &used) !=
        MSGPACK_UNPACK_SUCCESS) {
        msgpack_unpacked_destroy(&unpacked);
        return refuse(error, "it is no MessagePack");
    }
    take_object(reader, &unpacked.data);
    msgpack_unpacked_destroy(&unpacked);
    g_byte_array_remove_range(reader->bytes, 0, at - start);
    return TRUE;
}

gboolean serf_reader_take(SerfReader *reader, const guint8 *data, gsize length, GError **error)
{
    gboolean done = FALSE;

    g_byte_array_append(reader->bytes, data, length);
    while (!done && reader->bytes->len > 0)
        if (!take_one(reader, &done, error))
            return FALSE;
    return reader->bytes->len <= OBJECT_MAX ? TRUE : refuse(error, "an object does not end");
}
