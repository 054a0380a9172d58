/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-serf.c - any bytes as what serf says: refused, or understood the same however they come in */
#include "cluster/serf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answered(SerfRequest request, const char *error, gpointer user)
{
    if (request < SERF_HANDSHAKE || request > SERF_JOIN || !error)
        abort();
    g_string_append_printf(user, "%d %s\n", request, error);
}

static void member(const char *name, const char *status, gpointer user)
{
    if (!*name || !g_utf8_validate(name, -1, NULL) || !g_utf8_validate(status, -1, NULL))
        abort();
    g_string_append_printf(user, "%s %s\n", name, status);
}

/* What is understood when so many bytes come at a time. */
static GString *understood(const uint8_t *data, size_t size, size_t step)
{
    static const SerfEvents events = {answered, member};
    GString *text = g_string_new(NULL);
    g_autoptr(SerfReader) reader = serf_reader_new(&events, text);

    for (size_t i = 0; i < size; i += step) {
        g_autoptr(GError) error = NULL;
        gboolean good = serf_reader_take(reader, data + i, MIN(step, size - i), &error);
        if (good != (error == NULL))
            abort();
        if (!good) {
            g_string_append(text, "refused\n");
            break;
        }
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GString *whole = understood(data, size, size ? size : 1), *parts = understood(data, size, 7);

    if (!g_string_equal(whole, parts))
        abort();
    g_string_free(whole, TRUE);
    g_string_free(parts, TRUE);
    return 0;
}
