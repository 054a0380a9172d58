/* SPDX-License-Identifier: GPL-2.0-or-later */
/* monitor.c - a QMP monitor of our own beside libvirt's (see monitor.h for why) */
#include "monitor.h"

#include "common/log.h"
#include "common/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define LINE_MAX_BYTES (1u << 20)

typedef struct {
    char *line;
    int fd; /* to go with it; -1: none */
    MonitorDone done;
    gpointer user;
} Order;

struct Monitor {
    int fd;
    guint watch, timer;
    GString *input;
    GQueue orders; /* Order *; the head is under way */
    gboolean greeted, sent;
    MonitorEvent event;
    gpointer event_user;
};

static void order_free(Order *order)
{
    if (order->fd >= 0)
        close(order->fd);
    g_free(order->line);
    g_free(order);
}

char *monitor_path(const char *channel_path)
{
    return g_strconcat(channel_path, ".qmp", NULL);
}

static void monitor_next(Monitor *monitor);

/* The order under way is over. */
static void monitor_over(Monitor *monitor, Json *result)
{
    Order *order = g_queue_pop_head(&monitor->orders);

    if (monitor->timer)
        g_source_remove(monitor->timer);
    monitor->timer = 0;
    monitor->sent = FALSE;
    if (!order)
        return;
    if (order->done)
        order->done(result, order->user);
    order_free(order);
}

static void monitor_lost(Monitor *monitor)
{
    if (monitor->watch)
        g_source_remove(monitor->watch);
    monitor->watch = 0;
    if (monitor->fd >= 0)
        close(monitor->fd);
    monitor->fd = -1;
    monitor_next(monitor);
}

static gboolean monitor_timeout(gpointer user)
{
    Monitor *monitor = user;

    monitor->timer = 0;
    if (monitor->fd >= 0) {
        monitor_lost(monitor);
    } else {
        monitor_over(monitor, NULL);
        monitor_next(monitor);
    }
    return G_SOURCE_REMOVE;
}

static gboolean monitor_send(int socket, const Order *order)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec part = {order->line, strlen(order->line)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (order->fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &order->fd, sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)part.iov_len;
}

/* Gives the next order, or, when QEMU is gone, lets it fail soon. */
static void monitor_next(Monitor *monitor)
{
    Order *order = g_queue_peek_head(&monitor->orders);

    if (!order || (monitor->fd >= 0 && (!monitor->greeted || monitor->sent)))
        return;
    if (monitor->timer)
        g_source_remove(monitor->timer);
    monitor->timer = g_timeout_add(monitor->fd >= 0 ? PATIENCE_MS : 0, monitor_timeout, monitor);
    if (monitor->fd < 0)
        return;
    monitor->sent = TRUE;
    if (!monitor_send(monitor->fd, order))
        monitor_lost(monitor);
}

/* One line of QMP: a greeting, an answer, or an event. */
static void monitor_line(Monitor *monitor, const char *line)
{
    g_autoptr(Json) message = json_parse(line, -1, NULL);

    if (json_has(message, "QMP"))
        monitor->greeted = TRUE;
    else if (json_has(message, "event") && monitor->event)
        monitor->event(json_get_string(message, "event", ""), monitor->event_user);
    else if (monitor->sent && (json_has(message, "return") || json_has(message, "error"))) {
        if (json_has(message, "error"))
            log_debug("QEMU refuses: %s", line);
        monitor_over(monitor, json_get(message, "return"));
    }
    monitor_next(monitor);
}

static gboolean monitor_readable(gint fd, GIOCondition condition, gpointer user)
{
    Monitor *monitor = user;
    char buffer[4096], *end;
    ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (got <= 0 || monitor->input->len > LINE_MAX_BYTES) {
        monitor->watch = 0;
        monitor_lost(monitor);
        return G_SOURCE_REMOVE;
    }
    g_string_append_len(monitor->input, buffer, got);
    while ((end = memchr(monitor->input->str, '\n', monitor->input->len))) {
        g_autofree char *line = g_strndup(monitor->input->str, end - monitor->input->str);

        g_string_erase(monitor->input, 0, end - monitor->input->str + 1);
        monitor_line(monitor, line);
    }
    return monitor->watch ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

Monitor *monitor_open(const char *path, GError **error)
{
    int fd = rpc_connect_at_once(path, error);
    Monitor *monitor;

    if (fd < 0)
        return NULL;
    monitor = g_new0(Monitor, 1);
    monitor->fd = fd;
    monitor->input = g_string_new(NULL);
    g_queue_init(&monitor->orders);
    monitor->watch = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, monitor_readable, monitor);
    monitor_command(monitor, "qmp_capabilities", NULL, NULL);
    return monitor;
}

void monitor_command_with(Monitor *monitor, const char *command, const char *arguments, int fd, MonitorDone done, gpointer user)
{
    Order *order = g_new0(Order, 1);

    *order = (Order){.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3), .done = done, .user = user};
    order->line = g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s}\n", command, arguments);
    g_queue_push_tail(&monitor->orders, order);
    monitor_next(monitor);
}

void monitor_command(Monitor *monitor, const char *command, MonitorDone done, gpointer user)
{
    monitor_command_with(monitor, command, "{}", -1, done, user);
}

void monitor_watch(Monitor *monitor, MonitorEvent event, gpointer user)
{
    monitor->event = event;
    monitor->event_user = user;
}

void monitor_free(Monitor *monitor)
{
    if (!monitor)
        return;
    if (monitor->watch)
        g_source_remove(monitor->watch);
    if (monitor->timer)
        g_source_remove(monitor->timer);
    if (monitor->fd >= 0)
        close(monitor->fd);
    g_queue_clear_full(&monitor->orders, (GDestroyNotify)order_free);
    g_string_free(monitor->input, TRUE);
    g_free(monitor);
}
