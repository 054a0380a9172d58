/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat.c - the network of a job with --network nat: its packets end here, and go on as this process's own connections
 *
 * libslirp is a TCP/IP stack that ends what the guest's kernel begins, and makes sockets of it, with the user's rights.
 * They stay here when the guest moves, and the guest's kernel keeps its half in its memory; between the two there are
 * packets on the link, which loses none. So a connection survives migrations like a home socket; but the guest has an
 * address of its own, and nothing listens here.
 *
 * Bounds. What is read from a socket goes to the link at once; so none is read while the connection to the guest has not
 * taken what was sent before (busy), nor more than BURST bytes in a row. What does not fit is dropped, and TCP sends it
 * again. The other way a packet is either taken by libslirp at once or dropped; it has its windows. Sockets are counted:
 * beyond SOCKETS_MAX nothing new is begun.
 *
 * Time. libslirp's timers would give up a peer that does not answer, and the guest does not while its link is cut. So its
 * clock stands still while the guest is silent although it has something to answer.
 *
 * libslirp thinks in Ethernet frames, the link in IP packets: headers are put on and taken off here. It asks for the
 * guest's Ethernet address before it sends; it is told once, in the beginning, and never forgets it.
 */
#include "nat.h"

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"
#include "common/tunnel.h"
#include "nat-network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libslirp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ETHERNET 14             /* bytes of a frame's head */
#define SEGMENT 16384           /* libslirp's MTU: a window of TCP is four segments, not one */
#define EVENTS 64
#define BURST (64u << 10)
#define SOCKETS_MAX 4096
#define LOOK_MS 500             /* how often to see whether the guest is alive; libslirp's own slow timer */
#define CLOCK_BEGIN 1000        /* to libslirp the time 0 means "never" */

struct Nat {
    NatEvents call;
    gpointer user;
    NatNetwork network;
    SlirpConfig config;
    Slirp *slirp;
    GSource *source;
    gpointer tag;               /* of epoll in it */
    int epoll;
    GHashTable *table;          /* of Polled by descriptor: those in epoll */
    GArray *asked;              /* descriptors in the order in which libslirp asked for them */
    guint sockets;
    gsize burst;                /* bytes sent to the guest since the last flush */
    gboolean stale;             /* libslirp is to be asked again what it waits for */
    gboolean paused;            /* epoll is not looked at */
    gboolean full;              /* no more is to be read from sockets in this turn */
    gboolean closed;
    gint64 due;                 /* when libslirp's timers are, monotonic us; -1: it has none */
    gint64 looked;              /* when the guest was last looked at */
    gint64 clock, clock_at;     /* libslirp's time in us, and when it was that */
    gboolean alive;             /* that clock runs */
};

typedef struct {
    guint32 wanted, watched, ready; /* epoll's bits */
} Polled;

typedef struct {
    GSource source;
    Nat *nat;
} NatSource;

typedef struct {
    Nat *nat;
    SlirpTimerId id;
    gpointer user;
    guint source;
} NatTimer;

static const guint8 guest_address[6] = { 0x52, 0x55, 0x0a, 0x00, 0x02, 0x0f };

/* The clock */

static void clock_update(Nat *nat)
{
    gint64 now = g_get_monotonic_time();

    if (nat->alive)
        nat->clock += now - nat->clock_at;
    nat->clock_at = now;
    if (now - nat->looked >= LOOK_MS * 1000) {
        nat->looked = now;
        nat->alive = !nat->closed && nat->call.alive(nat->user);
    }
}

static int64_t clock_get(void *user)
{
    Nat *nat = user;

    clock_update(nat);
    return nat->clock * 1000;
}

static gboolean timer_due(gpointer user)
{
    NatTimer *timer = user;

    timer->source = 0;
    if (!timer->nat->closed)
        slirp_handle_timer(timer->nat->slirp, timer->id, timer->user);
    timer->nat->stale = TRUE;
    return G_SOURCE_REMOVE;
}

static void *timer_make(SlirpTimerId id, void *timer_user, void *user)
{
    NatTimer *timer = g_new0(NatTimer, 1);

    *timer = (NatTimer){ user, id, timer_user, 0 };
    return timer;
}

static void timer_stop(NatTimer *timer)
{
    if (timer->source)
        g_source_remove(timer->source);
    timer->source = 0;
}

static void timer_end(void *timer, void *user)
{
    timer_stop(timer);
    g_free(timer);
}

static void timer_set(void *data, int64_t at_ms, void *user)
{
    NatTimer *timer = data;
    gint64 after_ms = at_ms - clock_get(user) / 1000000;

    timer_stop(timer);
    timer->source = g_timeout_add((guint) CLAMP(after_ms, 0, G_MAXINT), timer_due, timer);
}

/* Packets */

static ssize_t to_guest(const void *frame, size_t size, void *user)
{
    Nat *nat = user;
    const guint8 *packet = (const guint8 *) frame + ETHERNET;

    if (!nat->closed && size > ETHERNET && nat_network_arrives(&nat->network, packet, size - ETHERNET) &&
        nat->call.send(packet, size - ETHERNET, nat->user))
        nat->burst += size;
    return (ssize_t) size;
}

static void put_head(guint8 *frame, guint type)
{
    memset(frame, 0xff, 6);
    memcpy(frame + 6, guest_address, sizeof guest_address);
    frame[12] = (guint8) (type >> 8);
    frame[13] = (guint8) type;
}

void nat_packet(Nat *nat, const void *packet, gsize size)
{
    static guint8 frame[ETHERNET + TUNNEL_MTU];

    if (nat->closed || size > TUNNEL_MTU || !nat_network_leaves(&nat->network, packet, size))
        return;
    if (nat->sockets >= SOCKETS_MAX && nat_network_begins(packet, size))
        return;
    clock_update(nat);
    if (nat->due >= 0 && g_get_monotonic_time() >= nat->due)
        slirp_pollfds_poll(nat->slirp, 1, NULL, nat);   /* its idea of now is that of the last poll */
    put_head(frame, *(const guint8 *) packet >> 4 == 4 ? 0x0800 : 0x86dd);
    memcpy(frame + ETHERNET, packet, size);
    slirp_input(nat->slirp, frame, (int) (ETHERNET + size));
    nat->stale = TRUE;
}

/* "10.0.2.15 is at ...", asked by nobody. */
static void introduce4(Nat *nat)
{
    guint8 frame[ETHERNET + 28] = { 0 }, *arp = frame + ETHERNET;
    guint32 address = htonl(nat->network.guest);

    put_head(frame, 0x0806);
    memcpy(arp, "\0\1\10\0\6\4\0\1", 8);
    memcpy(arp + 8, guest_address, sizeof guest_address);
    memcpy(arp + 14, &address, 4);
    memcpy(arp + 24, &address, 4);
    slirp_input(nat->slirp, frame, sizeof frame);
}

static guint sum16(const guint8 *bytes, gsize size)
{
    guint sum = 0;

    for (gsize i = 0; i + 1 < size; i += 2)
        sum += (guint) bytes[i] << 8 | bytes[i + 1];
    return sum;
}

/* The same for IPv6: a router solicitation. Its answer is not let through to the guest. */
static void introduce6(Nat *nat)
{
    static const guint8 routers[16] = { 0xff, 0x02, [15] = 2 };
    guint8 frame[ETHERNET + 48] = { 0 }, *ip = frame + ETHERNET;
    guint sum;

    put_head(frame, 0x86dd);
    memcpy(ip, "\x60\0\0\0\0\x08\x3a\xff", 8);
    memcpy(ip + 8, nat->network.guest6, 16);
    memcpy(ip + 24, routers, sizeof routers);
    ip[40] = 133;
    sum = sum16(ip + 8, 40) + 8 + IPPROTO_ICMPV6;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    ip[42] = (guint8) (~sum >> 8);
    ip[43] = (guint8) ~sum;
    slirp_input(nat->slirp, frame, sizeof frame);
}

/* Waiting: one epoll descriptor in the main loop, for any number of sockets */

static guint32 epoll_bits(int events)
{
    return (events & SLIRP_POLL_IN ? EPOLLIN : 0) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0) |
           (events & SLIRP_POLL_PRI ? EPOLLPRI : 0);
}

static int slirp_bits(guint32 events)
{
    return (events & EPOLLIN ? SLIRP_POLL_IN : 0) | (events & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
           (events & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (events & EPOLLERR ? SLIRP_POLL_ERR : 0) |
           (events & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static void opened(int fd, void *user)
{
    ((Nat *) user)->sockets++;
}

static void closing(int fd, void *user)
{
    Nat *nat = user;

    nat->sockets--;
    if (g_hash_table_remove(nat->table, GINT_TO_POINTER(fd)))
        epoll_ctl(nat->epoll, EPOLL_CTL_DEL, fd, NULL);
}

static int ask(int fd, int events, void *user)
{
    Nat *nat = user;
    Polled *polled = g_hash_table_lookup(nat->table, GINT_TO_POINTER(fd));

    if (!polled) {
        polled = g_new0(Polled, 1);
        g_hash_table_insert(nat->table, GINT_TO_POINTER(fd), polled);
    }
    polled->wanted = epoll_bits(events);
    g_array_append_val(nat->asked, fd);
    return (int) nat->asked->len - 1;
}

/* Brings epoll up to what is wanted; a socket of which nothing is would report its end again and again. */
static gboolean watch(gpointer key, gpointer value, gpointer user)
{
    Nat *nat = user;
    Polled *polled = value;
    struct epoll_event event = { .events = polled->wanted, .data.fd = GPOINTER_TO_INT(key) };
    int operation = !polled->wanted ? EPOLL_CTL_DEL : polled->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (polled->wanted == polled->watched)
        return !polled->wanted;
    if (epoll_ctl(nat->epoll, operation, event.data.fd, &event) < 0)
        log_debug("epoll_ctl on a socket: %s", g_strerror(errno));
    polled->watched = polled->wanted;
    return !polled->wanted;
}

static void ask_again(Nat *nat)
{
    guint32 timeout = G_MAXUINT32;
    GHashTableIter iter;
    gpointer polled;

    nat->stale = FALSE;
    for (g_hash_table_iter_init(&iter, nat->table); g_hash_table_iter_next(&iter, NULL, &polled);)
        ((Polled *) polled)->wanted = ((Polled *) polled)->ready = 0;
    g_array_set_size(nat->asked, 0);
    slirp_pollfds_fill(nat->slirp, &timeout, ask, nat);
    g_hash_table_foreach_remove(nat->table, watch, nat);
    if (!nat->alive)
        timeout = LOOK_MS;  /* its clock stands still: what is due now stays due */
    nat->due = nat->sockets == 0 ? -1 : g_get_monotonic_time() + (gint64) timeout * 1000;
}

static gboolean is_full(const Nat *nat)
{
    return !nat->closed && nat->call.busy(nat->user);
}

/* What is ready of a socket, while there is room for what comes of it; writing needs none. */
static int answer(int index, void *user)
{
    Nat *nat = user;
    int fd = g_array_index(nat->asked, int, index);
    const Polled *polled = g_hash_table_lookup(nat->table, GINT_TO_POINTER(fd));
    guint32 ready = polled ? polled->ready : 0;

    if (nat->burst >= BURST) {
        nat->call.flush(nat->user);
        nat->burst = 0;
        nat->full = is_full(nat);
    }
    return slirp_bits(nat->full ? ready & EPOLLOUT : ready);
}

static gboolean prepare(GSource *source, int *timeout)
{
    Nat *nat = ((NatSource *) source)->nat;
    gint64 now = g_get_monotonic_time();

    if (nat->stale)
        ask_again(nat);
    if (nat->paused != is_full(nat)) { /* each change wakes the loop again */
        nat->paused = !nat->paused;
        g_source_modify_unix_fd(source, nat->tag, nat->paused ? 0 : G_IO_IN);
    }
    *timeout = nat->due < 0 ? -1 : (int) CLAMP((nat->due - now + 999) / 1000, 0, LOOK_MS);
    return *timeout == 0;
}

static gboolean check(GSource *source)
{
    Nat *nat = ((NatSource *) source)->nat;

    return (g_source_query_unix_fd(source, nat->tag) != 0 && !is_full(nat)) ||
           (nat->due >= 0 && g_get_monotonic_time() >= nat->due);
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Nat *nat = ((NatSource *) source)->nat;
    struct epoll_event events[EVENTS];
    int count;

    nat->full = is_full(nat);
    count = nat->full ? 0 : epoll_wait(nat->epoll, events, EVENTS, 0);
    for (int i = 0; i < count; i++) {
        Polled *polled = g_hash_table_lookup(nat->table, GINT_TO_POINTER(events[i].data.fd));
        if (polled)
            polled->ready = events[i].events;
    }
    nat->burst = 0;
    slirp_pollfds_poll(nat->slirp, 0, answer, nat);
    nat->stale = TRUE;
    nat->call.flush(nat->user);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = { .prepare = prepare, .check = check, .dispatch = dispatch };

/* Life */

static void complain(const char *message, void *user)
{
    log_debug("the guest's network: %s", message);
}

static void notify(void *user)
{
    ((Nat *) user)->stale = TRUE;
}

static const SlirpCb callbacks = {
    .send_packet = to_guest,
    .guest_error = complain,
    .clock_get_ns = clock_get,
    .timer_new_opaque = timer_make,
    .timer_free = timer_end,
    .timer_mod = timer_set,
    .register_poll_fd = opened,
    .unregister_poll_fd = closing,
    .notify = notify,
};

/* No services of its own: no DHCP, no DNS, no TFTP, nothing that listens, no way to home's loopback. */
static void configure(Nat *nat)
{
    const NatNetwork *network = &nat->network;
    SlirpConfig *config = &nat->config;

    config->version = 4;
    config->in_enabled = true;
    config->vnetmask.s_addr = htonl(0xffffff00);
    config->vnetwork.s_addr = htonl(network->guest & 0xffffff00);
    config->vhost.s_addr = config->vnameserver.s_addr = htonl(network->gateway);
    config->vdhcp_start.s_addr = htonl(network->guest);
    config->in6_enabled = network->six;
    memcpy(&config->vprefix_addr6, network->guest6, 8);
    config->vprefix_len = 64;
    memcpy(&config->vhost6, network->gateway6, 16);
    config->vnameserver6 = config->vhost6;
    config->if_mtu = config->if_mru = SEGMENT;
    config->disable_host_loopback = true;
    config->disable_dns = true;
    config->disable_dhcp = true;
}

static void nat_watch(Nat *nat)
{
    nat->source = g_source_new(&functions, sizeof(NatSource));
    ((NatSource *) nat->source)->nat = nat;
    nat->tag = g_source_add_unix_fd(nat->source, nat->epoll, G_IO_IN);
    g_source_set_static_name(nat->source, "nat");
    g_source_attach(nat->source, NULL);
}

Nat *nat_new(const WireStrings *addresses, const NatEvents *events, gpointer user, GError **error)
{
    Nat *nat = g_new0(Nat, 1);

    *nat = (Nat){ .call = *events, .user = user, .alive = TRUE, .due = -1, .clock = CLOCK_BEGIN * 1000 };
    nat->clock_at = nat->looked = g_get_monotonic_time();
    nat->table = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    nat->asked = g_array_new(FALSE, FALSE, sizeof(int));
    nat->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (nat->epoll < 0 || !nat_network_parse(&nat->network, addresses)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot make the job's own network: %s",
                    nat->epoll < 0 ? g_strerror(errno) : "its addresses make no sense");
        nat_free(nat);
        return NULL;
    }
    configure(nat);
    nat->slirp = slirp_new(&nat->config, &callbacks, nat);
    introduce4(nat);
    if (nat->network.six)
        introduce6(nat);
    nat_watch(nat);
    return nat;
}

void nat_free(Nat *nat)
{
    if (!nat)
        return;
    nat->closed = TRUE;
    source_clear(&nat->source);
    if (nat->slirp)
        slirp_cleanup(nat->slirp);
    if (nat->epoll >= 0)
        close(nat->epoll);
    g_hash_table_unref(nat->table);
    g_array_unref(nat->asked);
    g_free(nat);
}

void nat_close(Nat *nat)
{
    nat->closed = TRUE;
    nat->alive = FALSE;
    nat->stale = TRUE;
}

/* libslirp waits to write for two reasons: there is something to write, or the connection is not made yet. */
static gboolean is_connecting(int fd)
{
    struct tcp_info info = { 0 };
    socklen_t size = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state == TCP_SYN_SENT;
}

gboolean nat_linger(const Nat *nat)
{
    GHashTableIter iter;
    gpointer fd, polled;

    for (g_hash_table_iter_init(&iter, nat->table); g_hash_table_iter_next(&iter, &fd, &polled);)
        if (((Polled *) polled)->wanted & EPOLLOUT && !is_connecting(GPOINTER_TO_INT(fd)))
            return TRUE;
    return FALSE;
}
