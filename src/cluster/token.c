/* SPDX-License-Identifier: GPL-2.0-or-later */
/* token.c - what a newcomer is given: where the authority is, how to know it, a secret */
#include "token.h"

#include <string.h>

#include "common/error.h"
#include "common/json.h"

static const char prefix[] = "sojourn1:";
enum { TEXT_MAX = 1024, HEX_LENGTH = 64 };

void token_free(Token *token)
{
    if (!token)
        return;
    if (token->secret)
        explicit_bzero(token->secret, strlen(token->secret));
    g_free(token->address);
    g_free(token->fingerprint);
    g_free(token->secret);
    g_free(token);
}

char *token_print(const Token *token)
{
    g_autoptr(Json) json = json_object();
    g_autofree char *text = NULL, *base64 = NULL;

    json_set_string(json, "address", token->address);
    json_set_int(json, "port", token->port);
    json_set_string(json, "ca", token->fingerprint);
    json_set_string(json, "secret", token->secret);
    json_set_int(json, "expires", token->expires);
    text = json_print(json);
    base64 = g_base64_encode((const guchar *)text, strlen(text));
    g_strdelimit(base64, "+", '-');
    g_strdelimit(base64, "/", '_');
    g_strdelimit(base64, "=", ' ');
    return g_strconcat(prefix, g_strchomp(base64), NULL);
}

/* Bytes of base64url without padding (g_free, NUL ended); NULL for other text. */
static char *decode(const char *text, gsize length)
{
    g_autoptr(GString) base64 = g_string_new_len(text, length);
    gsize decoded_length;
    char *decoded;

    for (gsize i = 0; i < base64->len; i++) {
        char *c = &base64->str[i];
        if (!g_ascii_isalnum(*c) && *c != '-' && *c != '_')
            return NULL;
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    }
    while (base64->len % 4)
        g_string_append_c(base64, '=');
    decoded = (char *)g_base64_decode(base64->str, &decoded_length);
    decoded = g_realloc(decoded, decoded_length + 1);
    decoded[decoded_length] = '\0';
    return decoded;
}

static gboolean is_hex(const char *text)
{
    return strlen(text) == HEX_LENGTH && strspn(text, "0123456789abcdef") == HEX_LENGTH;
}

Token *token_parse(const char *text, GError **error)
{
    g_autofree char *stripped = g_strstrip(g_strndup(text, TEXT_MAX + 1));
    g_autofree char *decoded = NULL;
    g_autoptr(Json) json = NULL;
    g_autoptr(Token) token = g_new0(Token, 1);
    gint64 port;

    if (g_str_has_prefix(stripped, prefix) && strlen(stripped) <= TEXT_MAX)
        decoded = decode(stripped + strlen(prefix), strlen(stripped) - strlen(prefix));
    json = decoded ? json_parse(decoded, -1, NULL) : NULL;
    if (json_is_object(json)) {
        token->address = g_strdup(json_get_string(json, "address", ""));
        token->fingerprint = g_strdup(json_get_string(json, "ca", ""));
        token->secret = g_strdup(json_get_string(json, "secret", ""));
        token->expires = json_get_int(json, "expires", 0);
        port = json_get_int(json, "port", 0);
        token->port = port > 0 && port < 65536 ? port : 0;
    }
    if (!token->address || !*token->address || !token->port || token->expires <= 0 ||
        !is_hex(token->fingerprint) || !is_hex(token->secret)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE,
                    "this is not a token: it is the one word, beginning with %s, that 'sojourn "
                    "cluster token' prints", prefix);
        return NULL;
    }
    return g_steal_pointer(&token);
}
