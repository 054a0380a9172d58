/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token.h - what a newcomer is given: where the authority is, how to know it, a secret */
#pragma once

#include <glib.h>

typedef struct {
    char *address;     /* of the authority's node */
    guint port;
    char *fingerprint; /* SHA-256 of the authority's certificate, lower-case hexadecimal */
    char *secret;      /* 64 lower-case hexadecimal digits */
    gint64 expires;    /* seconds since the epoch */
} Token;

void token_free(Token *token);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Token, token_free)

/* "sojourn1:" and base64url of JSON (g_free). */
char *token_print(const Token *token);

/* Parses what token_print has made, white space around it allowed; NULL with SJ_ERROR_USAGE for
 * anything else. Whether it has expired is not looked at. */
Token *token_parse(const char *text, GError **error);
