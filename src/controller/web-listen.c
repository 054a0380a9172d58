/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-listen.c - the local port of the HTTP view (see web-listen.h) */
#include "web-listen.h"

#include "common/error.h"
#include "common/log.h"

#define GUEST "sojourn-web-guest"

struct WebListen {
    GSocketService *service;
    guint port, count;
    WebCame came;
    gpointer user;
    gint64 warned_us;
};

/* A connection, as long as it exists. */
typedef struct {
    WebListen *listen;   /* freed with the last of its connections */
    GSocket *socket;
    guint deadline;
} Guest;

static gboolean too_slow(gpointer user)
{
    Guest *guest = user;

    guest->deadline = 0;
    g_socket_shutdown(guest->socket, TRUE, TRUE, NULL);
    return G_SOURCE_REMOVE;
}

static void guest_free(gpointer data)
{
    Guest *guest = data;

    g_clear_handle_id(&guest->deadline, g_source_remove);
    guest->listen->count--;
    if (!guest->listen->service && !guest->listen->count)
        g_free(guest->listen);
    g_object_unref(guest->socket);
    g_free(guest);
}

static gboolean listen_came(GSocketService *service, GSocketConnection *connection, GObject *source, gpointer user)
{
    WebListen *listen = user;
    g_autoptr(GSocketAddress) peer = g_socket_connection_get_remote_address(connection, NULL);
    gint64 now = g_get_monotonic_time();
    Guest *guest;

    if (!peer)
        return TRUE;
    if (listen->count >= WEB_CONNECTIONS) {
        if (!listen->warned_us || now - listen->warned_us > 60 * G_USEC_PER_SEC)
            log_warning("more than %d connections to the HTTP view: some are refused", WEB_CONNECTIONS);
        listen->warned_us = now;
        return TRUE;
    }
    listen->count++;
    guest = g_new0(Guest, 1);
    guest->listen = listen;
    guest->socket = g_object_ref(g_socket_connection_get_socket(connection));
    guest->deadline = g_timeout_add_seconds(WEB_READ_S, too_slow, guest);
    g_socket_set_timeout(guest->socket, WEB_READ_S);
    g_object_set_data_full(G_OBJECT(connection), GUEST, guest, guest_free);
    g_object_set_data(G_OBJECT(peer), GUEST, guest);
    listen->came(connection, peer, listen->user);
    return TRUE;
}

WebListen *web_listen_new(guint port, WebCame came, gpointer user, GError **error)
{
    g_autoptr(GInetAddress) loopback = g_inet_address_new_loopback(G_SOCKET_FAMILY_IPV4);
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new(loopback, port), effective = NULL;
    g_autoptr(GSocketService) service = g_socket_service_new();
    g_autoptr(GError) reason = NULL;
    WebListen *listen;

    if (!g_socket_listener_add_address(G_SOCKET_LISTENER(service), address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL,
                                       &effective, &reason)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "The HTTP view cannot have the port %u of 127.0.0.1: %s; set another web-port", port, reason->message);
        return NULL;
    }
    listen = g_new0(WebListen, 1);
    listen->service = g_steal_pointer(&service);
    listen->port = g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(effective));
    listen->came = came;
    listen->user = user;
    g_signal_connect(listen->service, "incoming", G_CALLBACK(listen_came), listen);
    return listen;
}

void web_listen_free(WebListen *listen)
{
    g_signal_handlers_disconnect_by_data(listen->service, listen);
    g_socket_service_stop(listen->service);
    g_socket_listener_close(G_SOCKET_LISTENER(listen->service));
    g_clear_object(&listen->service);
    if (!listen->count)
        g_free(listen);
}

guint web_listen_port(const WebListen *listen)
{
    return listen->port;
}

void web_listen_has_read(GSocketAddress *peer)
{
    Guest *guest = g_object_get_data(G_OBJECT(peer), GUEST);

    if (guest)
        g_clear_handle_id(&guest->deadline, g_source_remove);
}

void web_listen_deafen(GSocketAddress *peer)
{
    Guest *guest = g_object_get_data(G_OBJECT(peer), GUEST);

    if (guest)
        g_socket_shutdown(guest->socket, TRUE, FALSE, NULL);
}
