/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.h - records of sockets that live at home, between the kernel's device and the link */
#pragma once

#include "common/link.h"
#include "loop.h"

typedef struct {
    Watch watch;        /* of the device; -1: sockets do not live at home */
    Link *link;
    bool delivered;     /* a record was given to the kernel, and none has come from there since */
    unsigned alone;     /* the round of the loop in which a short record was read, and no other */
    size_t pending;     /* bytes of a record that was read but that the link had no room for */
    bool stopped;       /* the port is full: nothing is read, so that what is urgent finds a short queue */
    uint64_t starved_ms; /* there is no memory to read to: until then; 0: there is */
    struct SocketsLate *first, *last;   /* records that the kernel had no memory for */
} Sockets;

/* No device yet. */
void sockets_init(Sockets *sockets, Link *link);
/* From now on the job's sockets live at home, if the kernel can do that. Before the program runs. */
void sockets_start(Sockets *sockets);
/* A record has come from home. */
void sockets_message(Sockets *sockets, const void *data, size_t size);
/* The link has room again. */
void sockets_writable(Sockets *sockets);
/* Whether the port takes no more at the moment. */
void sockets_stop(Sockets *sockets, bool stopped);
/* Milliseconds until it is to be called again, -1: nothing is due. */
int sockets_tick(Sockets *sockets);
/* All that the kernel had to say was written to the port. */
bool sockets_drained(const Sockets *sockets);
