/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.c - the connection that a link has at the moment: bytes between the two, on the main loop
 *
 * One GSource that asks the link before each poll what it wants: output, or time. It is the busiest
 * source of the back, so output is tried first and polled for only when the connection is full.
 *
 * What was written goes before all that is more urgent. So bulk is written only while a poll for output would succeed: of a
 * local socket, while a quarter of its buffer or less is not taken yet. Anything else goes as long as there is room.
 */
#include "port.h"

#include "common/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE (256 << 10)
#define READS_AT_ONCE 8     /* then the other sources have their turn */

struct Port {
    Link *link;
    PortClosed closed;
    gpointer user;
    GSource *source;
    gpointer tag;
    int fd;
    int many;               /* bytes that are not taken yet, from which on bulk waits; 0: no limit */
    gboolean full;          /* the connection took less than there was */
    gboolean held;          /* bulk waits */
    gboolean polled;        /* for output, as the poll knows it */
    guint8 *buffer;
};

typedef struct {
    GSource source;
    Port *port;
} PortSource;

static guint64 now_ms(void)
{
    return (guint64) g_get_monotonic_time() / 1000;
}

static void broken(Port *port)
{
    port_close(port);
    if (port->closed)
        port->closed(port, port->user);
}

static gboolean has_much(const Port *port)
{
    int bytes;

    return port->many && ioctl(port->fd, SIOCOUTQ, &bytes) == 0 && bytes > port->many;
}

void port_flush(Port *port)
{
    size_t size;
    const void *bytes;

    port->full = port->held = FALSE;
    while (port->fd >= 0) {
        if (link_only_bulk(port->link) && has_much(port)) {
            port->held = TRUE;
            return;
        }
        bytes = link_output(port->link, &size);
        if (!size)
            return;
        gssize written = write(port->fd, bytes, size);

        if (written > 0) {
            link_output_done(port->link, (gsize) written);
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            port->full = TRUE;
        else
            broken(port);
        return;
    }
}

static void take_bytes(Port *port)
{
    for (int i = 0; i < READS_AT_ONCE && port->fd >= 0; i++) {
        int fd = port->fd;
        gssize size = read(fd, port->buffer, READ_SIZE);

        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size <= 0) {
            broken(port);
            return;
        }
        int result = link_input(port->link, port->buffer, (gsize) size);
        if (result < 0 && port->fd == fd) {
            broken(port);
            return;
        }
        if (size < READ_SIZE)
            return;
    }
}

static gboolean can_write(const Port *port)
{
    return !port->full && link_wants_output(port->link) && !(port->held && link_only_bulk(port->link));
}

static gboolean prepare(GSource *source, int *timeout)
{
    Port *port = ((PortSource *) source)->port;

    *timeout = -1;
    if (port->fd < 0)
        return FALSE;
    *timeout = link_timeout(port->link, now_ms());
    if (port->polled != (port->full || port->held)) { /* each change wakes the loop again: not without need */
        port->polled = !port->polled;
        g_source_modify_unix_fd(source, port->tag, G_IO_IN | (port->polled ? G_IO_OUT : 0));
    }
    return *timeout == 0 || can_write(port);
}

static gboolean check(GSource *source)
{
    Port *port = ((PortSource *) source)->port;

    return port->fd >= 0 &&
           (g_source_query_unix_fd(source, port->tag) || link_timeout(port->link, now_ms()) == 0 ||
            can_write(port));
}

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer user)
{
    Port *port = ((PortSource *) source)->port;
    GIOCondition condition = port->fd >= 0 ? g_source_query_unix_fd(source, port->tag) : 0;

    link_tick(port->link, now_ms());
    if (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        take_bytes(port);
    port_flush(port);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs functions = { .prepare = prepare, .check = check, .dispatch = dispatch };

Port *port_new(Link *link, PortClosed closed, gpointer user)
{
    Port *port = g_new0(Port, 1);

    port->link = link;
    port->closed = closed;
    port->user = user;
    port->fd = -1;
    port->buffer = g_malloc(READ_SIZE);
    port->source = g_source_new(&functions, sizeof(PortSource));
    ((PortSource *) port->source)->port = port;
    g_source_set_static_name(port->source, "link");
    g_source_set_can_recurse(port->source, TRUE); /* else each dispatch takes the descriptor out, and wakes the loop again */
    g_source_attach(port->source, NULL);
    return port;
}

void port_free(Port *port)
{
    if (!port)
        return;
    port_close(port);
    source_clear(&port->source);
    g_free(port->buffer);
    g_free(port);
}

/* Of which so much may wait that a poll for output still succeeds; 0: it is not known. */
static int much_of(int fd)
{
    int domain = 0, buffer = 0;
    socklen_t size = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 || domain != AF_UNIX)
        return 0;
    return getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, &size) < 0 ? 0 : buffer / 4;
}

void port_open(Port *port, int fd, guint64 epoch)
{
    port_close(port);
    port->many = much_of(fd);
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    port->fd = fd;
    port->tag = g_source_add_unix_fd(port->source, fd, G_IO_IN);
    port->polled = FALSE;
    link_attach(port->link, epoch);
    port_flush(port);
}

void port_close(Port *port)
{
    if (port->fd < 0)
        return;
    g_source_remove_unix_fd(port->source, port->tag);
    close(port->fd);
    port->fd = -1;
    port->full = port->held = FALSE;
    link_detach(port->link);
}

gboolean port_is_open(const Port *port)
{
    return port->fd >= 0;
}

gboolean port_is_full(const Port *port)
{
    return port->full;
}
