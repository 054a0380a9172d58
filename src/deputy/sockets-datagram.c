/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-datagram.c - datagrams with their addresses and control data, and the errors they meet */
#include "sockets-impl.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <string.h>

#define ERRORS_AT_ONCE 64

/* Control data that may pass; what carries descriptors, credentials or addresses does not. */
static gboolean may_pass(int level, int type)
{
    switch (level) {
    case IPPROTO_IP:
        return type == IP_TTL || type == IP_TOS || type == IP_PKTINFO;
    case IPPROTO_IPV6:
        return type == IPV6_HOPLIMIT || type == IPV6_TCLASS || type == IPV6_PKTINFO;
    default:
        return FALSE;
    }
}

/* In an error queue: what happened, and who says so. */
static gboolean is_error(const struct cmsghdr *header)
{
    return ((header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
            (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR)) &&
           header->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err));
}

typedef struct {
    const guint8 *address, *control, *data;
    gsize address_size, control_size, data_size;
} Parts;

static gboolean split(const SocketHead *head, const guint8 *payload, gsize size, Parts *parts)
{
    if (head->value > HOME_SOCKETS_ADDRESS_MAX || head->more > HOME_SOCKETS_CONTROL_MAX ||
        head->value + head->more > size)
        return FALSE;
    parts->address = payload;
    parts->address_size = head->value;
    parts->control = payload + head->value;
    parts->control_size = head->more;
    parts->data = parts->control + head->more;
    parts->data_size = size - head->value - head->more;
    return TRUE;
}

/* The item of control data at *at, which is moved behind it. FALSE: there is none. */
static gboolean next_item(const Parts *parts, gsize *at, struct home_sockets_control *ret_item,
                          const guint8 **ret_data)
{
    if (parts->control_size - *at < sizeof *ret_item)
        return FALSE;
    memcpy(ret_item, parts->control + *at, sizeof *ret_item);
    *at += sizeof *ret_item;
    if (ret_item->size > parts->control_size - *at)
        return FALSE;
    *ret_data = parts->control + *at;
    *at += MIN((ret_item->size + 3) & ~(gsize) 3, parts->control_size - *at);
    return TRUE;
}

gboolean socket_datagram_check(const SocketRecord *record)
{
    struct home_sockets_control item;
    const guint8 *data;
    Parts parts;
    gsize at = 0;

    if (!split(&record->head, record->payload, record->size, &parts))
        return FALSE;
    while (at < parts.control_size)
        if (!next_item(&parts, &at, &item, &data))
            return FALSE;
    return TRUE;
}

typedef union {
    struct cmsghdr header; /* for its alignment */
    guint8 bytes[2 * HOME_SOCKETS_CONTROL_MAX];
} Control;

/* 0, or -EINVAL for an item that may not pass. */
static int put_control(const Parts *parts, Control *control, struct msghdr *message)
{
    struct home_sockets_control item;
    const guint8 *data;
    gsize fill = 0;

    for (gsize at = 0; next_item(parts, &at, &item, &data);) {
        struct cmsghdr *header = (struct cmsghdr *) (void *) (control->bytes + fill);
        if (!may_pass((int) item.level, (int) item.type) ||
            fill + CMSG_SPACE(item.size) > sizeof control->bytes)
            return -EINVAL;
        memset(header, 0, CMSG_SPACE(item.size));
        header->cmsg_len = CMSG_LEN(item.size);
        header->cmsg_level = (int) item.level;
        header->cmsg_type = (int) item.type;
        memcpy(CMSG_DATA(header), data, item.size);
        fill += CMSG_SPACE(item.size);
    }
    message->msg_control = fill ? control->bytes : NULL;
    message->msg_controllen = fill;
    return 0;
}

static void read_error_queue(Socket *socket);

int socket_send_datagram(Socket *socket, const SocketPiece *piece)
{
    struct msghdr message = { .msg_iovlen = 1 };
    struct iovec part;
    Control control;
    SocketName name;
    Parts parts;
    int error = 0;

    if (!split(&piece->head, piece->bytes, piece->size, &parts))
        return -EINVAL;
    if (socket->wants_errors) /* else sending would say, and take away, an error that is told with its details */
        read_error_queue(socket);
    name.fd = -1;
    if (parts.address_size) {
        error = socket_name(socket, parts.address, parts.address_size, FALSE, &name);
        message.msg_name = &name.address;
        message.msg_namelen = name.size;
    }
    part = (struct iovec){ (void *) parts.data, parts.data_size };
    message.msg_iov = &part;
    if (!error)
        error = put_control(&parts, &control, &message);
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (piece->head.flags & HOME_SOCKETS_MORE ? MSG_MORE : 0);
    if (!error && sendmsg(socket->fd, &message, flags) < 0)
        error = -errno;
    if (parts.address_size)
        socket_name_clear(&name);
    return error;
}

/* In the guest's form; bytes. */
static gsize take_control(struct msghdr *message, guint8 control[HOME_SOCKETS_CONTROL_MAX])
{
    gsize fill = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        gsize size = header->cmsg_len - CMSG_LEN(0), space = (size + 3) & ~(gsize) 3;
        const struct home_sockets_control item = { (guint32) size, (guint32) header->cmsg_level,
                                                   (guint32) header->cmsg_type };
        if ((!may_pass(header->cmsg_level, header->cmsg_type) && !is_error(header)) ||
            fill + sizeof item + space > HOME_SOCKETS_CONTROL_MAX)
            continue;
        memcpy(control + fill, &item, sizeof item);
        memset(control + fill + sizeof item, 0, space);
        memcpy(control + fill + sizeof item, CMSG_DATA(header), size);
        fill += sizeof item + space;
    }
    return fill;
}

/* What the socket's error is by this: what the program itself did wrong, its own call has said. */
static int queued_error(struct msghdr *message)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        struct sock_extended_err error;

        if (!is_error(header))
            continue;
        memcpy(&error, CMSG_DATA(header), sizeof error);
        if (error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6)
            return (int) error.ee_errno;
    }
    return 0;
}

/* One that recvmsg gives with these flags, as a record to the guest. Its cost, or -errno; *ret_size: bytes of data. */
static gssize pass_on(Socket *socket, int flags, gsize *ret_size)
{
    static guint8 payload[HOME_SOCKETS_RECORD_MAX], data[65536];
    struct sockaddr_storage address;
    Control control;
    struct iovec part = { data, 65535 };
    struct msghdr message = { .msg_name = &address,
                              .msg_namelen = sizeof address,
                              .msg_iov = &part,
                              .msg_iovlen = 1 };

    /* descriptors that somebody sends are not wanted: without room for them they are not made */
    if (socket->family != AF_UNIX) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
    }
    gssize size = recvmsg(socket->fd, &message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return -errno;
    *ret_size = (gsize) size;
    if (size == 0 && socket->sequenced)
        return 0;
    gsize name = MIN(message.msg_namelen, HOME_SOCKETS_ADDRESS_MAX);
    memcpy(payload, &address, name);
    gsize more = socket->family == AF_UNIX ? 0 : take_control(&message, payload + name);
    memcpy(payload + name + more, data, (gsize) size);
    SocketHead head = { .type = HOME_SOCKETS_DATAGRAM,
                        .flags = message.msg_flags & MSG_TRUNC ? HOME_SOCKETS_TRUNC : 0,
                        .socket = socket->id,
                        .value = (guint32) name,
                        .more = (guint32) more };
    if (flags & MSG_ERRQUEUE) {
        head.flags |= HOME_SOCKETS_QUEUED;
        head.error = (guint32) queued_error(&message);
    }
    sockets_send(socket->all, &head, payload, name + more + (gsize) size);
    return (gssize) (sizeof head + name + more + (gsize) size);
}

/* Nothing was read in a connection: it is at its end, or an empty packet came. */
static gboolean at_end(const Socket *socket)
{
    struct pollfd poll_for = { .fd = socket->fd, .events = POLLRDHUP };
    guint8 byte;

    return poll(&poll_for, 1, 0) == 1 && poll_for.revents & (POLLRDHUP | POLLHUP) &&
           recv(socket->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

gboolean socket_read_datagram(Socket *socket)
{
    gsize size;
    gssize cost = pass_on(socket, 0, &size);

    if (cost < 0) {
        if (cost != -EAGAIN && cost != -EINTR)
            socket_error(socket, (int) -cost);
        return cost == -EINTR;
    }
    if (socket->sequenced && size == 0) {
        if (at_end(socket)) {
            socket_end(socket);
            return FALSE;
        }
        SocketHead empty = { .type = HOME_SOCKETS_DATAGRAM, .socket = socket->id };
        sockets_send(socket->all, &empty, NULL, 0);
        cost = sizeof empty;
    }
    socket->credit -= cost;
    return TRUE;
}

/* The queue of those who asked for details (IP_RECVERR); until it is empty the socket says that there is an error. That of
 * a stream is thrown away. */
static void read_error_queue(Socket *socket)
{
    guint8 byte;
    gsize size;

    for (int i = 0; i < ERRORS_AT_ONCE; i++)
        if (socket->stream ? recv(socket->fd, &byte, 1, MSG_ERRQUEUE | MSG_DONTWAIT) < 0
                           : pass_on(socket, MSG_ERRQUEUE, &size) < 0)
            return;
}

void socket_read_errors(Socket *socket)
{
    int error = 0;
    socklen_t size = sizeof error;

    read_error_queue(socket); /* takes away the error of the socket that is told with it */
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
        socket_error(socket, error);
}
