/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h - the virtio-serial port that leads home */
#pragma once

#include "common/link.h"
#include "loop.h"

typedef struct {
    Watch watch;
    Link *link;
    bool blocked;   /* the port took no more */
} Port;

/* Waits until the kernel has found the port called name, and opens it. Returns its descriptor; dies if there is none. */
int port_open(const char *name);
/* Reads from the port into the link from now on. */
void port_start(Port *port, int fd, Link *link);
/* Writes what the link wants written, as far as the port takes it. */
void port_flush(Port *port);
