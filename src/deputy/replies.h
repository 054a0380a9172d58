/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replies.h - answers of the files server on their way from its worker threads to the link */
#pragma once

#include "port.h"

#include <sys/uio.h>

typedef struct Replies Replies;

/* A queue whose messages go out on link, over port, from the main loop of the calling thread. */
Replies *replies_new(Link *link, Port *port);
void replies_free(Replies *replies);

/* Adds a message; from any thread. */
void replies_add(Replies *replies, const struct iovec *parts, int count);

/* Of all messages that were ever added. */
guint64 replies_bytes(Replies *replies);

/* Whether something was added that the link has not got yet. */
gboolean replies_some(const Replies *replies);

/* What was added until now is the link's, as far as there is credit; from the main loop. */
void replies_flush(Replies *replies);

/* The link takes messages of this channel again. */
void replies_writable(Replies *replies, LinkChannel channel);
