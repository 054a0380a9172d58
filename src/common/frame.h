/* SPDX-License-Identifier: GPL-2.0-or-later */
/* frame.h - the bytes of the link: one encoder and decoder for both ends (docs/protocol.md) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION 3
#define FRAME_MAGIC 0x4b4c4a53u   /* "SJLK" */
#define FRAME_HEADER 48           /* bytes */
/* bytes of header and payload: one write to a virtio-serial port */
#define FRAME_MAX 32768
#define FRAME_PAYLOAD_MAX (FRAME_MAX - FRAME_HEADER)
#define FRAME_CHANNELS 5

typedef enum {
    FRAME_DATA = 1,    /* a fragment of a message; the only numbered frames */
    FRAME_ACK,         /* payload: FRAME_CHANNELS numbers of bytes consumed, 64 bits each */
    FRAME_HELLO,       /* home to guest, payload: Hello */
    FRAME_HELLO_ACK,   /* guest to home, payload: Hello */
    FRAME_LOST,        /* guest to home: what came makes no sense, say HELLO again; no payload */
    FRAME_REHEARSE,    /* to a guest without a home, before any HELLO: nobody waits for it; no payload */
} FrameType;

#define FRAME_ACK_PAYLOAD (8 * FRAME_CHANNELS)
#define FRAME_HELLO_PAYLOAD (88 + 8 * FRAME_CHANNELS)
#define FRAME_HELLO_SIZE (FRAME_HEADER + FRAME_HELLO_PAYLOAD)

typedef struct {
    uint8_t version, type, channel;
    uint32_t length;     /* bytes of payload */
    uint32_t rest;       /* bytes of this message that follow in later frames */
    uint64_t sequence;   /* DATA: its number, from 1; else the number of the last one sent */
    uint64_t ack;        /* the last number received in order */
    uint64_t sum;        /* sum_value of the payload */
} Frame;

typedef enum {
    HELLO_OK,
    HELLO_MISFIT,    /* the numbers or chains cannot belong together */
    HELLO_OTHER_JOB, /* the token is another job's */
    HELLO_VERSION,   /* another FRAME_VERSION */
} HelloStatus;

typedef struct {
    uint8_t token[16];     /* the job's, chosen by home once */
    uint8_t nonce[16];     /* home's for this connection, given back */
    uint64_t connection;   /* counts home's connections */
    uint64_t epoch;
    uint64_t next_tx;      /* number of the next frame that the sender will number */
    uint64_t last_rx;      /* the last number received in order */
    uint64_t chain_rx;     /* chain of all that was received, at last_rx */
    /* HELLO_ACK: chain of what the guest sent, at home's last_rx; HELLO: 0 */
    uint64_t chain_tx;
    uint64_t consumed[FRAME_CHANNELS];
    uint32_t status;       /* HELLO_ACK: HelloStatus */
} Hello;

/* Writes or reads the header. frame_decode: 0, or -EPROTO for anything that cannot be a header of
 * any version; the caller looks at the version. */
void frame_encode(const Frame *frame, uint8_t bytes[FRAME_HEADER]);
int frame_decode(const uint8_t bytes[FRAME_HEADER], Frame *ret_frame);

/* A whole HELLO or HELLO_ACK frame. frame_decode_hello: 0, or -EPROTO unless it is one of that type
 * and its sums are right; the version is left to the caller. */
void frame_encode_hello(FrameType type, const Hello *hello, uint8_t bytes[FRAME_HELLO_SIZE]);
int frame_decode_hello(const uint8_t bytes[FRAME_HELLO_SIZE], FrameType type, Hello *ret_hello,
                       uint8_t *ret_version);

/* A whole REHEARSE frame, and whether these bytes are one. */
void frame_encode_rehearse(uint8_t bytes[FRAME_HEADER]);
bool frame_is_rehearse(const uint8_t bytes[FRAME_HEADER]);

/* A whole ACK frame, and its payload. */
#define FRAME_ACK_SIZE (FRAME_HEADER + FRAME_ACK_PAYLOAD)
void frame_encode_ack(uint64_t sequence, uint64_t ack, const uint64_t consumed[FRAME_CHANNELS],
                      uint8_t bytes[FRAME_ACK_SIZE]);
void frame_decode_ack(const uint8_t payload[FRAME_ACK_PAYLOAD],
                      uint64_t ret_consumed[FRAME_CHANNELS]);

/* True while size (1 or more) bytes can be the beginning of a frame. */
bool frame_begins(const uint8_t *bytes, size_t size);

/* The chain after this DATA frame, from the chain before it: a hash of all that was sent in this
 * direction. What changes when a frame is repeated (the acknowledgement) is not in it. */
uint64_t frame_chain(uint64_t chain, const Frame *frame);
