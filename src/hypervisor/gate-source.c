/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-source.c - the source's end of a migration's libvirt RPC: our client and their gate
 *
 * Calls of our own client are passed on as they are, one at a time (the client waits for each). Of
 * the destination only the answer to the call under way is admitted, and only if it is what a gate
 * would say. Before FINISH3 every fault simply ends the conversation: the client fails, the guest
 * goes on here, the gate has its guest destroyed. From FINISH3 (not cancelled) on a fault is no
 * answer, and is held until the caller has settled.
 */
#include "gate-source.h"

#include <string.h>

#include "common/fault.h"
#include "common/log.h"
#include "common/source.h"
#include "gate-cookie.h"
#include "libvirt-rpc.h"

#define PACKET_MAX (2u << 20)
#define PING_S 5
#define SILENCE_PINGS 4            /* so many without any word of the destination: it is gone */

struct GateSource {
    char *name, *uuid;
    const GateSourceEvents *events;
    gpointer user;

    LvConn *client, *peer;         /* NULL when closed */
    gboolean open;                 /* a call waits for its answer ... */
    LvHeader call;                 /* ... this one */
    char *stream_uri;              /* our own, from PREPARE3 */
    GByteArray *held;              /* PREPARE3's or FINISH3's answer, until gate_source_go_on ... */
    LvHeader held_header;          /* ... and its header */
    gboolean finishing;            /* FINISH3 that is no cancellation has been passed on, and not answered */
    gboolean settling;             /* unsure() has been, or is about to be, called */
    gboolean complete;             /* FINISH3 has been answered */
    guint unheard;                 /* pings since the destination's last packet */

    char *reason;
    gboolean violation, over;
    GSource *later;                /* a callback that is due */
    GSource *pinger;
    guint busy;
    gboolean dead;
};

static void source_fault(GateSource *gate, gboolean violation, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

static gboolean on_later(gpointer user)
{
    GateSource *gate = user;

    gate->busy++;
    source_clear(&gate->later);
    if (gate->over)
        gate->events->ended(gate, gate->reason, gate->violation, gate->user);
    else
        gate->events->unsure(gate, gate->reason ? gate->reason : "no answer", gate->user);
    if (--gate->busy == 0 && gate->dead)
        g_free(gate);
    return G_SOURCE_REMOVE;
}

static void call_back_later(GateSource *gate)
{
    source_clear(&gate->later);
    gate->later = source_add(g_idle_source_new(), g_main_context_get_thread_default(), on_later, gate);
}

static void source_over(GateSource *gate)
{
    if (gate->over)
        return;
    gate->over = TRUE;
    g_clear_pointer(&gate->peer, lv_conn_free);
    source_clear(&gate->pinger);
    call_back_later(gate);
}

/* The destination is of no more use. */
static void source_fault(GateSource *gate, gboolean violation, const char *format, ...)
{
    va_list args;

    if (!gate->reason && !(gate->complete && !violation)) {
        va_start(args, format);
        gate->reason = g_strdup_vprintf(format, args);
        va_end(args);
    }
    if (violation)
        log_warning("migration of job %s: refused an answer: %s", gate->uuid, gate->reason);
    gate->violation |= violation;
    g_clear_pointer(&gate->peer, lv_conn_free);
    if (gate->complete && gate->held) {
        return; /* all has been said; our client will hear it */
    } else if (!gate->finishing) {
        source_over(gate);
    } else if (!gate->settling) {
        gate->settling = TRUE;
        call_back_later(gate);
    }
}

static gboolean on_ping(gpointer user)
{
    static const LvHeader ping = { LV_KEEPALIVE, LV_VERSION, LV_PING, LV_MESSAGE, 0, LV_OK };
    GateSource *gate = user;

    if (!gate->peer)
        return G_SOURCE_CONTINUE;
    if (gate->unheard++ >= SILENCE_PINGS)
        source_fault(gate, FALSE, "the destination does not answer any more");
    else
        lv_conn_send(gate->peer, &ping, NULL);
    return G_SOURCE_CONTINUE;
}

/* From our client */

static void note_prepare(GateSource *gate, const guint8 *body, gsize size)
{
    LvMigrateArgs args;

    if (!lv_migrate_args_decode(body, size, FALSE, &args))
        return;
    for (guint i = 0; i < args.params->len; i++) {
        const LvParam *param = args.params->pdata[i];

        if (g_str_equal(param->field, "migrate_uri") && param->string && !gate->stream_uri)
            gate->stream_uri = g_strdup(param->string);
    }
    lv_migrate_args_clear(&args);
}

static gboolean is_final(const guint8 *body, gsize size)
{
    LvMigrateArgs args;
    gboolean final;

    if (!lv_migrate_args_decode(body, size, TRUE, &args))
        return TRUE;
    final = args.cancelled == 0;
    lv_migrate_args_clear(&args);
    return final;
}

/* Answered here: whether the destination is there is our concern, and libvirt must wait while we
 * settle. */
static gboolean is_ping(LvConn *conn, const LvHeader *header)
{
    LvHeader pong = *header;

    if (header->program != LV_KEEPALIVE)
        return FALSE;
    pong.procedure = LV_PONG;
    if (header->procedure == LV_PING)
        lv_conn_send(conn, &pong, NULL);
    return TRUE;
}

static void client_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                          gpointer user)
{
    GateSource *gate = user;
    g_autoptr(GByteArray) copy = g_byte_array_new();

    if (is_ping(conn, header))
        return;
    gate->open = TRUE;
    gate->call = *header;
    if (header->procedure == LV_PREPARE3_PARAMS)
        note_prepare(gate, body, size);
    else if (header->procedure == LV_FINISH3_PARAMS)
        gate->finishing = gate->peer && is_final(body, size);
    if (!gate->peer) {
        source_over(gate);
        return;
    }
    g_byte_array_append(copy, body, size);
    lv_conn_send(gate->peer, header, copy);
    if (gate->finishing)
        fault("source.finishing");
}

static void client_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
    GateSource *gate = user;

    g_clear_pointer(&gate->client, lv_conn_free);
    gate->finishing = FALSE;  /* whoever waited for it is gone */
    source_over(gate);
}

/* From the destination */

static void pass(GateSource *gate, const LvHeader *header, const GByteArray *body)
{
    gate->open = FALSE;
    gate->finishing = FALSE;
    gate->complete |= header->procedure == LV_FINISH3_PARAMS;
    if (gate->client)
        lv_conn_send(gate->client, header, body);
}

/* An answer that somebody may want to be told of before our client hears it. It is kept first: gate_source_go_on may come
 * from within. */
static void hold(GateSource *gate, const LvHeader *header, GByteArray *body, gboolean (*told)(GateSource *, gpointer))
{
    gate->held_header = *header;
    gate->held = g_byte_array_ref(body);
    if (!told || !told(gate, gate->user))
        gate_source_go_on(gate);
}

/* The guest has left. */
static void finish(GateSource *gate, const LvHeader *header, GByteArray *body)
{
    gate->complete = TRUE;
    gate->finishing = FALSE;
    hold(gate, header, body, gate->events->finished);
}

/* The cookie as our libvirt may see it; FALSE when it is not fit to be seen. */
static gboolean admit_cookie(GateSource *gate, LvMigrateAnswer *answer)
{
    g_autoptr(GError) error = NULL;
    GBytes *cookie;

    if (g_bytes_get_size(answer->cookie) == 0)
        return TRUE;
    cookie = gate_cookie_rewrite(answer->cookie, gate->name, gate->uuid, &error);
    if (!cookie) {
        source_fault(gate, TRUE, "%s", error->message);
        return FALSE;
    }
    g_bytes_unref(answer->cookie);
    answer->cookie = cookie;
    return TRUE;
}

static void pass_answer(GateSource *gate, const LvHeader *header, const guint8 *body, gsize size,
                        gboolean finished)
{
    g_autoptr(GByteArray) out = NULL;
    LvMigrateAnswer answer;

    if (!lv_migrate_answer_decode(body, size, finished, &answer)) {
        source_fault(gate, TRUE, "an answer that can not be decoded");
        return;
    }
    if (!finished && g_strcmp0(answer.uri, gate->stream_uri) != 0) {
        source_fault(gate, TRUE, "another place for the stream");
    } else if (finished && g_strcmp0(answer.name, gate->name) != 0) {
        source_fault(gate, TRUE, "another domain");
    } else if (admit_cookie(gate, &answer)) {
        out = lv_migrate_answer_encode(&answer, finished);
        if (!finished)
            hold(gate, header, out, gate->events->prepared);
        else if (gate->finishing)
            finish(gate, header, out);
        else
            pass(gate, header, out);
    }
    lv_migrate_answer_clear(&answer);
}

static void pass_error(GateSource *gate, const LvHeader *header, const guint8 *body, gsize size)
{
    g_autoptr(GByteArray) out = NULL;
    g_autofree char *text = NULL;
    guint32 code;

    if (!lv_error_decode(body, size, &code, &text)) {
        source_fault(gate, TRUE, "an error that can not be decoded");
        return;
    }
    if (gate->finishing) {
        source_fault(gate, FALSE, "%s", text);
        return;
    }
    out = lv_error_encode(code, text);
    pass(gate, header, out);
}

static void pass_short(GateSource *gate, const LvHeader *header, const guint8 *body, gsize size)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    if (size > 8) {
        source_fault(gate, TRUE, "an answer of %" G_GSIZE_FORMAT " bytes to procedure %u", size,
                     header->procedure);
        return;
    }
    g_byte_array_append(out, body, size);
    pass(gate, header, out);
}

static void on_reply(GateSource *gate, const LvHeader *header, const guint8 *body, gsize size)
{
    if (!gate->open || header->version != LV_VERSION || header->type != LV_REPLY ||
        header->serial != gate->call.serial || header->procedure != gate->call.procedure ||
        header->status > LV_ERROR)
        source_fault(gate, TRUE, "an answer that was not asked for");
    else if (gate->finishing && fault("source.answer"))
        log_warning("migration of job %s: the destination's last answer was lost", gate->uuid);
    else if (header->status == LV_ERROR)
        pass_error(gate, header, body, size);
    else if (header->procedure == LV_PREPARE3_PARAMS || header->procedure == LV_FINISH3_PARAMS)
        pass_answer(gate, header, body, size, header->procedure == LV_FINISH3_PARAMS);
    else
        pass_short(gate, header, body, size);
}

static void peer_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                        gpointer user)
{
    GateSource *gate = user;

    gate->unheard = 0;
    if (header->program == LV_PROGRAM)
        on_reply(gate, header, body, size);
    else if (header->program != LV_KEEPALIVE || header->procedure != LV_PONG || size != 0)
        source_fault(gate, TRUE, "program 0x%x, procedure %u", header->program, header->procedure);
}

static void peer_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
    source_fault(user, bad, "the destination %s", why);
}

static const LvEvents client_events = { client_packet, client_closed };
static const LvEvents peer_events = { peer_packet, peer_closed };

GateSource *gate_source_new(int client_fd, int peer_fd, const GateSourceConfig *config,
                            const GateSourceEvents *events, gpointer user)
{
    GateSource *gate = g_new0(GateSource, 1);

    gate->name = g_strdup(config->domain_name);
    gate->uuid = g_strdup(config->domain_uuid);
    gate->events = events;
    gate->user = user;
    gate->client = lv_conn_new(client_fd, PACKET_MAX, &client_events, gate);
    gate->peer = lv_conn_new(peer_fd, PACKET_MAX, &peer_events, gate);
    gate->pinger = source_add(g_timeout_source_new_seconds(PING_S), g_main_context_get_thread_default(), on_ping, gate);
    return gate;
}

/* libvirt looks at the name and the UUID of the answer only to make an object of them. */
static GByteArray *made_up_success(const GateSource *gate)
{
    LvMigrateAnswer answer = { .cookie = g_bytes_new(NULL, 0),
                               .name = g_strdup(gate->name),
                               .id = G_MAXUINT32 };
    GByteArray *body;
    guint at = 0;

    for (const char *c = gate->uuid; *c && c[1] && at < sizeof(answer.uuid); c++) {
        if (*c == '-')
            continue;
        answer.uuid[at++] = g_ascii_xdigit_value(c[0]) << 4 | g_ascii_xdigit_value(c[1]);
        c++;
    }
    body = lv_migrate_answer_encode(&answer, TRUE);
    lv_migrate_answer_clear(&answer);
    return body;
}

void gate_source_go_on(GateSource *gate)
{
    g_autoptr(GByteArray) held = g_steal_pointer(&gate->held);

    if (held)
        pass(gate, &gate->held_header, held);
}

void gate_source_settle(GateSource *gate, gboolean ours)
{
    g_autoptr(GByteArray) body = NULL;
    LvHeader reply;

    g_return_if_fail(gate->settling);
    if (gate->over || !gate->finishing)
        return;
    reply = lv_reply_to(&gate->call, ours ? LV_ERROR : LV_OK);
    body = ours ? lv_error_encode(LV_CODE_OPERATION_FAILED, gate->reason) : made_up_success(gate);
    if (ours)
        pass(gate, &reply, body);
    else
        finish(gate, &reply, body);
}

void gate_source_free(GateSource *gate)
{
    if (!gate)
        return;
    lv_conn_free(gate->client);
    lv_conn_free(gate->peer);
    source_clear(&gate->later);
    source_clear(&gate->pinger);
    g_free(gate->name);
    g_free(gate->uuid);
    g_free(gate->stream_uri);
    g_free(gate->reason);
    g_clear_pointer(&gate->held, g_byte_array_unref);
    gate->dead = TRUE;
    if (gate->busy == 0)
        g_free(gate);
}
