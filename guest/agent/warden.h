/* SPDX-License-Identifier: GPL-2.0-or-later */
/* warden.h - process 1 of the job's own process and mount namespaces: everything that may have to wait for home */
#pragma once

#include "common/wire.h"

/* The one byte of the one message to the warden that is not of wire.h: nobody waits for this guest (rehearse.h). */
#define WARDEN_REHEARSE 0

/* The first byte of the one message from the warden that is not of wire.h: the home's files are mounted, and the agent's
 * ends of the streams come along as descriptors. The bytes after it say which stream each belongs to; WARDEN_TUNNEL is
 * that of the network device. */
#define WARDEN_ATTACHED 0
#define WARDEN_TUNNEL WIRE_STREAMS
#define WARDEN_ENDS (WIRE_STREAMS + 1)

typedef struct {
    int socket;     /* SOCK_SEQPACKET, non-blocking: wire.h messages both ways, WARDEN_REHEARSE, WARDEN_ATTACHED */
    int start;      /* START is written here; a START message without fields then says that it is complete */
} Warden;

/* Forks the warden, which shall mount the fuse descriptor. Dies if that fails. */
Warden warden_spawn(int fuse);
