/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-name.c - addresses of the guest's sockets
 *
 * An internet address is passed to the system as it is. An AF_UNIX name is a place in the home's
 * tree, and the guest says which by the number that the file server knows it by: so it is below the
 * job's root, whatever links stand at home, and no path is parsed here. The system takes nothing
 * but a path of 107 bytes for a name; a socket is connected to through /proc/self/fd, and made by
 * its full name if that is short enough, so that its peers see it, else in the folder itself.
 */
#include "sockets-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int unix_name(Socket *socket, const guint8 *bytes, gsize size, gboolean make,
                     SocketName *name)
{
    struct sockaddr_un *address = (struct sockaddr_un *) &name->address;
    struct home_sockets_place place;
    gsize length = size - sizeof place;

    if (size < sizeof place || !socket->all->files)
        return -EINVAL;
    memcpy(&place, bytes, sizeof place);
    name->fd = files_place(socket->all->files, place.node, make);
    if (name->fd < 0)
        return name->fd;
    address->sun_family = AF_UNIX;
    name->size = sizeof *address;
    if (!make) {
        g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d", name->fd);
        return 0;
    }
    bytes += sizeof place;
    if (length == 0 || length >= sizeof address->sun_path || memchr(bytes, '/', length) ||
        memchr(bytes, '\0', length) || (length <= 2 && memcmp(bytes, "..", length) == 0))
        return -EINVAL;
    memcpy(address->sun_path, bytes, length);
    name->inside = TRUE;
    name->mode = place.mode & 0777;
    return 0;
}

int socket_name(Socket *socket, const void *address, gsize size, gboolean make,
                SocketName *ret_name)
{
    guint16 family;

    memset(ret_name, 0, sizeof *ret_name);
    ret_name->fd = -1;
    if (size < sizeof family || size > HOME_SOCKETS_ADDRESS_MAX)
        return -EINVAL;
    memcpy(&family, address, sizeof family);
    if (family == AF_UNIX && socket->family == AF_UNIX)
        return unix_name(socket, address, size, make, ret_name);
    memcpy(&ret_name->address, address, size);
    ret_name->size = (socklen_t) size;
    return 0;
}

void socket_name_clear(SocketName *name)
{
    if (name->fd >= 0)
        close(name->fd);
    name->fd = -1;
}

/* The name as peers shall see it, if there is room for it. */
static void make_full(SocketName *name)
{
    struct sockaddr_un *address = (struct sockaddr_un *) &name->address;
    char link[64], folder[sizeof address->sun_path];

    g_snprintf(link, sizeof link, "/proc/self/fd/%d", name->fd);
    gssize length = readlink(link, folder, sizeof folder);
    if (length <= 0 || folder[0] != '/' ||
        (gsize) length + 1 + strlen(address->sun_path) >= sizeof address->sun_path)
        return;
    g_autofree char *leaf = g_strdup(address->sun_path);
    g_snprintf(address->sun_path, sizeof address->sun_path, "%.*s%s%s", (int) length, folder,
               length == 1 ? "" : "/", leaf);
    name->inside = FALSE;
}

int socket_bind(Socket *socket, const SocketName *name)
{
    const struct sockaddr *address = (const struct sockaddr *) &name->address;
    SocketName full = *name;

    if (!name->inside)
        return bind(socket->fd, address, name->size) < 0 ? -errno : 0;
    make_full(&full);
    mode_t before = umask(~name->mode & 0777);
    int error = full.inside && fchdir(name->fd) < 0 ? -errno : 0;
    if (!error && bind(socket->fd, (const struct sockaddr *) &full.address, full.size) < 0)
        error = -errno;
    umask(before);
    if (full.inside && fchdir(socket->all->home) < 0 && !error)
        error = -errno;
    return error;
}

int socket_connect(Socket *socket, const SocketName *name)
{
    return connect(socket->fd, (const struct sockaddr *) &name->address, name->size) < 0 ? -errno
                                                                                         : 0;
}

/* Address and port, IPv4 as part of IPv6. */
typedef struct {
    guint8 address[16];
    guint16 port, zero;
} End;

static gboolean take_end(const struct home_sockets_name *name, End *ret_end)
{
    struct sockaddr_in six_or_four;
    struct sockaddr_in6 six;

    memset(ret_end, 0, sizeof *ret_end);
    memcpy(&six_or_four, name->address, sizeof six_or_four);
    memcpy(&six, name->address, sizeof six);
    if (name->size >= sizeof six_or_four && six_or_four.sin_family == AF_INET) {
        ret_end->address[10] = ret_end->address[11] = 0xff;
        memcpy(ret_end->address + 12, &six_or_four.sin_addr, 4);
        ret_end->port = six_or_four.sin_port;
        return TRUE;
    }
    if (name->size < sizeof six || six.sin6_family != AF_INET6)
        return FALSE;
    memcpy(ret_end->address, &six.sin6_addr, 16);
    ret_end->port = six.sin6_port;
    return TRUE;
}

static GBytes *ends_new(const struct home_sockets_name *near, const struct home_sockets_name *far)
{
    End ends[2];

    return take_end(near, &ends[0]) && take_end(far, &ends[1]) ? g_bytes_new(ends, sizeof ends)
                                                               : NULL;
}

void socket_clear_ends(Socket *socket)
{
    if (socket->ends && g_hash_table_lookup(socket->all->ends, socket->ends) == socket)
        g_hash_table_remove(socket->all->ends, socket->ends);
    g_clear_pointer(&socket->ends, g_bytes_unref);
}

/* While it is connecting the system does not say where to: the record did. */
void socket_set_ends(Socket *socket, const SocketRecord *connect)
{
    SocketNames names;

    socket_clear_ends(socket);
    if (!socket->stream || connect->size > sizeof names.peer.address)
        return;
    socket_names(socket, TRUE, FALSE, &names);
    names.peer.size = (guint32) connect->size;
    memcpy(names.peer.address, connect->payload, connect->size);
    socket->ends = ends_new(&names.own, &names.peer);
    if (socket->ends)
        g_hash_table_replace(socket->all->ends, g_bytes_ref(socket->ends), socket);
}

gboolean socket_listens_for(const Socket *listener, const Socket *socket)
{
    const End *ends = g_bytes_get_data(socket->ends, NULL);
    SocketNames names;
    End end;

    socket_names(listener, TRUE, FALSE, &names);
    return take_end(&names.own, &end) && end.port == ends[1].port;
}

Socket *sockets_other_end(const Sockets *sockets, const SocketNames *names)
{
    GBytes *ends = ends_new(&names->peer, &names->own);
    Socket *socket = ends ? g_hash_table_lookup(sockets->ends, ends) : NULL;

    if (ends)
        g_bytes_unref(ends);
    return socket;
}

static void one_name(int fd, int (*get)(int, struct sockaddr *, socklen_t *),
                     struct home_sockets_name *name)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    if (get(fd, (struct sockaddr *) &address, &size) < 0)
        return;
    name->size = MIN(size, HOME_SOCKETS_ADDRESS_MAX);
    memcpy(name->address, &address, name->size);
}

void socket_names(const Socket *socket, gboolean own, gboolean peer, SocketNames *ret_names)
{
    memset(ret_names, 0, sizeof *ret_names);
    if (own)
        one_name(socket->fd, getsockname, &ret_names->own);
    if (peer)
        one_name(socket->fd, getpeername, &ret_names->peer);
}
