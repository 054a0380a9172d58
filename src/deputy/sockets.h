/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.h - the job's sockets: the guest has proxies of them, the real ones are here at home */
#pragma once

#include "files.h"

#include <glib.h>

typedef struct Sockets Sockets;

typedef struct {
    /* A record for the guest in two parts, valid during the call only: 0, or -EAGAIN: no room now,
     * sockets_writable will be called. */
    int (*send)(const void *head, gsize head_size, const void *data, gsize size, gpointer user);
    /* So many bytes of the guest's records need no longer be counted as under way. */
    void (*consumed)(gsize size, gpointer user);
    /* Whether the connection to the guest is full: nothing is read from sockets then, so that what
     * is urgent finds a short queue. */
    gboolean (*busy)(gpointer user);
    /* All there was to say for now was said. */
    void (*flush)(gpointer user);
} SocketsEvents;

/* None yet; they are served from the default main context. AF_UNIX names are places in files, which
 * must outlive the sockets (NULL: there are none). NULL with an error if the system has no epoll
 * descriptor left. */
Sockets *sockets_new(Files *files, const SocketsEvents *events, gpointer user, GError **error);

/* Closes them all, as when a process is killed: what home's kernel has not taken is lost. */
void sockets_free(Sockets *sockets);

/* One record of the guest. FALSE: it cannot be; the guest is not to be believed any more. */
gboolean sockets_message(Sockets *sockets, const void *message, gsize size);

/* The link has room again. */
void sockets_writable(Sockets *sockets);

/* The job is over: all are closed, as the end of a process would. */
void sockets_close(Sockets *sockets);

/* Whether a socket that is closed still has something to send. */
gboolean sockets_linger(const Sockets *sockets);
