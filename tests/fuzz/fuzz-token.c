/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-token.c - any text: refused, or a token that is the same after printing and parsing it */
#include "cluster/token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(Token) token = token_parse(text, &error), again = NULL;
    g_autofree char *printed = NULL;

    if (!token != (error != NULL))
        abort();
    if (!token)
        return 0;
    printed = token_print(token);
    again = token_parse(printed, NULL);
    if (strlen(printed) <= 1024 && /* escapes can make it longer than what came in */
        (!again || !g_str_equal(again->address, token->address) || again->port != token->port ||
         !g_str_equal(again->fingerprint, token->fingerprint) ||
         !g_str_equal(again->secret, token->secret) || again->expires != token->expires))
        abort();
    return 0;
}
