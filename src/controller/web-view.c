/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-view.c - what a session of the HTTP view sees and commands (see web-view.h) */
#include "web-view.h"

#include "common/error.h"
#include "control.h"

#include <string.h>

#define TICK_MS 1000
#define ASK_MS 5000       /* an answer to a question may take */
#define COMMAND_MS 30000  /* and to a command that is not a migration */
#define NEWS_MAX 50
#define SILENT_US (15 * G_USEC_PER_SEC) /* then a page is sent a comment: so that its end is noticed */

/* Rows as text; the same row again is the same pointer. */
typedef struct {
    const char *event, *key;
    const char *const *members;  /* that are shown */
    GHashTable *rows;            /* key → GRefString */
} Rows;

struct WebView {
    gatomicrefcount references;
    Node *node;
    WebPast *past;
    Rpc *rpc;
    char *user;              /* NULL: nobody is logged in */
    gboolean admin;
    gboolean over;
    Rows nodes, jobs;
    GQueue news;             /* GRefString, oldest first */
    guint64 news_count;      /* that there were */
    GQueue streams;          /* WebStream * */
    guint asking, calls;
    gboolean again;          /* ask once more when answered */
    guint timer;
};

struct WebStream {
    WebView *view;
    WebStreamOut out;
    gpointer user;
    gboolean busy;           /* with what was written last */
    GHashTable *nodes, *jobs;  /* what it was sent, as in Rows */
    guint64 news_seen;
    gint64 written_us;
};

static const char *const node_members[] = {"name", "address", "state", "self", "accel", "cpus", "load", "memory_total_bytes",
                                           "memory_free_bytes", "jobs", "speed", "stay", "block", "quiet", NULL};
static const char *const job_members[] = {"id", "name", "user", "pid", "command", "home", "node", "state", "migrations", "locked",
                                          "memory_bytes", NULL};

static GHashTable *table_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ref_string_release);
}

static void view_unref(WebView *view)
{
    if (!g_atomic_ref_count_dec(&view->references))
        return;
    rpc_unref(view->rpc);
    g_hash_table_unref(view->nodes.rows);
    g_hash_table_unref(view->jobs.rows);
    g_queue_clear_full(&view->news, (GDestroyNotify)g_ref_string_release);
    g_free(view->user);
    g_free(view);
}

/* Rows */

static char *row_text(const Rows *rows, Json *row)
{
    g_autoptr(Json) shown = json_object();

    for (const char *const *member = rows->members; *member; member++)
        if (json_has(row, *member))
            json_set(shown, *member, json_ref(json_get(row, *member)));
    return json_print(shown);
}

static void rows_take(Rows *rows, Json *list)
{
    g_autoptr(GHashTable) before = rows->rows;

    rows->rows = table_new();
    for (guint i = 0; i < json_length(list); i++) {
        const char *key = json_get_string(json_at(list, i), rows->key, "");
        g_autofree char *text = row_text(rows, json_at(list, i));
        char *known = g_hash_table_lookup(before, key);

        g_hash_table_insert(rows->rows, g_strdup(key),
                            known && g_str_equal(known, text) ? g_ref_string_acquire(known) : g_ref_string_new(text));
    }
}

static void add_event(GString *text, const char *event, const char *data)
{
    g_string_append_printf(text, "event: %s\ndata: %s\n\n", event, data);
}

static void add_comma(GString *text)
{
    if (text->len && text->str[text->len - 1] != '[')
        g_string_append_c(text, ',');
}

/* What differs from what was sent, which then is the same. */
static void rows_differ(const Rows *rows, GHashTable **sent, GString *text)
{
    g_autoptr(GString) data = g_string_new("{\"set\":[");
    GHashTable *now = table_new();
    GHashTableIter i;
    gpointer key, value;
    gsize empty;

    g_hash_table_iter_init(&i, rows->rows);
    while (g_hash_table_iter_next(&i, &key, &value)) {
        if (g_hash_table_lookup(*sent, key) != value) {
            add_comma(data);
            g_string_append(data, value);
        }
        g_hash_table_insert(now, g_strdup(key), g_ref_string_acquire(value));
    }
    empty = strlen("{\"set\":[],\"gone\":[");
    g_string_append(data, "],\"gone\":[");
    g_hash_table_iter_init(&i, *sent);
    while (g_hash_table_iter_next(&i, &key, NULL)) {
        g_autoptr(Json) gone = g_hash_table_contains(now, key) ? NULL : json_string(key);
        g_autofree char *name = gone ? json_print(gone) : NULL;

        if (!gone)
            continue;
        add_comma(data);
        g_string_append(data, name);
    }
    g_hash_table_unref(*sent);
    *sent = now;
    if (data->len == empty)
        return;
    g_string_append(data, "]}");
    add_event(text, rows->event, data->str);
}

/* Pages */

static void stream_write(WebStream *stream, GString *text)
{
    if (!text->len)
        return;
    stream->busy = TRUE;
    stream->written_us = g_get_monotonic_time();
    stream->out.write(text->str, text->len, stream->user);
}

static void add_news(WebStream *stream, GString *text)
{
    guint64 number = stream->view->news_count - stream->view->news.length;

    for (GList *i = stream->view->news.head; i; i = i->next)
        if (number++ >= stream->news_seen)
            add_event(text, "news", i->data);
    stream->news_seen = stream->view->news_count;
}

static void stream_push(WebStream *stream)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (stream->busy)
        return;
    rows_differ(&stream->view->nodes, &stream->nodes, text);
    rows_differ(&stream->view->jobs, &stream->jobs, text);
    add_news(stream, text);
    if (!text->len && g_get_monotonic_time() - stream->written_us > SILENT_US)
        g_string_append(text, ":\n\n");
    stream_write(stream, text);
}

static void view_push(WebView *view)
{
    GList *next;

    for (GList *i = view->streams.head; i; i = next) {
        next = i->next;
        stream_push(i->data);
    }
}

/* Questions */

static void view_ask(WebView *view);

static void view_answered(WebView *view)
{
    if (--view->asking == 0 && !view->over) {
        view_push(view);
        if (view->again)
            view_ask(view);
    }
    view_unref(view);
}

static void nodes_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    WebView *view = user;

    if (!error)
        rows_take(&view->nodes, result);
    view_answered(view);
}

static void jobs_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    WebView *view = user;

    if (!error)
        rows_take(&view->jobs, result);
    view_answered(view);
}

/* params are taken over. */
static void view_question(WebView *view, const char *method, Json *params, RpcAnswer answer)
{
    g_atomic_ref_count_inc(&view->references);
    view->asking++;
    rpc_call(view->rpc, method, params, -1, ASK_MS, answer, view);
}

static void view_ask(WebView *view)
{
    view->again = view->asking > 0;
    if (view->over || view->asking || g_queue_is_empty(&view->streams))
        return;
    view_question(view, "node.list", json_set_bool(json_object(), "pending", TRUE), nodes_answered);
    if (view->user)
        view_question(view, "job.list", NULL, jobs_answered);
}

static gboolean view_tick(gpointer user)
{
    WebView *view = user;

    if (g_queue_is_empty(&view->streams)) {
        view->timer = 0;
        return G_SOURCE_REMOVE;
    }
    view_ask(view);
    return G_SOURCE_CONTINUE;
}

/* What the controller tells by itself */

static void view_news(WebView *view, Json *event)
{
    g_autofree char *text = json_print(event);

    g_queue_push_tail(&view->news, g_ref_string_new(text));
    view->news_count++;
    if (view->news.length > NEWS_MAX)
        g_ref_string_release(g_queue_pop_head(&view->news));
    view_ask(view);
}

/* Of jobs that are seen only; a page that is busy misses it. */
static void view_progress(WebView *view, Json *params)
{
    g_autofree char *data = json_print(params);
    g_autoptr(GString) text = g_string_new(NULL);

    if (!g_hash_table_contains(view->jobs.rows, json_get_string(params, "job", "")))
        return;
    add_event(text, "progress", data);
    for (GList *i = view->streams.head; i; i = i->next)
        if (!((WebStream *)i->data)->busy)
            stream_write(i->data, text);
}

static void view_told(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    WebView *view = user;

    if (!view->over && g_str_equal(method, "event"))
        view_news(view, params);
    else if (!view->over && g_str_equal(method, "progress"))
        view_progress(view, params);
    rpc_reply(call, NULL);
}

static void view_cut(Rpc *rpc, gpointer user)
{
    view_unref(user);
}

/* Views */

WebView *web_view_new(Node *node, WebPast *past, uid_t uid, GError **error)
{
    static const RpcEvents events = {view_told, view_cut};
    g_autofree char *user = NULL;
    gboolean admin = FALSE;
    int fd = control_connect(node->control, uid, &user, &admin, error);
    WebView *view;

    if (fd < 0)
        return NULL;
    view = g_new0(WebView, 1);
    g_atomic_ref_count_init(&view->references);
    g_atomic_ref_count_inc(&view->references); /* the connection's */
    view->node = node;
    view->past = past;
    view->user = uid == (uid_t)-1 ? NULL : g_steal_pointer(&user);
    view->admin = admin;
    view->nodes = (Rows){"nodes", "name", node_members, table_new()};
    view->jobs = (Rows){"jobs", "id", job_members, table_new()};
    g_queue_init(&view->news);
    g_queue_init(&view->streams);
    view->rpc = rpc_new(fd, &events, view);
    if (view->user)
        rpc_call(view->rpc, "job.events", json_set_bool(json_object(), "follow", TRUE), -1, 0, NULL, NULL);
    return view;
}

void web_view_free(WebView *view)
{
    WebStream *stream;

    view->over = TRUE;
    g_clear_handle_id(&view->timer, g_source_remove);
    while ((stream = g_queue_peek_head(&view->streams))) {
        WebStreamOut out = stream->out;
        gpointer user = stream->user;

        web_stream_free(stream);
        out.end(user);
    }
    rpc_close(view->rpc);
    view_unref(view);
}

gboolean web_view_is_out(const WebView *view, uid_t uid)
{
    return view->user && !control_still(uid, view->user, view->admin);
}

Json *web_view_who(const WebView *view)
{
    return json_set_bool(json_set_string(json_object(), "user", view->user), "admin", view->admin);
}

typedef struct {
    WebView *view;
    WebViewAnswer done;
    gpointer user;
} Call;

static void call_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Call *call = user;

    call->view->calls--;
    if (!call->view->over)
        view_ask(call->view);
    call->done(result, error, call->user);
    view_unref(call->view);
    g_free(call);
}

void web_view_call(WebView *view, const char *method, Json *params, WebViewAnswer done, gpointer user)
{
    Call *call = g_new(Call, 1);

    *call = (Call){view, done, user};
    g_atomic_ref_count_inc(&view->references);
    view->calls++;
    rpc_call(view->rpc, method, params, -1, g_str_equal(method, "job.migrate") ? 0 : COMMAND_MS, call_answered, call);
    view_ask(view);
}

guint web_view_calls(const WebView *view)
{
    return view->calls;
}

guint web_view_streams(const WebView *view)
{
    return view->streams.length;
}

WebStream *web_stream_new(WebView *view, const WebStreamOut *out, gpointer user)
{
    WebStream *stream = g_new0(WebStream, 1);
    g_autoptr(Json) hello = web_view_who(view), past = web_past_json(view->past);
    g_autofree char *hello_text = NULL, *past_text = json_print(past);
    g_autoptr(GString) text = g_string_new(NULL);

    json_set_string(hello, "self", node_name(view->node));
    hello_text = json_print(json_set_string(hello, "version", NODE_VERSION));
    stream->view = view;
    stream->out = *out;
    stream->user = user;
    stream->nodes = table_new();
    stream->jobs = table_new();
    g_queue_push_tail(&view->streams, stream);
    add_event(text, "hello", hello_text);
    add_event(text, "past", past_text);
    stream_write(stream, text);
    if (!view->timer)
        view->timer = g_timeout_add(TICK_MS, view_tick, view);
    view_ask(view);
    return stream;
}

void web_stream_taken(WebStream *stream)
{
    stream->busy = FALSE;
}

void web_stream_free(WebStream *stream)
{
    g_queue_remove(&stream->view->streams, stream);
    g_hash_table_unref(stream->nodes);
    g_hash_table_unref(stream->jobs);
    g_free(stream);
}
