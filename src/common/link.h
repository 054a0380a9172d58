/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - the resumable byte stream between agent and deputy: no I/O of its own, no GLib
 *
 * The caller moves bytes between a Link and whatever connection it has at the moment; the Link
 * frames, checks, numbers, acknowledges, repeats and schedules. docs/protocol.md is the format. Not
 * thread-safe: one thread owns a Link.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Link Link;

typedef enum { LINK_HOME, LINK_GUEST } LinkRole;

/* Channels, most urgent first. A message is delivered whole and in the order of its channel. */
typedef enum {
    LINK_CONTROL,   /* wire.h messages */
    LINK_FILES,     /* FUSE requests and replies of at most LINK_SMALL bytes */
    LINK_SOCKETS,   /* records of the guest's sockets that live at home */
    LINK_STREAM,    /* wire.h messages that carry stdin, stdout, stderr or the terminal */
    LINK_BULK,      /* longer FUSE requests and replies, the START message */
    LINK_CHANNELS
} LinkChannel;

#define LINK_SMALL 8192               /* bytes; files messages above go on LINK_BULK */
#define LINK_MESSAGE_MAX (5u << 20)   /* bytes of one message */

typedef struct {
    /* A whole message; data is valid during the call only. The receiver must, now or later, give
     * the credit back with link_consumed(size). */
    void (*message)(void *user, LinkChannel channel, const void *data, size_t size);
    /* A sender that got -EAGAIN on this channel may try again. */
    void (*writable)(void *user, LinkChannel channel);
    /* HELLO was answered: the connection is good from here on. */
    void (*established)(void *user, uint64_t epoch);
    /* HOME only: this incarnation can never be resumed (rolled back, diverged, another job, another
     * version); why is a sentence. The connection must be closed. */
    void (*refused)(void *user, const char *why);
    /* GUEST only, before the first HELLO: nobody waits for this guest. */
    void (*rehearse)(void *user);
} LinkEvents;

/* Events are copied; message is required, the others may be NULL. A callback may send and give
 * credit back, attach and detach, but neither free the link nor feed it.
 * NULL when out of memory. */
Link *link_new(LinkRole role, const LinkEvents *events, void *user);
void link_free(Link *link);

/* Home: a new connection to incarnation epoch; what was half sent is forgotten and HELLO is due.
 * Guest: not needed. */
void link_attach(Link *link, uint64_t epoch);
/* The connection is gone; messages can still be queued within their credit. */
void link_detach(Link *link);

/* Queues one message. 0; -EAGAIN: no credit, nothing taken, writable() will follow; -EMSGSIZE:
 * empty, or longer than LINK_MESSAGE_MAX or the channel's window; -ENOMEM: nothing taken. */
int link_send(Link *link, LinkChannel channel, const void *data, size_t size);
/* The same from two parts (a header and a body), without joining them first. */
int link_send2(Link *link, LinkChannel channel, const void *head, size_t head_size,
               const void *data, size_t size);
/* Room for the beginning of a message, FRAME_PAYLOAD_MAX bytes that the caller fills and gives to link_commit; the same
 * until that has taken it. NULL: no memory. */
void *link_prepare(Link *link);
/* link_send of size bytes, up to FRAME_PAYLOAD_MAX, that lie there; a long message is not copied. */
int link_commit(Link *link, LinkChannel channel, size_t size);
/* The longest message that link_send would take now. */
size_t link_room(const Link *link, LinkChannel channel);
/* Whether something of the channel was not written yet: what is sent now on another may go first. */
bool link_queued(const Link *link, LinkChannel channel);
/* The receiver is done with so many bytes of message payload of the channel. */
void link_consumed(Link *link, LinkChannel channel, size_t size);

/* What should be written to the connection next (*size 0: nothing); link_output_done says how much
 * was. Never more than 32 KiB at once (a virtio-serial write). */
const void *link_output(Link *link, size_t *size);
void link_output_done(Link *link, size_t written);
bool link_wants_output(Link *link);
/* Whether what it would begin to write next is of the least urgent channel: a frame that can wait a little. */
bool link_only_bulk(const Link *link);

/* Bytes that came from the connection. 0, or -EPROTO/-ENOMEM: close the connection (home), go on
 * (guest: it discards until home's next HELLO, and asks for one). */
int link_input(Link *link, const void *data, size_t size);

/* Bytes of a frame whose beginning has come that are still on their way; 0: none has begun. */
size_t link_missing(const Link *link);

/* Milliseconds until link_tick must be called (-1: no need), by a monotonic clock in ms. */
int link_timeout(Link *link, uint64_t now_ms);
void link_tick(Link *link, uint64_t now_ms);

/* Figures for show and tests. */
typedef struct {
    uint64_t sent_frames, sent_bytes, received_frames, received_bytes;
    uint64_t resent_frames, connections, unacknowledged_bytes;
} LinkCounters;
void link_counters(const Link *link, LinkCounters *ret_counters);
