/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h - the connection that a link has at the moment: bytes between the two, on the main loop */
#pragma once

#include "common/link.h"

#include <glib.h>

typedef struct Port Port;

/* The connection ended, or its bytes cannot be the link's: the port is closed already. From the
 * main loop. */
typedef void (*PortClosed)(Port *port, gpointer user);

/* A port without a connection. link must outlive it. */
Port *port_new(Link *link, PortClosed closed, gpointer user);
void port_free(Port *port);

/* Takes over fd, a connection to incarnation epoch, in place of the one it has. */
void port_open(Port *port, int fd, guint64 epoch);
void port_close(Port *port);
gboolean port_is_open(const Port *port);
/* The connection took less than there was to write; more is written when it takes more. */
gboolean port_is_full(const Port *port);

/* Writes what the link has to say and the connection takes now; cheap if there is nothing. */
void port_flush(Port *port);
