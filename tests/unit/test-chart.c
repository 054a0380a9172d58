/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-chart.c - upright bars: what each layout looks like, which one fits, and that nothing is longer than there is room */
#include "cli/chart.h"

#include <string.h>

static const ChartBar bars[] = {
    { "2780", 1.0, 0, FALSE }, { "2781", 0.5, 0.25, FALSE }, { "2782", 0, 0, TRUE }, { "3", 7, 0, FALSE },
};

static void looks(ChartLayout layout, guint width, guint height, const char *wanted)
{
    g_autoptr(GPtrArray) lines = chart_lines(layout, bars, G_N_ELEMENTS(bars), width, height, "1.00");
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; i < lines->len; i++)
        g_string_append_printf(text, "%s\n", g_strchomp(lines->pdata[i]));
    g_assert_cmpstr(text->str, ==, wanted);
}

static void test_layouts(void)
{
    looks(CHART_WIDE, 40, 6, " 1.00|####           ####\n"
                             "     |#### ++++      ####\n"
                             "     |#### ####      ####\n"
                             "    0|#### #### DEAD ####\n"
                             "     +--------------------\n"
                             "      2780 2781 2782 3\n");
    looks(CHART_UPRIGHT, 40, 9, " 1.00|##       ##\n"
                                "     |## ++    ##\n"
                                "     |## ##    ##\n"
                                "    0|## ## D  ##\n"
                                "     +------------\n"
                                "      2  2  2  3\n"
                                "      7  7  7\n"
                                "      8  8  8\n"
                                "      0  1  2\n");
    looks(CHART_TIGHT, 40, 7, " 1.00|#+ #\n"
                              "    0|##D#\n"
                              "     +----\n"
                              "      2223\n"
                              "      777\n"
                              "      888\n"
                              "      012\n");
    looks(CHART_WIDE, 17, 4, " 1.00|#### ++++\n"
                             "    0|#### ####\n"
                             "     +----------\n"
                             "      2780 2781\n");
    looks(CHART_WIDE, 40, 3, "");
    looks(CHART_WIDE, 6, 9, "");
}

static void test_fit(void)
{
    ChartBar many[500];

    for (guint i = 0; i < G_N_ELEMENTS(many); i++)
        many[i] = (ChartBar){ "65535", i / 400.0, 0, i % 7 == 0 };
    g_assert_cmpint(chart_layout(CHART_AUTO, many, 10, 80), ==, CHART_WIDE);
    g_assert_cmpint(chart_layout(CHART_AUTO, many, 20, 80), ==, CHART_UPRIGHT);
    g_assert_cmpint(chart_layout(CHART_AUTO, many, 60, 80), ==, CHART_TIGHT);
    g_assert_cmpint(chart_layout(CHART_AUTO, many, 500, 80), ==, CHART_TIGHT);
    g_assert_cmpint(chart_layout(CHART_WIDE, many, 500, 80), ==, CHART_WIDE);
    for (ChartLayout layout = CHART_AUTO; layout <= CHART_TIGHT; layout++)
        for (guint width = 0; width < 90; width++)
            for (guint height = 0; height < 30; height += 3) {
                g_autoptr(GPtrArray) lines = chart_lines(layout, many, width * 5, width, height, "much too long");

                g_assert_cmpuint(lines->len, <=, height);
                for (guint i = 0; i < lines->len; i++)
                    g_assert_cmpuint(strlen(lines->pdata[i]), <=, width);
            }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chart/layouts", test_layouts);
    g_test_add_func("/chart/fit", test_fit);
    return g_test_run();
}
