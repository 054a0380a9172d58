/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc.c - JSON-RPC 2.0 over a local stream socket on a GLib main context, with descriptors
 *
 * A message is one line. Descriptors arrive with the byte they were sent with; SCM_RIGHTS never lets one recvmsg
 * reach past the bytes of the next message that carries some, and a sender puts each on the first byte of its
 * message, so a received descriptor belongs to the line that begins in that read: the first line that is not yet
 * complete or that starts there. The connection keeps them in a queue, and a message that carries one says so by a
 * member "fd": true; so a line and its descriptor cannot be confused, even when reads join several lines.
 *
 * Limits: a line has at most 4 MiB, a connection at most 64 MiB of unsent output and 16 descriptors in waiting; past
 * those it is closed.
 */
#include "rpc.h"

#include "error.h"
#include "log.h"
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_MAX_BYTES (4u << 20)
#define OUTPUT_MAX_BYTES (64u << 20)
#define DESCRIPTORS_MAX 16

typedef struct {
    GString *text;
    gsize done;
    int fd; /* -1 or to be sent with the first byte */
} Output;

typedef struct {
    Rpc *rpc;
    RpcAnswer answer;
    gpointer user;
    GSource *timeout;
    gint64 id;
    char *method;
} Pending;

struct Rpc {
    gatomicrefcount references;
    int fd;
    GMainContext *context;
    GSource *reader, *writer, *closer;
    RpcEvents events;
    gpointer user;
    GString *input;
    gsize scanned;      /* of input, without a newline */
    GQueue outputs;     /* of Output */
    gsize queued;       /* bytes in outputs */
    GQueue descriptors; /* of GINT_TO_POINTER(fd) */
    GHashTable *pending; /* id → Pending */
    gint64 next_id;
    gboolean open;
};

struct RpcCall {
    Rpc *rpc;
    Json *id; /* NULL: a notification */
};

static void output_free(Output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    g_string_free(output->text, TRUE);
    g_free(output);
}

Rpc *rpc_ref(Rpc *rpc)
{
    g_atomic_ref_count_inc(&rpc->references);
    return rpc;
}

void rpc_unref(Rpc *rpc)
{
    if (!g_atomic_ref_count_dec(&rpc->references))
        return;
    source_clear(&rpc->reader);
    source_clear(&rpc->writer);
    source_clear(&rpc->closer);
    if (rpc->fd >= 0)
        close(rpc->fd);
    g_queue_clear_full(&rpc->outputs, (GDestroyNotify)output_free);
    while (!g_queue_is_empty(&rpc->descriptors))
        close(GPOINTER_TO_INT(g_queue_pop_head(&rpc->descriptors)));
    g_hash_table_unref(rpc->pending);
    g_string_free(rpc->input, TRUE);
    g_main_context_unref(rpc->context);
    g_free(rpc);
}

gboolean rpc_is_open(Rpc *rpc)
{
    return rpc->open;
}

/* Ends a call with an answer, once. */
static void pending_answer(Pending *pending, Json *result, int fd, const GError *error)
{
    Rpc *rpc = pending->rpc;

    g_hash_table_steal(rpc->pending, &pending->id);
    source_clear(&pending->timeout);
    if (pending->answer)
        pending->answer(rpc, result, fd, error, pending->user);
    else if (fd >= 0)
        close(fd);
    g_free(pending->method);
    g_free(pending);
    rpc_unref(rpc);
}

static gboolean rpc_closed_idle(gpointer user)
{
    g_autoptr(Rpc) rpc = rpc_ref(user);
    g_autoptr(GError) error = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The connection was closed");
    g_autoptr(GList) waiting = g_hash_table_get_values(rpc->pending);

    source_clear(&rpc->closer);
    for (GList *i = waiting; i; i = i->next)
        pending_answer(i->data, NULL, -1, error);
    if (rpc->events.closed)
        rpc->events.closed(rpc, rpc->user);
    rpc_unref(rpc); /* the reference taken by rpc_close */
    return G_SOURCE_REMOVE;
}

void rpc_close(Rpc *rpc)
{
    if (!rpc->open)
        return;
    rpc->open = FALSE;
    source_clear(&rpc->reader);
    source_clear(&rpc->writer);
    close(rpc->fd);
    rpc->fd = -1;
    rpc_ref(rpc);
    rpc->closer = source_add(g_idle_source_new(), rpc->context, rpc_closed_idle, rpc);
    g_source_set_priority(rpc->closer, G_PRIORITY_DEFAULT);
}

gboolean rpc_peer(Rpc *rpc, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (rpc->fd < 0 || getsockopt(rpc->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return FALSE;
    *ret_uid = peer.uid;
    *ret_gid = peer.gid;
    *ret_pid = peer.pid;
    return TRUE;
}

/* Output */

static ssize_t output_write(Rpc *rpc, Output *output)
{
    struct iovec part = {output->text->str + output->done, output->text->len - output->done};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (output->fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.space;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&control.header), &output->fd, sizeof(int));
    }
    return sendmsg(rpc->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static gboolean rpc_flush(gint fd, GIOCondition condition, gpointer user);

static void rpc_want_write(Rpc *rpc)
{
    if (!rpc->writer)
        rpc->writer = source_add(g_unix_fd_source_new(rpc->fd, G_IO_OUT), rpc->context,
                                 G_SOURCE_FUNC(rpc_flush), rpc);
}

static gboolean rpc_flush(gint fd, GIOCondition condition, gpointer user)
{
    Rpc *rpc = user;
    Output *output;

    while ((output = g_queue_peek_head(&rpc->outputs))) {
        ssize_t sent = output_write(rpc, output);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            rpc_want_write(rpc);
            return G_SOURCE_CONTINUE;
        }
        if (sent < 0) {
            rpc_close(rpc);
            return G_SOURCE_REMOVE;
        }
        if (output->fd >= 0) {
            close(output->fd);
            output->fd = -1;
        }
        output->done += sent;
        rpc->queued -= sent;
        if (output->done == output->text->len)
            output_free(g_queue_pop_head(&rpc->outputs));
    }
    source_clear(&rpc->writer);
    return G_SOURCE_REMOVE;
}

/* Takes over message. */
static void rpc_send(Rpc *rpc, Json *message, int fd)
{
    G_GNUC_UNUSED g_autoptr(Json) owned = message;
    g_autofree char *line = NULL;
    Output *output;

    if (!rpc->open)
        return;
    json_set_string(message, "jsonrpc", "2.0");
    if (fd >= 0)
        json_set_bool(message, "fd", TRUE);
    line = json_print(message);
    output = g_new0(Output, 1);
    output->text = g_string_new(line);
    g_string_append_c(output->text, '\n');
    output->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    rpc->queued += output->text->len;
    g_queue_push_tail(&rpc->outputs, output);
    if (rpc->queued > OUTPUT_MAX_BYTES || (fd >= 0 && output->fd < 0)) {
        log_warning("a connection was closed: its reader does not keep up");
        rpc_close(rpc);
    } else if (!rpc->writer) {
        rpc_flush(rpc->fd, G_IO_OUT, rpc);
    }
}

static gboolean pending_timeout(gpointer user)
{
    Pending *pending = user;
    g_autoptr(GError) error = g_error_new(SJ_ERROR, SJ_ERROR_TIMEOUT, "No answer to %s in time", pending->method);

    pending_answer(pending, NULL, -1, error);
    return G_SOURCE_REMOVE;
}

void rpc_call(Rpc *rpc, const char *method, Json *params, int fd, guint timeout_ms, RpcAnswer answer,
              gpointer user)
{
    Pending *pending = g_new0(Pending, 1);
    Json *message = json_object();

    pending->rpc = rpc_ref(rpc);
    pending->answer = answer;
    pending->user = user;
    pending->id = ++rpc->next_id;
    pending->method = g_strdup(method);
    g_hash_table_insert(rpc->pending, &pending->id, pending);
    if (timeout_ms)
        pending->timeout = source_add(g_timeout_source_new(timeout_ms), rpc->context, pending_timeout, pending);
    json_set_int(message, "id", pending->id);
    json_set_string(message, "method", method);
    json_set(message, "params", params ? params : json_object());
    rpc_send(rpc, message, fd);
    if (!rpc->open && !rpc->closer) { /* closed long ago: the answer comes from the main loop all the same */
        rpc_ref(rpc);
        rpc->events.closed = NULL;
        rpc->closer = source_add(g_idle_source_new(), rpc->context, rpc_closed_idle, rpc);
    }
}

void rpc_notify(Rpc *rpc, const char *method, Json *params)
{
    Json *message = json_object();

    json_set_string(message, "method", method);
    json_set(message, "params", params ? params : json_object());
    rpc_send(rpc, message, -1);
}

/* Answers */

static void call_free(RpcCall *call)
{
    rpc_unref(call->rpc);
    json_unref(call->id);
    g_free(call);
}

void rpc_reply_fd(RpcCall *call, Json *result, int fd)
{
    if (call->id)
        rpc_send(call->rpc,
                 json_set(json_set(json_object(), "id", json_ref(call->id)), "result",
                          result ? result : json_object()),
                 fd);
    else
        json_unref(result);
    call_free(call);
}

void rpc_reply(RpcCall *call, Json *result)
{
    rpc_reply_fd(call, result, -1);
}

void rpc_fail(RpcCall *call, const GError *error)
{
    int code = error->domain == SJ_ERROR ? error->code : SJ_ERROR_FAILED;
    Json *data = json_set_string(json_object(), "kind", sj_error_name(code));
    Json *body = json_set_int(json_object(), "code", -32000 - code);

    json_set_int(data, "exit", sj_error_exit(error));
    json_set_string(body, "message", error->message);
    json_set(body, "data", data);
    if (call->id)
        rpc_send(call->rpc, json_set(json_set(json_object(), "id", json_ref(call->id)), "error", body), -1);
    else
        json_unref(body);
    call_free(call);
}

void rpc_fail_new(RpcCall *call, int code, const char *format, ...)
{
    va_list args;
    g_autoptr(GError) error = NULL;

    va_start(args, format);
    error = g_error_new_valist(SJ_ERROR, code, format, args);
    va_end(args);
    rpc_fail(call, error);
}

gboolean rpc_call_is_notification(RpcCall *call)
{
    return !call->id;
}

Rpc *rpc_call_connection(RpcCall *call)
{
    return call->rpc;
}

gboolean rpc_call_gone(RpcCall *call)
{
    return !call->rpc->open;
}

/* Input */

static GError *error_of(Json *body)
{
    const char *kind = json_get_string(json_get(body, "data"), "kind", "failed");

    return g_error_new_literal(SJ_ERROR, sj_error_code(kind), json_get_string(body, "message", "It failed"));
}

/* What the protocol asks of a message, whatever its purpose. */
static gboolean message_check(Json *message, GError **error)
{
    gboolean call = json_is_string(json_get(message, "method"));
    gboolean answer = json_has(message, "result") || json_is_object(json_get(message, "error"));

    if (json_is_object(message) && g_str_equal(json_get_string(message, "jsonrpc", ""), "2.0") && call != answer &&
        (!json_has(message, "params") || json_is_object(json_get(message, "params"))))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "This is no JSON-RPC 2.0 message");
    return FALSE;
}

static Json *message_parse(const char *line, gsize length, GError **error)
{
    g_autoptr(Json) message = json_parse(line, length, error);

    if (!message || !message_check(message, error))
        return NULL;
    return g_steal_pointer(&message);
}

gboolean rpc_check_line(const char *line, gsize length, GError **error)
{
    g_autoptr(Json) message = message_parse(line, length, error);

    return message != NULL;
}

static void rpc_answered(Rpc *rpc, Json *message, int fd)
{
    gint64 id = json_get_int(message, "id", 0);
    Pending *pending = g_hash_table_lookup(rpc->pending, &id);
    g_autoptr(GError) error = NULL;

    if (!pending) { /* it came after its time-out */
        if (fd >= 0)
            close(fd);
        return;
    }
    if (json_has(message, "error"))
        error = error_of(json_get(message, "error"));
    pending_answer(pending, error ? NULL : json_get(message, "result"), fd, error);
}

static void rpc_called(Rpc *rpc, Json *message, int fd)
{
    g_autoptr(Json) none = json_object();
    Json *params = json_get(message, "params");
    const char *method = json_get_string(message, "method", "");
    RpcCall *call = g_new0(RpcCall, 1);

    call->rpc = rpc_ref(rpc);
    call->id = json_ref(json_get(message, "id"));
    if (rpc->events.called) {
        rpc->events.called(rpc, call, method, params ? params : none, fd, rpc->user);
        return;
    }
    if (fd >= 0)
        close(fd);
    rpc_fail_new(call, SJ_ERROR_PROTOCOL, "This side answers no calls");
}

static gboolean rpc_line(Rpc *rpc, const char *line, gsize length)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) message = message_parse(line, length, &error);
    int fd = -1;

    if (!message) {
        log_debug("a connection was closed: %s", error->message);
        return FALSE;
    }
    if (json_get_bool(message, "fd", FALSE)) {
        if (g_queue_is_empty(&rpc->descriptors))
            return FALSE;
        fd = GPOINTER_TO_INT(g_queue_pop_head(&rpc->descriptors));
    }
    if (json_has(message, "method"))
        rpc_called(rpc, message, fd);
    else
        rpc_answered(rpc, message, fd);
    return TRUE;
}

static void rpc_lines(Rpc *rpc)
{
    gsize start = 0;
    char *end;

    while (rpc->open &&
           (end = memchr(rpc->input->str + rpc->scanned, '\n', rpc->input->len - rpc->scanned))) {
        gsize next = end - rpc->input->str + 1;

        if (!rpc_line(rpc, rpc->input->str + start, next - start - 1))
            rpc_close(rpc);
        start = rpc->scanned = next;
    }
    g_string_erase(rpc->input, 0, start);
    rpc->scanned = rpc->input->len;
    if (rpc->input->len > LINE_MAX_BYTES)
        rpc_close(rpc);
}

static void rpc_take_descriptors(Rpc *rpc, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (gsize i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            g_queue_push_tail(&rpc->descriptors, GINT_TO_POINTER(fd));
        }
    }
}

static gboolean rpc_readable(gint fd, GIOCondition condition, gpointer user)
{
    g_autoptr(Rpc) rpc = rpc_ref(user);
    char buffer[65536];
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
    ssize_t got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (got > 0) {
        rpc_take_descriptors(rpc, &message);
        g_string_append_len(rpc->input, buffer, got);
        rpc_lines(rpc);
    }
    if (got <= 0 || (message.msg_flags & MSG_CTRUNC) || g_queue_get_length(&rpc->descriptors) > DESCRIPTORS_MAX)
        rpc_close(rpc);
    return rpc->open ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

Rpc *rpc_new(int fd, const RpcEvents *events, gpointer user)
{
    Rpc *rpc = g_new0(Rpc, 1);

    g_atomic_ref_count_init(&rpc->references);
    rpc->fd = fd;
    rpc->open = TRUE;
    rpc->context = g_main_context_ref_thread_default();
    rpc->input = g_string_new(NULL);
    rpc->pending = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_queue_init(&rpc->outputs);
    g_queue_init(&rpc->descriptors);
    if (events)
        rpc->events = *events;
    rpc->user = user;
    rpc->reader = source_add(g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP | G_IO_ERR), rpc->context,
                                 G_SOURCE_FUNC(rpc_readable), rpc);
    return rpc;
}
