/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-listen.h - the local port of the HTTP view: connections, bounded in number and in time
 *
 * A connection carries one request. From when it comes to when its request has been read it has WEB_READ_S; then each write
 * has to make headway within as long. Who is slower is cut off, so that nobody can hold all the places.
 */
#pragma once

#include <gio/gio.h>

#define WEB_CONNECTIONS 96
#define WEB_READ_S 15

typedef struct WebListen WebListen;

/* A connection came (referenced by who keeps it); peer is its other end, and what web_listen_has_read knows it by. */
typedef void (*WebCame)(GSocketConnection *connection, GSocketAddress *peer, gpointer user);

/* Listens on 127.0.0.1, at a port or (0) at any; NULL and a sentence. */
WebListen *web_listen_new(guint port, WebCame came, gpointer user, GError **error);
void web_listen_free(WebListen *listen);

guint web_listen_port(const WebListen *listen);

/* The request of the connection with this peer has been read. */
void web_listen_has_read(GSocketAddress *peer);

/* Nothing more of what it sends is to be read. */
void web_listen_deafen(GSocketAddress *peer);
