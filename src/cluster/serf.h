/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serf.h - serf's RPC, as bytes: what is asked of an agent, and what it says
 *
 * Objects of MessagePack on a TCP connection, no lengths, no ends: a header {Command, Seq} and a
 * body one way; a header {Seq, Error} and, for some, a body the other.
 */
#pragma once

#include <glib.h>

/* Each request has one number, so only one of a kind may be under way. */
typedef enum {
    SERF_HANDSHAKE = 1,
    SERF_AUTH,
    SERF_STREAM,
    SERF_MEMBERS,
    SERF_JOIN
} SerfRequest;

/* Appends a request to bytes. text is AUTH's key, JOIN's "address:port"; else NULL. */
void serf_request(GByteArray *bytes, SerfRequest request, const char *text);

typedef struct {
    /* A request was answered; error is "" if it was done. */
    void (*answered)(SerfRequest request, const char *error, gpointer user);
    /* A member's state, after SERF_MEMBERS or because it changed: "alive", "failed", "left",
     * "leaving" or "none". */
    void (*member)(const char *name, const char *status, gpointer user);
} SerfEvents;

typedef struct SerfReader SerfReader;

SerfReader *serf_reader_new(const SerfEvents *events, gpointer user);
void serf_reader_free(SerfReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SerfReader, serf_reader_free)

/* Takes in what came, and tells of what is whole; FALSE with an error if it cannot be serf. */
gboolean serf_reader_take(SerfReader *reader, const guint8 *data, gsize length, GError **error);
