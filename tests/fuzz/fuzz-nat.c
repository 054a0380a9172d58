/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-nat.c - a guest that sends any packets: the deputy's filter, and libslirp behind it
 *
 * The input is packets behind one another, each with its length (16 bits) in front; the highest bit of it lets a packet
 * alone. Else source, length and checksums are put right, so that more than the first check is reached. Destinations are
 * made the gateway, which libslirp refuses, or this machine's name server: nothing reaches out.
 */
#include "common/tunnel.h"
#include "deputy/nat-network.h"
#include "deputy/nat.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const NatNetwork *the_network;

static gboolean take(const void *packet, gsize size, gpointer user)
{
    if (size > TUNNEL_MTU || !nat_network_arrives(the_network, packet, size))
        abort();
    return size % 5 != 4;
}

static gboolean busy(gpointer user)
{
    return FALSE;
}

static void flush(gpointer user)
{
}

static gboolean alive(gpointer user)
{
    return TRUE;
}

static uint32_t sum16(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (uint32_t) bytes[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static void put16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t) (value >> 8);
    bytes[1] = (uint8_t) value;
}

/* The checksum of what is behind the header, over it and the addresses. */
static void mend_payload(uint8_t *payload, size_t size, uint8_t protocol, const uint8_t *addresses, size_t addresses_size)
{
    size_t at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 2;
    uint32_t sum = protocol == IPPROTO_ICMP ? 0 : sum16((uint32_t) size + protocol, addresses, addresses_size);

    if (at + 2 > size)
        return;
    put16(payload + at, 0);
    put16(payload + at, ~sum16(sum, payload, size));
}

static void mend4(uint8_t *packet, size_t size)
{
    size_t header = (size_t) (packet[0] & 15) * 4;
    uint32_t source = htonl(the_network->guest);
    uint32_t target = htonl(packet[19] % 2 ? the_network->gateway : INADDR_LOOPBACK);

    if (header < 20 || header > size)
        return;
    put16(packet + 2, (uint32_t) size);
    memcpy(packet + 12, &source, 4);
    memcpy(packet + 16, &target, 4);
    put16(packet + 10, 0);
    put16(packet + 10, ~sum16(0, packet, header));
    mend_payload(packet + header, size - header, packet[9], packet + 12, 8);
}

static void mend6(uint8_t *packet, size_t size)
{
    put16(packet + 4, (uint32_t) size - 40);
    memcpy(packet + 8, the_network->guest6, 16);
    memcpy(packet + 24, the_network->gateway6, 16);
    mend_payload(packet + 40, size - 40, packet[6], packet + 8, 32);
}

/* A packet that is let alone must not reach out either. */
static int leads_out(const uint8_t *packet, size_t size)
{
    uint32_t target;

    if (!nat_network_leaves(the_network, packet, size) || packet[0] >> 4 != 4)
        return nat_network_leaves(the_network, packet, size);
    memcpy(&target, packet + 16, 4);
    return ntohl(target) != the_network->gateway && ntohl(target) != INADDR_LOOPBACK;
}

static void say(Nat *nat, const uint8_t *bytes, size_t size, int right)
{
    uint8_t *packet = malloc(size ? size : 1);

    memcpy(packet, bytes, size);
    if (right && size >= 20 && packet[0] >> 4 == 4)
        mend4(packet, size);
    else if (right && size >= 40 && packet[0] >> 4 == 6)
        mend6(packet, size);
    if (right || !leads_out(packet, size))
        nat_packet(nat, packet, size);
    free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const NatEvents events = { take, busy, flush, alive };
    char **texts = nat_network_make(NULL, 0, "nameserver 127.0.0.1", TRUE);
    const WireStrings strings = { g_strv_length(texts), texts };
    NatNetwork network;
    size_t at = 0;

    if (!nat_network_parse(&network, &strings))
        abort();
    the_network = &network;
    Nat *nat = nat_new(&strings, &events, NULL, NULL);
    while (nat && at + 2 <= size) {
        size_t length = data[at] | (size_t) data[at + 1] << 8;

        at += 2;
        if (length % 0x8000 > size - at)
            break;
        say(nat, data + at, length % 0x8000, !(length & 0x8000));
        g_main_context_iteration(NULL, FALSE);
        at += length % 0x8000;
    }
    nat_free(nat);
    g_strfreev(texts);
    return 0;
}
