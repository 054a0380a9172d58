/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gossip-key.c - the key that the cluster's gossip is encrypted with */
#include <string.h>
#include <sys/random.h>

#include "common/error.h"
#include "gossip.h"

enum { KEY_BYTES = 32, TEXT_LENGTH = 44 };

char *gossip_key_next(const char *old, GError **error)
{
    gint64 number = MAX(gossip_key_number(old), 0) + 1;
    g_autofree char *text = NULL;
    guint8 key[KEY_BYTES];
    char *next;

    if (getrandom(key, sizeof key, 0) != sizeof key) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "the system gives no random numbers");
        return NULL;
    }
    text = g_base64_encode(key, sizeof key);
    next = g_strdup_printf("%" G_GINT64_FORMAT " %s", number, text);
    explicit_bzero(text, strlen(text));
    explicit_bzero(key, sizeof key);
    return next;
}

gint64 gossip_key_number(const char *text)
{
    g_autofree guchar *bytes = NULL;
    char *space = NULL;
    gint64 number = text && g_ascii_isdigit(*text) ? g_ascii_strtoll(text, &space, 10) : -1;
    gsize length = 0;

    if (number < 0 || number == G_MAXINT64 || *space != ' ' || strlen(space + 1) != TEXT_LENGTH ||
        strspn(space + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != TEXT_LENGTH)
        return -1;
    bytes = g_base64_decode(space + 1, &length);
    if (bytes)
        explicit_bzero(bytes, length);
    return length == KEY_BYTES ? number : -1;
}
