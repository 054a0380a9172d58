/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link-private.h - what link.c, link-send.c and link-receive.c share; for nobody else */
#pragma once

#include "checksum.h"
#include "frame.h"
#include "link.h"

typedef enum {
    LINK_DOWN,       /* home: no connection; nothing is written, what comes is thrown away */
    LINK_GREETING,   /* home: HELLO said, no answer yet; guest: waits for a HELLO */
    LINK_UP,
    LINK_REFUSED,    /* home: the other end can never be resumed */
} LinkState;

/* A frame as the sender keeps it, until it is acknowledged. */
typedef struct LinkFrame LinkFrame;
struct LinkFrame {
    LinkFrame *next;
    Frame head;         /* sequence 0 until it is first written */
    uint64_t chain;     /* after this frame */
    uint8_t bytes[];    /* FRAME_HEADER, then the payload: written as they lie */
};

typedef struct {
    LinkFrame *first, *last;
} LinkQueue;

typedef struct {
    LinkQueue queue;        /* not yet written, not yet numbered */
    uint64_t sent;          /* bytes of messages taken from the caller */
    uint64_t peer_consumed; /* of these, what the other end is done with */
    size_t kept_cost;       /* memory of its frames, queued or kept */
    size_t wanted;          /* the message that got -EAGAIN; 0: nobody waits */
    size_t passed_over;     /* bytes of more urgent channels written while this one waited */

    uint64_t received;      /* bytes of fragments received */
    uint64_t consumed;      /* of these, what our caller is done with */
    uint64_t announced;     /* of these, what the other end was told */
    uint8_t *assembly;      /* a message that came in part */
    size_t capacity, fill;  /* fill: bytes of complete frames */
    size_t total;           /* of the whole message; 0: none begun */
} LinkLane;

struct Link {
    LinkRole role;
    LinkState state;
    LinkEvents events;
    void *user;
    unsigned generation;    /* changes when the connection does: callers up the stack give up */
    LinkLane lanes[LINK_CHANNELS];

    /* Who we are */
    uint8_t token[16], nonce[16];
    bool has_token;
    uint64_t connection, epoch;
    HelloStatus answer;     /* guest: what HELLO_ACK will say */
    uint64_t answer_chain;  /* guest: chain of what was sent, at home's last_rx */
    uint8_t answer_nonce[16];

    /* Sending */
    uint64_t tx_sequence, tx_chain;   /* of the last numbered frame */
    uint64_t acked, acked_chain;      /* of the last acknowledged one */
    LinkQueue kept;                   /* numbered, not acknowledged */
    LinkFrame *spare;                 /* frames of full length, for the next ones */
    unsigned spares;
    LinkFrame *prepared;              /* for link_commit */
    LinkFrame *resend;                /* the next of these to be repeated in this connection */
    uint8_t *stage;                   /* small frames on their way, FRAME_MAX bytes */
    const uint8_t *out;
    size_t out_size, out_done;
    LinkFrame *out_frame;             /* the kept frame that out points into */
    bool out_orphan;                  /* it was acknowledged meanwhile */
    bool hello_due, lost_due, ack_due, ack_waits;

    /* Receiving */
    uint64_t rx_sequence, rx_chain;
    size_t unacknowledged;            /* bytes received since our last acknowledgement */
    /* a header, the payload of a frame without number, or home's search */
    uint8_t head[FRAME_HELLO_SIZE];
    size_t head_fill;
    Frame frame;                      /* the frame whose payload is coming */
    bool in_payload;
    size_t payload_fill;
    Sum sum;
    uint8_t tail[FRAME_HELLO_SIZE];   /* guest: the last bytes that came */
    size_t tail_fill;

    /* Time: deadlines in the caller's clock, 0 = not yet begun */
    uint64_t ack_at, hello_at, trim_at, trim_seen;
    unsigned hello_interval;

    LinkCounters counters;
};

/* Windows, in bytes of messages. */
extern const uint32_t link_windows[LINK_CHANNELS];

/* link-send.c */
/* the connection is another: forget what was half written */
void send_reset(Link *link);
bool send_acknowledge(Link *link, uint64_t sequence); /* false: a number that was never sent */
bool send_consumed(Link *link, const uint64_t consumed[LINK_CHANNELS]); /* false: cannot be */
void send_resume(Link *link);                         /* repeat all that is kept */
bool send_chain_at(const Link *link, uint64_t sequence, uint64_t *ret_chain);
void send_writable(Link *link);                       /* tells those who wait */
void send_trim(Link *link);
bool send_has_spare(const Link *link);                /* memory that send_trim would free */
void send_free(Link *link);

/* link-receive.c */
void receive_reset(Link *link);
void receive_trim(Link *link);
bool receive_has_spare(const Link *link);    /* memory that receive_trim would free */

/* link.c */
/* Guest: a HELLO came; torn: in the middle of a frame of this connection, perhaps as its
 * payload. */
void link_hello(Link *link, const Hello *hello, uint8_t version, bool torn);
/* Home: the answer to its HELLO came; 0 or -EPROTO. */
int link_hello_ack(Link *link, const Hello *hello, uint8_t version);
void link_greet(Link *link);
void link_fill_hello(const Link *link, Hello *ret_hello);
