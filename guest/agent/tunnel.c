/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tunnel.c - packets between the guest's own network device and the link: --network nat
 *
 * A message is a packet. None waits here: packets are read from the device, a few at once, only when everything that was
 * sent before has been written to the port, so that a file request finds no queue of them before it; what the device
 * cannot hold meanwhile is the kernel's to drop, as on any slow wire. A packet from home that the kernel has no memory for
 * is dropped as well.
 */
#include "tunnel.h"

#include "common/tunnel.h"
#include "console.h"
#include "kernel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PACKETS_AT_ONCE 4
#define ORPHANS "orphan " /* connections that no process has any more but that still have something to send */

static uint8_t packet[TUNNEL_MTU];

static void tunnel_ready(void *user, uint32_t events)
{
    Tunnel *tunnel = user;

    for (int i = 0; i < PACKETS_AT_ONCE; i++) {
        ssize_t size = read(tunnel->watch.fd, packet, sizeof packet);

        if (size <= 0) {
            if (size == 0 || (errno != EAGAIN && errno != EINTR))
                say("reading the network device: %s", strerror(errno));
            return;
        }
        link_send(tunnel->link, LINK_SOCKETS, packet, (size_t)size);    /* or it is lost */
    }
}

void tunnel_init(Tunnel *tunnel, Link *link)
{
    *tunnel = (Tunnel) {
        .link = link,
        .watch = { .fd = -1, .ready = tunnel_ready, .user = tunnel },
    };
}

void tunnel_start(Tunnel *tunnel, int fd)
{
    tunnel->watch.fd = fd;
    watch_set(&tunnel->watch, EPOLLIN);
}

void tunnel_message(const Tunnel *tunnel, const void *data, size_t size)
{
    if (tunnel->watch.fd >= 0 && write(tunnel->watch.fd, data, size) < 0 && errno == EIO)
        say("the network device is down");
}

void tunnel_stop(Tunnel *tunnel, bool blocked)
{
    if (tunnel->watch.fd >= 0)
        watch_set(&tunnel->watch, blocked || link_queued(tunnel->link, LINK_SOCKETS) ? 0 : EPOLLIN);
}

bool tunnel_drained(const Tunnel *tunnel)
{
    struct pollfd waiting = { .fd = tunnel->watch.fd, .events = POLLIN };

    return tunnel->watch.fd < 0 ||
           (!link_queued(tunnel->link, LINK_SOCKETS) && poll(&waiting, 1, 0) == 0 &&
            kernel_figure("/proc/net/sockstat", ORPHANS) == 0);
}
