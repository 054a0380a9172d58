/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate-cookie.h - libvirt's migration cookies: read from another node, written anew
 *
 * libvirt acts on what a cookie holds: an NBD server, a persistent domain's XML, network ports,
 * graphics. So no byte of another node's cookie is passed on. It is taken apart, everything in it
 * must be known, and what is harmless and needed is written again: the domain's name and UUID
 * (which must be the reserved job's), host name and UUID, the list of migration capabilities, and
 * numbers of statistics. The CPU and lock state are known and left out; anything else is a fault.
 */
#pragma once

#include <glib.h>

/* A cookie for our libvirt, with the final NUL (g_bytes_unref); NULL and SJ_ERROR_PROTOCOL where it
 * can not be admitted. */
GBytes *gate_cookie_rewrite(GBytes *cookie, const char *name, const char *uuid, GError **error);
