/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-rpc.c - JSON values and JSON-RPC connections: calls, descriptors, time-outs, ends, bad lines */
#include "common/error.h"
#include "common/rpc.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
    Rpc *near, *far;
    guint answers, closed;
    gint64 value;
    int fd;
    int error_code;
    RpcCall *kept;
} Pair;

static void pair_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    Pair *pair = user;

    if (g_str_equal(method, "double")) {
        rpc_reply(call, json_set_int(json_object(), "value", 2 * json_get_int(params, "value", 0)));
    } else if (g_str_equal(method, "take")) {
        pair->fd = fd;
        rpc_reply(call, NULL);
    } else if (g_str_equal(method, "give")) {
        int ends[2];

        g_assert_cmpint(pipe(ends), ==, 0);
        g_assert_cmpint(write(ends[1], "x", 1), ==, 1);
        close(ends[1]);
        rpc_reply_fd(call, NULL, ends[0]);
        close(ends[0]);
    } else if (g_str_equal(method, "keep")) {
        pair->kept = call;
    } else {
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "There is no %s", method);
    }
}

static void pair_closed(Rpc *rpc, gpointer user)
{
    ((Pair *)user)->closed++;
}

static void pair_answer(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Pair *pair = user;

    pair->answers++;
    pair->value = json_get_int(result, "value", -1);
    pair->error_code = error ? error->code : -1;
    if (fd >= 0)
        pair->fd = fd;
}

static void pair_open(Pair *pair)
{
    static const RpcEvents events = {pair_called, pair_closed};
    int ends[2];

    memset(pair, 0, sizeof *pair);
    pair->fd = -1;
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    pair->near = rpc_new(ends[0], &events, pair);
    pair->far = rpc_new(ends[1], &events, pair);
}

static void pair_close(Pair *pair)
{
    rpc_close(pair->near);
    while (pair->closed < 2)
        g_main_context_iteration(NULL, TRUE);
    rpc_unref(pair->near);
    rpc_unref(pair->far);
}

static void wait_answers(Pair *pair, guint count)
{
    while (pair->answers < count)
        g_main_context_iteration(NULL, TRUE);
}

static void test_call(void)
{
    Pair pair;

    pair_open(&pair);
    for (int i = 1; i <= 1000; i++)
        rpc_call(i % 2 ? pair.near : pair.far, "double", json_set_int(json_object(), "value", i), -1, 0, pair_answer,
                 &pair);
    wait_answers(&pair, 1000);
    rpc_call(pair.near, "double", json_set_int(json_object(), "value", 21), -1, 1000, pair_answer, &pair);
    wait_answers(&pair, 1001);
    g_assert_cmpint(pair.value, ==, 42);
    rpc_call(pair.near, "nonsense", NULL, -1, 0, pair_answer, &pair);
    wait_answers(&pair, 1002);
    g_assert_cmpint(pair.error_code, ==, SJ_ERROR_NOT_FOUND);
    pair_close(&pair);
}

static void test_descriptor(void)
{
    Pair pair;
    int ends[2];
    char byte = 0;

    pair_open(&pair);
    g_assert_cmpint(pipe(ends), ==, 0);
    rpc_call(pair.near, "double", NULL, -1, 0, pair_answer, &pair);
    rpc_call(pair.near, "take", NULL, ends[1], 0, pair_answer, &pair);
    rpc_call(pair.near, "double", NULL, -1, 0, pair_answer, &pair);
    wait_answers(&pair, 3);
    close(ends[1]);
    g_assert_cmpint(write(pair.fd, "y", 1), ==, 1);
    close(pair.fd);
    g_assert_cmpint(read(ends[0], &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'y');
    g_assert_cmpint(read(ends[0], &byte, 1), ==, 0);
    close(ends[0]);
    rpc_call(pair.near, "give", NULL, -1, 0, pair_answer, &pair);
    wait_answers(&pair, 4);
    g_assert_cmpint(read(pair.fd, &byte, 1), ==, 1);
    g_assert_cmpint(byte, ==, 'x');
    close(pair.fd);
    pair_close(&pair);
}

static void test_ends(void)
{
    Pair pair;

    pair_open(&pair);
    rpc_call(pair.near, "keep", NULL, -1, 20, pair_answer, &pair);
    wait_answers(&pair, 1);
    g_assert_cmpint(pair.error_code, ==, SJ_ERROR_TIMEOUT);
    rpc_reply(pair.kept, NULL); /* too late: ignored */
    rpc_call(pair.near, "keep", NULL, -1, 0, pair_answer, &pair);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    rpc_close(pair.far);
    wait_answers(&pair, 2);
    g_assert_cmpint(pair.error_code, ==, SJ_ERROR_GONE);
    g_assert_true(rpc_call_gone(pair.kept));
    rpc_reply(pair.kept, NULL);
    rpc_call(pair.near, "double", NULL, -1, 0, pair_answer, &pair);
    wait_answers(&pair, 3);
    g_assert_cmpint(pair.error_code, ==, SJ_ERROR_GONE);
    pair_close(&pair);
}

/* For the calls that block: the other end, in a thread of its own. "keep" is answered when the connection has ended. */

typedef struct {
    int fd;
    GMainLoop *loop;
    RpcCall *kept;
} Server;

static void server_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    Server *server = user;

    if (g_str_equal(method, "keep"))
        server->kept = call;
    else if (json_has(params, "value"))
        rpc_reply(call, json_set_int(json_object(), "value", 2 * json_get_int(params, "value", 0)));
    else
        rpc_fail_new(call, SJ_ERROR_USAGE, "no value");
}

static void server_closed(Rpc *rpc, gpointer user)
{
    Server *server = user;

    if (server->kept)
        rpc_reply(server->kept, NULL);
    g_main_loop_quit(server->loop);
}

static gpointer serve(gpointer user)
{
    static const RpcEvents events = {server_called, server_closed};
    g_autoptr(GMainContext) context = g_main_context_new();
    Server server = {.fd = GPOINTER_TO_INT(user)};
    Rpc *rpc;

    g_main_context_push_thread_default(context);
    server.loop = g_main_loop_new(context, FALSE);
    rpc = rpc_new(server.fd, &events, &server);
    g_main_loop_run(server.loop);
    rpc_unref(rpc);
    g_main_loop_unref(server.loop);
    g_main_context_pop_thread_default(context);
    return NULL;
}

static int connect_server(GThread **ret_thread)
{
    int ends[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
    *ret_thread = g_thread_new("server", serve, GINT_TO_POINTER(ends[1]));
    return ends[0];
}

static gboolean after_three(gpointer user)
{
    return ++*(int *)user >= 3;
}

static void test_give_up(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) result = NULL;
    GThread *server;
    int looked = 0, fd = connect_server(&server);

    g_assert_null(rpc_call_fd(fd, "keep", NULL, 0, after_three, &looked, &error));
    g_assert_error(error, SJ_ERROR, SJ_ERROR_CUT);
    g_assert_cmpint(looked, ==, 3);
    g_thread_join(server);
    g_clear_error(&error);

    fd = connect_server(&server);
    looked = -1000;
    result = rpc_call_fd(fd, "double", json_set_int(json_object(), "value", 4), 0, after_three, &looked, &error);
    g_assert_no_error(error);
    g_assert_cmpint(json_get_int(result, "value", 0), ==, 8);
    g_thread_join(server);
}

/* Nobody takes the connections: so many are let in, the next would have to wait. */
static void test_at_once(void)
{
    g_autofree char *folder = g_dir_make_tmp("rpc-XXXXXX", NULL), *path = g_build_filename(folder, "s", NULL);
    g_autoptr(GError) error = NULL;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8], count = 0;

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    alarm(20); /* rather than to hang */
    while (count < 8 && (fds[count] = rpc_connect_at_once(path, &error)) >= 0)
        g_assert_false(fcntl(fds[count++], F_GETFL) & O_NONBLOCK);
    alarm(0);
    g_assert_cmpint(count, >, 0);
    g_assert_cmpint(count, <, 8);
    g_assert_error(error, SJ_ERROR, SJ_ERROR_GONE);
    while (count)
        close(fds[--count]);
    close(listener);
    g_unlink(path);
    g_rmdir(folder);
}

static void note_answer(guint index, Json *result, const GError *error, gpointer user)
{
    gint64 *values = user;

    values[index] = error ? -error->code : json_get_int(result, "value", 0);
}

static void test_many(void)
{
    gint64 values[100] = {0};
    Json *params[100];
    GThread *server;
    int fd = connect_server(&server);

    for (guint i = 0; i < 100; i++)
        params[i] = i == 50 ? NULL : json_set_int(json_object(), "value", i);
    rpc_call_many(fd, "double", params, 100, NULL, note_answer, values);
    g_thread_join(server);
    for (guint i = 0; i < 100; i++)
        g_assert_cmpint(values[i], ==, i == 50 ? -(gint64)SJ_ERROR_USAGE : 2 * (gint64)i);
}

static void test_bad_lines(void)
{
    static const char *const lines[] = {
        "", "x", "{}", "[]", "null", "{\"jsonrpc\":\"2.0\"}", "{\"jsonrpc\":\"1.0\",\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[]}", "{\"jsonrpc\":\"2.0\",\"method\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"result\":{}}", "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}x",
    };
    const char *good = "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}";

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
        g_assert_false(rpc_check_line(lines[i], strlen(lines[i]), NULL));
    g_assert_true(rpc_check_line(good, strlen(good), NULL));
}

static void test_json(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) json = json_parse("{\"a\":[\"x\",1,\"y\"],\"n\":12345678901,\"t\":true}", -1, &error);
    g_auto(GStrv) texts = json_to_strv(json_get(json, "a"));
    g_autofree char *text = json_print(json);

    g_assert_no_error(error);
    g_assert_cmpuint(g_strv_length(texts), ==, 2);
    g_assert_cmpint(json_get_int(json, "n", 0), ==, 12345678901);
    g_assert_true(json_get_bool(json, "t", FALSE));
    g_assert_cmpint(json_get_int(json, "t", 7), ==, 7);
    g_assert_cmpstr(json_get_string(json, "n", "fallback"), ==, "fallback");
    g_assert_cmpstr(text, ==, "{\"a\":[\"x\",1,\"y\"],\"n\":12345678901,\"t\":true}");
    g_assert_null(json_parse("{\"a\":1}\0", 8, NULL));
    g_assert_null(json_parse("{\"a\":\"\xff\"}", -1, NULL));
    g_assert_null(json_parse("{\"a\":1,}", -1, NULL));

    g_autoptr(Json) bytes = json_string("a\xff" "b");
    g_autofree char *shown = json_print(bytes);
    g_assert_true(g_utf8_validate(shown, -1, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rpc/call", test_call);
    g_test_add_func("/rpc/descriptor", test_descriptor);
    g_test_add_func("/rpc/ends", test_ends);
    g_test_add_func("/rpc/give-up", test_give_up);
    g_test_add_func("/rpc/at-once", test_at_once);
    g_test_add_func("/rpc/many", test_many);
    g_test_add_func("/rpc/bad-lines", test_bad_lines);
    g_test_add_func("/json/values", test_json);
    return g_test_run();
}
