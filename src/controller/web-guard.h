/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-guard.h - which requests the HTTP view listens to at all, and the one cookie it knows */
#pragma once

#include <glib.h>

/* Whether a Host header names this machine as a browser on it, or at the near end of a tunnel to it, would: localhost or
 * 127.0.0.1, with or without a port. Any other name may be one that its owner makes point here (DNS rebinding). */
gboolean web_guard_host(const char *host);

/* Whether a request may command something: it comes from a page of ours (origin is that of host), or from no page (both NULL).
 * site is the header Sec-Fetch-Site; another port of this machine is another site. */
gboolean web_guard_origin(const char *host, const char *origin, const char *site);

/* The value of a cookie in a Cookie header (NULL is fine) if it is there once and has only hexadecimal digits (g_free); NULL. */
char *web_guard_cookie(const char *header, const char *name);
