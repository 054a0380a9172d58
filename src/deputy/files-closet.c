/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-closet.c - descriptors that are open but not at hand: threads with tables of their own have them
 *
 * A program may have as many files open as its limit says, and so may each other process of the job. Here they are all in one
 * process, with the same limit, and each needs two descriptors: one to read and write by, one to find the file again. But the
 * limit is one of a table of descriptors, and on Linux a thread may have its own. So when more than a quarter of the
 * descriptors are of one kind, those that were not used for the longest time are given to such a thread, through a socket,
 * and taken back when they are needed. What is open stays open: locks and offsets belong to the opening, not to the descriptor.
 *
 * A thread, a drawer of the closet, is started when those before it are full; it has as many places as our table. One order
 * is under way at a time: it takes some microseconds, and nothing that the thread does can wait for anybody. */
#include "deputy/files-closet.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DRAWERS 64
#define PLACES (1 << 24)
#define MOST (1 << 20) /* a limit beyond which nobody comes near it */

enum { PUT, TAKE, DROP };

typedef struct {
    int what, place;
} Order;

/* A thread and what it has. */
typedef struct {
    int here, there; /* the two ends; it closes neither of them */
    gboolean full;
    GThread *thread;
} Drawer;

struct FilesCloset {
    GMutex lock;
    guint share, count;
    Drawer drawers[DRAWERS];
};

FilesCloset *files_closet_new(void)
{
    struct rlimit limit;
    FilesCloset *c;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > MOST)
        return NULL;
    c = g_new0(FilesCloset, 1);
    g_mutex_init(&c->lock);
    c->share = (guint)limit.rlim_cur / 4;
    return c;
}

void files_closet_free(FilesCloset *c)
{
    if (!c)
        return;
    for (guint d = 0; d < c->count; d++) {
        shutdown(c->drawers[d].here, SHUT_RDWR);
        g_thread_join(c->drawers[d].thread);
        close(c->drawers[d].here);
        close(c->drawers[d].there);
    }
    g_mutex_clear(&c->lock);
    g_free(c);
}

guint files_closet_share(const FilesCloset *c)
{
    return c->share;
}

/* An order or its answer, with a descriptor unless fd is -1. */
static gboolean say(int socket, Order order, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
    struct iovec part = { &order, sizeof(order) };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    ssize_t sent;

    if (fd >= 0) {
        struct cmsghdr *item = (struct cmsghdr *)control;

        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        *item = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(item), &fd, sizeof(fd));
    }
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == sizeof(order);
}

/* The next one; *ret_fd is the descriptor that came with it, or -1. */
static gboolean hear(int socket, Order *order, int *ret_fd)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec part = { order, sizeof(*order) };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
    };
    struct cmsghdr *item;
    ssize_t got;

    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    *ret_fd = -1;
    item = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (item && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS &&
        item->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(item), sizeof(*ret_fd));
    return got == sizeof(*order);
}

/* The thread: its places are its descriptors. 0 is the socket. */
static gpointer keep(gpointer data)
{
    int there = GPOINTER_TO_INT(data), fd;
    Order order;

    if (unshare(CLONE_FILES) < 0 || dup3(there, 0, O_CLOEXEC) < 0 || close_range(1, ~0U, 0) < 0) {
        shutdown(there, SHUT_RDWR); /* whoever asks hears that there is nobody */
        return NULL;
    }
    while (hear(0, &order, &fd)) {
        gboolean answered = TRUE;

        switch (order.what) {
        case PUT:
            answered = say(0, (Order){ PUT, fd }, -1);
            break;
        case TAKE:
            answered = say(0, order, order.place);
            break;
        default:
            close(order.place);
        }
        if (!answered)
            break;
    }
    close_range(0, ~0U, 0);
    return NULL;
}

/* With the closet locked: one more, or NULL. */
static Drawer *add_drawer(FilesCloset *c)
{
    Drawer *drawer = &c->drawers[c->count];
    int ends[2];

    if (c->count == DRAWERS || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return NULL;
    *drawer = (Drawer){ .here = ends[0], .there = ends[1] };
    drawer->thread = g_thread_try_new("closet", keep, GINT_TO_POINTER(ends[1]), NULL);
    if (!drawer->thread) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    c->count++;
    return drawer;
}

/* With the closet locked: the place in that drawer, or -1: it is full. */
static int put_into(Drawer *drawer, int fd)
{
    Order order = { PUT, -1 };
    int none;

    if (!say(drawer->here, order, fd) || !hear(drawer->here, &order, &none))
        order.place = -1;
    drawer->full = order.place < 0;
    return order.place;
}

int files_closet_put(FilesCloset *c, int fd)
{
    int place = -1;
    guint d;

    g_mutex_lock(&c->lock);
    for (d = 0; d < c->count && place < 0; d++)
        place = c->drawers[d].full ? -1 : put_into(&c->drawers[d], fd);
    if (place < 0 && add_drawer(c)) {
        d = c->count;
        place = put_into(&c->drawers[d - 1], fd);
    }
    g_mutex_unlock(&c->lock);
    if (place < 0)
        return -1;
    close(fd);
    return (int)(d - 1) * PLACES + place;
}

int files_closet_take(FilesCloset *c, int place)
{
    Drawer *drawer = &c->drawers[place / PLACES];
    Order order = { TAKE, place % PLACES };
    int fd = -1;

    g_mutex_lock(&c->lock);
    if (say(drawer->here, order, -1) && hear(drawer->here, &order, &fd) && fd >= 0) {
        say(drawer->here, (Order){ DROP, order.place }, -1);
        drawer->full = FALSE;
    }
    g_mutex_unlock(&c->lock);
    return fd;
}

void files_closet_drop(FilesCloset *c, int place)
{
    Drawer *drawer = &c->drawers[place / PLACES];

    g_mutex_lock(&c->lock);
    say(drawer->here, (Order){ DROP, place % PLACES }, -1);
    drawer->full = FALSE;
    g_mutex_unlock(&c->lock);
}
