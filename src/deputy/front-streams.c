/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front-streams.c - the user's descriptors and keyboard on one side, the program's streams on the other */
#include "front-private.h"

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void front_fill_closed(const guint8 kinds[3])
{
    for (int fd = 0; fd < 3; fd++)
        if (kinds[fd] == WIRE_CLOSED)
            open("/dev/null", O_RDWR | O_CLOEXEC);
}

void front_open_streams(Front *front)
{
    gboolean merged =
        front->kinds[1] == WIRE_PIPE && front->kinds[2] == WIRE_PIPE && streams_merged();

    front->input.fd = -1;
    front->input_stream = front->kinds[0] == WIRE_TERMINAL ? WIRE_TTY : WIRE_STDIN;
    if (front->kinds[0] == WIRE_PIPE)
        stream_input_init(&front->input, STDIN_FILENO, FALSE);
    else if (front->kinds[0] == WIRE_TERMINAL)
        stream_input_init(&front->input, front->terminal.fd, TRUE);
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        front->outputs[stream].fd = -1;
    for (int fd = 1; fd <= 2; fd++)
        if (front->kinds[fd] == WIRE_PIPE && !(fd == 2 && merged))
            stream_output_init(&front->outputs[fd], fd, FALSE);
    if (front->terminal.fd >= 0)
        stream_output_init(&front->outputs[WIRE_TTY], front->terminal.fd, TRUE);
}

static void report_taken(Front *front, WireStream stream)
{
    gsize taken = stream_output_report(&front->outputs[stream]);

    if (taken)
        front_tell(front, &(WireMessage){ .type = WIRE_TAKEN,
                                        .taken = { (guint8) stream, (guint32) taken } });
}

/* The front's own descriptor of a stream that has ended for the program must not keep a pipe open
 * either; but not at once: mostly the program has ended altogether, and the front may have
 * something to say. */
static void let_go(Front *front, WireStream stream)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    dup2(null, (int) stream);
    if (stream == WIRE_STDOUT && front->kinds[2] == WIRE_PIPE && front->outputs[WIRE_STDERR].fd < 0)
        dup2(null, STDERR_FILENO);
    close(null);
}

void front_let_go(Front *front)
{
    for (int stream = 0; stream < WIRE_TTY; stream++)
        if (front->leaving & (1u << stream))
            let_go(front, (WireStream) stream);
    front->leaving = 0;
}

/* The program can only be told EPIPE; that its output was lost must not look like success. */
static void output_lost(Front *front, int error)
{
    g_autofree char *sentence =
        g_strdup_printf("cannot write what the program says: %s", g_strerror(error));

    front_say(front, sentence);
    front->output_status = 1;
}

void front_write_out(Front *front, WireStream stream)
{
    StreamOutput *output = &front->outputs[stream];

    if (output->fd < 0) {
        report_taken(front, stream);
        return;
    }
    if (stream == WIRE_TTY && stream_output_pending(output) &&
        terminal_stops_output(&front->terminal)) {
        signals_stop_self(SIGTTOU, TRUE);
        return;
    }
    if (!stream_output_flush(output)) {
        if (output->failed != EPIPE && stream != WIRE_TTY)
            output_lost(front, output->failed);
        front_tell(front, &(WireMessage) { .type = WIRE_OUTPUT_BROKEN, .stream = (guint8) stream });
    }
    if (output->fd < 0 && output->ending)
        front->leaving |= 1u << stream;
    report_taken(front, stream);
}

void front_take_output(Front *front, const WireMessage *message)
{
    StreamOutput *output = &front->outputs[message->data.stream];
    gsize size = message->data.size;

    timings_mark(&front->timings, PAIR_OUTPUT);
    if (message->data.stream == WIRE_TTY)
        /* in take_packets' own buffer */
        size = terminal_plain(&front->terminal, (guint8 *) message->data.data, size);
    stream_output_add(output, message->data.data, size);
    output->taken += message->data.size - size;
    front_write_out(front, message->data.stream);
}

/* A line's end-of-file key, where home's terminal does the lines: the guest's has to see the key
 * itself. */
static void input_ended(Front *front, gboolean hung_up)
{
    guint8 key = front->terminal.modes.c_cc[VEOF];
    guint8 head[WIRE_DATA_HEAD];

    if (front->input.terminal && front->terminal.shared && !hung_up) {
        wire_data_head(head, WIRE_INPUT, front->input_stream);
        pair_send(front->pair, head, sizeof head, &key, 1);
        return;
    }
    stream_input_close(&front->input);
    front_tell(front,
             &(WireMessage){ .type = WIRE_INPUT_END, .stream = (guint8) front->input_stream });
}

static void note_keys(Front *front, const guint8 *bytes, gsize size)
{
    const guint8 *keys = front->terminal.modes.c_cc;

    for (gsize i = 0; front->terminal.raw && i < size; i++)
        if (bytes[i] == keys[VINTR] || bytes[i] == keys[VQUIT])
            front->key = bytes[i];
}

void front_take_input(Front *front, gboolean hung_up)
{
    static guint8 buffer[32 << 10];
    guint8 head[WIRE_DATA_HEAD];
    gssize size = stream_input_read(&front->input, buffer, sizeof buffer);

    if (size < 0 && (errno == EAGAIN ||
                     (errno == EIO && front->input.terminal && !terminal_ours(&front->terminal))))
        return;
    if (size <= 0) {
        input_ended(front, hung_up);
        return;
    }
    note_keys(front, buffer, (gsize) size);
    wire_data_head(head, WIRE_INPUT, front->input_stream);
    pair_send(front->pair, head, sizeof head, buffer, (gsize) size);
}

gboolean front_input_wanted(Front *front, gboolean *ret_again)
{
    if (!front->started || front->exited || !stream_input_wanted(&front->input))
        return FALSE;
    if (!front->input.terminal || terminal_readable(&front->terminal))
        return TRUE;
    *ret_again = TRUE;
    return FALSE;
}

gboolean front_all_written(const Front *front)
{
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        if (stream_output_pending(&front->outputs[stream]))
            return FALSE;
    return TRUE;
}
