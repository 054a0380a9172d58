/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.h - /dev/fuse, forwarded: requests go home, replies and notifications come back */
#pragma once

#include "common/link.h"
#include "loop.h"

typedef struct {
    Watch watch;
    Link *link;
    size_t pending;     /* bytes of a request that was read but that the link had no room for */
    int notify_fd;      /* to the thread for notifications that may wait; -1: not started */
} Files;

/* A descriptor of /dev/fuse, to be mounted; dies if there is none. */
int files_open(void);
/* Forwards from now on. The file system must have been mounted: reading earlier fails. */
void files_start(Files *files, int fd, Link *link);
/* The link has room again. */
void files_writable(Files *files);
/* A reply or notification has come from home. */
void files_reply(Files *files, const void *data, size_t size);
