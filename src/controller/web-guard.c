/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-guard.c - which requests the HTTP view listens to at all (see web-guard.h) */
#include "web-guard.h"

#include <string.h>

#define COOKIE_MAX 128

gboolean web_guard_host(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};

    for (gsize i = 0; host && i < G_N_ELEMENTS(names); i++) {
        gsize length = strlen(names[i]);

        if (g_ascii_strncasecmp(host, names[i], length) != 0)
            continue;
        if (!host[length] || (host[length] == ':' && g_ascii_string_to_unsigned(host + length + 1, 10, 1, 65535, NULL, NULL)))
            return TRUE;
    }
    return FALSE;
}

gboolean web_guard_origin(const char *host, const char *origin, const char *site)
{
    if (site && !g_str_equal(site, "same-origin"))
        return FALSE;
    return !origin || (web_guard_host(host) && g_str_has_prefix(origin, "http://") &&
                       g_ascii_strcasecmp(origin + strlen("http://"), host) == 0);
}

static gboolean is_hexadecimal(const char *text)
{
    gsize length = strspn(text, "0123456789abcdef");

    return length > 0 && length <= COOKIE_MAX && !text[length];
}

char *web_guard_cookie(const char *header, const char *name)
{
    g_auto(GStrv) pairs = header ? g_strsplit(header, ";", -1) : NULL;
    const char *found = NULL;

    for (guint i = 0; pairs && pairs[i]; i++) {
        char *pair = g_strstrip(pairs[i]), *value = strchr(pair, '=');

        if (!value)
            continue;
        *value++ = 0;
        if (!g_str_equal(pair, name))
            continue;
        if (found)
            return NULL;
        found = value;
    }
    return found && is_hexadecimal(found) ? g_strdup(found) : NULL;
}
