/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web.c - the HTTP view of a node: the one file that knows libsoup (see web.h) */
#include "web.h"

#include "common/error.h"
#include "common/log.h"
#include "web-guard.h"
#include "web-listen.h"
#include "web-measure.h"
#include "web-metrics.h"
#include "web-session.h"
#include "web-view.h"

#include <libsoup/soup.h>
#include <string.h>

#define BODY_MAX 16384
#define CALLS_MAX 16        /* of a session under way */
#define STREAMS_MAX 64
#define SWEEP_S 10
#define UNUSED_S 600        /* then a port that nobody named is closed again */
#define KEY_HEADER "Sojourn-Key"
#define FILES "/org/sojourn/web"

struct Web {
    Node *node;
    SoupServer *server;
    WebListen *listen;      /* NULL: the port is not open */
    WebSessions *sessions;
    WebPast *past;
    WebView *anybody;       /* what is seen without a session */
    char *cookie;           /* its name: another one for each controller */
    guint streams;
    guint sweeps;
    gint64 used_us;         /* when a token or a page was last asked for */
    gboolean complained;    /* that the port cannot be had */
};

/* Answers */

static void set_header(SoupServerMessage *msg, const char *name, const char *value)
{
    soup_message_headers_replace(soup_server_message_get_response_headers(msg), name, value);
}

static const char *get_header(SoupServerMessage *msg, const char *name)
{
    return soup_message_headers_get_one(soup_server_message_get_request_headers(msg), name);
}

/* Nothing from elsewhere, in no frame, kept nowhere. */
static void set_headers(SoupServerMessage *msg)
{
    set_header(msg, "Connection", "close");
    set_header(msg, "Cache-Control", "no-store");
    set_header(msg, "Content-Security-Policy",
               "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
               "form-action 'none'; frame-ancestors 'none'");
    set_header(msg, "Cross-Origin-Opener-Policy", "same-origin");
    set_header(msg, "Cross-Origin-Resource-Policy", "same-origin");
    set_header(msg, "Referrer-Policy", "no-referrer");
    set_header(msg, "X-Content-Type-Options", "nosniff");
    set_header(msg, "X-Frame-Options", "DENY");
}

static void answer(SoupServerMessage *msg, guint status, const char *type, const char *text)
{
    soup_server_message_set_status(msg, status, NULL);
    soup_server_message_set_response(msg, type, SOUP_MEMORY_COPY, text, strlen(text));
}

static void answer_json(SoupServerMessage *msg, guint status, Json *json)
{
    g_autofree char *text = json_print(json);

    answer(msg, status, "application/json", text);
}

static void refuse(SoupServerMessage *msg, guint status, const char *kind, const char *sentence)
{
    Json *body = json_set_string(json_set_string(json_object(), "text", sentence), "kind", kind);
    g_autoptr(Json) json = json_set(json_object(), "error", body);

    answer_json(msg, status, json);
}

static void refuse_error(SoupServerMessage *msg, const GError *error)
{
    int code = error->domain == SJ_ERROR ? error->code : SJ_ERROR_FAILED;
    guint status = code == SJ_ERROR_USAGE || code == SJ_ERROR_PROTOCOL ? 400
                   : code == SJ_ERROR_DENIED                           ? 403
                   : code == SJ_ERROR_NOT_FOUND                        ? 404
                   : code == SJ_ERROR_FAILED                           ? 500
                                                                       : 409;

    refuse(msg, status, sj_error_name(code), error->message);
}

/* Sessions */

static void session_ended(WebSession *session)
{
    if (session->data)
        web_view_free(session->data);
}

/* The user has other rights now than at the login, or the account is gone: the session ends, and so do its pages. */
static gboolean is_out(const WebSession *session)
{
    return session->data && web_view_is_out(session->data, session->uid);
}

static WebSession *session_of(Web *web, SoupServerMessage *msg)
{
    g_autofree char *cookie = web_guard_cookie(get_header(msg, "Cookie"), web->cookie);
    WebSession *session = web_sessions_find(web->sessions, cookie, get_header(msg, KEY_HEADER), g_get_monotonic_time());

    if (!session || !is_out(session))
        return session;
    web_sessions_end(web->sessions, session);
    return NULL;
}

static void set_cookie(Web *web, SoupServerMessage *msg, const char *value, guint seconds)
{
    g_autofree char *text = g_strdup_printf("%s=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Strict", web->cookie, value, seconds);

    set_header(msg, "Set-Cookie", text);
}

/* The body of a POST; NULL: the request has been refused. */
static Json *body_of(SoupServerMessage *msg)
{
    SoupMessageBody *body = soup_server_message_get_request_body(msg);
    g_autoptr(GBytes) bytes = soup_message_body_flatten(body);
    g_autoptr(Json) json = json_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL);

    if (json && json_is_object(json))
        return g_steal_pointer(&json);
    refuse(msg, 400, "protocol", "The body is no JSON object");
    return NULL;
}

static void login(Web *web, SoupServerMessage *msg)
{
    g_autoptr(Json) body = body_of(msg), who = NULL;
    g_autoptr(GError) error = NULL;
    WebSession *session;

    if (!body)
        return;
    session = web_sessions_login(web->sessions, json_get_string(body, "token", ""), g_get_monotonic_time());
    if (!session) {
        refuse(msg, 403, "denied", "This token was used already, or its time is over: \"sojourn web\" makes another one");
        return;
    }
    session->data = web_view_new(web->node, web->past, session->uid, &error);
    if (!session->data) {
        web_sessions_end(web->sessions, session);
        refuse_error(msg, error);
        return;
    }
    who = json_set_string(web_view_who(session->data), "key", session->key);
    set_cookie(web, msg, session->cookie, WEB_SESSION_S);
    answer_json(msg, 200, who);
}

static void logout(Web *web, SoupServerMessage *msg)
{
    WebSession *session = session_of(web, msg);

    if (session)
        web_sessions_end(web->sessions, session);
    set_cookie(web, msg, "", 0);
    answer(msg, 200, "application/json", "{}");
}

/* Commands */

static void call_answered(Json *result, const GError *error, gpointer user)
{
    g_autoptr(SoupServerMessage) msg = user;
    g_autoptr(Json) json = error ? NULL : json_set(json_object(), "result", json_ref(result));

    if (error)
        refuse_error(msg, error);
    else
        answer_json(msg, 200, json);
    soup_server_message_unpause(msg);
}

static void call(Web *web, SoupServerMessage *msg)
{
    static const char *const methods[] = {"job.kill", "job.lock",    "job.migrate", "job.resume",
                                          "job.show", "job.suspend", "job.why",     NULL};
    WebSession *session = session_of(web, msg);
    g_autoptr(Json) body = NULL;
    const char *method;
    Json *params;

    if (!session) {
        refuse(msg, 401, "denied", "Nobody is logged in: open the address that \"sojourn web\" prints");
        return;
    }
    body = body_of(msg);
    if (!body)
        return;
    method = json_get_string(body, "method", "");
    params = json_get(body, "params");
    if (!g_strv_contains(methods, method) || (params && !json_is_object(params))) {
        refuse(msg, 400, "usage", "This cannot be called from here");
        return;
    }
    if (web_view_calls(session->data) >= CALLS_MAX) {
        refuse(msg, 429, "busy", "Too much is under way; wait until some of it is done");
        return;
    }
    soup_server_message_pause(msg);
    web_view_call(session->data, method, params ? json_copy(params) : json_object(), call_answered, g_object_ref(msg));
}

/* Pages that follow */

typedef struct {
    Web *web;
    SoupServerMessage *msg;
    WebStream *stream;   /* NULL: it was told the end */
} Follower;

static void follower_write(const char *text, gsize length, gpointer user)
{
    Follower *follower = user;

    soup_message_body_append(soup_server_message_get_response_body(follower->msg), SOUP_MEMORY_COPY, text, length);
    soup_server_message_unpause(follower->msg);
}

static void follower_end(gpointer user)
{
    Follower *follower = user;

    follower->stream = NULL;
    soup_message_body_complete(soup_server_message_get_response_body(follower->msg));
    soup_server_message_unpause(follower->msg);
}

static void follower_wrote(SoupServerMessage *msg, gpointer user)
{
    Follower *follower = user;

    if (follower->stream)
        web_stream_taken(follower->stream);
}

static void follower_gone(SoupServerMessage *msg, gpointer user)
{
    Follower *follower = user;

    g_signal_handlers_disconnect_by_data(msg, follower);
    if (follower->stream)
        web_stream_free(follower->stream);
    follower->web->streams--;
    g_free(follower);
}

static void events(Web *web, SoupServerMessage *msg)
{
    static const WebStreamOut out = {follower_write, follower_end};
    WebSession *session = session_of(web, msg);
    WebView *view = session ? session->data : web->anybody;
    Follower *follower;

    if (web->streams >= STREAMS_MAX || web_view_streams(view) >= WEB_VIEW_STREAMS) {
        refuse(msg, 429, "busy", "Too many pages follow already; close one");
        return;
    }
    soup_server_message_set_status(msg, 200, NULL);
    set_header(msg, "Content-Type", "text/event-stream");
    soup_message_headers_set_encoding(soup_server_message_get_response_headers(msg), SOUP_ENCODING_CHUNKED);
    soup_message_body_set_accumulate(soup_server_message_get_response_body(msg), FALSE);
    follower = g_new0(Follower, 1);
    follower->web = web;
    follower->msg = msg;
    web->streams++;
    g_signal_connect(msg, "wrote-chunk", G_CALLBACK(follower_wrote), follower);
    g_signal_connect(msg, "finished", G_CALLBACK(follower_gone), follower);
    follower->stream = web_stream_new(view, &out, follower);
}

/* The page */

static void metrics(Web *web, SoupServerMessage *msg)
{
    g_autofree char *text = web_measure(web->node, web_sessions_count(web->sessions), web->streams);

    answer(msg, 200, WEB_METRICS_TYPE, text);
}

static const struct {
    const char *path, *file, *type;
} files[] = {
    {"/", "index.html", "text/html; charset=utf-8"},
    {"/app.js", "app.js", "text/javascript; charset=utf-8"},
    {"/charts.js", "charts.js", "text/javascript; charset=utf-8"},
    {"/circle.js", "circle.js", "text/javascript; charset=utf-8"},
    {"/icon.svg", "icon.svg", "image/svg+xml"},
    {"/layout.js", "layout.js", "text/javascript; charset=utf-8"},
    {"/model.js", "model.js", "text/javascript; charset=utf-8"},
    {"/panel.js", "panel.js", "text/javascript; charset=utf-8"},
    {"/style.css", "style.css", "text/css; charset=utf-8"},
};

static gboolean send_file(SoupServerMessage *msg, const char *path)
{
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *name = NULL;
        g_autoptr(GBytes) bytes = NULL;

        if (!g_str_equal(files[i].path, path))
            continue;
        name = g_strconcat(FILES "/", files[i].file, NULL);
        bytes = g_resources_lookup_data(name, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
        if (!bytes)
            return FALSE;
        soup_server_message_set_status(msg, 200, NULL);
        set_header(msg, "Content-Type", files[i].type);
        soup_message_body_append_bytes(soup_server_message_get_response_body(msg), bytes);
        return TRUE;
    }
    return FALSE;
}

static void page(Web *web, SoupServerMessage *msg, const char *path)
{
    if (!send_file(msg, path))
        refuse(msg, 404, "not-found", "There is nothing here");
}

/* Requests */

static const struct {
    const char *path;
    gboolean posted;
    void (*serve)(Web *web, SoupServerMessage *msg);
} services[] = {
    {"/call", TRUE, call},     {"/events", FALSE, events}, {"/login", TRUE, login},
    {"/logout", TRUE, logout}, {"/metrics", FALSE, metrics},
};

/* A body of a kind and length that can be read; TRUE where there is to be none and is none. */
static gboolean body_is_right(SoupServerMessage *msg, gboolean posted)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(msg);
    SoupEncoding encoding = soup_message_headers_get_encoding(headers);
    goffset length = soup_message_headers_get_content_length(headers);

    if (encoding != SOUP_ENCODING_CONTENT_LENGTH && (posted || encoding != SOUP_ENCODING_NONE))
        refuse(msg, 411, "usage", "The length of the body must be said");
    else if (length > (posted ? BODY_MAX : 0))
        refuse(msg, 413, "usage", "The body is too long");
    else if (posted && g_strcmp0(soup_message_headers_get_content_type(headers, NULL), "application/json") != 0)
        refuse(msg, 415, "usage", "The body must be application/json");
    else
        return TRUE;
    return FALSE;
}

static void check(Web *web, SoupServerMessage *msg, const char *path)
{
    const char *method = soup_server_message_get_method(msg), *host = get_header(msg, "Host");
    const char *site = get_header(msg, "Sec-Fetch-Site"), *mode = get_header(msg, "Sec-Fetch-Mode");
    gboolean posted = FALSE, typed = g_strcmp0(mode, "navigate") == 0 && g_str_equal(path, "/");

    for (gsize i = 0; i < G_N_ELEMENTS(services); i++)
        posted = posted || (services[i].posted && g_str_equal(services[i].path, path));
    if (!web_guard_host(host) || !web_guard_host(g_uri_get_host(soup_server_message_get_uri(msg))))
        refuse(msg, 421, "denied", "This is the HTTP view of sojourn; it answers to 127.0.0.1 and localhost only");
    else if (!typed && !web_guard_origin(host, get_header(msg, "Origin"), g_strcmp0(site, "none") == 0 ? NULL : site))
        refuse(msg, 403, "denied", "Another site asked for this");
    else if (!g_str_equal(method, posted ? "POST" : "GET")) {
        refuse(msg, 405, "usage", posted ? "This is to be posted" : "This is only to be got");
        set_header(msg, "Allow", posted ? "POST" : "GET");
    } else
        body_is_right(msg, posted);
}

/* A refused body is thrown away while it is short: who is cut off while sending does not see the answer. */
static gboolean body_is_short(SoupServerMessage *msg)
{
    SoupMessageHeaders *headers = soup_server_message_get_request_headers(msg);

    return soup_message_headers_get_encoding(headers) == SOUP_ENCODING_NONE ||
           (soup_message_headers_get_encoding(headers) == SOUP_ENCODING_CONTENT_LENGTH &&
            soup_message_headers_get_content_length(headers) <= 16 * BODY_MAX);
}

/* Headers are there. */
static void came(SoupServer *server, SoupServerMessage *msg, const char *path, GHashTable *query, gpointer user)
{
    set_headers(msg);
    check(user, msg, path);
    if (!soup_server_message_get_status(msg))
        return;
    soup_message_body_set_accumulate(soup_server_message_get_request_body(msg), FALSE);
    if (!body_is_short(msg))
        web_listen_deafen(soup_server_message_get_remote_address(msg));
}

static void serve(SoupServer *server, SoupServerMessage *msg, const char *path, GHashTable *query, gpointer user)
{
    Web *web = user;

    web->used_us = g_get_monotonic_time();
    for (gsize i = 0; i < G_N_ELEMENTS(services); i++)
        if (g_str_equal(services[i].path, path)) {
            services[i].serve(web, msg);
            return;
        }
    page(web, msg, path);
}

static void was_read(SoupServer *server, SoupServerMessage *msg, gpointer user)
{
    web_listen_has_read(soup_server_message_get_remote_address(msg));
}

static void connected(GSocketConnection *connection, GSocketAddress *peer, gpointer user)
{
    Web *web = user;
    g_autoptr(GSocketAddress) here = g_socket_connection_get_local_address(connection, NULL);

    soup_server_accept_iostream(web->server, G_IO_STREAM(connection), here, peer, NULL);
}

/* The port */

static void note_load(Web *web)
{
    g_autoptr(Json) rows = node_rows(web->node);

    web_past_add(web->past, rows);
}

static gboolean web_open(Web *web, GError **error)
{
    int port = conf_web_port(web->node->conf);

    if (web->listen)
        return TRUE;
    if (port < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "%s has no HTTP view: its administrator has set web-port = off",
                    node_name(web->node));
        return FALSE;
    }
    if (!web->anybody)
        web->anybody = web_view_new(web->node, web->past, -1, error);
    if (web->anybody)
        web->listen = web_listen_new(port, connected, web, error);
    if (!web->listen)
        return FALSE;
    web->complained = FALSE;
    note_load(web);
    log_info("the HTTP view is at http://127.0.0.1:%u/", web_listen_port(web->listen));
    return TRUE;
}

/* A page that is open keeps its session in use. */
static void keep_followed(WebSession *session, gpointer now_us)
{
    if (web_view_streams(session->data))
        session->used_us = *(gint64 *)now_us;
}

static gboolean web_sweep(gpointer user)
{
    Web *web = user;
    int port = conf_web_port(web->node->conf);
    gint64 now = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;

    web_sessions_end_if(web->sessions, is_out);
    web_sessions_each(web->sessions, keep_followed, &now);
    web_sessions_sweep(web->sessions, now);
    if (web->listen) {
        note_load(web);
    } else if (port > 0 && !web_open(web, &error) && !web->complained) {
        log_warning("%s; it is tried again", error->message);
        web->complained = TRUE;
    }
    if (web->listen && port == 0 && !web->streams && !web_sessions_count(web->sessions) && !web_sessions_tokens(web->sessions) &&
        now - web->used_us > UNUSED_S * G_USEC_PER_SEC) {
        log_info("nobody uses the HTTP view: its port is closed");
        g_clear_pointer(&web->listen, web_listen_free);
    }
    return G_SOURCE_CONTINUE;
}

Web *web_new(Node *node)
{
    Web *web = g_new0(Web, 1);

    G_STATIC_ASSERT(SWEEP_S == WEB_PAST_STEP_S);
    web->node = node;
    web->sessions = web_sessions_new(session_ended);
    web->past = web_past_new();
    web->cookie = g_strdup_printf("sojourn-%08x", g_random_int());
    web->server = soup_server_new(NULL, NULL);
    soup_server_add_early_handler(web->server, NULL, came, web, NULL);
    soup_server_add_handler(web->server, NULL, serve, web, NULL);
    g_signal_connect(web->server, "request-read", G_CALLBACK(was_read), web);
    g_timeout_add_seconds(SWEEP_S, web_sweep, web);
    if (conf_web_port(node->conf) > 0)
        web_sweep(web);
    return web;
}

/* Tokens */

static void token(Web *web, uid_t uid, RpcCall *call)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *address = NULL;
    Json *result;

    if (!web_open(web, &error)) {
        rpc_fail(call, error);
        return;
    }
    web->used_us = g_get_monotonic_time();
    text = web_sessions_token(web->sessions, uid, web->used_us);
    address = g_strdup_printf("http://127.0.0.1:%u/#%s", web_listen_port(web->listen), text);
    result = json_set_string(json_object(), "address", address);
    rpc_reply(call, json_set_int(result, "valid_s", WEB_TOKEN_S));
}

void web_called(Web *web, const char *method, uid_t uid, RpcCall *call)
{
    if (g_str_equal(method, "web.token"))
        token(web, uid, call);
    else if (g_str_equal(method, "web.logout"))
        rpc_reply(call, json_set_int(json_object(), "sessions", web_sessions_end_of(web->sessions, uid)));
    else
        rpc_fail_new(call, SJ_ERROR_PROTOCOL, "There is no method %s", method);
}
