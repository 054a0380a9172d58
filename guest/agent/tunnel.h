/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tunnel.h - packets between the guest's own network device and the link: --network nat */
#pragma once

#include "common/link.h"
#include "loop.h"

typedef struct {
    Watch watch;    /* of the device; -1: the job has no such network */
    Link *link;
} Tunnel;

/* No device yet. */
void tunnel_init(Tunnel *tunnel, Link *link);
/* The device's packets go home from now on. */
void tunnel_start(Tunnel *tunnel, int fd);
/* A packet has come from home. */
void tunnel_message(const Tunnel *tunnel, const void *data, size_t size);
/* Before the loop waits; blocked: the port takes no more at the moment. */
void tunnel_stop(Tunnel *tunnel, bool blocked);
/* All that the job's processes have sent was written to the port, as far as the other end of a connection takes it. */
bool tunnel_drained(const Tunnel *tunnel);
