/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-web-view.c - what a page of the HTTP view is sent, and when: with a control socket that answers as it is told */
#include "controller/control.h"
#include "controller/web-view.h"

#include "common/error.h"
#include "common/rpc.h"

#include <string.h>
#include <sys/socket.h>

/* The controller's side */

static struct {
    Rpc *rpc;
    Json *nodes, *jobs;
    guint asked_jobs, closed;
    RpcCall *kept;
    uid_t uid;
} server;

static void server_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    if (g_str_equal(method, "node.list")) {
        rpc_reply(call, json_copy(server.nodes));
    } else if (g_str_equal(method, "job.list")) {
        server.asked_jobs++;
        rpc_reply(call, json_copy(server.jobs));
    } else if (g_str_equal(method, "job.show")) {
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "There is no job \"%s\"", json_get_string(params, "job", ""));
    } else if (g_str_equal(method, "job.migrate")) {
        server.kept = call;
    } else {
        g_assert_cmpstr(method, ==, "job.events");
        g_assert_true(json_get_bool(params, "follow", FALSE));
        rpc_notify(rpc, "event", json_set_string(json_object(), "text", "it began"));
        rpc_reply(call, NULL);
    }
}

static void server_closed(Rpc *rpc, gpointer user)
{
    server.closed++;
    rpc_unref(rpc);
}

gboolean control_still(uid_t uid, const char *user, gboolean admin)
{
    return TRUE;
}

int control_connect(Control *control, uid_t uid, char **ret_user, gboolean *ret_admin, GError **error)
{
    static const RpcEvents events = {server_called, server_closed};
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    server.rpc = rpc_new(ends[0], &events, NULL);
    server.uid = uid;
    *ret_user = g_strdup("ann");
    *ret_admin = FALSE;
    return ends[1];
}

const char *node_name(const Node *node)
{
    return "here";
}

/* The page's side */

typedef struct {
    GString *text;
    guint writes, ends;
} Page;

static void page_write(const char *text, gsize length, gpointer user)
{
    Page *page = user;

    g_string_append_len(page->text, text, length);
    page->writes++;
}

static void page_end(gpointer user)
{
    ((Page *)user)->ends++;
}

static const WebStreamOut page_out = {page_write, page_end};

static void wait_writes(Page *page, guint count)
{
    while (page->writes < count)
        g_main_context_iteration(NULL, TRUE);
}

static gboolean over(gpointer user)
{
    return *(gboolean *)user = TRUE, G_SOURCE_REMOVE;
}

static void wait_ms(guint ms)
{
    gboolean done = FALSE;

    g_timeout_add(ms, over, &done);
    while (!done)
        g_main_context_iteration(NULL, TRUE);
}

static void has(Page *page, const char *text)
{
    if (!strstr(page->text->str, text))
        g_error("\"%s\" is not in:\n%s", text, page->text->str);
}

static void lacks(Page *page, const char *text)
{
    if (strstr(page->text->str, text))
        g_error("\"%s\" is in:\n%s", text, page->text->str);
}

static Json *job(const char *id, const char *node)
{
    Json *row = json_set_string(json_set_string(json_object(), "id", id), "node", node);

    json_set_double(row, "cpu_seconds", g_random_double());
    return json_set_string(row, "secret", "of the row");
}

static void server_has(Json *jobs)
{
    Json *node = json_set_string(json_set_string(json_object(), "name", "here"), "state", "alive");

    json_unref(server.nodes);
    json_unref(server.jobs);
    server.nodes = json_append(json_array(), json_set(node, "guests", json_array()));
    server.jobs = jobs;
}

static WebView *view_new(WebPast *past, uid_t uid)
{
    static Node node;

    memset(&server, 0, sizeof server);
    server_has(json_append(json_append(json_array(), job("a", "here")), job("b", "here")));
    return web_view_new(&node, past, uid, NULL);
}

static void view_end(WebView *view)
{
    web_view_free(view);
    while (!server.closed)
        g_main_context_iteration(NULL, TRUE);
    json_unref(server.nodes);
    json_unref(server.jobs);
}

static void test_stream(void)
{
    WebPast *past = web_past_new();
    WebView *view = view_new(past, 1000);
    Page page = {.text = g_string_new(NULL)};
    WebStream *stream = web_stream_new(view, &page_out, &page);

    g_assert_cmpuint(page.writes, ==, 1);
    has(&page, "event: hello\ndata: {\"user\":\"ann\",\"admin\":false,\"self\":\"here\"");
    has(&page, "event: past\n");
    web_stream_taken(stream);
    wait_writes(&page, 2);
    has(&page, "event: nodes\ndata: {\"set\":[{\"name\":\"here\",\"state\":\"alive\"}],\"gone\":[]}\n\n");
    has(&page, "{\"id\":\"a\",\"node\":\"here\"}");
    lacks(&page, "secret");
    lacks(&page, "guests");
    /* while it has not taken that it is sent nothing; then only what differs in the end */
    server_has(json_append(json_array(), job("a", "there")));
    wait_ms(1300);
    server_has(json_append(json_array(), job("a", "back")));
    wait_ms(1300);
    g_assert_cmpuint(page.writes, ==, 2);
    g_string_truncate(page.text, 0);
    web_stream_taken(stream);
    wait_writes(&page, 3);
    has(&page, "event: jobs\ndata: {\"set\":[{\"id\":\"a\",\"node\":\"back\"}],\"gone\":[\"b\"]}\n\n");
    lacks(&page, "there");
    lacks(&page, "event: nodes");
    web_stream_taken(stream);
    /* the same again is nothing new, though the members that are not shown differ */
    server_has(json_append(json_array(), job("a", "back")));
    wait_ms(1300);
    g_assert_cmpuint(page.writes, ==, 3);
    g_assert_cmpuint(web_view_streams(view), ==, 1);
    web_stream_free(stream);
    g_assert_cmpuint(web_view_streams(view), ==, 0);
    view_end(view);
    g_assert_cmpuint(page.ends, ==, 0);
    g_string_free(page.text, TRUE);
    web_past_free(past);
}

static void test_told(void)
{
    WebPast *past = web_past_new();
    WebView *view = view_new(past, 1000);
    Page page = {.text = g_string_new(NULL)}, second = {.text = g_string_new(NULL)};
    WebStream *stream = web_stream_new(view, &page_out, &page);

    web_stream_taken(stream);
    wait_writes(&page, 2);
    has(&page, "event: news\ndata: {\"text\":\"it began\"}\n\n");
    web_stream_taken(stream);
    rpc_notify(server.rpc, "progress", json_set_string(json_object(), "job", "others"));
    rpc_notify(server.rpc, "progress", json_set_string(json_object(), "job", "a"));
    wait_writes(&page, 3);
    has(&page, "event: progress\ndata: {\"job\":\"a\"}\n\n");
    lacks(&page, "others");
    web_stream_taken(stream);
    for (guint i = 0; i < 200; i++)
        rpc_notify(server.rpc, "event", json_set_int(json_object(), "number", i));
    wait_ms(1300);
    /* a page that comes later is told the last ones */
    web_stream_taken(web_stream_new(view, &page_out, &second));
    wait_writes(&second, 2);
    has(&second, "{\"number\":199}");
    has(&second, "{\"number\":150}");
    lacks(&second, "{\"number\":149}");
    view_end(view);
    g_assert_cmpuint(page.ends, ==, 1);
    g_assert_cmpuint(second.ends, ==, 1);
    g_string_free(page.text, TRUE);
    g_string_free(second.text, TRUE);
    web_past_free(past);
}

static void test_nobody(void)
{
    WebPast *past = web_past_new();
    WebView *view = view_new(past, (uid_t)-1);
    Page page = {.text = g_string_new(NULL)};

    g_assert_cmpuint(server.uid, ==, (uid_t)-1);
    web_stream_taken(web_stream_new(view, &page_out, &page));
    wait_writes(&page, 2);
    wait_ms(1300);
    has(&page, "\"user\":null");
    has(&page, "event: nodes");
    lacks(&page, "event: jobs");
    lacks(&page, "event: news");
    g_assert_cmpuint(server.asked_jobs, ==, 0);
    view_end(view);
    g_string_free(page.text, TRUE);
    web_past_free(past);
}

static void answered(Json *result, const GError *error, gpointer user)
{
    *(int *)user = error ? error->code : -1;
}

static void test_call(void)
{
    WebPast *past = web_past_new();
    WebView *view = view_new(past, 1000);
    int shown = -2, moved = -2;

    web_view_call(view, "job.show", json_set_string(json_object(), "job", "x"), answered, &shown);
    web_view_call(view, "job.migrate", json_object(), answered, &moved);
    g_assert_cmpuint(web_view_calls(view), ==, 2);
    while (shown == -2 || !server.kept)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(shown, ==, SJ_ERROR_NOT_FOUND);
    g_assert_cmpuint(web_view_calls(view), ==, 1);
    /* the session ends meanwhile: the answer is that */
    web_view_free(view);
    while (moved == -2)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(moved, ==, SJ_ERROR_GONE);
    while (!server.closed)
        g_main_context_iteration(NULL, TRUE);
    rpc_reply(server.kept, NULL);
    json_unref(server.nodes);
    json_unref(server.jobs);
    web_past_free(past);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web-view/stream", test_stream);
    g_test_add_func("/web-view/told", test_told);
    g_test_add_func("/web-view/nobody", test_nobody);
    g_test_add_func("/web-view/call", test_call);
    return g_test_run();
}
