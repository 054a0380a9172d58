/* SPDX-License-Identifier: GPL-2.0-or-later */
/* departure.h - before the guest's memory is copied to another node: what need not travel is given back */
#pragma once

#include "common/link.h"
#include "loop.h"

#include <stdbool.h>

typedef struct {
    Link *link;
    Watch done;         /* a pipe: the thread has finished */
    int end;            /* its end of it */
    bool busy, owed;    /* the thread is at work; DEPARTED waits for the link */
} Departure;

void departure_init(Departure *departure, Link *link);
/* DEPART has come. DEPARTED follows when all is given back; one for two if the second comes meanwhile. */
void departure_begin(Departure *departure);
/* The link has room again. */
void departure_writable(Departure *departure);
