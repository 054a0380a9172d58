/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-option.c - the socket options and ioctl commands that may pass
 *
 * A list of what is allowed, not of what is not: some options hold addresses of memory, descriptors
 * or programs (filters). What concerns the program's own waiting and reading (timeouts, low-water
 * marks, urgent bytes in line) is the guest's affair and never comes here. SO_LINGER is remembered:
 * on the real socket it would make close() wait.
 */
#include "sockets-impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

enum { GET = 1, SET = 2, BOTH = 3 };

static const struct {
    int level, name, may;
} options[] = {
    { SOL_SOCKET, SO_REUSEADDR, BOTH },
    { SOL_SOCKET, SO_REUSEPORT, BOTH },
    { SOL_SOCKET, SO_KEEPALIVE, BOTH },
    { SOL_SOCKET, SO_BROADCAST, BOTH },
    { SOL_SOCKET, SO_DONTROUTE, BOTH },
    { SOL_SOCKET, SO_SNDBUF, BOTH },
    { SOL_SOCKET, SO_RCVBUF, BOTH },
    { SOL_SOCKET, SO_SNDBUFFORCE, SET },
    { SOL_SOCKET, SO_RCVBUFFORCE, SET },
    { SOL_SOCKET, SO_PRIORITY, BOTH },
    { SOL_SOCKET, SO_MARK, BOTH },
    { SOL_SOCKET, SO_BINDTODEVICE, BOTH },
    { SOL_SOCKET, SO_NO_CHECK, BOTH },
    { SOL_SOCKET, SO_INCOMING_CPU, GET },
    { SOL_SOCKET, SO_ACCEPTCONN, GET },
    { SOL_SOCKET, SO_DOMAIN, GET },
    { SOL_SOCKET, SO_TYPE, GET },
    { SOL_SOCKET, SO_PROTOCOL, GET },
    { SOL_SOCKET, SO_ERROR, GET },
    { SOL_SOCKET, SO_PEERCRED, GET },
    { IPPROTO_TCP, TCP_NODELAY, BOTH },
    { IPPROTO_TCP, TCP_MAXSEG, BOTH },
    { IPPROTO_TCP, TCP_CORK, BOTH },
    { IPPROTO_TCP, TCP_KEEPIDLE, BOTH },
    { IPPROTO_TCP, TCP_KEEPINTVL, BOTH },
    { IPPROTO_TCP, TCP_KEEPCNT, BOTH },
    { IPPROTO_TCP, TCP_SYNCNT, BOTH },
    { IPPROTO_TCP, TCP_LINGER2, BOTH },
    { IPPROTO_TCP, TCP_DEFER_ACCEPT, BOTH },
    { IPPROTO_TCP, TCP_WINDOW_CLAMP, BOTH },
    { IPPROTO_TCP, TCP_INFO, GET },
    { IPPROTO_TCP, TCP_QUICKACK, BOTH },
    { IPPROTO_TCP, TCP_CONGESTION, BOTH },
    { IPPROTO_TCP, TCP_USER_TIMEOUT, BOTH },
    { IPPROTO_TCP, TCP_FASTOPEN, BOTH },
    { IPPROTO_TCP, TCP_NOTSENT_LOWAT, BOTH },
    { IPPROTO_UDP, 1 /* UDP_CORK */, BOTH },
    { IPPROTO_IP, IP_TOS, BOTH },
    { IPPROTO_IP, IP_TTL, BOTH },
    { IPPROTO_IP, IP_RECVTOS, BOTH },
    { IPPROTO_IP, IP_RECVTTL, BOTH },
    { IPPROTO_IP, IP_PKTINFO, BOTH },
    { IPPROTO_IP, IP_RECVERR, BOTH },
    { IPPROTO_IP, IP_MTU_DISCOVER, BOTH },
    { IPPROTO_IP, IP_MTU, GET },
    { IPPROTO_IP, IP_FREEBIND, BOTH },
    { IPPROTO_IP, IP_TRANSPARENT, BOTH },
    { IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, BOTH },
    { IPPROTO_IP, IP_MINTTL, BOTH },
    { IPPROTO_IP, IP_MULTICAST_IF, BOTH },
    { IPPROTO_IP, IP_MULTICAST_TTL, BOTH },
    { IPPROTO_IP, IP_MULTICAST_LOOP, BOTH },
    { IPPROTO_IP, IP_MULTICAST_ALL, BOTH },
    { IPPROTO_IP, IP_ADD_MEMBERSHIP, SET },
    { IPPROTO_IP, IP_DROP_MEMBERSHIP, SET },
    { IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, SET },
    { IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, SET },
    { IPPROTO_IP, IP_UNICAST_IF, BOTH },
    { IPPROTO_IP, MCAST_JOIN_GROUP, SET },
    { IPPROTO_IP, MCAST_LEAVE_GROUP, SET },
    { IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, SET },
    { IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, SET },
    { IPPROTO_IPV6, MCAST_JOIN_GROUP, SET },
    { IPPROTO_IPV6, MCAST_LEAVE_GROUP, SET },
    { IPPROTO_IPV6, MCAST_JOIN_SOURCE_GROUP, SET },
    { IPPROTO_IPV6, MCAST_LEAVE_SOURCE_GROUP, SET },
    { IPPROTO_IPV6, IPV6_V6ONLY, BOTH },
    { IPPROTO_IPV6, IPV6_UNICAST_HOPS, BOTH },
    { IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BOTH },
    { IPPROTO_IPV6, IPV6_MULTICAST_LOOP, BOTH },
    { IPPROTO_IPV6, IPV6_MULTICAST_IF, BOTH },
    { IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, SET },
    { IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, SET },
    { IPPROTO_IPV6, IPV6_RECVPKTINFO, BOTH },
    { IPPROTO_IPV6, IPV6_RECVHOPLIMIT, BOTH },
    { IPPROTO_IPV6, IPV6_RECVTCLASS, BOTH },
    { IPPROTO_IPV6, IPV6_RECVERR, BOTH },
    { IPPROTO_IPV6, IPV6_MTU_DISCOVER, BOTH },
    { IPPROTO_IPV6, IPV6_MTU, BOTH },
    { IPPROTO_IPV6, IPV6_TCLASS, BOTH },
    { IPPROTO_IPV6, IPV6_DONTFRAG, BOTH },
    { IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, BOTH },
    { IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, BOTH },
    { IPPROTO_IPV6, IPV6_ADDRFORM, BOTH },
};

static gboolean may(int level, int name, int what)
{
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        if (options[i].level == level && options[i].name == name)
            return (options[i].may & what) != 0;
    return FALSE;
}

/* An option that does not pass is unknown, which is said in different ways by different protocols. */
static int unknown(const Socket *socket, int level, int what)
{
    int value = 0;
    socklen_t size = sizeof value;
    int result = what == GET ? getsockopt(socket->fd, level, -1, &value, &size)
                             : setsockopt(socket->fd, level, -1, &value, size);

    return result < 0 ? -errno : -ENOPROTOOPT;
}

/* What this side must know of an option that has been set. */
static void note_option(Socket *socket, int level, int name, const guint8 *value, gsize size)
{
    if ((level == IPPROTO_IP && name == IP_RECVERR) || (level == IPPROTO_IPV6 && name == IPV6_RECVERR))
        socket->wants_errors = size > 0 && value[0];
    else if (level == IPPROTO_IPV6 && name == IPV6_ADDRFORM)
        socket->family = AF_INET;
}

int socket_set_option(Socket *socket, int level, int name, const void *value, gsize size)
{
    guint8 aligned[HOME_SOCKETS_VALUE_MAX] __attribute__((aligned(8)));

    if (level == SOL_SOCKET && name == SO_LINGER && size >= sizeof socket->linger) {
        memcpy(&socket->linger, value, sizeof socket->linger);
        return 0;
    }
    if (!may(level, name, SET))
        return unknown(socket, level, SET);
    memcpy(aligned, value, size);
    if (setsockopt(socket->fd, level, name, aligned, (socklen_t) size) < 0)
        return -errno;
    note_option(socket, level, name, aligned, size);
    return 0;
}

int socket_get_option(Socket *socket, int level, int name, void *value, socklen_t *size)
{
    if (level == SOL_SOCKET && name == SO_LINGER && *size >= sizeof socket->linger) {
        *size = sizeof socket->linger;
        memcpy(value, &socket->linger, *size);
        return 0;
    }
    if (!may(level, name, GET))
        return unknown(socket, level, GET);
    return getsockopt(socket->fd, level, name, value, size) < 0 ? -errno : 0;
}

/* Questions about devices are the guest's affair: it has home's addresses. */
int socket_ioctl(Socket *socket, guint32 command, guint8 argument[HOME_SOCKETS_VALUE_MAX],
                 gsize *size)
{
    if (command != TIOCOUTQ && command != FIONREAD && command != SIOCATMARK)
        return -ENOTTY;
    if (ioctl(socket->fd, command, argument) < 0)
        return -errno;
    *size = sizeof(int);
    return 0;
}
