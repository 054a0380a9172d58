/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-forecast.c - what a migration is expected to take: nothing is known at first, then what others took, then its own */
#include "controller/forecast.h"

#define MIB (1 << 20)

static gint64 expected(const Forecast *forecast, guint64 bytes, double own_ms, const char *what)
{
    g_autoptr(Json) json = forecast_of(forecast, bytes, own_ms);

    return json ? json_get_int(json, what, -2) : -1;
}

static void test_nothing(void)
{
    Forecast forecast;

    forecast_init(&forecast);
    g_assert_cmpint(expected(&forecast, 80 * MIB, -1, "total_ms"), ==, -1);
    g_assert_cmpint(expected(&forecast, 80 * MIB, 7, "downtime_ms"), ==, 7);
    forecast_learn(&forecast, 80 * MIB, 300, -1);
    g_assert_cmpint(expected(&forecast, 80 * MIB, -1, "total_ms"), ==, -1);
}

static void test_learns(void)
{
    Forecast forecast;
    gint64 small, large;

    forecast_init(&forecast);
    forecast_learn(&forecast, 80 * MIB, 300, 6);
    g_assert_cmpint(expected(&forecast, 80 * MIB, -1, "downtime_ms"), ==, 6);
    for (int i = 0; i < 40; i++) {
        forecast_learn(&forecast, 80 * MIB, 300, 6);
        forecast_learn(&forecast, 800 * MIB, 3000, 20);
    }
    small = expected(&forecast, 80 * MIB, -1, "total_ms");
    large = expected(&forecast, 800 * MIB, -1, "total_ms");
    g_assert_cmpint(small, >, 150);
    g_assert_cmpint(small, <, 600);
    g_assert_cmpint(large, >, 2400);
    g_assert_cmpint(large, <, 3600);
    g_assert_cmpint(expected(&forecast, 80 * MIB, -1, "downtime_ms"), >, 6);
    g_assert_cmpint(expected(&forecast, 80 * MIB, 3.6, "downtime_ms"), ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/forecast/nothing", test_nothing);
    g_test_add_func("/forecast/learns", test_learns);
    return g_test_run();
}
