/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - /dev/fuse, forwarded: requests go home, replies and notifications come back
 *
 * The agent looks into nothing but the headers. One request that the link has no room for is held; meanwhile no other
 * is read, so that their order is kept and the agent needs no memory beyond its one buffer.
 *
 * A reply never waits in the kernel. A notification can: dropping a directory entry takes the lock of a directory,
 * whose holder may be waiting for a reply. So all notifications but the harmless one (attributes of one inode) are
 * written by a thread of their own, which is started when the first of them comes.
 */
#include "files.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX ((1u << 20) + 8192)
#define NOTIFICATION_MAX 4096

static uint8_t buffer[REQUEST_MAX];

int files_open(void)
{
    int fd = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        die("cannot open /dev/fuse");
    return fd;
}

/* Sends the request in the buffer, or holds it and everything behind it: no credit, or no memory just now. */
static void files_send(Files *files, size_t size)
{
    LinkChannel channel = size <= LINK_SMALL ? LINK_FILES : LINK_BULK;
    int error = link_send(files->link, channel, buffer, size);

    files->pending = error ? size : 0;
    watch_set(&files->watch, error ? 0 : EPOLLIN);
}

static void files_ready(void *user, uint32_t events)
{
    Files *files = user;
    ssize_t size = read(files->watch.fd, buffer, sizeof buffer);

    if (size > 0)
        files_send(files, (size_t)size);
    else if (size == 0 || errno == ENODEV)
        watch_set(&files->watch, 0);    /* unmounted */
    else if (errno != EAGAIN && errno != EINTR && errno != ENOENT)
        say("reading /dev/fuse: %s", strerror(errno));
}

void files_start(Files *files, int fd, Link *link)
{
    *files = (Files) {
        .link = link,
        .notify_fd = -1,
        .watch = { .fd = fd, .ready = files_ready, .user = files },
    };
    watch_set(&files->watch, EPOLLIN);
}

void files_writable(Files *files)
{
    if (files->pending)
        files_send(files, files->pending);
}

static void files_write(int fd, const void *data, size_t size)
{
    ssize_t written = write(fd, data, size);

    /* ENOENT: the request was interrupted, or what the notification names is not known here. */
    if (written < 0 && errno != ENOENT && errno != ENOTDIR && errno != ENOTEMPTY)
        say("a file reply of %zu bytes was refused: %s", size, strerror(errno));
}

typedef struct {
    int from, to;
} Notifier;

static void *notifier_run(void *data)
{
    static uint8_t notification[NOTIFICATION_MAX];
    const Notifier *notifier = data;
    ssize_t size;

    while ((size = recv(notifier->from, notification, sizeof notification, 0)) > 0)
        files_write(notifier->to, notification, (size_t)size);
    return NULL;
}

static void notifier_start(Files *files)
{
    static Notifier notifier;
    pthread_attr_t small;
    pthread_t thread;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return;
    notifier = (Notifier) { pair[0], files->watch.fd };
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 4 * PTHREAD_STACK_MIN);
    if (pthread_create(&thread, &small, notifier_run, &notifier) == 0)
        files->notify_fd = pair[1];
    pthread_attr_destroy(&small);
}

typedef struct {
    struct fuse_out_header header;
    struct fuse_notify_inval_inode_out inode;   /* if it is one */
} Head;

static bool may_wait(const Head *head, size_t size)
{
    return head->header.error != FUSE_NOTIFY_INVAL_INODE || size < sizeof *head || head->inode.off >= 0;
}

static void files_notify(Files *files, const void *data, size_t size)
{
    if (files->notify_fd < 0)
        notifier_start(files);
    if (send(files->notify_fd, data, size, MSG_DONTWAIT) < 0)
        say("a notification was dropped: %s", strerror(errno));
}

void files_reply(Files *files, const void *data, size_t size)
{
    Head head = { 0 };

    memcpy(&head, data, size < sizeof head ? size : sizeof head);
    if (size < sizeof head.header)
        say("a file reply of %zu bytes is too short", size);
    else if (head.header.unique == 0 && may_wait(&head, size))
        files_notify(files, data, size);
    else
        files_write(files->watch.fd, data, size);
}
