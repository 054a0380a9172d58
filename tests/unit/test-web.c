/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-web.c - the HTTP view's parts that need no network: which requests count, sessions, metrics, the past */
#include "controller/tally.h"
#include "controller/web-guard.h"
#include "controller/web-metrics.h"
#include "controller/web-past.h"
#include "controller/web-session.h"

#include <locale.h>
#include <string.h>

#define SECOND ((gint64)G_USEC_PER_SEC)

static void test_host(void)
{
    static const char *const good[] = {"127.0.0.1", "localhost", "localhost:1", "127.0.0.1:65535", "LocalHost:7228"};
    static const char *const bad[] = {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:",
                                      "localhost:0", "localhost:65536", "localhost:80x", "localhost: 80", "127.0.0.1:80:80",
                                      "127.0.0.2", "[::1]",
                                      "localhos", "user@localhost", "localhost@evil.example"};

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        g_assert_true(web_guard_host(good[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(web_guard_host(bad[i]));
    g_assert_false(web_guard_host(NULL));
}

static void test_origin(void)
{
    const char *host = "127.0.0.1:4000";

    g_assert_true(web_guard_origin(host, NULL, NULL));
    g_assert_true(web_guard_origin(host, "http://127.0.0.1:4000", "same-origin"));
    g_assert_true(web_guard_origin(host, "http://127.0.0.1:4000", NULL));
    g_assert_false(web_guard_origin(host, "http://127.0.0.1:4001", NULL));
    g_assert_false(web_guard_origin(host, "https://127.0.0.1:4000", NULL));
    g_assert_false(web_guard_origin(host, "http://localhost:4000", NULL));
    g_assert_false(web_guard_origin(host, "null", NULL));
    g_assert_false(web_guard_origin(host, "", NULL));
    g_assert_false(web_guard_origin("evil.example", "http://evil.example", NULL));
    g_assert_false(web_guard_origin(host, NULL, "same-site"));
    g_assert_false(web_guard_origin(host, NULL, "cross-site"));
    g_assert_false(web_guard_origin(host, "http://127.0.0.1:4000", "none"));
}

static void assert_cookie(const char *header, const char *value)
{
    g_autofree char *found = web_guard_cookie(header, "sojourn-1");

    g_assert_cmpstr(found, ==, value);
}

static void test_cookie(void)
{
    assert_cookie("sojourn-1=00ff", "00ff");
    assert_cookie("a=b; sojourn-1=00ff ;c", "00ff");
    assert_cookie("sojourn-1=00ff; sojourn-1=00fe", NULL);
    assert_cookie("sojourn-2=00ff; xsojourn-1=00", NULL);
    assert_cookie("sojourn-1=", NULL);
    assert_cookie("sojourn-1=00fF", NULL);
    assert_cookie("sojourn-1=\"00\"", NULL);
    assert_cookie("", NULL);
    assert_cookie(NULL, NULL);
}

static guint ended;

static void session_ended(WebSession *session)
{
    ended++;
}

static WebSession *logged_in(WebSessions *sessions, uid_t uid, gint64 now)
{
    g_autofree char *token = web_sessions_token(sessions, uid, now);

    return web_sessions_login(sessions, token, now);
}

static void test_token(void)
{
    WebSessions *sessions = web_sessions_new(session_ended);
    g_autofree char *first = web_sessions_token(sessions, 1000, 0), *second = web_sessions_token(sessions, 1001, 0);
    WebSession *session;

    g_assert_cmpuint(strlen(first), ==, 64);
    g_assert_cmpstr(first, !=, second);
    g_assert_null(web_sessions_login(sessions, "", 0));
    g_assert_null(web_sessions_login(sessions, "0000", 0));
    session = web_sessions_login(sessions, first, 10 * SECOND);
    g_assert_nonnull(session);
    g_assert_cmpuint(session->uid, ==, 1000);
    g_assert_null(web_sessions_login(sessions, first, 10 * SECOND));                     /* once */
    g_assert_null(web_sessions_login(sessions, second, (WEB_TOKEN_S + 1) * SECOND));     /* not for ever */
    g_assert_cmpuint(web_sessions_tokens(sessions), ==, 0);
    web_sessions_free(sessions);
}

static void test_session(void)
{
    WebSessions *sessions = web_sessions_new(session_ended);
    WebSession *a = logged_in(sessions, 1000, 0), *b = logged_in(sessions, 1001, 0);
    gint64 now = 0;

    ended = 0;
    g_assert_true(web_sessions_find(sessions, a->cookie, a->key, now) == a);
    g_assert_null(web_sessions_find(sessions, a->cookie, NULL, now));
    g_assert_null(web_sessions_find(sessions, NULL, a->key, now));
    g_assert_null(web_sessions_find(sessions, a->cookie, b->key, now));
    g_assert_null(web_sessions_find(sessions, a->key, a->cookie, now));
    g_assert_null(web_sessions_find(sessions, a->cookie, "", now));
    /* in use it lives on, but not for ever */
    for (; now < (WEB_SESSION_S - WEB_IDLE_S) * SECOND; now += WEB_IDLE_S / 2 * SECOND)
        g_assert_true(web_sessions_find(sessions, a->cookie, a->key, now) == a);
    g_assert_null(web_sessions_find(sessions, b->cookie, b->key, now));
    web_sessions_sweep(sessions, now);
    g_assert_cmpuint(ended, ==, 1);
    g_assert_cmpuint(web_sessions_count(sessions), ==, 1);
    g_assert_null(web_sessions_find(sessions, a->cookie, a->key, (WEB_SESSION_S + 1) * SECOND));
    web_sessions_free(sessions);
    g_assert_cmpuint(ended, ==, 2);
}

static void test_limits(void)
{
    WebSessions *sessions = web_sessions_new(session_ended);
    WebSession *other = logged_in(sessions, 1, 0), *last;
    g_autofree char *old = web_sessions_token(sessions, 2, 0), *others = web_sessions_token(sessions, 1, 0);

    for (int i = 0; i < 100; i++)
        g_free(web_sessions_token(sessions, 2, 0));
    g_assert_null(web_sessions_login(sessions, old, 0));
    g_assert_nonnull(web_sessions_login(sessions, others, 0)); /* one user's many do not cost another's */
    g_assert_cmpuint(web_sessions_tokens(sessions), <, 20);
    for (int i = 0; i < 100; i++)
        last = logged_in(sessions, 2, i);
    g_assert_cmpuint(web_sessions_count(sessions), <, 30);
    g_assert_true(web_sessions_find(sessions, other->cookie, other->key, 1) == other);
    g_assert_true(web_sessions_find(sessions, last->cookie, last->key, 1) == last);
    g_assert_cmpuint(web_sessions_end_of(sessions, 2), ==, 16);
    g_assert_cmpuint(web_sessions_count(sessions), ==, 2);
    g_assert_true(web_sessions_find(sessions, other->cookie, other->key, 1) == other);
    web_sessions_free(sessions);
}

static void test_metrics(void)
{
    static const WebMetricsState nodes[] = {{"alive", 3}, {"fai\"led\\\n", 1}, {NULL, 0}}, jobs[] = {{"running", 2}, {NULL, 0}};
    Json *link = json_set_int(json_set_int(json_object(), "bytes_in", 5), "bytes_out", 6);
    g_autoptr(Json) traffic = json_set(json_object(), "link", link);
    Tally tally = {0};
    WebMetrics metrics = {.version = "1.2", .nodes = nodes, .jobs = jobs, .guests = 4, .cpus = 2, .demand = 1.5,
                          .memory_bytes = 1u << 31, .memory_free_bytes = 1 << 20, .tally = &tally, .traffic = traffic,
                          .cpu_seconds = 0.25, .start_seconds = 1700000000.5};
    g_autofree char *text = NULL;

    tally_job(&tally, "started");
    tally_job(&tally, "moved");
    tally_failed(&tally, FALSE);
    tally_failed(&tally, TRUE);
    tally_moved(&tally, 250, 5, 1000);  /* a bound counts below it */
    tally_moved(&tally, 251, -1, 1000);
    tally_moved(&tally, 400000, 11000, 1);
    text = web_metrics_print(&metrics);
    for (const char *const *line = (const char *const[]){
             "# TYPE sojourn_nodes gauge\nsojourn_nodes{state=\"alive\"} 3\nsojourn_nodes{state=\"fai\\\"led\\\\\\n\"} 1\n",
             "\nsojourn_node_load_ratio 0.75\n", "\nsojourn_node_memory_bytes 2147483648\n", "\nsojourn_jobs_started_total 1\n",
             "\nsojourn_migrations_total{result=\"moved\"} 3\nsojourn_migrations_total{result=\"failed\"} 1\n",
             "\nsojourn_migrations_total{result=\"refused\"} 1\n", "\nsojourn_migration_bytes_total 2001\n",
             "_duration_seconds_bucket{le=\"0.1\"} 0\n", "_duration_seconds_bucket{le=\"0.25\"} 1\n",
             "_duration_seconds_bucket{le=\"0.5\"} 2\n", "_duration_seconds_bucket{le=\"300\"} 2\n",
             "_duration_seconds_bucket{le=\"+Inf\"} 3\n", "_duration_seconds_sum 400.501\n", "_duration_seconds_count 3\n",
             "_downtime_seconds_bucket{le=\"0.005\"} 1\n", "_downtime_seconds_bucket{le=\"10\"} 1\n",
             "_downtime_seconds_count 2\n",
             "\nsojourn_network_sent_bytes_total{purpose=\"link\"} 6\n", "\nprocess_start_time_seconds 1700000000.5\n", NULL};
         *line; line++) {
        if (!strstr(text, *line))
            g_error("\"%s\" is not in:\n%s", *line, text);
    }
    g_assert_true(g_str_has_suffix(text, "\n"));
}

static Json *rows(double load)
{
    Json *row = json_set_string(json_set_string(json_object(), "name", "a"), "state", "alive");

    json_set_double(row, "load", load);
    json_set_int(row, "memory_total_bytes", 10 << 20);
    return json_append(json_array(), json_set_int(row, "memory_free_bytes", 4 << 20));
}

static void test_past(void)
{
    WebPast *past = web_past_new();
    g_autoptr(Json) empty = json_array(), json = NULL, late = NULL;
    Json *load;

    for (guint i = 0; i < WEB_PAST_STEPS + 3; i++) {
        g_autoptr(Json) now = rows(i / 100.0);

        web_past_add(past, i == WEB_PAST_STEPS ? empty : now);
    }
    json = web_past_json(past);
    load = json_get(json_get(json_get(json, "nodes"), "a"), "load");
    g_assert_cmpuint(json_length(load), ==, WEB_PAST_STEPS);
    g_assert_cmpint(json_number(json_at(load, 0)), ==, 3);
    g_assert_null(json_at(load, WEB_PAST_STEPS - 3)); /* it was not there */
    g_assert_cmpint(json_number(json_at(load, WEB_PAST_STEPS - 1)), ==, WEB_PAST_STEPS + 2);
    g_assert_cmpint(json_number(json_at(json_get(json_get(json_get(json, "nodes"), "a"), "used"), 0)), ==, 6);
    for (guint i = 0; i < WEB_PAST_STEPS; i++)
        web_past_add(past, empty);
    late = web_past_json(past);
    g_assert_null(json_get(json_get(late, "nodes"), "a"));
    web_past_free(past);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/web/host", test_host);
    g_test_add_func("/web/origin", test_origin);
    g_test_add_func("/web/cookie", test_cookie);
    g_test_add_func("/web/token", test_token);
    g_test_add_func("/web/session", test_session);
    g_test_add_func("/web/limits", test_limits);
    g_test_add_func("/web/metrics", test_metrics);
    g_test_add_func("/web/past", test_past);
    return g_test_run();
}
