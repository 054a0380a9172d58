/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.h - the virtio-serial port that leads home */
#pragma once

#include "common/link.h"
#include "loop.h"

typedef struct {
    Watch watch;
    Link *link;
    const Watch *urgent;    /* what ends a nap, when it is ready */
    bool blocked;   /* the port took no more */
} Port;

/* Waits until the kernel has found the port called name, and opens it. Returns its descriptor; dies if there is none. */
int port_open(const char *name);
/* Reads from the port into the link from now on; when urgent is ready, which need not have a descriptor, the loop has its turn
 * even in the middle of a frame. */
void port_start(Port *port, int fd, Link *link, const Watch *urgent);
/* Writes what the link wants written, as far as the port takes it; of bulk a little, or, with hold, nothing. Whether bulk is left
 * that the port would take. */
bool port_flush(Port *port, bool hold);
