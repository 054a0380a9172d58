/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - records of sockets that live at home, between the kernel's device and the link
 *
 * The agent looks into none of them. One record that the link has no room for is held; meanwhile no other is read, so
 * that their order is kept. The kernel takes every record: windows bound what it must keep. Should it have no memory
 * just now, the record and those behind it wait here.
 */
#include "sockets.h"

#include "common/frame.h"
#include "common/home-sockets.h"
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEVICE "/dev/home-sockets"
#define RECORDS_AT_ONCE 8
#define SHORT 4096          /* bytes: a record that goes on its way before it is looked for another */
#define RETRY_MS 10

struct SocketsLate {
    struct SocketsLate *next;
    size_t size;
    uint8_t bytes[];
};

/* A record is read to where the link will keep it; the end of one that is longer than a frame, here. */
static uint8_t tail[HOME_SOCKETS_RECORD_MAX - FRAME_PAYLOAD_MAX];

static void sockets_update(Sockets *sockets)
{
    watch_set(&sockets->watch, sockets->pending || sockets->stopped || sockets->starved_ms ? 0 : EPOLLIN);
}

static void sockets_send(Sockets *sockets, size_t size)
{
    int error;

    if (size <= FRAME_PAYLOAD_MAX)
        error = link_commit(sockets->link, LINK_SOCKETS, size);
    else
        error = link_send2(sockets->link, LINK_SOCKETS, link_prepare(sockets->link), FRAME_PAYLOAD_MAX, tail,
                           size - FRAME_PAYLOAD_MAX);
    sockets->pending = error ? size : 0;
}

static ssize_t sockets_read(Sockets *sockets)
{
    struct iovec parts[2] = {
        { .iov_base = link_prepare(sockets->link), .iov_len = FRAME_PAYLOAD_MAX },
        { .iov_base = tail, .iov_len = sizeof tail },
    };

    if (!parts[0].iov_base) {
        sockets->starved_ms = now_ms() + RETRY_MS;
        errno = EAGAIN;
        return -1;
    }
    return readv(sockets->watch.fd, parts, 2);
}

static void sockets_ready(void *user, uint32_t events)
{
    Sockets *sockets = user;
    int most = sockets->alone + 1 == loop_rounds() ? RECORDS_AT_ONCE : 1;  /* there is more */

    for (int i = 0; i < most && !sockets->pending; i++) {
        ssize_t size = sockets_read(sockets);

        if (size <= 0) {
            if (size == 0 || (errno != EAGAIN && errno != EINTR))
                say("reading %s: %s", DEVICE, strerror(errno));
            break;
        }
        sockets->delivered = false;
        sockets_send(sockets, (size_t)size);
        if (size >= SHORT)
            most = RECORDS_AT_ONCE;
    }
    if (most == 1)
        sockets->alone = loop_rounds();
    sockets_update(sockets);
}

void sockets_init(Sockets *sockets, Link *link)
{
    *sockets = (Sockets) {
        .link = link,
        .watch = { .fd = -1, .ready = sockets_ready, .user = sockets },
    };
}

void sockets_start(Sockets *sockets)
{
    sockets->watch.fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (sockets->watch.fd < 0)
        say("the job's sockets stay in the guest: %s", strerror(errno));
    sockets_update(sockets);
}

/* FALSE: not now. */
static bool sockets_write(Sockets *sockets, const void *data, size_t size)
{
    ssize_t written = write(sockets->watch.fd, data, size);

    if (written < 0 && (errno == EAGAIN || errno == ENOMEM || errno == EINTR))
        return false;
    sockets->delivered = true;
    if (written < 0)
        say("a record of %zu bytes was refused: %s", size, strerror(errno));
    return true;
}

static void sockets_keep(Sockets *sockets, const void *data, size_t size)
{
    struct SocketsLate *late = malloc(sizeof *late + size);

    if (!late)
        die("no memory for the job's sockets");
    late->next = NULL;
    late->size = size;
    memcpy(late->bytes, data, size);
    if (sockets->last)
        sockets->last->next = late;
    else
        sockets->first = late;
    sockets->last = late;
}

void sockets_message(Sockets *sockets, const void *data, size_t size)
{
    if (sockets->watch.fd < 0)
        return;
    if (sockets->first || !sockets_write(sockets, data, size))
        sockets_keep(sockets, data, size);
}

int sockets_tick(Sockets *sockets)
{
    struct SocketsLate *late;

    if (sockets->starved_ms && now_ms() >= sockets->starved_ms) {
        sockets->starved_ms = 0;
        sockets_update(sockets);
    }
    while ((late = sockets->first) && sockets_write(sockets, late->bytes, late->size)) {
        sockets->first = late->next;
        if (!sockets->first)
            sockets->last = NULL;
        free(late);
    }
    return sockets->first || sockets->starved_ms ? RETRY_MS : -1;
}

void sockets_writable(Sockets *sockets)
{
    if (sockets->pending)
        sockets_send(sockets, sockets->pending);
    sockets_update(sockets);
}

void sockets_stop(Sockets *sockets, bool stopped)
{
    if (sockets->watch.fd < 0 || sockets->stopped == stopped)
        return;
    sockets->stopped = stopped;
    sockets_update(sockets);
}

bool sockets_drained(const Sockets *sockets)
{
    __u64 pending = 0;

    if (sockets->watch.fd < 0)
        return true;
    return !sockets->pending && !link_queued(sockets->link, LINK_SOCKETS) &&
           (ioctl(sockets->watch.fd, HOME_SOCKETS_PENDING, &pending) < 0 || pending == 0);
}
