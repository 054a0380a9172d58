/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.c - standard input, output, error and the terminal, between the program's pipes and the link
 *
 * Each stream has a window (wire.h): home has at most that many bytes of INPUT under way, so that a ring of this size
 * always has room and the link's credit is returned at once; and the agent stops reading a pipe when so many bytes of
 * OUTPUT are not yet taken. So a stream waits for its own reader only, and the program that writes it blocks in
 * write(), as it would at home.
 */
#include "streams.h"

#include "console.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK 32768u

static uint8_t chunk[CHUNK];

static bool carries_input(WireStream which)
{
    return which == WIRE_STDIN || which == WIRE_TTY;
}

static bool carries_output(WireStream which)
{
    return which != WIRE_STDIN;
}

static bool send_message(Streams *streams, LinkChannel channel, const WireMessage *message)
{
    uint8_t bytes[64];
    size_t size = wire_encode(message, bytes, sizeof bytes);

    return link_send(streams->link, channel, bytes, size) == 0;
}

/* How much of this stream may be sent now. */
static uint32_t output_room(const Stream *stream)
{
    size_t room = link_room(stream->all->link, LINK_STREAM);
    size_t left = stream->under_way < WIRE_WINDOW ? WIRE_WINDOW - stream->under_way : 0;

    room = room > WIRE_DATA_HEAD ? room - WIRE_DATA_HEAD : 0;
    if (left < room)
        room = left;
    return room < CHUNK ? (uint32_t)room : CHUNK;
}

/* Waits for what this stream can go on with; closes it when that is nothing. */
static void stream_update(Stream *stream)
{
    uint32_t events = 0;
    bool input = carries_input(stream->which) && !stream->input_broken && (stream->held || !stream->input_ended);

    if (stream->output_open && output_room(stream))
        events |= EPOLLIN;
    if (input && stream->held)
        events |= EPOLLOUT;
    /* Of a pipe that is only written, errors tell that its reader is gone. */
    if (stream->which == WIRE_STDIN && input && !events)
        events = EPOLLERR;
    /* The terminal stays for the sake of its modes. */
    if (!input && !stream->output_open && stream->which != WIRE_TTY)
        watch_close(&stream->watch);
    else
        watch_set(&stream->watch, events);
}

/* Says what is due; what the link does not take now is said when it is writable. */
static void stream_report(Stream *stream)
{
    WireMessage taken = { .type = WIRE_TAKEN, .taken = { stream->which, stream->taken } };
    WireMessage broken = { .type = WIRE_INPUT_BROKEN, .stream = stream->which };
    WireMessage ended = { .type = WIRE_OUTPUT_END, .stream = stream->which };

    if (stream->taken >= WIRE_WINDOW / 4 && send_message(stream->all, LINK_CONTROL, &taken))
        stream->taken = 0;
    if (stream->say_broken && send_message(stream->all, LINK_CONTROL, &broken))
        stream->say_broken = false;
    if (stream->say_ended && send_message(stream->all, LINK_STREAM, &ended))
        stream->say_ended = false;
}

static void input_break(Stream *stream)
{
    stream->taken += stream->held;
    stream->held = 0;
    if (!stream->input_broken)
        stream->say_broken = true;
    stream->input_broken = true;
}

/* Writes what the ring holds, as far as the pipe takes it. */
static void input_flush(Stream *stream)
{
    while (stream->held) {
        uint32_t piece = WIRE_WINDOW - stream->head;
        ssize_t written;

        if (piece > stream->held)
            piece = stream->held;
        written = write(stream->watch.fd, stream->ring + stream->head, piece);
        if (written < 0 && errno == EAGAIN)
            return;
        if (written <= 0) {
            input_break(stream);
            return;
        }
        stream->head = (stream->head + (uint32_t)written) % WIRE_WINDOW;
        stream->held -= (uint32_t)written;
        stream->taken += (uint32_t)written;
    }
}

static void output_end(Stream *stream)
{
    stream->output_open = false;
    stream->say_ended = true;
    if (stream->which == WIRE_TTY)
        input_break(stream);
}

/* Reads once and sends it. */
static void output_move(Stream *stream)
{
    uint32_t room = output_room(stream);
    ssize_t size = room ? read(stream->watch.fd, chunk, room) : -1;
    uint8_t head[WIRE_DATA_HEAD];

    if (!room || (size < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    if (size <= 0) {    /* a terminal says EIO */
        output_end(stream);
        return;
    }
    wire_data_head(head, WIRE_OUTPUT, stream->which);
    if (link_send2(stream->all->link, LINK_STREAM, head, sizeof head, chunk, (size_t)size) < 0)
        say("%zd bytes of output were lost", size);
    stream->under_way += (uint32_t)size;
}

static void stream_ready(void *user, uint32_t events)
{
    Stream *stream = user;

    if (stream->which == WIRE_STDIN && events & EPOLLERR)
        input_break(stream);
    if (stream->held && events & EPOLLOUT)
        input_flush(stream);
    if (stream->output_open && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        output_move(stream);
    stream_report(stream);
    stream_update(stream);
}

void streams_init(Streams *streams, Link *link)
{
    memset(streams, 0, sizeof *streams);
    streams->link = link;
    for (WireStream which = 0; which < WIRE_STREAMS; which++) {
        Stream *stream = &streams->stream[which];

        stream->all = streams;
        stream->which = which;
        stream->watch = (Watch) { .fd = -1, .ready = stream_ready, .user = stream };
        stream->input_broken = true;
    }
}

void streams_attach(Streams *streams, WireStream which, int fd)
{
    Stream *stream = &streams->stream[which];

    if (carries_input(which)) {
        stream->ring = mmap(NULL, WIRE_WINDOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stream->ring == MAP_FAILED)
            die("no memory for a stream");
        stream->input_broken = false;
    }
    stream->watch.fd = fd;
    stream->output_open = carries_output(which);
    stream_update(stream);
}

void streams_input(Streams *streams, WireStream which, const void *data, size_t size)
{
    Stream *stream = &streams->stream[which];
    const uint8_t *bytes = data;

    if (stream->input_broken) {
        stream->taken += (uint32_t)size;
        stream_report(stream);
        return;
    }
    if (size > WIRE_WINDOW - stream->held) {
        say("home sent more input than the window of stream %d holds", (int)which);
        size = WIRE_WINDOW - stream->held;
    }
    for (size_t done = 0; done < size;) {
        uint32_t at = (stream->head + stream->held) % WIRE_WINDOW;
        size_t piece = WIRE_WINDOW - at < size - done ? WIRE_WINDOW - at : size - done;

        memcpy(stream->ring + at, bytes + done, piece);
        stream->held += (uint32_t)piece;
        done += piece;
    }
    input_flush(stream);
    stream_report(stream);
    stream_update(stream);
}

void streams_input_end(Streams *streams, WireStream which)
{
    Stream *stream = &streams->stream[which];

    if (which == WIRE_TTY || stream->input_broken)
        return;     /* a terminal that is gone is told by SIGHUP */
    stream->input_ended = true;
    stream_update(stream);
}

void streams_output_broken(Streams *streams, WireStream which)
{
    Stream *stream = &streams->stream[which];

    if (!stream->output_open)
        return;
    output_end(stream);
    stream_report(stream);
    watch_close(&stream->watch);
}

void streams_taken(Streams *streams, WireStream which, uint32_t bytes)
{
    Stream *stream = &streams->stream[which];

    stream->under_way -= bytes < stream->under_way ? bytes : stream->under_way;
    stream_update(stream);
}

void streams_writable(Streams *streams)
{
    for (WireStream which = 0; which < WIRE_STREAMS; which++) {
        stream_report(&streams->stream[which]);
        stream_update(&streams->stream[which]);
    }
}

void streams_pull(Streams *streams)
{
    for (WireStream which = 0; which < WIRE_STREAMS; which++) {
        Stream *stream = &streams->stream[which];

        for (uint32_t before = ~0u; stream->output_open && stream->under_way != before;) {
            before = stream->under_way;
            output_move(stream);
        }
        stream_report(stream);
        stream_update(stream);
    }
}

bool streams_drained(const Streams *streams)
{
    for (WireStream which = 0; which < WIRE_STREAMS; which++)
        if (streams->stream[which].output_open || streams->stream[which].say_ended)
            return false;
    return true;
}

bool streams_stuck(const Streams *streams)
{
    for (WireStream which = 0; which < WIRE_STREAMS; which++)
        if (streams->stream[which].output_open && !output_room(&streams->stream[which]))
            return true;
    return false;
}

int streams_terminal(const Streams *streams)
{
    return streams->stream[WIRE_TTY].watch.fd;
}
