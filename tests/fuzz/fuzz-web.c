/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-web.c - headers of a request: three lines Host, Origin and Cookie; only this machine's and whole numbers pass */
#include "controller/web-guard.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_host(const char *host)
{
    const char *port = strchr(host, ':');
    g_autofree char *name = port ? g_strndup(host, port - host) : g_strdup(host);

    if (g_ascii_strcasecmp(name, "localhost") != 0 && strcmp(name, "127.0.0.1") != 0)
        abort();
    if (port && (!port[1] || port[1 + strspn(port + 1, "0123456789")] || strtoul(port + 1, NULL, 10) > 65535))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 3);
    const char *host = lines[0] ? lines[0] : "", *origin = lines[0] ? lines[1] : NULL, *header = origin ? lines[2] : NULL;
    g_autofree char *cookie = web_guard_cookie(header, "sojourn-12345678");

    if (web_guard_host(host))
        check_host(host);
    if (origin && web_guard_origin(host, origin, NULL))
        check_host(origin + strlen("http://"));
    if (cookie && (!*cookie || cookie[strspn(cookie, "0123456789abcdef")] || !strstr(header, cookie)))
        abort();
    return 0;
}
