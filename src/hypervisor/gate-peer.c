/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-peer.c - what a peer may say to the gate, and when: all of it is in this file */
#include "gate-private.h"

#include <string.h>

#include "gate-cookie.h"

#define FEATURES_MAX 16            /* a client of libvirt 9.0 asks about 6 */
#define URI_MAX 200

/* The parameters that a client of ours sends. The XML is read by nobody. */
static gboolean admit_params(Gate *gate, const GPtrArray *params)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < params->len; i++) {
        const LvParam *param = params->pdata[i];
        gboolean text = param->type == LV_PARAM_STRING;

        if (!g_hash_table_add(seen, param->field)) {
            gate_peer_fault(gate, TRUE, "parameter %s twice", param->field);
            return FALSE;
        }
        if (g_str_equal(param->field, "destination_xml") && text)
            continue;
        if (g_str_equal(param->field, "bandwidth") && param->type == LV_PARAM_ULLONG)
            continue;
        if (g_str_equal(param->field, "migrate_uri") && text &&
            g_str_has_prefix(param->string, "unix:") && strlen(param->string) <= URI_MAX &&
            g_str_is_ascii(param->string)) {
            if (!gate->stream_uri)
                gate->stream_uri = g_strdup(param->string);
            if (g_str_equal(gate->stream_uri, param->string))
                continue;
        }
        if (g_str_equal(param->field, "destination_name") && text &&
            g_str_equal(param->string, gate->name))
            continue;
        gate_peer_fault(gate, TRUE, "parameter %s, or its value, is not admitted", param->field);
        return FALSE;
    }
    return TRUE;
}

/* Decodes and checks what PREPARE3 and FINISH3 have in common; NULL when that was the end. The
 * cookie of a cancellation may be absent: *ret_cookie is NULL then. */
static gboolean admit_migrate(Gate *gate, const guint8 *body, gsize size, gboolean finish,
                              GBytes **ret_cookie)
{
    g_autoptr(GError) error = NULL;
    LvMigrateArgs args;

    *ret_cookie = NULL;
    if (!lv_migrate_args_decode(body, size, finish, &args)) {
        gate_peer_fault(gate, TRUE, "arguments that can not be decoded");
        return FALSE;
    }
    gate->cancelled = finish && args.cancelled;
    if (args.flags != GATE_FLAGS)
        gate_peer_fault(gate, TRUE, "migration flags 0x%x", args.flags);
    else if (finish && args.cancelled > 1)
        gate_peer_fault(gate, TRUE, "a cancellation of %u", args.cancelled);
    else if (admit_params(gate, args.params) && !(finish && g_bytes_get_size(args.cookie) == 0)) {
        *ret_cookie = gate_cookie_rewrite(args.cookie, gate->name, gate->uuid, &error);
        if (!*ret_cookie)
            gate_peer_fault(gate, TRUE, "%s", error->message);
    }
    lv_migrate_args_clear(&args);
    return gate->phase != GATE_ENDED;
}

static void on_prepare(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    g_autoptr(GBytes) cookie = NULL;

    if (!admit_migrate(gate, body, size, FALSE, &cookie))
        return;
    if (!gate->stream_uri) {
        gate_peer_fault(gate, TRUE, "no parameter migrate_uri");
        return;
    }
    gate_prepare(gate, call, cookie);
}

static void on_finish(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    g_autoptr(GBytes) cookie = NULL;

    if (!admit_migrate(gate, body, size, TRUE, &cookie))
        return;
    gate_finish(gate, call, cookie);
}

static void answer_u32s(Gate *gate, const LvHeader *call, guint32 first, gint64 second)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    xdr_put_u32(body, first);
    if (second >= 0)
        xdr_put_u32(body, second);
    gate_answer(gate, call, LV_OK, body);
}

static void on_auth_list(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    if (size != 0) {
        gate_peer_fault(gate, TRUE, "AUTH_LIST with arguments");
        return;
    }
    gate_enter(gate, GATE_OPENING);
    answer_u32s(gate, call, 1, 0);  /* one kind: none, the peer's certificate has been checked */
}

static void on_connect_open(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    XdrReader reader = { body, size, 0, FALSE };
    g_autofree char *name = xdr_get_optional_string(&reader, URI_MAX);

    xdr_get_u32(&reader); /* flags mean nothing: a genuine client leaves some of its own in */
    if (!xdr_finished(&reader) || (name && !g_str_has_prefix(name, "qemu:"))) {
        gate_peer_fault(gate, TRUE, "CONNECT_OPEN with other arguments");
        return;
    }
    lv_conn_set_max(gate->peer, GATE_PACKET_MAX);
    gate_enter(gate, GATE_READY);
    gate_answer(gate, call, LV_OK, NULL);
}

/* Whatever else is asked about is not supported, so that the client does without. */
static void on_feature(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    enum { MIGRATION_V3 = 6, KEEPALIVE = 10, MIGRATION_PARAMS = 13 };
    XdrReader reader = { body, size, 0, FALSE };
    guint32 feature = xdr_get_u32(&reader);

    if (!xdr_finished(&reader) || ++gate->features > FEATURES_MAX) {
        gate_peer_fault(gate, TRUE, "SUPPORTS_FEATURE too often, or with other arguments");
        return;
    }
    answer_u32s(gate, call,
                feature == MIGRATION_V3 || feature == KEEPALIVE || feature == MIGRATION_PARAMS, -1);
}

static void on_close(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    if (size != 0) {
        gate_peer_fault(gate, TRUE, "CONNECT_CLOSE with arguments");
        return;
    }
    gate_answer(gate, call, LV_OK, NULL);
    if (gate->phase == GATE_CLOSING)
        gate_end(gate, FALSE, NULL);
    else
        gate_end(gate, FALSE, "the source gave up");
}

#define IN(phase) (1u << (phase))
#define IN_QUIET (IN(GATE_OPENING) | IN(GATE_READY) | IN(GATE_COPYING) | IN(GATE_CLOSING))

/* All that is admitted. */
static const struct {
    guint32 procedure;
    guint phases;
    void (*handle)(Gate *gate, const LvHeader *call, const guint8 *body, gsize size);
} procedures[] = {
    { LV_AUTH_LIST, IN(GATE_GREETING), on_auth_list },
    { LV_CONNECT_OPEN, IN(GATE_OPENING), on_connect_open },
    { LV_SUPPORTS_FEATURE, IN(GATE_OPENING) | IN(GATE_READY) | IN(GATE_COPYING), on_feature },
    { LV_PREPARE3_PARAMS, IN(GATE_READY), on_prepare },
    { LV_FINISH3_PARAMS, IN(GATE_COPYING), on_finish },
    { LV_CONNECT_CLOSE, IN_QUIET, on_close },
};

static void on_call(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    for (guint i = 0; i < G_N_ELEMENTS(procedures); i++) {
        if (procedures[i].procedure != call->procedure)
            continue;
        if (procedures[i].phases & IN(gate->phase))
            procedures[i].handle(gate, call, body, size);
        else
            gate_peer_fault(gate, TRUE, "procedure %u out of order", call->procedure);
        return;
    }
    gate_peer_fault(gate, TRUE, "procedure %u", call->procedure);
}

gboolean gate_keepalive(LvConn *conn, const LvHeader *header, gsize size)
{
    LvHeader pong = *header;

    if (header->program != LV_KEEPALIVE || header->version != LV_VERSION ||
        header->type != LV_MESSAGE || size != 0)
        return FALSE;
    pong.procedure = LV_PONG;
    if (header->procedure == LV_PING)
        lv_conn_send(conn, &pong, NULL);
    return header->procedure == LV_PING || header->procedure == LV_PONG;
}

static void peer_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                        gpointer user)
{
    Gate *gate = user;

    if (gate_keepalive(conn, header, size)) {
        gate_heard(gate);
        return;
    }
    if (header->program == LV_PROGRAM && header->version == LV_VERSION && header->type == LV_CALL &&
        header->status == LV_OK)
        on_call(gate, header, body, size);
    else
        gate_peer_fault(gate, TRUE, "program 0x%x, type %u", header->program, header->type);
}

static void peer_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
    Gate *gate = user;

    if (gate->phase == GATE_CLOSING && !bad)
        gate_end(gate, FALSE, NULL);
    else
        gate_peer_fault(gate, bad, "the source %s", why);
}

const LvEvents gate_peer_events = { peer_packet, peer_closed };
