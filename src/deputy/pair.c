/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pair.c - the packets between front and back */
#include "pair.h"

#include "common/error.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

gboolean pair_new(int ret_fds[2], GError **error)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) == 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot make a socket pair: %s",
                g_strerror(errno));
    return FALSE;
}

gboolean pair_send(int fd, const void *head, gsize head_size, const void *data, gsize size)
{
    struct iovec parts[] = { { (void *) head, head_size }, { (void *) data, size } };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = size ? 2 : 1 };
    gssize sent;

    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

gboolean pair_send_message(int fd, const WireMessage *message)
{
    guint8 buffer[1024];
    gsize size = wire_encode(message, buffer, sizeof buffer);

    if (size <= sizeof buffer)
        return pair_send(fd, buffer, size, NULL, 0);

    gsize whole;
    g_autofree guint8 *bytes = wire_encode_new(message, &whole);
    return bytes && pair_send(fd, bytes, whole, NULL, 0);
}
