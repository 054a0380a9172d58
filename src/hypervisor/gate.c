/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.c - the destination's end of a migration's libvirt RPC: admits one reserved job, and nothing else
 *
 * Goal. A libvirt connection is code execution as the daemon's user: it names emulators and files. A peer must be
 * able to migrate the one job that was reserved for it, and nothing more.
 *
 * How. There are two conversations and no path for bytes between them. The peer's is decoded here, call by call, by
 * a table of what may come when. What our libvirtd is told is written here: the domain's XML comes from the reservation,
 * the URI is our own, the flags are constants, the cookie is rewritten (gate-cookie.h). Of the peer's words only these
 * have an effect: the cookie's host, capabilities and statistics, and whether FINISH3 is a cancellation.
 *
 *      peer (the source's libvirt client)            our libvirtd
 *      AUTH_LIST, CONNECT_OPEN, features             CONNECT_OPEN                    OPENING, READY
 *      PREPARE3(params, cookie)                ~>    PREPARE3(our XML, our URI)      PREPARING
 *      answer(cookie, the peer's own URI)      <~    answer                          COPYING   prepared()
 *      FINISH3(cookie, cancelled)              ~>    FINISH3                         FINISHING
 *                                                    answer: guest there, paused     DECIDING  finished()
 *      answer or error                                                               CLOSING   gate_commit, gate_refuse
 *
 * Invariants. Each of the calls but "features" is taken once, in this order; a call before the answer to the last one
 * is a violation. A violation closes the connection. Until FINISH3 has been passed on, the end of our connection makes
 * our libvirtd destroy the incoming guest, so every way out is safe. Once FINISH3 has succeeded nothing is answered
 * until the commit is decided, not even if the peer leaves.
 *
 * Limits. Memory: one packet from either side (PACKET_MAX) and its decoded form. Time: see patience().
 */
#include "gate.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "gate-cookie.h"
#include "libvirt-rpc.h"

#define GREETING_MAX (4u << 10)    /* bytes of a packet before CONNECT_OPEN */
#define PACKET_MAX (2u << 20)
#define FEATURES_MAX 16            /* a client of libvirt 9.0 asks about 6 */
#define URI_MAX 200
#define OWN_LIBVIRTD_S 120
#define LINGER_S 2                 /* for the peer to read the last answer and hang up */
#define FLAGS (LV_MIGRATE_LIVE | LV_MIGRATE_PAUSED)

typedef enum {
    GATE_GREETING,     /* AUTH_LIST must come */
    GATE_OPENING,      /* CONNECT_OPEN */
    GATE_READY,        /* PREPARE3 */
    GATE_PREPARING,    /* our libvirtd is at it */
    GATE_COPYING,      /* FINISH3 must come */
    GATE_FINISHING,    /* our libvirtd is at it */
    GATE_DECIDING,     /* gate_commit or gate_refuse must come */
    GATE_CLOSING,      /* the last answer is out */
    GATE_ENDED
} GatePhase;

struct Gate {
    char *name, *uuid, *xml, *incoming_uri;
    guint silence_s, copy_s;
    const GateEvents *events;
    gpointer user;

    GatePhase phase;
    LvConn *peer, *local;          /* NULL when closed */
    gboolean local_open;           /* our CONNECT_OPEN has been answered */
    guint32 serial;                /* of our last call */
    LvHeader call;                 /* the peer's, that waits for its answer */
    guint features;
    char *stream_uri;              /* the peer's own, as it came in PREPARE3 */
    GByteArray *prepare;           /* waits for local_open */
    gboolean cancelled;
    LvMigrateAnswer finish;        /* what our libvirtd said, held back */

    char *reason;
    gboolean violation;
    GSource *timer, *quiet, *end;
    guint busy;                    /* callbacks of the user under way */
    gboolean dead;
};

static void gate_end(Gate *gate, gboolean violation, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void peer_fault(Gate *gate, gboolean violation, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void source_clear(GSource **source)
{
    if (*source) {
        g_source_destroy(*source);
        g_source_unref(*source);
        *source = NULL;
    }
}

/* FALSE when the gate was freed meanwhile. */
static gboolean gate_release(Gate *gate)
{
    gboolean dead = gate->dead;

    if (--gate->busy > 0 || !dead)
        return !dead;
    g_free(gate);
    return FALSE;
}

static gboolean on_end(gpointer user)
{
    Gate *gate = user;

    gate->busy++;
    source_clear(&gate->end);
    gate->events->ended(gate, gate->reason, gate->violation, gate->user);
    gate_release(gate);
    return G_SOURCE_REMOVE;
}

/* Closes both sides; ended() comes from the main loop. Only the first reason counts; a format of NULL keeps it. */
static void gate_end(Gate *gate, gboolean violation, const char *format, ...)
{
    va_list args;

    if (gate->phase == GATE_ENDED)
        return;
    if (format && !gate->reason) {
        va_start(args, format);
        gate->reason = g_strdup_vprintf(format, args);
        va_end(args);
    }
    gate->violation |= violation;
    gate->phase = GATE_ENDED;
    g_clear_pointer(&gate->peer, lv_conn_free);
    g_clear_pointer(&gate->local, lv_conn_free);
    source_clear(&gate->timer);
    source_clear(&gate->quiet);
    gate->end = g_idle_source_new();
    g_source_set_callback(gate->end, on_end, gate, NULL);
    g_source_attach(gate->end, g_main_context_get_thread_default());
}

/* The peer said what it may not say, or is gone. Once FINISH3 has been passed on the decision is not the peer's any more:
 * only its connection ends. */
static void peer_fault(Gate *gate, gboolean violation, const char *format, ...)
{
    g_autofree char *why = NULL;
    va_list args;

    va_start(args, format);
    why = g_strdup_vprintf(format, args);
    va_end(args);
    if (violation)
        log_warning("gate of job %s: refused: %s", gate->uuid, why);
    gate->violation |= violation;
    if (gate->phase == GATE_FINISHING || gate->phase == GATE_DECIDING)
        g_clear_pointer(&gate->peer, lv_conn_free);
    else
        gate_end(gate, violation, "%s", why);
}

static gboolean on_timer(gpointer user)
{
    Gate *gate = user;

    switch (gate->phase) {
    case GATE_CLOSING:
        gate_end(gate, FALSE, NULL);
        break;
    case GATE_PREPARING:
    case GATE_FINISHING:
        gate_end(gate, FALSE, "our libvirtd does not answer");
        break;
    case GATE_COPYING:
        gate_end(gate, FALSE, "the copy took longer than %u seconds", gate->copy_s);
        break;
    default:
        gate_end(gate, FALSE, "the source said nothing for %u seconds", gate->silence_s);
    }
    return G_SOURCE_REMOVE;
}

/* Seconds that a phase may last; 0: no limit. */
static guint patience(const Gate *gate, GatePhase phase)
{
    switch (phase) {
    case GATE_PREPARING:
    case GATE_FINISHING:
        return OWN_LIBVIRTD_S;
    case GATE_COPYING:
        return gate->copy_s;
    case GATE_CLOSING:
        return LINGER_S;
    case GATE_DECIDING:
    case GATE_ENDED:
        return 0;
    default:
        return gate->silence_s;
    }
}

static void gate_enter(Gate *gate, GatePhase phase)
{
    guint seconds = patience(gate, phase);

    gate->phase = phase;
    source_clear(&gate->timer);
    if (seconds == 0)
        return;
    gate->timer = g_timeout_source_new_seconds(seconds);
    g_source_set_callback(gate->timer, on_timer, gate, NULL);
    g_source_attach(gate->timer, g_main_context_get_thread_default());
}

static gboolean on_quiet(gpointer user)
{
    Gate *gate = user;

    source_clear(&gate->quiet);
    peer_fault(gate, FALSE, "the source said nothing for %u seconds", gate->silence_s);
    return G_SOURCE_REMOVE;
}

/* A peer that pings is heard of even during a long copy. */
static void gate_heard(Gate *gate)
{
    source_clear(&gate->quiet);
    gate->quiet = g_timeout_source_new_seconds(gate->silence_s);
    g_source_set_callback(gate->quiet, on_quiet, gate, NULL);
    g_source_attach(gate->quiet, g_main_context_get_thread_default());
}

/* Answers to the peer */

static void answer(Gate *gate, const LvHeader *call, guint32 status, GByteArray *body)
{
    LvHeader reply = lv_reply_to(call, status);

    if (gate->peer)
        lv_conn_send(gate->peer, &reply, body);
}

static void answer_u32s(Gate *gate, const LvHeader *call, guint32 first, gint64 second)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    xdr_put_u32(body, first);
    if (second >= 0)
        xdr_put_u32(body, second);
    answer(gate, call, LV_OK, body);
}

/* The last answer of all; a peer that has left already needs none. */
static void answer_last(Gate *gate, guint32 status, GByteArray *body)
{
    answer(gate, &gate->call, status, body);
    if (gate->phase == GATE_ENDED)
        return;
    gate_enter(gate, GATE_CLOSING);
    g_clear_pointer(&gate->local, lv_conn_free);
    if (!gate->peer)
        gate_end(gate, FALSE, "the source left before it could be told");
}

/* Our libvirtd could not, or there is to be no guest: the peer gets the error. */
static void answer_failure(Gate *gate, guint32 code, const char *text)
{
    g_autoptr(GByteArray) body = lv_error_encode(code, text);

    if (!gate->reason)
        gate->reason = g_strdup(text);
    answer_last(gate, LV_ERROR, body);
}

/* Calls to our libvirtd */

static void call_local(Gate *gate, guint32 procedure, GByteArray *body)
{
    LvHeader header = { LV_PROGRAM, LV_VERSION, procedure, LV_CALL, ++gate->serial, LV_OK };

    if (gate->local)
        lv_conn_send(gate->local, &header, body);
}

static void call_open(Gate *gate)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    xdr_put_optional_string(body, "qemu:///session");
    xdr_put_u32(body, 0);
    call_local(gate, LV_CONNECT_OPEN, body);
}

static void call_prepare(Gate *gate)
{
    if (gate->phase != GATE_PREPARING || !gate->local_open || !gate->prepare)
        return;
    call_local(gate, LV_PREPARE3_PARAMS, gate->prepare);
    g_clear_pointer(&gate->prepare, g_byte_array_unref);
}

static GByteArray *own_prepare(const Gate *gate, GBytes *cookie)
{
    LvMigrateArgs args;
    GByteArray *body;

    lv_migrate_args_init(&args);
    lv_migrate_args_add(&args, "migrate_uri", gate->incoming_uri);
    lv_migrate_args_add(&args, "destination_xml", gate->xml);
    g_bytes_unref(args.cookie);
    args.cookie = g_bytes_ref(cookie);
    args.flags = FLAGS;
    body = lv_migrate_args_encode(&args, FALSE);
    lv_migrate_args_clear(&args);
    return body;
}

static void call_finish(Gate *gate, GBytes *cookie)
{
    g_autoptr(GByteArray) body = NULL;
    LvMigrateArgs args;

    lv_migrate_args_init(&args);
    lv_migrate_args_add(&args, "destination_name", gate->name);
    if (cookie) {
        g_bytes_unref(args.cookie);
        args.cookie = g_bytes_ref(cookie);
    }
    args.flags = FLAGS;
    args.cancelled = gate->cancelled;
    body = lv_migrate_args_encode(&args, TRUE);
    lv_migrate_args_clear(&args);
    call_local(gate, LV_FINISH3_PARAMS, body);
}

/* What the peer may say */

/* The parameters that a client of ours sends. The XML is read by nobody. */
static gboolean admit_params(Gate *gate, const GPtrArray *params)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < params->len; i++) {
        const LvParam *param = params->pdata[i];
        gboolean text = param->type == LV_PARAM_STRING;

        if (!g_hash_table_add(seen, param->field)) {
            peer_fault(gate, TRUE, "parameter %s twice", param->field);
            return FALSE;
        }
        if (g_str_equal(param->field, "destination_xml") && text)
            continue;
        if (g_str_equal(param->field, "bandwidth") && param->type == LV_PARAM_ULLONG)
            continue;
        if (g_str_equal(param->field, "migrate_uri") && text && g_str_has_prefix(param->string, "unix:") &&
            strlen(param->string) <= URI_MAX && g_str_is_ascii(param->string)) {
            if (!gate->stream_uri)
                gate->stream_uri = g_strdup(param->string);
            if (g_str_equal(gate->stream_uri, param->string))
                continue;
        }
        if (g_str_equal(param->field, "destination_name") && text && g_str_equal(param->string, gate->name))
            continue;
        peer_fault(gate, TRUE, "parameter %s, or its value, is not admitted", param->field);
        return FALSE;
    }
    return TRUE;
}

/* Decodes and checks what PREPARE3 and FINISH3 have in common; NULL when that was the end. The cookie of a cancellation
 * may be absent: *ret_cookie is NULL then. */
static gboolean admit_migrate(Gate *gate, const guint8 *body, gsize size, gboolean finish, GBytes **ret_cookie)
{
    g_autoptr(GError) error = NULL;
    LvMigrateArgs args;

    *ret_cookie = NULL;
    if (!lv_migrate_args_decode(body, size, finish, &args)) {
        peer_fault(gate, TRUE, "arguments that can not be decoded");
        return FALSE;
    }
    gate->cancelled = finish && args.cancelled;
    if (args.flags != FLAGS)
        peer_fault(gate, TRUE, "migration flags 0x%x", args.flags);
    else if (finish && args.cancelled > 1)
        peer_fault(gate, TRUE, "a cancellation of %u", args.cancelled);
    else if (admit_params(gate, args.params) && !(finish && g_bytes_get_size(args.cookie) == 0)) {
        *ret_cookie = gate_cookie_rewrite(args.cookie, gate->name, gate->uuid, &error);
        if (!*ret_cookie)
            peer_fault(gate, TRUE, "%s", error->message);
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
        peer_fault(gate, TRUE, "no parameter migrate_uri");
        return;
    }
    gate->call = *call;
    gate->prepare = own_prepare(gate, cookie);
    gate_enter(gate, GATE_PREPARING);
    call_prepare(gate);
}

static void on_finish(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    g_autoptr(GBytes) cookie = NULL;

    if (!admit_migrate(gate, body, size, TRUE, &cookie))
        return;
    gate->call = *call;
    gate_enter(gate, GATE_FINISHING);
    call_finish(gate, cookie);
}

static void on_auth_list(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    if (size != 0) {
        peer_fault(gate, TRUE, "AUTH_LIST with arguments");
        return;
    }
    gate_enter(gate, GATE_OPENING);
    answer_u32s(gate, call, 1, 0);  /* one kind: none, the peer's certificate has been checked */
}

static void on_connect_open(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    XdrReader reader = { body, size, 0, FALSE };
    g_autofree char *name = xdr_get_optional_string(&reader, URI_MAX);

    xdr_get_u32(&reader);  /* flags are of no consequence: a genuine client leaves some of its driver's own in them */
    if (!xdr_finished(&reader) || (name && !g_str_has_prefix(name, "qemu:"))) {
        peer_fault(gate, TRUE, "CONNECT_OPEN with other arguments");
        return;
    }
    lv_conn_set_max(gate->peer, PACKET_MAX);
    gate_enter(gate, GATE_READY);
    answer(gate, call, LV_OK, NULL);
}

/* Whatever else is asked about is not supported, so that the client does without. */
static void on_feature(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    enum { MIGRATION_V3 = 6, KEEPALIVE = 10, MIGRATION_PARAMS = 13 };
    XdrReader reader = { body, size, 0, FALSE };
    guint32 feature = xdr_get_u32(&reader);

    if (!xdr_finished(&reader) || ++gate->features > FEATURES_MAX) {
        peer_fault(gate, TRUE, "SUPPORTS_FEATURE too often, or with other arguments");
        return;
    }
    answer_u32s(gate, call, feature == MIGRATION_V3 || feature == KEEPALIVE || feature == MIGRATION_PARAMS, -1);
}

static void on_close(Gate *gate, const LvHeader *call, const guint8 *body, gsize size)
{
    if (size != 0) {
        peer_fault(gate, TRUE, "CONNECT_CLOSE with arguments");
        return;
    }
    answer(gate, call, LV_OK, NULL);
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
            peer_fault(gate, TRUE, "procedure %u out of order", call->procedure);
        return;
    }
    peer_fault(gate, TRUE, "procedure %u", call->procedure);
}

/* Pings are answered at any time; TRUE when it was one of those. */
static gboolean keepalive(LvConn *conn, const LvHeader *header, gsize size)
{
    LvHeader pong = *header;

    if (header->program != LV_KEEPALIVE || header->version != LV_VERSION || header->type != LV_MESSAGE || size != 0)
        return FALSE;
    pong.procedure = LV_PONG;
    if (header->procedure == LV_PING)
        lv_conn_send(conn, &pong, NULL);
    return header->procedure == LV_PING || header->procedure == LV_PONG;
}

static void peer_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size, gpointer user)
{
    Gate *gate = user;

    if (keepalive(conn, header, size)) {
        gate_heard(gate);
        return;
    }
    if (header->program == LV_PROGRAM && header->version == LV_VERSION && header->type == LV_CALL &&
        header->status == LV_OK)
        on_call(gate, header, body, size);
    else
        peer_fault(gate, TRUE, "program 0x%x, type %u", header->program, header->type);
}

static void peer_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
    Gate *gate = user;

    if (gate->phase == GATE_CLOSING && !bad)
        gate_end(gate, FALSE, NULL);
    else
        peer_fault(gate, bad, "the source %s", why);
}

/* What our libvirtd says */

static void on_prepared(Gate *gate, const guint8 *body, gsize size)
{
    g_autoptr(GByteArray) out = NULL;
    LvMigrateAnswer said;

    if (!lv_migrate_answer_decode(body, size, FALSE, &said)) {
        gate_end(gate, FALSE, "our libvirtd's answer can not be decoded");
        return;
    }
    g_free(said.uri);
    said.uri = g_strdup(gate->stream_uri);
    out = lv_migrate_answer_encode(&said, FALSE);
    lv_migrate_answer_clear(&said);
    gate_enter(gate, GATE_COPYING);
    gate->busy++;
    gate->events->prepared(gate, gate->user);
    if (gate_release(gate))
        answer(gate, &gate->call, LV_OK, out);
}

static void on_finished(Gate *gate, const guint8 *body, gsize size)
{
    gboolean ours = lv_migrate_answer_decode(body, size, TRUE, &gate->finish);

    /* A cancelled migration has no guest, whatever is said. */
    if (!ours || g_strcmp0(gate->finish.name, gate->name) != 0 || gate->cancelled) {
        gate_end(gate, FALSE, "our libvirtd's answer to FINISH3 makes no sense");
        return;
    }
    g_clear_pointer(&gate->local, lv_conn_free);
    gate_enter(gate, GATE_DECIDING);
    gate->busy++;
    gate->events->finished(gate, TRUE, gate->user);
    gate_release(gate);
}

static void on_local_error(Gate *gate, const guint8 *body, gsize size)
{
    g_autofree char *text = NULL;
    gboolean finishing = gate->phase == GATE_FINISHING;
    guint32 code;

    if (!lv_error_decode(body, size, &code, &text) || !gate->local_open ||
        (gate->phase != GATE_PREPARING && !finishing)) {
        gate_end(gate, FALSE, "our libvirtd refuses: %s", text);
        return;
    }
    if (finishing && gate->cancelled)
        gate->reason = g_strdup("the source cancelled the migration");
    answer_failure(gate, code, text);
    if (!finishing)
        return;
    gate->busy++;
    gate->events->finished(gate, FALSE, gate->user);
    gate_release(gate);
}

static void local_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size, gpointer user)
{
    Gate *gate = user;

    if (keepalive(conn, header, size) || header->type == LV_MESSAGE)
        return;
    if (header->program != LV_PROGRAM || header->type != LV_REPLY || header->serial != gate->serial) {
        gate_end(gate, FALSE, "our libvirtd answered what was not asked");
        return;
    }
    if (header->status != LV_OK) {
        on_local_error(gate, body, size);
    } else if (!gate->local_open) {
        gate->local_open = TRUE;
        call_prepare(gate);
    } else if (gate->phase == GATE_PREPARING) {
        on_prepared(gate, body, size);
    } else if (gate->phase == GATE_FINISHING) {
        on_finished(gate, body, size);
    }
}

static void local_closed(LvConn *conn, const char *why, gboolean bad, gpointer user)
{
    Gate *gate = user;

    g_clear_pointer(&gate->local, lv_conn_free);
    gate_end(gate, FALSE, "our libvirtd %s", why);
}

/* Life */

static const LvEvents peer_events = { peer_packet, peer_closed };
static const LvEvents local_events = { local_packet, local_closed };

static int connect_local(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd, saved;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

Gate *gate_new_connected(int peer_fd, int libvirtd_fd, const GateConfig *config, const GateEvents *events, gpointer user)
{
    Gate *gate = g_new0(Gate, 1);
    int saved = errno;

    gate->name = g_strdup(config->domain_name);
    gate->uuid = g_strdup(config->domain_uuid);
    gate->xml = g_strdup(config->domain_xml);
    gate->incoming_uri = g_strconcat("unix://", config->incoming_path, NULL);
    gate->silence_s = config->silence_s ? config->silence_s : 30;
    gate->copy_s = config->copy_s ? config->copy_s : 3600;
    gate->events = events;
    gate->user = user;
    gate->peer = lv_conn_new(peer_fd, GREETING_MAX, &peer_events, gate);
    gate_enter(gate, GATE_GREETING);
    if (libvirtd_fd < 0) {
        gate_end(gate, FALSE, "our libvirtd can not be reached: %s", g_strerror(saved));
        return gate;
    }
    gate->local = lv_conn_new(libvirtd_fd, PACKET_MAX, &local_events, gate);
    call_open(gate);
    return gate;
}

Gate *gate_new(int peer_fd, const GateConfig *config, const GateEvents *events, gpointer user)
{
    return gate_new_connected(peer_fd, connect_local(config->libvirtd_socket), config, events, user);
}

void gate_commit(Gate *gate)
{
    g_autoptr(GByteArray) body = NULL;

    g_return_if_fail(gate->phase == GATE_DECIDING);
    body = lv_migrate_answer_encode(&gate->finish, TRUE);
    answer_last(gate, LV_OK, body);
}

void gate_refuse(Gate *gate, const char *text)
{
    g_return_if_fail(gate->phase == GATE_DECIDING);
    answer_failure(gate, LV_CODE_OPERATION_FAILED, text);
}

void gate_free(Gate *gate)
{
    if (!gate)
        return;
    lv_conn_free(gate->peer);
    lv_conn_free(gate->local);
    source_clear(&gate->timer);
    source_clear(&gate->quiet);
    source_clear(&gate->end);
    g_clear_pointer(&gate->prepare, g_byte_array_unref);
    lv_migrate_answer_clear(&gate->finish);
    g_free(gate->name);
    g_free(gate->uuid);
    g_free(gate->xml);
    g_free(gate->incoming_uri);
    g_free(gate->stream_uri);
    g_free(gate->reason);
    gate->dead = TRUE;
    gate->busy++;
    gate_release(gate);
}
