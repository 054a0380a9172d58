/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay.h - a thread that carries bytes between two local sockets until both ways are closed
 *
 * What cannot be done by handing over a descriptor is done by this: QEMU's channel or migration socket on one side, the
 * plain end of a TLS connection on the other. The end of one direction is passed on as such.
 */
#pragma once

#include <glib.h>

typedef struct Relay Relay;

/* What becomes of the bytes that go from a to b; those from b to a stay as they are. */
typedef enum { RELAY_PLAIN, RELAY_SQUEEZE, RELAY_EXPAND } RelayCoding;

/* Takes over both descriptors. ended (may be NULL) is called once on the main context that is the thread default now, with
 * the bytes that were written to b and to a; the Relay is gone after it. */
Relay *relay_new(int a, int b, RelayCoding coding, void (*ended)(Relay *relay, guint64 a_to_b, guint64 b_to_a, gpointer user),
                 gpointer user);

/* Calls back once on the main context when so many bytes have come from a; to be called right after relay_new. */
void relay_notice(Relay *relay, guint64 bytes, void (*noticed)(Relay *relay, gpointer user));

/* Breaks it off: both descriptors are shut down; ended follows, if forget is FALSE. */
void relay_cut(Relay *relay, gboolean forget);
