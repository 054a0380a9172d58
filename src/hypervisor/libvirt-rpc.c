/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt-rpc.c - libvirt's RPC on the wire: packets on a stream, the bodies of a migration */
#include "libvirt-rpc.h"

#include "common/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AT_ONCE (64u << 10)
#define BACKLOG_MAX (4u << 20)    /* bytes that the other side may leave unread */
#define ERROR_TEXT_MAX 1024
#define ERROR_DOMAIN_QEMU 10
#define ERROR_LEVEL 2

struct LvConn {
    int fd;
    gsize max;
    const LvEvents *events;
    gpointer user;
    GByteArray *in, *out;
    GSource *reader, *writer;
    guint busy;           /* callbacks under way; the memory stays until they have returned */
    gboolean dead;
};

/* Packets */

GByteArray *lv_packet(const LvHeader *header, const GByteArray *body)
{
    gsize size = LV_HEADER_SIZE + (body ? body->len : 0);
    GByteArray *packet = g_byte_array_sized_new(size);

    xdr_put_u32(packet, size);
    xdr_put_u32(packet, header->program);
    xdr_put_u32(packet, header->version);
    xdr_put_u32(packet, header->procedure);
    xdr_put_u32(packet, header->type);
    xdr_put_u32(packet, header->serial);
    xdr_put_u32(packet, header->status);
    if (body)
        g_byte_array_append(packet, body->data, body->len);
    return packet;
}

LvHeader lv_reply_to(const LvHeader *call, guint32 status)
{
    LvHeader reply = *call;

    reply.type = LV_REPLY;
    reply.status = status;
    return reply;
}

static void header_decode(const guint8 *packet, LvHeader *ret_header)
{
    XdrReader reader = { packet, LV_HEADER_SIZE, 4, FALSE };

    ret_header->program = xdr_get_u32(&reader);
    ret_header->version = xdr_get_u32(&reader);
    ret_header->procedure = xdr_get_u32(&reader);
    ret_header->type = xdr_get_u32(&reader);
    ret_header->serial = xdr_get_u32(&reader);
    ret_header->status = xdr_get_u32(&reader);
}

/* Connections */

static void conn_shut(LvConn *conn)
{
    source_clear(&conn->reader);
    source_clear(&conn->writer);
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

static void conn_release(LvConn *conn)
{
    if (--conn->busy > 0 || !conn->dead)
        return;
    g_byte_array_unref(conn->in);
    g_byte_array_unref(conn->out);
    g_free(conn);
}

static void conn_closed(LvConn *conn, const char *why, gboolean bad)
{
    if (conn->fd < 0)
        return;
    conn_shut(conn);
    conn->events->closed(conn, why, bad, conn->user);
}

/* The first packet's length, 0 while it is not known; FALSE where it can not be. */
static gboolean packet_length(LvConn *conn, gsize *ret_size)
{
    guint32 wire;

    *ret_size = 0;
    if (conn->in->len < sizeof(wire))
        return TRUE;
    memcpy(&wire, conn->in->data, sizeof(wire));
    *ret_size = GUINT32_FROM_BE(wire);
    return *ret_size >= LV_HEADER_SIZE && *ret_size <= conn->max;
}

static void conn_dispatch(LvConn *conn)
{
    LvHeader header;
    gsize size;

    while (conn->fd >= 0) {
        if (!packet_length(conn, &size)) {
            g_autofree char *why =
                g_strdup_printf("sent a packet of %" G_GSIZE_FORMAT " bytes", size);

            conn_closed(conn, why, TRUE);
            return;
        }
        if (size == 0 || conn->in->len < size)
            return;
        header_decode(conn->in->data, &header);
        conn->events->packet(conn, &header, conn->in->data + LV_HEADER_SIZE, size - LV_HEADER_SIZE,
                             conn->user);
        g_byte_array_remove_range(conn->in, 0, size);
    }
}

/* FALSE when the connection has ended. */
static gboolean conn_read(LvConn *conn)
{
    gsize had = conn->in->len;
    gssize got;

    g_byte_array_set_size(conn->in, had + READ_AT_ONCE);
    got = read(conn->fd, conn->in->data + had, READ_AT_ONCE);
    g_byte_array_set_size(conn->in, had + MAX(got, 0));
    if (got > 0)
        return TRUE;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return TRUE;
    conn_closed(conn, got == 0 ? "closed the connection" : g_strerror(errno), FALSE);
    return FALSE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer user)
{
    LvConn *conn = user;
    gboolean open;

    conn->busy++;
    if (conn_read(conn))
        conn_dispatch(conn);
    open = conn->fd >= 0;
    conn_release(conn);
    return open;
}

static GSource *conn_watch(LvConn *conn, GIOCondition condition, GUnixFDSourceFunc function)
{
    return source_add(g_unix_fd_source_new(conn->fd, condition), g_main_context_get_thread_default(),
                      G_SOURCE_FUNC(function), conn);
}

/* Writes what goes; TRUE when nothing is left. A dead connection is noticed by the reader. */
static gboolean conn_flush(LvConn *conn)
{
    while (conn->out->len > 0) {
        gssize sent = send(conn->fd, conn->out->data, conn->out->len, MSG_NOSIGNAL);

        if (sent <= 0)
            return sent < 0 && errno != EAGAIN && errno != EINTR;
        g_byte_array_remove_range(conn->out, 0, sent);
    }
    return TRUE;
}

static gboolean on_writable(gint fd, GIOCondition condition, gpointer user)
{
    LvConn *conn = user;

    if (!conn_flush(conn))
        return G_SOURCE_CONTINUE;
    source_clear(&conn->writer);
    return G_SOURCE_REMOVE;
}

void lv_conn_send(LvConn *conn, const LvHeader *header, const GByteArray *body)
{
    g_autoptr(GByteArray) packet = lv_packet(header, body);

    if (conn->fd < 0)
        return;
    if (conn->out->len > BACKLOG_MAX) {
        conn_closed(conn, "does not read its answers", TRUE);
        return;
    }
    g_byte_array_append(conn->out, packet->data, packet->len);
    if (!conn->writer && !conn_flush(conn))
        conn->writer = conn_watch(conn, G_IO_OUT, on_writable);
}

LvConn *lv_conn_new(int fd, gsize max, const LvEvents *events, gpointer user)
{
    LvConn *conn = g_new0(LvConn, 1);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    conn->fd = fd;
    conn->max = max;
    conn->events = events;
    conn->user = user;
    conn->in = g_byte_array_new();
    conn->out = g_byte_array_new();
    conn->reader = conn_watch(conn, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable);
    return conn;
}

void lv_conn_set_max(LvConn *conn, gsize max)
{
    conn->max = max;
}

void lv_conn_free(LvConn *conn)
{
    if (!conn)
        return;
    if (conn->fd >= 0)
        conn_flush(conn);
    conn_shut(conn);
    conn->dead = TRUE;
    conn->busy++;
    conn_release(conn);
}

/* Bodies */

static void param_free(gpointer data)
{
    LvParam *param = data;

    g_free(param->field);
    g_free(param->string);
    g_free(param);
}

void lv_migrate_args_init(LvMigrateArgs *ret_args)
{
    memset(ret_args, 0, sizeof(*ret_args));
    ret_args->params = g_ptr_array_new_with_free_func(param_free);
    ret_args->cookie = g_bytes_new(NULL, 0);
}

void lv_migrate_args_clear(LvMigrateArgs *args)
{
    g_clear_pointer(&args->params, g_ptr_array_unref);
    g_clear_pointer(&args->cookie, g_bytes_unref);
}

void lv_migrate_args_add(LvMigrateArgs *args, const char *field, const char *string)
{
    LvParam *param = g_new0(LvParam, 1);

    param->field = g_strdup(field);
    param->type = LV_PARAM_STRING;
    param->string = g_strdup(string);
    g_ptr_array_add(args->params, param);
}

static void param_encode(GByteArray *out, const LvParam *param)
{
    xdr_put_string(out, param->field);
    xdr_put_u32(out, param->type);
    if (param->type == LV_PARAM_STRING)
        xdr_put_string(out, param->string);
    else if (param->type == LV_PARAM_LLONG || param->type == LV_PARAM_ULLONG ||
             param->type == LV_PARAM_DOUBLE)
        xdr_put_u64(out, param->number);
    else
        xdr_put_u32(out, param->number);
}

static LvParam *param_decode(XdrReader *reader)
{
    LvParam *param = g_new0(LvParam, 1);

    param->field = xdr_get_string(reader, 80);
    param->type = xdr_get_u32(reader);
    switch (param->type) {
    case LV_PARAM_INT:
    case LV_PARAM_UINT:
    case LV_PARAM_BOOLEAN:
        param->number = xdr_get_u32(reader);
        break;
    case LV_PARAM_LLONG:
    case LV_PARAM_ULLONG:
    case LV_PARAM_DOUBLE:
        param->number = xdr_get_u64(reader);
        break;
    case LV_PARAM_STRING:
        param->string = xdr_get_string(reader, LV_STRING_MAX);
        break;
    default:
        reader->bad = TRUE;
    }
    return param;
}

static void cookie_encode(GByteArray *out, GBytes *cookie)
{
    gsize size;
    const void *data = g_bytes_get_data(cookie, &size);

    xdr_put_opaque(out, data, size);
}

static GBytes *cookie_decode(XdrReader *reader)
{
    gsize size;
    const guint8 *data = xdr_get_opaque(reader, LV_COOKIE_MAX, &size);

    return g_bytes_new(data, size);
}

GByteArray *lv_migrate_args_encode(const LvMigrateArgs *args, gboolean finish)
{
    GByteArray *out = g_byte_array_new();

    xdr_put_u32(out, args->params->len);
    for (guint i = 0; i < args->params->len; i++)
        param_encode(out, args->params->pdata[i]);
    cookie_encode(out, args->cookie);
    xdr_put_u32(out, args->flags);
    if (finish)
        xdr_put_u32(out, args->cancelled);
    return out;
}

gboolean lv_migrate_args_decode(const guint8 *body, gsize size, gboolean finish,
                                LvMigrateArgs *ret_args)
{
    XdrReader reader = { body, size, 0, FALSE };
    guint32 count = xdr_get_u32(&reader);

    lv_migrate_args_init(ret_args);
    g_clear_pointer(&ret_args->cookie, g_bytes_unref);
    if (count > LV_PARAMS_MAX)
        reader.bad = TRUE;
    for (guint32 i = 0; i < count && !reader.bad; i++)
        g_ptr_array_add(ret_args->params, param_decode(&reader));
    ret_args->cookie = cookie_decode(&reader);
    ret_args->flags = xdr_get_u32(&reader);
    if (finish)
        ret_args->cancelled = xdr_get_u32(&reader);
    if (xdr_finished(&reader))
        return TRUE;
    lv_migrate_args_clear(ret_args);
    return FALSE;
}

void lv_migrate_answer_clear(LvMigrateAnswer *answer)
{
    g_clear_pointer(&answer->cookie, g_bytes_unref);
    g_clear_pointer(&answer->uri, g_free);
    g_clear_pointer(&answer->name, g_free);
}

GByteArray *lv_migrate_answer_encode(const LvMigrateAnswer *answer, gboolean finish)
{
    GByteArray *out = g_byte_array_new();

    if (finish) {
        xdr_put_string(out, answer->name);
        xdr_put_fixed(out, answer->uuid, sizeof(answer->uuid));
        xdr_put_u32(out, answer->id);
    }
    cookie_encode(out, answer->cookie);
    if (!finish)
        xdr_put_optional_string(out, answer->uri);
    return out;
}

gboolean lv_migrate_answer_decode(const guint8 *body, gsize size, gboolean finish,
                                  LvMigrateAnswer *ret_answer)
{
    XdrReader reader = { body, size, 0, FALSE };
    const guint8 *uuid;

    memset(ret_answer, 0, sizeof(*ret_answer));
    if (finish) {
        ret_answer->name = xdr_get_string(&reader, LV_STRING_MAX);
        uuid = xdr_get_fixed(&reader, sizeof(ret_answer->uuid));
        if (uuid)
            memcpy(ret_answer->uuid, uuid, sizeof(ret_answer->uuid));
        ret_answer->id = xdr_get_u32(&reader);
    }
    ret_answer->cookie = cookie_decode(&reader);
    if (!finish)
        ret_answer->uri = xdr_get_optional_string(&reader, LV_STRING_MAX);
    if (xdr_finished(&reader))
        return TRUE;
    lv_migrate_answer_clear(ret_answer);
    return FALSE;
}

/* The structure has room for a domain, three strings and a network; nobody looks at them. */
GByteArray *lv_error_encode(guint32 code, const char *text)
{
    GByteArray *out = g_byte_array_new();

    xdr_put_u32(out, code);
    xdr_put_u32(out, ERROR_DOMAIN_QEMU);
    xdr_put_optional_string(out, text);
    xdr_put_u32(out, ERROR_LEVEL);
    xdr_put_u32(out, 0);                          /* no domain */
    xdr_put_optional_string(out, "%s");
    xdr_put_optional_string(out, text);
    xdr_put_optional_string(out, NULL);
    xdr_put_u32(out, (guint32)-1);
    xdr_put_u32(out, (guint32)-1);
    xdr_put_u32(out, 0);                          /* no network */
    return out;
}

/* Only what can be shown to people in one line. */
static char *printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *out = g_string_new(NULL);

    for (const char *at = valid; *at && out->len < ERROR_TEXT_MAX; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        g_string_append_unichar(out, g_unichar_isprint(c) ? c : ' ');
    }
    return g_string_free(out, FALSE);
}

gboolean lv_error_decode(const guint8 *body, gsize size, guint32 *ret_code, char **ret_text)
{
    XdrReader reader = { body, size, 0, FALSE };
    g_autofree char *text = NULL;

    *ret_code = xdr_get_u32(&reader);
    xdr_get_u32(&reader);
    text = xdr_get_optional_string(&reader, LV_STRING_MAX);
    *ret_text = printable(text);
    return !reader.bad;
}
