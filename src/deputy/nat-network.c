/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat-network.c - the network of one job with --network nat: its addresses, and which packets may pass
 *
 * The guest is trusted with nothing here either. libslirp makes a connection to whatever address a packet names, so what
 * names this machine itself is stopped before: 127.0.0.0/8, 0.0.0.0/8, ::1 and their like in other clothes. The one way
 * to the loopback is to a name server that home's own /etc/resolv.conf names there, and only to its port. libslirp's
 * answers go to the source address of a question; so that must be the guest's. Fragments are stopped as well: libslirp puts
 * them together in place, by pointers that a malicious sequence of them can lead astray. The guest's device takes packets
 * so long that it never needs to make any.
 */
#include "nat-network.h"

#include "common/tunnel.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define GUEST 15            /* the last byte of addresses */
#define GATEWAY 2
#define NETWORK_BITS 24
#define PREFIX6 "fd73:6f6a:6f75::"
#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define ECHO_REQUEST6 128

/* The first that is not in the way of anything here. */
static const guint32 candidates[] = { 0x0a000200, 0x0ad50200, 0xac1dd500, 0xc0a8d500 };

/* Choosing */

static guint32 mask_of(guint bits)
{
    return bits == 0 ? 0 : ~0u << (32 - MIN(bits, 32));
}

static gboolean is_taken(guint32 candidate, const guint32 *taken, guint count)
{
    for (guint i = 0; i < count; i++) {
        guint32 mask = mask_of(MIN(taken[2 * i + 1], NETWORK_BITS));

        if ((taken[2 * i] & mask) == (candidate & mask))
            return TRUE;
    }
    return FALSE;
}

static void add_resolver(guint32 *resolvers, guint *count, guint32 address)
{
    for (guint i = 0; i < *count; i++)
        if (resolvers[i] == address)
            return;
    resolvers[(*count)++] = address;
}

/* The IPv4 name servers of a resolv.conf, at most NAT_RESOLVERS; without any a libc asks 127.0.0.1. One at ::1 is taken to
 * be at 127.0.0.1, too: libslirp's IPv6 leads to no loopback. */
static guint find_resolvers(const char *text, guint32 *ret_resolvers)
{
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    guint named = 0, count = 0;

    for (char **line = lines; *line && named < NAT_RESOLVERS; line++) {
        g_auto(GStrv) words = g_strsplit_set(*line, " \t\r", -1);
        char **word = words;
        struct in_addr address;

        if (!*word || !g_str_equal(*word++, "nameserver"))
            continue;
        while (*word && !**word)
            word++;
        named += *word != NULL;
        if (*word && inet_pton(AF_INET, *word, &address) == 1)
            add_resolver(ret_resolvers, &count, ntohl(address.s_addr));
        else if (*word && g_str_equal(*word, "::1"))
            add_resolver(ret_resolvers, &count, INADDR_LOOPBACK);
    }
    if (!named)
        add_resolver(ret_resolvers, &count, INADDR_LOOPBACK);
    return count;
}

static gboolean is_loopback(guint32 address)
{
    return address >> 24 == 127;
}

static void add_text(GPtrArray *texts, const char *device, guint32 address, guint bits)
{
    const struct in_addr in = { htonl(address) };
    char text[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in, text, sizeof text);
    g_ptr_array_add(texts, g_strdup_printf("%s 0 %s/%u", device, text, bits));
}

char **nat_network_make(const guint32 *taken, guint taken_count, const char *resolv_conf, gboolean six)
{
    GPtrArray *texts = g_ptr_array_new();
    guint32 resolvers[NAT_RESOLVERS], asked[2 * NAT_RESOLVERS], network = 0;
    guint count = find_resolvers(resolv_conf, resolvers);

    for (guint i = 0; i < count; i++) {
        asked[2 * i] = resolvers[i];
        asked[2 * i + 1] = 32;
    }
    for (guint i = 0; i < G_N_ELEMENTS(candidates) && !network; i++)
        if (!is_taken(candidates[i], taken, taken_count) && !is_taken(candidates[i], asked, count))
            network = candidates[i];
    add_text(texts, TUNNEL_DEVICE, (network ? network : candidates[0]) | GUEST, NETWORK_BITS);
    if (six)
        g_ptr_array_add(texts, g_strdup_printf("%s 0 %s%x/64", TUNNEL_DEVICE, PREFIX6, GUEST));
    for (guint i = 0; i < count; i++)
        if (is_loopback(resolvers[i]))
            add_text(texts, TUNNEL_RESOLVER, resolvers[i], 32);
    g_ptr_array_add(texts, NULL);
    return (char **) g_ptr_array_free(texts, FALSE);
}

static void add_taken(GArray *taken, const struct sockaddr *address, const struct sockaddr *mask)
{
    guint32 pair[2] = { ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr),
                        (guint32) __builtin_popcount(((const struct sockaddr_in *) mask)->sin_addr.s_addr) };

    g_array_append_vals(taken, pair, 2);
}

char **nat_network_choose(const char *root)
{
    g_autofree char *path = g_build_filename(root ? root : "/", "etc/resolv.conf", NULL);
    g_autofree char *resolv_conf = NULL;
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(guint32));
    struct ifaddrs *all = NULL;
    gboolean six = FALSE;

    if (getifaddrs(&all) < 0)
        all = NULL;
    for (const struct ifaddrs *it = all; it; it = it->ifa_next) {
        if (!it->ifa_addr || !it->ifa_netmask || !(it->ifa_flags & IFF_UP) || it->ifa_flags & IFF_LOOPBACK)
            continue;
        if (it->ifa_addr->sa_family == AF_INET)
            add_taken(taken, it->ifa_addr, it->ifa_netmask);
        else if (it->ifa_addr->sa_family == AF_INET6)
            six |= !IN6_IS_ADDR_LINKLOCAL(&((struct sockaddr_in6 *) it->ifa_addr)->sin6_addr);
    }
    if (all)
        freeifaddrs(all);
    g_file_get_contents(path, &resolv_conf, NULL, NULL);
    return nat_network_make((const guint32 *) (gpointer) taken->data, taken->len / 2, resolv_conf, six);
}

/* Reading */

static gboolean parse_one(NatNetwork *network, const char *text)
{
    char device[16], address[INET6_ADDRSTRLEN];
    struct in_addr in;
    guint bits;
    int number;

    if (sscanf(text, "%15s %d %45[0-9a-f.:]/%u", device, &number, address, &bits) != 4)
        return FALSE;
    if (g_str_equal(device, TUNNEL_RESOLVER)) {
        if (network->resolver_count == NAT_RESOLVERS || inet_pton(AF_INET, address, &in) != 1)
            return FALSE;
        network->resolvers[network->resolver_count++] = ntohl(in.s_addr);
        return is_loopback(ntohl(in.s_addr));
    }
    if (inet_pton(AF_INET, address, &in) == 1) {
        network->guest = ntohl(in.s_addr);
        network->gateway = (network->guest & ~0xffu) | GATEWAY;
        return TRUE;
    }
    network->six = inet_pton(AF_INET6, address, network->guest6) == 1;
    memcpy(network->gateway6, network->guest6, sizeof network->gateway6);
    network->gateway6[15] = GATEWAY;
    return network->six;
}

gboolean nat_network_parse(NatNetwork *ret_network, const WireStrings *addresses)
{
    NatNetwork network = { 0 };

    for (guint32 i = 0; i < addresses->count; i++)
        if (!parse_one(&network, addresses->items[i]))
            return FALSE;
    if (!network.guest)
        return FALSE;
    *ret_network = network;
    return TRUE;
}

/* Judging */

static guint32 get32(const guint8 *bytes)
{
    return (guint32) bytes[0] << 24 | (guint32) bytes[1] << 16 | (guint32) bytes[2] << 8 | bytes[3];
}

static guint get16(const guint8 *bytes)
{
    return (guint) bytes[0] << 8 | bytes[1];
}

static gsize header4(const guint8 *packet)
{
    return (gsize) (packet[0] & 15) * 4;
}

static gboolean is_whole4(const guint8 *packet, gsize size)
{
    return size >= IPV4_HEADER && packet[0] >> 4 == 4 && header4(packet) >= IPV4_HEADER &&
           header4(packet) <= get16(packet + 2) && get16(packet + 2) <= size;
}

static gboolean is_whole6(const guint8 *packet, gsize size)
{
    return size >= IPV6_HEADER && packet[0] >> 4 == 6 && get16(packet + 4) + (gsize) IPV6_HEADER <= size;
}

static gboolean is_fragment(const guint8 *packet)
{
    return (get16(packet + 6) & 0x3fff) != 0;
}

static gboolean asks_resolver(const NatNetwork *network, const guint8 *packet, gsize size)
{
    gsize header = header4(packet);

    if ((packet[9] != IPPROTO_UDP && packet[9] != IPPROTO_TCP) || header + 4 > size ||
        get16(packet + header + 2) != TUNNEL_RESOLVER_PORT)
        return FALSE;
    for (guint i = 0; i < network->resolver_count; i++)
        if (get32(packet + 16) == network->resolvers[i])
            return TRUE;
    return FALSE;
}

static gboolean leaves4(const NatNetwork *network, const guint8 *packet, gsize size)
{
    guint32 to = get32(packet + 16);

    if (get32(packet + 12) != network->guest || is_fragment(packet) || to >> 24 == 0 || to >> 28 >= 14)
        return FALSE;
    return !is_loopback(to) || asks_resolver(network, packet, size);
}

/* libslirp knows no other ICMPv6 to the outside, and complains. */
static gboolean may_pass6(const NatNetwork *network, const guint8 *packet, gsize size)
{
    if (packet[6] != IPPROTO_ICMPV6)
        return packet[6] == IPPROTO_TCP || packet[6] == IPPROTO_UDP;
    return size > IPV6_HEADER && packet[IPV6_HEADER] == ECHO_REQUEST6 && memcmp(packet + 24, network->gateway6, 16) == 0;
}

/* Addresses that begin with 64 zeros are ::, ::1 and IPv4's in several guises; fe80::/10 and ff00::/8 are of the link. */
static gboolean leaves6(const NatNetwork *network, const guint8 *packet)
{
    static const guint8 zeros[8];
    const guint8 *to = packet + 24;

    return network->six && memcmp(packet + 8, network->guest6, 16) == 0 && memcmp(to, zeros, sizeof zeros) != 0 &&
           to[0] != 0xff && !(to[0] == 0xfe && to[1] >> 6 == 2);
}

gboolean nat_network_leaves(const NatNetwork *network, const guint8 *packet, gsize size)
{
    if (is_whole4(packet, size))
        return leaves4(network, packet, size);
    return is_whole6(packet, size) && may_pass6(network, packet, size) && leaves6(network, packet);
}

gboolean nat_network_begins(const guint8 *packet, gsize size)
{
    gboolean four = packet[0] >> 4 == 4;
    gsize header = four ? header4(packet) : IPV6_HEADER;

    if (packet[four ? 9 : 6] != IPPROTO_TCP)
        return TRUE;
    return header + 14 <= size && (packet[header + 13] & 0x12) == 0x02;   /* SYN without ACK */
}

gboolean nat_network_arrives(const NatNetwork *network, const guint8 *packet, gsize size)
{
    if (is_whole4(packet, size))
        return get32(packet + 16) == network->guest;
    return is_whole6(packet, size) && network->six && memcmp(packet + 24, network->guest6, 16) == 0;
}
