/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the guest's own network devices */
#include "network.h"

#include "common/tunnel.h"
#include "console.h"
#include "kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void network_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        say("no loopback device: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

#define REHEARSED "rehearsal"

/* A request of the kernel's network, as it is put together. */
typedef struct {
    struct nlmsghdr header;
    uint8_t rest[512];
} Request;

static void *request_begin(Request *request, uint16_t type, size_t size)
{
    memset(request, 0, sizeof *request);
    request->header.nlmsg_len = NLMSG_LENGTH(size);
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    return NLMSG_DATA(&request->header);
}

static struct rtattr *request_put(Request *request, uint16_t type, const void *data, size_t size)
{
    struct rtattr *attribute = (void *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(attribute), data, size);
    request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
    return attribute;
}

/* 0, or -errno: what the kernel answered. */
static int request_send(int fd, Request *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        uint8_t rest[1024];
    } answer;

    if (send(fd, request, request->header.nlmsg_len, 0) < 0)
        return -errno;
    if (recv(fd, &answer, sizeof answer, 0) < (ssize_t)NLMSG_LENGTH(sizeof answer.error))
        return -EPROTO;
    return answer.error.error;
}

/* With the number that it has at home: programs give it to home's sockets. */
static int device_make(int fd, const char *name, int number)
{
    Request request;
    struct ifinfomsg *device = request_begin(&request, RTM_NEWLINK, sizeof *device);
    struct rtattr *kind;

    device->ifi_index = number;
    device->ifi_flags = device->ifi_change = IFF_UP;
    request_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    kind = request_put(&request, IFLA_LINKINFO, NULL, 0);
    request_put(&request, IFLA_INFO_KIND, "dummy", 5);
    kind->rta_len = (uint16_t)((uint8_t *)&request + request.header.nlmsg_len - (uint8_t *)kind);
    return request_send(fd, &request);
}

static int device_address(int fd, const char *name, const char *text, unsigned bits)
{
    bool six = strchr(text, ':');
    uint8_t bytes[16];
    Request request;
    struct ifaddrmsg *address = request_begin(&request, RTM_NEWADDR, sizeof *address);
    size_t size = six ? 16 : 4;

    if (inet_pton(six ? AF_INET6 : AF_INET, text, bytes) != 1)
        return -EINVAL;
    address->ifa_family = six ? AF_INET6 : AF_INET;
    address->ifa_prefixlen = (uint8_t)bits;
    address->ifa_flags = six ? IFA_F_NODAD : 0;
    address->ifa_index = if_nametoindex(name);
    request_put(&request, IFA_LOCAL, bytes, size);
    request_put(&request, IFA_ADDRESS, bytes, size);
    return request_send(fd, &request);
}

static int device_remove(int fd, const char *name)
{
    Request request;
    struct ifinfomsg *device = request_begin(&request, RTM_DELLINK, sizeof *device);

    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
    return request_send(fd, &request);
}

/* Where a route leads to. */
typedef struct {
    const struct in_addr *address;  /* NULL: wherever no other route leads */
    const void *gateway;            /* of the family's; NULL: straight */
    unsigned flags;                 /* RTNH_F_... */
    unsigned device;
} Route;

static int route_add(int fd, int family, const Route *to)
{
    Request request;
    struct rtmsg *route = request_begin(&request, RTM_NEWROUTE, sizeof *route);

    route->rtm_family = (uint8_t)family;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_BOOT;
    route->rtm_scope = family == AF_INET && !to->gateway ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    route->rtm_flags = to->flags;
    if (to->address) {
        route->rtm_dst_len = 32;
        request_put(&request, RTA_DST, to->address, sizeof *to->address);
    }
    if (to->gateway)
        request_put(&request, RTA_GATEWAY, to->gateway, family == AF_INET ? 4 : 16);
    request_put(&request, RTA_OIF, &to->device, sizeof to->device);
    return request_send(fd, &request);
}

/* A default route of home's: nothing goes there, but programs ask whether there is one, and through which device. */
static int mirror_route(int fd, const char *name, const char *gateway)
{
    static const uint8_t none[16];
    int family = strchr(gateway, ':') ? AF_INET6 : AF_INET;
    uint8_t bytes[16] = { 0 };
    Route route = { .gateway = bytes, .device = if_nametoindex(name) };
    int error;

    if (inet_pton(family, gateway, bytes) != 1)
        return -EINVAL;
    if (memcmp(bytes, none, sizeof none) == 0)
        route.gateway = NULL;
    error = route_add(fd, family, &route);
    if (error != -ENETUNREACH && error != -EHOSTUNREACH)
        return error;
    route.flags = RTNH_F_ONLINK;    /* a gateway that none of the addresses has for a neighbour */
    return route_add(fd, family, &route);
}

static int mirror_address(int fd, const char *name, int number, const char *text, unsigned bits)
{
    int error = if_nametoindex(name) ? 0 : device_make(fd, name, number);

    if (error == -EBUSY)
        error = device_make(fd, name, 0);
    return error ? error : device_address(fd, name, text, bits);
}

void network_mirror(const WireStrings *addresses)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    kernel_set("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");   /* no address that home has not */
    for (uint32_t i = 0; fd >= 0 && i < addresses->count; i++) {
        char name[IFNAMSIZ], text[INET6_ADDRSTRLEN];
        unsigned bits;
        int number, error = 0;

        if (sscanf(addresses->items[i], "%15s %d via %45[0-9a-f.:]", name, &number, text) == 3)
            error = mirror_route(fd, name, text);
        else if (sscanf(addresses->items[i], "%15s %d %45[0-9a-f.:]/%u", name, &number, text, &bits) == 4)
            error = mirror_address(fd, name, number, text, bits);
        if (error && error != -EEXIST)
            say("no device with the address %s: %s", addresses->items[i], strerror(-error));
    }
    if (fd >= 0)
        close(fd);
}

/* A name server of home's in 127.0.0.0/8. Of the guest's own loopback 127.0.0.1 alone is an address, so the others can be
 * home's; for that one, see resolver.c. */
static int route_resolver(int fd, const char *text, unsigned device)
{
    struct in_addr address;
    Route route = { .address = &address, .device = device };

    if (inet_pton(AF_INET, text, &address) != 1)
        return -EINVAL;
    return ntohl(address.s_addr) == INADDR_LOOPBACK ? 0 : route_add(fd, AF_INET, &route);
}

/* Answers may come from 127.0.0.53; and the other end never is away for good, only its link is cut, perhaps for hours. */
static void tunnel_settings(void)
{
    kernel_set("/proc/sys/net/ipv4/conf/" TUNNEL_DEVICE "/route_localnet", "1");
    kernel_set("/proc/sys/net/ipv4/conf/" TUNNEL_DEVICE "/accept_local", "1");
    kernel_set("/proc/sys/net/ipv4/tcp_retries2", "255");
}

/* One of START's addresses. */
static int tunnel_address(int fd, unsigned device, const char *entry)
{
    char name[IFNAMSIZ], text[INET6_ADDRSTRLEN];
    unsigned bits;
    int number, error;

    if (sscanf(entry, "%15s %d %45[0-9a-f.:]/%u", name, &number, text, &bits) != 4)
        return -EINVAL;
    if (strcmp(name, TUNNEL_RESOLVER) == 0)
        return route_resolver(fd, text, device);
    error = device_address(fd, TUNNEL_DEVICE, text, bits);
    return error ? error : route_add(fd, strchr(text, ':') ? AF_INET6 : AF_INET, &(Route) { .device = device });
}

/* Names the device and brings it up. */
static int tunnel_device(int tunnel)
{
    struct ifreq request = { .ifr_name = TUNNEL_DEVICE, .ifr_flags = IFF_TUN | IFF_NO_PI };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool up = fd >= 0 && ioctl(tunnel, TUNSETIFF, &request) == 0;
    int error;

    request.ifr_mtu = TUNNEL_MTU;
    up = up && ioctl(fd, SIOCSIFMTU, &request) == 0;
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    up = up && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    error = up ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    return error;
}

static int tunnel_addresses(const WireStrings *addresses)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    int error = fd < 0 ? -errno : 0;

    for (uint32_t i = 0; !error && i < addresses->count; i++)
        error = tunnel_address(fd, if_nametoindex(TUNNEL_DEVICE), addresses->items[i]);
    if (fd >= 0)
        close(fd);
    return error;
}

int network_tunnel(const WireStrings *addresses)
{
    int tunnel = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error = tunnel < 0 ? -errno : tunnel_device(tunnel);

    if (!error) {
        tunnel_settings();
        error = tunnel_addresses(addresses);
    }
    if (!error)
        return tunnel;
    if (tunnel >= 0)
        close(tunnel);
    errno = -error;
    return -1;
}

void network_rehearse(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return;
    if (device_make(fd, REHEARSED, 0) == 0) {
        device_address(fd, REHEARSED, "192.0.2.1", 24);
        device_address(fd, REHEARSED, "2001:db8::1", 64);
        device_remove(fd, REHEARSED);
    }
    close(fd);
}
