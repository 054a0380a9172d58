/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-datagram.c - datagrams with their addresses and control data, and the errors they meet */
#include "sockets-impl.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

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
    if (!error && sendmsg(socket->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
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
        if (!may_pass(header->cmsg_level, header->cmsg_type) ||
            fill + sizeof item + space > HOME_SOCKETS_CONTROL_MAX)
            continue;
        memcpy(control + fill, &item, sizeof item);
        memset(control + fill + sizeof item, 0, space);
        memcpy(control + fill + sizeof item, CMSG_DATA(header), size);
        fill += sizeof item + space;
    }
    return fill;
}

gboolean socket_read_datagram(Socket *socket)
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
    gssize size = recvmsg(socket->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        if (errno != EAGAIN && errno != EINTR)
            socket_error(socket, errno);
        return errno == EINTR;
    }
    gsize name = MIN(message.msg_namelen, HOME_SOCKETS_ADDRESS_MAX);
    memcpy(payload, &address, name);
    gsize more = socket->family == AF_UNIX ? 0 : take_control(&message, payload + name);
    memcpy(payload + name + more, data, (gsize) size);
    SocketHead head = { .type = HOME_SOCKETS_DATAGRAM,
                        .flags = message.msg_flags & MSG_TRUNC ? HOME_SOCKETS_TRUNC : 0,
                        .socket = socket->id,
                        .value = (guint32) name,
                        .more = (guint32) more };
    sockets_send(socket->all, &head, payload, name + more + (gsize) size);
    socket->credit -= (gint64) (sizeof head + name + more + (gsize) size);
    return TRUE;
}

/* Also empties the queue of those who asked for details (IP_RECVERR): until then the socket says
 * that there is an error. */
void socket_read_errors(Socket *socket)
{
    guint8 data[256];
    Control control;
    struct iovec part = { data, sizeof data };
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = 0;
    for (int i = 0; i < 64; i++) { /* this takes the error away, too: so it comes second */
        struct msghdr message = { .msg_iov = &part,
                                  .msg_iovlen = 1,
                                  .msg_control = control.bytes,
                                  .msg_controllen = sizeof control.bytes };
        if (recvmsg(socket->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            break;
    }
    if (error)
        socket_error(socket, error);
}
