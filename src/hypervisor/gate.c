/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate.c - the destination's end of a migration's libvirt RPC: admits one reserved job only
 *
 * Goal. A libvirt connection is code execution as the daemon's user: it names emulators and files.
 * A peer must be able to migrate the one job that was reserved for it, and nothing more.
 *
 * How. There are two conversations and no path for bytes between them. The peer's is decoded here,
 * call by call, by a table of what may come when. What our libvirtd is told is written here: the
 * domain's XML comes from the reservation, the URI is our own, the flags are constants, the cookie
 * is rewritten (gate-cookie.h). Of the peer's words only these have an effect: the cookie's host,
 * capabilities and statistics, and whether FINISH3 is a cancellation.
 *
 *      peer (the source's libvirt client)            our libvirtd
 *      AUTH_LIST, CONNECT_OPEN, features             CONNECT_OPEN                    OPENING, READY
 *      PREPARE3(params, cookie)                ~>    PREPARE3(our XML, our URI)      PREPARING
 *      answer(cookie, the peer's own URI)      <~    answer                          COPYING  
 *      prepared() FINISH3(cookie, cancelled)              ~>    FINISH3                        
 *      FINISHING
 *                                                    answer: guest there, paused     DECIDING 
 *                                                    finished()
 *      answer or error                                                               CLOSING  
 *      gate_commit, gate_refuse
 *
 * Invariants. Each of the calls but "features" is taken once, in this order; a call before the
 * answer to the last one is a violation. A violation closes the connection. Until FINISH3 has been
 * passed on, the end of our connection makes our libvirtd destroy the incoming guest, so every way
 * out is safe. Once FINISH3 has succeeded nothing is answered until the commit is decided, not even
 * if the peer leaves.
 *
 * Limits. Memory: one packet from either side (GATE_PACKET_MAX) and its decoded form. Time: see
 * patience().
 */
#include "gate-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/fault.h"
#include "common/log.h"
#include "common/source.h"

#define GREETING_MAX (4u << 10)    /* bytes of a packet before CONNECT_OPEN */
#define OWN_LIBVIRTD_S 120
#define LINGER_S 2                 /* for the peer to read the last answer and hang up */

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

void gate_end(Gate *gate, gboolean violation, const char *format, ...)
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
    gate->end = source_add(g_idle_source_new(), g_main_context_get_thread_default(), on_end, gate);
}

void gate_peer_fault(Gate *gate, gboolean violation, const char *format, ...)
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

void gate_enter(Gate *gate, GatePhase phase)
{
    guint seconds = patience(gate, phase);

    gate->phase = phase;
    source_clear(&gate->timer);
    if (seconds == 0)
        return;
    gate->timer = source_add(g_timeout_source_new_seconds(seconds), g_main_context_get_thread_default(), on_timer, gate);
}

static gboolean on_quiet(gpointer user)
{
    Gate *gate = user;

    source_clear(&gate->quiet);
    gate_peer_fault(gate, FALSE, "the source said nothing for %u seconds", gate->silence_s);
    return G_SOURCE_REMOVE;
}

void gate_heard(Gate *gate)
{
    source_clear(&gate->quiet);
    gate->quiet = source_add(g_timeout_source_new_seconds(gate->silence_s), g_main_context_get_thread_default(), on_quiet,
                             gate);
}

/* Answers to the peer */

void gate_answer(Gate *gate, const LvHeader *call, guint32 status, GByteArray *body)
{
    LvHeader reply = lv_reply_to(call, status);

    if (gate->peer)
        lv_conn_send(gate->peer, &reply, body);
}

/* The last answer of all; a peer that has left already needs none. */
static void answer_last(Gate *gate, guint32 status, GByteArray *body)
{
    gate_answer(gate, &gate->call, status, body);
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
    args.flags = GATE_FLAGS;
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
    args.flags = GATE_FLAGS;
    args.cancelled = gate->cancelled;
    body = lv_migrate_args_encode(&args, TRUE);
    lv_migrate_args_clear(&args);
    call_local(gate, LV_FINISH3_PARAMS, body);
}

void gate_prepare(Gate *gate, const LvHeader *call, GBytes *cookie)
{
    gate->call = *call;
    gate->prepare = own_prepare(gate, cookie);
    gate_enter(gate, GATE_PREPARING);
    call_prepare(gate);
}

void gate_finish(Gate *gate, const LvHeader *call, GBytes *cookie)
{
    gate->call = *call;
    gate_enter(gate, GATE_FINISHING);
    call_finish(gate, cookie);
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
        gate_answer(gate, &gate->call, LV_OK, out);
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

static void local_packet(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                         gpointer user)
{
    Gate *gate = user;

    if (gate_keepalive(conn, header, size) || header->type == LV_MESSAGE)
        return;
    if (header->program != LV_PROGRAM || header->type != LV_REPLY ||
        header->serial != gate->serial) {
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

Gate *gate_new_connected(int peer_fd, int libvirtd_fd, const GateConfig *config,
                         const GateEvents *events, gpointer user)
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
    gate->peer = lv_conn_new(peer_fd, GREETING_MAX, &gate_peer_events, gate);
    gate_enter(gate, GATE_GREETING);
    if (libvirtd_fd < 0) {
        gate_end(gate, FALSE, "our libvirtd can not be reached: %s", g_strerror(saved));
        return gate;
    }
    gate->local = lv_conn_new(libvirtd_fd, GATE_PACKET_MAX, &local_events, gate);
    call_open(gate);
    return gate;
}

Gate *gate_new(int peer_fd, const GateConfig *config, const GateEvents *events, gpointer user)
{
    return gate_new_connected(peer_fd, connect_local(config->libvirtd_socket), config, events,
                              user);
}

void gate_commit(Gate *gate)
{
    g_autoptr(GByteArray) body = NULL;

    g_return_if_fail(gate->phase == GATE_DECIDING);
    if (fault("destination.answer")) {
        gate_end(gate, FALSE, "its last answer was lost");
        return;
    }
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
