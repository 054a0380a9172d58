/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wait-until.h - a test waits for a condition while the main context goes on */
#pragma once

#include <glib.h>

/* At most twenty seconds, else the test fails. */
#define WAIT_UNTIL(condition)                                              \
    G_STMT_START                                                           \
    {                                                                      \
        gint64 until = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;       \
        while (!(condition) && g_get_monotonic_time() < until) {           \
            g_main_context_iteration(NULL, FALSE);                         \
            g_usleep(500);                                                 \
        }                                                                  \
        g_assert_true(condition);                                          \
    }                                                                      \
    G_STMT_END
