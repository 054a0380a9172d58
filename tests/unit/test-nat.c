/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-nat.c - a job's own network: its addresses, which packets pass, and a datagram there and back through libslirp */
#include "common/tunnel.h"
#include "deputy/nat-network.h"
#include "deputy/nat.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static NatNetwork network_of(char **texts)
{
    const WireStrings strings = { g_strv_length(texts), texts };
    NatNetwork network;

    g_assert_true(nat_network_parse(&network, &strings));
    return network;
}

static NatNetwork make(const char *resolv_conf, gboolean six)
{
    g_auto(GStrv) texts = nat_network_make(NULL, 0, resolv_conf, six);

    return network_of(texts);
}

static void test_addresses(void)
{
    const guint32 home[] = { 0x0a000000, 8, 0xac1dd507, 24 };
    g_auto(GStrv) plain = nat_network_make(NULL, 0, "nameserver 192.0.2.1\n", TRUE);
    g_auto(GStrv) moved = nat_network_make(home, 2, "# none\nnameserver\t 127.0.0.53 \nnameserver ::1\n", FALSE);
    g_auto(GStrv) asked = nat_network_make(NULL, 0, "nameserver 10.0.2.3\nnameserver 127.0.0.2\nnameserver 127.0.0.2\n", FALSE);
    g_auto(GStrv) nothing = nat_network_make(NULL, 0, NULL, FALSE);

    g_assert_cmpstr(plain[0], ==, TUNNEL_DEVICE " 0 10.0.2.15/24");
    g_assert_cmpstr(plain[1], ==, TUNNEL_DEVICE " 0 fd73:6f6a:6f75::f/64");
    g_assert_null(plain[2]);
    g_assert_cmpstr(moved[0], ==, TUNNEL_DEVICE " 0 192.168.213.15/24");
    g_assert_cmpstr(moved[1], ==, TUNNEL_RESOLVER " 0 127.0.0.53/32");
    g_assert_cmpstr(moved[2], ==, TUNNEL_RESOLVER " 0 127.0.0.1/32");
    g_assert_null(moved[3]);
    g_assert_cmpstr(asked[0], ==, TUNNEL_DEVICE " 0 10.213.2.15/24");
    g_assert_cmpstr(asked[1], ==, TUNNEL_RESOLVER " 0 127.0.0.2/32");
    g_assert_null(asked[2]);
    g_assert_cmpstr(nothing[1], ==, TUNNEL_RESOLVER " 0 127.0.0.1/32");
    NatNetwork network = network_of(moved);
    g_assert_cmphex(network.guest, ==, 0xc0a8d50f);
    g_assert_cmphex(network.gateway, ==, 0xc0a8d502);
    g_assert_false(network.six);
    g_assert_cmpuint(network.resolver_count, ==, 2);
}

static void test_nonsense(void)
{
    static const char *const wrong[] = { "", "eth0 0 10.0.2.15", "dns 0 192.0.2.1/32", "eth0 0 x/64", "dns 0 127.0.0.1/32" };
    NatNetwork network;

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        char *text[] = { (char *) wrong[i], NULL };
        const WireStrings strings = { 1, text };
        g_assert_false(nat_network_parse(&network, &strings));
    }
}

static guint32 fold(guint32 sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

static guint32 sum16(const guint8 *bytes, gsize size)
{
    guint32 sum = 0;

    for (gsize i = 0; i < size; i++)
        sum += i % 2 ? bytes[i] : (guint32) bytes[i] << 8;
    return sum;
}

/* A whole packet with 20 bytes of header, of which protocol and addresses count, and size bytes behind it. */
static gsize packet4(guint8 *packet, guint8 protocol, guint32 from, guint32 to, const void *payload, gsize size)
{
    const guint32 pair[2] = { htonl(from), htonl(to) };
    const gsize all = 20 + size;

    memset(packet, 0, 20);
    packet[0] = 0x45;
    packet[2] = (guint8) (all >> 8);
    packet[3] = (guint8) all;
    packet[8] = 64;
    packet[9] = protocol;
    memcpy(packet + 12, pair, 8);
    guint32 sum = ~fold(sum16(packet, 20));
    packet[10] = (guint8) (sum >> 8);
    packet[11] = (guint8) sum;
    memcpy(packet + 20, payload, size);
    return all;
}

static const guint8 to_53[] = { 0x30, 0x39, 0, 53, 0, 9, 0, 0, 'q' };
static const guint8 to_54[] = { 0x30, 0x39, 0, 54, 0, 9, 0, 0, 'q' };

static void test_leaves4(void)
{
    const NatNetwork network = make("nameserver 127.0.0.53", FALSE);
    const struct {
        guint32 from, to;
        const guint8 *payload;
        gboolean passes;
    } cases[] = {
        { network.guest, 0xc0000201, to_54, TRUE },     { network.guest, 0x7f000035, to_53, TRUE },
        { network.guest, 0x7f000035, to_54, FALSE },    { network.guest, 0x7f000001, to_53, FALSE },
        { network.guest, 0x00000000, to_53, FALSE },    { network.guest, 0x00000001, to_53, FALSE },
        { network.guest, 0xe0000001, to_53, FALSE },    { network.guest, 0xffffffff, to_53, FALSE },
        { network.guest + 1, 0xc0000201, to_54, FALSE }, { 0x7f000001, 0xc0000201, to_54, FALSE },
        { network.guest, network.gateway, to_54, TRUE },
    };
    guint8 packet[64];

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        gsize size = packet4(packet, IPPROTO_UDP, cases[i].from, cases[i].to, cases[i].payload, sizeof to_53);
        g_assert_cmpint(nat_network_leaves(&network, packet, size), ==, cases[i].passes);
        for (gsize cut = 0; cut < size; cut++)
            g_assert_false(nat_network_leaves(&network, packet, cut));
    }
    gsize size = packet4(packet, IPPROTO_UDP, network.guest, 0xc0000201, to_54, sizeof to_54);
    packet[6] = 0x40;   /* not to be fragmented */
    g_assert_true(nat_network_leaves(&network, packet, size));
    packet[6] = 0x20;   /* more fragments */
    g_assert_false(nat_network_leaves(&network, packet, size));
    packet[6] = 0;
    packet[7] = 1;      /* not the first */
    g_assert_false(nat_network_leaves(&network, packet, size));
    packet[7] = 0;
    packet4(packet, IPPROTO_UDP, network.guest, 0x7f000035, to_53, sizeof to_53);
    packet[9] = IPPROTO_ICMP;
    g_assert_false(nat_network_leaves(&network, packet, size));
    packet[9] = IPPROTO_UDP;
    packet[0] = 0x46;   /* options: the port is elsewhere */
    g_assert_false(nat_network_leaves(&network, packet, size));
    packet[0] = 0x44;
    g_assert_false(nat_network_leaves(&network, packet, size));
}

static void test_leaves6(void)
{
    static const struct {
        const char *to;
        guint8 protocol;
        gboolean passes;
    } cases[] = {
        { "2001:db8::1", IPPROTO_TCP, TRUE }, { "::1", IPPROTO_TCP, FALSE },        { "::", IPPROTO_UDP, FALSE },
        { "::ffff:127.0.0.1", IPPROTO_TCP, FALSE }, { "::127.0.0.1", IPPROTO_TCP, FALSE }, { "fe80::1", IPPROTO_TCP, FALSE },
        { "ff02::1", IPPROTO_UDP, FALSE },    { "2001:db8::1", IPPROTO_ICMPV6, FALSE }, { "2001:db8::1", 0, FALSE },
    };
    const NatNetwork network = make(NULL, TRUE), without = make(NULL, FALSE);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint8 packet[60] = { 0x60, [5] = 20, [6] = cases[i].protocol, [7] = 64 };
        memcpy(packet + 8, network.guest6, 16);
        g_assert_cmpint(inet_pton(AF_INET6, cases[i].to, packet + 24), ==, 1);
        g_assert_cmpint(nat_network_leaves(&network, packet, sizeof packet), ==, cases[i].passes);
        g_assert_false(nat_network_leaves(&without, packet, sizeof packet));
        g_assert_false(nat_network_leaves(&network, packet, sizeof packet - 1));
        packet[23] ^= 1;
        g_assert_false(nat_network_leaves(&network, packet, sizeof packet));
    }
}

static void test_begins(void)
{
    guint8 packet[64], tcp[20] = { [12] = 0x50, [13] = 0x02 };
    gsize size = packet4(packet, IPPROTO_TCP, 1, 2, tcp, sizeof tcp);

    g_assert_true(nat_network_begins(packet, size));
    packet[33] = 0x12;
    g_assert_false(nat_network_begins(packet, size));
    packet[33] = 0x10;
    g_assert_false(nat_network_begins(packet, size));
    g_assert_false(nat_network_begins(packet, 33));
    g_assert_true(nat_network_begins(packet, packet4(packet, IPPROTO_UDP, 1, 2, to_53, sizeof to_53)));
}

/* The guest of these tests: what came for it, and whether it takes anything. */
typedef struct {
    GByteArray *came;
    gboolean busy;
} Guest;

static gboolean take(const void *packet, gsize size, gpointer user)
{
    Guest *guest = user;

    g_assert_false(guest->busy);
    g_byte_array_set_size(guest->came, 0);
    g_byte_array_append(guest->came, packet, (guint) size);
    return TRUE;
}

static gboolean is_busy(gpointer user)
{
    return ((Guest *) user)->busy;
}

static void flush(gpointer user)
{
}

static gboolean is_alive(gpointer user)
{
    return TRUE;
}

/* An address of this machine that is not the loopback's, host byte order; 0: there is none. */
static guint32 own_address(void)
{
    struct ifaddrs *all = NULL;
    guint32 found = 0;

    if (getifaddrs(&all) < 0)
        return 0;
    for (const struct ifaddrs *it = all; it; it = it->ifa_next)
        if (it->ifa_addr && it->ifa_addr->sa_family == AF_INET && it->ifa_flags & IFF_UP && !(it->ifa_flags & IFF_LOOPBACK))
            found = ntohl(((struct sockaddr_in *) it->ifa_addr)->sin_addr.s_addr);
    freeifaddrs(all);
    return found;
}

static void turn(guint ms)
{
    const gint64 until = g_get_monotonic_time() + ms * 1000;

    while (g_get_monotonic_time() < until) {
        g_main_context_iteration(NULL, FALSE);
        g_usleep(1000);
    }
}

static void test_datagram(void)
{
    static const NatEvents events = { take, is_busy, flush, is_alive };
    const guint32 home = own_address();
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(home) }, from;
    socklen_t size = sizeof address, from_size = sizeof from;
    g_auto(GStrv) texts = nat_network_choose(NULL);
    const WireStrings strings = { g_strv_length(texts), texts };
    const NatNetwork network = network_of(texts);
    Guest guest = { .came = g_byte_array_new() };
    guint8 packet[64], udp[13] = { 0x30, 0x39, 0, 0, 0, 13, 0, 0, 'h', 'e', 'l', 'l', 'o' }, said[16];

    if (!home) {
        g_test_skip("this machine has no network");
        g_byte_array_unref(guest.came);
        return;
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *) &address, &size), ==, 0);
    memcpy(udp + 2, &address.sin_port, 2);
    Nat *nat = nat_new(&strings, &events, &guest, NULL);
    g_assert_nonnull(nat);

    nat_packet(nat, packet, packet4(packet, IPPROTO_UDP, network.guest, home, udp, sizeof udp));
    turn(20);
    g_assert_cmpint(recvfrom(fd, said, sizeof said, 0, (struct sockaddr *) &from, &from_size), ==, 5);
    g_assert_cmpmem(said, 5, "hello", 5);

    guest.busy = TRUE;  /* nothing is read, so nothing is lost */
    g_assert_cmpint(sendto(fd, "there", 5, 0, (struct sockaddr *) &from, from_size), ==, 5);
    turn(20);
    g_assert_cmpuint(guest.came->len, ==, 0);
    guest.busy = FALSE;
    g_main_context_wakeup(NULL);
    turn(50);
    g_assert_cmpuint(guest.came->len, ==, 33);
    g_assert_true(nat_network_arrives(&network, guest.came->data, guest.came->len));
    g_assert_cmpmem(guest.came->data + 28, 5, "there", 5);

    g_assert_false(nat_linger(nat));
    nat_close(nat);
    g_byte_array_set_size(guest.came, 0);
    sendto(fd, "again", 5, 0, (struct sockaddr *) &from, from_size);
    turn(20);
    g_assert_cmpuint(guest.came->len, ==, 0);
    nat_free(nat);
    close(fd);
    g_byte_array_unref(guest.came);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nat/addresses", test_addresses);
    g_test_add_func("/nat/nonsense", test_nonsense);
    g_test_add_func("/nat/leaves4", test_leaves4);
    g_test_add_func("/nat/leaves6", test_leaves6);
    g_test_add_func("/nat/begins", test_begins);
    g_test_add_func("/nat/datagram", test_datagram);
    return g_test_run();
}
