/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.h - standard input, output, error and the terminal, between the program's pipes and the link */
#pragma once

#include "common/link.h"
#include "common/wire.h"
#include "loop.h"

typedef struct Streams Streams;

/* One end of the job's streams. */
typedef struct {
    Streams *all;
    WireStream which;
    Watch watch;
    /* home to guest: bytes not yet written to the pipe lie in a ring */
    uint8_t *ring;
    uint32_t head, held;
    uint32_t taken;         /* written, not yet reported */
    bool input_ended, input_broken, say_broken;
    /* guest to home */
    bool output_open, say_ended;
    uint32_t under_way;     /* bytes sent, not yet reported taken */
} Stream;

struct Streams {
    Link *link;
    Stream stream[WIRE_STREAMS];
};

void streams_init(Streams *streams, Link *link);
/* The agent's end of a stream; the descriptor is the streams' from here on and must not block. */
void streams_attach(Streams *streams, WireStream which, int fd);

/* Messages from home. */
void streams_input(Streams *streams, WireStream which, const void *data, size_t size);
void streams_input_end(Streams *streams, WireStream which);
void streams_output_broken(Streams *streams, WireStream which);
void streams_taken(Streams *streams, WireStream which, uint32_t bytes);

/* The link has room again. */
void streams_writable(Streams *streams);
/* Sends the output that is there now, as far as windows allow. */
void streams_pull(Streams *streams);
/* No more output will come: all was sent, or has nobody who reads it. */
bool streams_drained(const Streams *streams);
/* Some stream's reader at home is slow: what is sent on LINK_STREAM now may have to wait for it. */
bool streams_stuck(const Streams *streams);
/* The terminal's master, -1 without one. */
int streams_terminal(const Streams *streams);
