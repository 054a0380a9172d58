/* SPDX-License-Identifier: GPL-2.0-or-later */
/* departure.h - what nobody needs is given back to the host: before the guest's memory is copied to another node, and when the
 * job has come to rest */
#pragma once

#include "common/link.h"
#include "loop.h"

#include <stdbool.h>

typedef struct {
    Link *link;
    Watch done;         /* a pipe: the thread has finished */
    int end;            /* its end of it */
    bool busy, owed;    /* the thread is at work; DEPARTED waits for the link */
    bool leaves, again; /* it is at work for a departure; a departure has come while it was at work for a rest */
} Departure;

void departure_init(Departure *departure, Link *link);
/* DEPART has come. DEPARTED follows when all is given back; one for two if the second comes meanwhile. */
void departure_begin(Departure *departure);
/* The job does nothing: its free pages are reported to the host. Nobody is told. */
void departure_rest(Departure *departure);
/* Does that, and returns when it is done. */
void departure_report(void);
/* The link has room again. */
void departure_writable(Departure *departure);
