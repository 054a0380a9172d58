/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.h - the front's ends of the program's streams: bytes read and written at home, exactly */
#pragma once

#include "common/wire.h"

#include <glib.h>

/* What descriptors 0, 1 and 2 are (WIRE_TERMINAL is left to terminal_open), and whether 2 is the
 * same as 1. */
void streams_kinds(guint8 ret_kinds[3]);
gboolean streams_merged(void);

/* Where input comes from. */
typedef struct {
    int fd;             /* -1: none, or at its end */
    gsize window;       /* bytes that may still be sent */
    gboolean terminal;
} StreamInput;

/* Takes over fd where own, else a description of our own is tried. */
void stream_input_init(StreamInput *input, int fd, gboolean terminal);
void stream_input_close(StreamInput *input);

/* Whether to wait for bytes. */
gboolean stream_input_wanted(const StreamInput *input);

/* Reads at most size bytes: how many, 0 at the end, -1 with errno (EAGAIN: nothing there after
 * all). */
gssize stream_input_read(StreamInput *input, void *buffer, gsize size);

/* Where output goes. */
typedef struct {
    int fd;             /* -1: not one of this job's, or ended */
    gsize slice;        /* the most that is written at once without danger of waiting */
    gboolean socket;
    GQueue blocks;      /* of GBytes; at most WIRE_WINDOW bytes in all */
    gsize done;         /* of the first block */
    gsize taken;        /* written since the last report */
    gboolean ending;    /* OUTPUT_END has come: close it once it is empty */
    int failed;         /* errno of the write that failed; 0: none */
} StreamOutput;

void stream_output_init(StreamOutput *output, int fd, gboolean terminal);
void stream_output_close(StreamOutput *output);

/* Takes bytes to write; they wait their turn. Dropped (and taken) if the stream is broken. */
void stream_output_add(StreamOutput *output, const void *data, gsize size);
gboolean stream_output_pending(const StreamOutput *output);

/* Writes what can be written now. FALSE, once, when the stream turns out to be broken (failed says
 * why). */
gboolean stream_output_flush(StreamOutput *output);

/* Bytes to report as TAKEN now, 0: not yet. */
gsize stream_output_report(StreamOutput *output);
