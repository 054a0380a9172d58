/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat-network.h - the network of one job with --network nat: its addresses, and which packets may pass */
#pragma once

#include "common/wire.h"

#include <glib.h>

#define NAT_RESOLVERS 3     /* a libc asks no more */

typedef struct {
    guint32 guest, gateway;             /* host byte order */
    gboolean six;                       /* there is IPv6: these two */
    guint8 guest6[16], gateway6[16];
    guint32 resolvers[NAT_RESOLVERS];   /* name servers on the home's loopback, which may be asked */
    guint resolver_count;
} NatNetwork;

/* START's addresses for a job that sees the folder root (NULL: all) as /: of this home's networks none is in the way, name
 * servers are those of its /etc/resolv.conf, and there is IPv6 if home has an address of it that leads further than a
 * link. g_strfreev. */
char **nat_network_choose(const char *root);

/* The same for tests: taken[] are networks of home, address and bits by turns, resolv_conf the file's text or NULL. */
char **nat_network_make(const guint32 *taken, guint taken_count, const char *resolv_conf, gboolean six);

/* What START's addresses say. FALSE if that is no network. */
gboolean nat_network_parse(NatNetwork *ret_network, const WireStrings *addresses);

/* Whether a packet of the guest may pass: a whole IP packet, no fragment, the guest's own source address, and a destination
 * that is a machine's, not the home's loopback, save that a name server there may be asked. */
gboolean nat_network_leaves(const NatNetwork *network, const guint8 *packet, gsize size);

/* Whether such a packet may be the first of something: TCP's SYN, a datagram. */
gboolean nat_network_begins(const guint8 *packet, gsize size);

/* Whether a packet is for the guest. */
gboolean nat_network_arrives(const NatNetwork *network, const guint8 *packet, gsize size);
