/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tunnel.h - what home and guest agree on about the packets of --network nat (docs/protocol.md) */
#pragma once

/* The device's MTU, the longest IP packet either way: so long that a datagram need not go in fragments, which home does not
 * take. */
#define TUNNEL_MTU 65521
/* The device's name in START's addresses, and what stands there for a name server on the home's loopback. */
#define TUNNEL_DEVICE "eth0"
#define TUNNEL_RESOLVER "dns"
#define TUNNEL_RESOLVER_PORT 53
