/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-conf.c - settings from text and command line, and the sentences for bad ones */
#include "common/conf.h"
#include "common/error.h"

static Conf *from(const char *line, GError **error)
{
    g_autofree char *whole = g_strconcat("sojournd ", line, NULL);
    g_autofree char **argv = NULL;
    int argc;
    Conf *conf;

    g_assert_true(g_shell_parse_argv(whole, &argc, &argv, NULL));
    {
        g_auto(GStrv) kept = g_strdupv(argv);
        g_autofree char **moving = g_memdup2(kept, (argc + 1) * sizeof *kept);
        char **words = moving;

        conf = conf_new(&argc, &words, error);
    }
    for (int i = 0; argv[i]; i++)
        g_free(argv[i]);
    return conf;
}

static void test_options(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = from("--name a1 --memory=3G --cpus 2 --tsc-khz 2000000 --port 99", &error);

    g_assert_no_error(error);
    g_assert_cmpstr(conf->name, ==, "a1");
    g_assert_cmpuint(conf->memory_bytes, ==, 3ull << 30);
    g_assert_cmpuint(conf->cpus, ==, 2);
    g_assert_cmpuint(conf->tsc_khz, ==, 2000000);
    g_assert_cmpuint(conf->port, ==, 99);
    g_assert_cmpstr(conf->accel, ==, "auto");
    g_assert_cmpint(conf_web_port(conf), ==, 0);
}

static void test_refused(void)
{
    static const char *const lines[] = {"--name", "--name home", "--name 'a b'", "--memory lots", "--memory 99999999T",
                                        "--cpus x", "--accel warp", "--port 70000", "--nonsense 1", "--machine q35",
                                        "--spare-guests 2", "--config /nonexistent", "--web-port on", "--web-port 65536"};

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Conf) conf = from(lines[i], &error);

        g_assert_null(conf);
        g_assert_nonnull(error);
    }
}

static void test_text(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Conf) conf = from("", &error);

    g_assert_true(conf_parse(conf, "# comment\n\n name = b2 \nmemory=64M\n", "text", &error));
    g_assert_cmpstr(conf->name, ==, "b2");
    g_assert_cmpuint(conf->memory_bytes, ==, 64 << 20);
    g_assert_false(conf_parse(conf, "name = b3\nodd line\n", "text", &error));
    g_assert_cmpstr(error->message, ==, "text:2: a line must read \"setting = value\"");
    g_assert_true(g_error_matches(error, SJ_ERROR, SJ_ERROR_USAGE));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/conf/options", test_options);
    g_test_add_func("/conf/refused", test_refused);
    g_test_add_func("/conf/text", test_text);
    return g_test_run();
}
