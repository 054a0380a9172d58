/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.c - the virtio-serial port that leads home
 *
 * While nobody has the other end, the port reports EPOLLHUP all the time and read() gives 0. Then only edges are
 * waited for: the driver wakes its waiters when the other end is opened. What a write takes while nobody is there is
 * lost; the link repeats it.
 *
 * The host fills buffers of 4 KiB one by one, and under emulation being woken for one costs more than copying it. So in the
 * middle of a long frame the rest is waited for as long as it takes to come, and no interrupt asked for: the driver
 * interrupts only who polls, or has read until there was nothing. What a program says by a socket ends the waiting.
 */
#include "port.h"

#include "console.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"
#define WAIT_MS 10000
#define NAP_LEAST 8192      /* bytes missing: for less it is not worth it */
#define NAP_NS_EACH 1       /* of these: a little less than the host takes */
#define NAPS 4              /* then others have their turn */
#define BULK_AT_ONCE (64u << 10)    /* bytes; then it is looked what has come meanwhile */

static uint8_t buffer[65536];

static bool port_is_called(const char *entry, const char *name)
{
    char path[300], text[64];
    ssize_t size;
    int fd;

    snprintf(path, sizeof path, PORTS "/%s/name", entry);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return false;
    text[size] = 0;
    text[strcspn(text, "\n")] = 0;
    return strcmp(text, name) == 0;
}

/* Descriptor of the port, -1 if it is not there yet. */
static int port_find(const char *name)
{
    DIR *folder = opendir(PORTS);
    const struct dirent *entry;
    char path[300] = "";

    if (!folder)
        return -1;
    while (!*path && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && port_is_called(entry->d_name, name))
            snprintf(path, sizeof path, "/dev/%s", entry->d_name);
    closedir(folder);
    return *path ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
}

int port_open(const char *name)
{
    static const struct timespec pause = { 0, 1000000 };

    for (int waited = 0; waited < WAIT_MS; waited++) {
        int fd = port_find(name);

        if (fd >= 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    errno = ENODEV;
    die("the machine has no port %s", name);
}

static void port_set(Port *port, bool connected)
{
    uint32_t events = EPOLLIN | (port->blocked ? EPOLLOUT : 0);

    watch_set(&port->watch, connected ? events : events | EPOLLET);
}

/* Whether it is worth to look again, after a moment in which the program can run. */
static bool port_nap(const Port *port, int *naps)
{
    size_t missing = link_missing(port->link);
    struct timespec pause = { 0, (long)missing * NAP_NS_EACH };
    struct pollfd urgent = { .fd = port->urgent->fd, .events = port->urgent->events };

    return missing >= NAP_LEAST && --*naps >= 0 && ppoll(&urgent, 1, &pause, NULL) <= 0;
}

static void port_ready(void *user, uint32_t events)
{
    Port *port = user;
    int naps = NAPS;
    ssize_t size;

    if (events & EPOLLOUT)
        port->blocked = false;
    /* A read gives all that there is, if the buffer has room for it. */
    do {
        size = read(port->watch.fd, buffer, sizeof buffer);
        if (size > 0)
            link_input(port->link, buffer, (size_t)size);
    } while (size == sizeof buffer || (size > 0 && port_nap(port, &naps)));
    port_set(port, size != 0);
}

void port_start(Port *port, int fd, Link *link, const Watch *urgent)
{
    port->link = link;
    port->urgent = urgent;
    port->watch = (Watch) { .fd = fd, .ready = port_ready, .user = port };
    port_set(port, true);
}

bool port_flush(Port *port, bool hold)
{
    size_t size, bulk = hold ? BULK_AT_ONCE : 0;
    const void *bytes;

    while (!port->blocked) {
        bool only_bulk = link_only_bulk(port->link);

        if (only_bulk && bulk >= BULK_AT_ONCE)
            return true;
        bytes = link_output(port->link, &size);
        if (!size)
            return false;
        ssize_t written = write(port->watch.fd, bytes, size);

        if (written <= 0) {
            port->blocked = true;
            port_set(port, true);
            return false;
        }
        link_output_done(port->link, (size_t)written);
        bulk += only_bulk ? (size_t)written : 0;
    }
    return false;
}
