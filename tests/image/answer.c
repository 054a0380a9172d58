/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - a home in small, for sockets.c: answers /dev/home-sockets with sockets of another network namespace
 *
 * Plain and slow: it looks at every socket after every event. What it must not be is forgiving: whatever the kernel says
 * against the rules of the records ends it.
 */
#include "answer.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

typedef struct home_sockets_head Head;
typedef struct home_sockets_names Names;

#define SOCKETS 3000

typedef struct {
    uint32_t id;            /* 0: free */
    int fd;
    bool stream, listening, connecting, connected, in_ended, broken, released;
    uint32_t connect_request, release_request;
    uint8_t *out;           /* what the guest sent, not yet written */
    size_t out_size;
    size_t out_urgent;      /* bytes up to and with the urgent one; 0: none */
    int shut;               /* SHUT_... + 1 that follows */
    uint32_t credit;        /* that we have */
    uint32_t given;         /* that the guest has used */
    uint32_t accepts;       /* connections that we may announce */
} Socket;

static Socket sockets[SOCKETS];
static int device;
static uint32_t last_id = HOME_SOCKETS_BY_HOME;
static uint8_t buffer[HOME_SOCKETS_RECORD_MAX];
static bool joins;          /* says which connections have both ends in the guest */

static void fail(const char *what) {
    printf("not ok 0 - the home: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static void say(Head head, const void *payload, size_t size) {
    static uint8_t record[HOME_SOCKETS_RECORD_MAX];

    head.size = (uint32_t)(sizeof head + size);
    memcpy(record, &head, sizeof head);
    if (size)
        memcpy(record + sizeof head, payload, size);
    if (write(device, record, head.size) != (ssize_t)head.size)
        fail("a record was refused");
}

static Socket *find(uint32_t id) {
    for (int i = 0; i < SOCKETS; i++)
        if (sockets[i].id == id)
            return &sockets[i];
    return NULL;
}

static Socket *add(uint32_t id, int fd, bool stream) {
    Socket *s = find(0);

    if (!s || !id || find(id))
        fail("a socket's number");
    *s = (Socket){.id = id, .fd = fd, .stream = stream, .credit = HOME_SOCKETS_WINDOW};
    return s;
}

static void end(Socket *s) {
    close(s->fd);
    free(s->out);
    s->id = 0;
}

static void get_names(Socket *s, Names *names) {
    socklen_t size = sizeof names->own.address;

    memset(names, 0, sizeof *names);
    if (!getsockname(s->fd, (struct sockaddr *)names->own.address, &size))
        names->own.size = size;
    size = sizeof names->peer.address;
    if (!getpeername(s->fd, (struct sockaddr *)names->peer.address, &size))
        names->peer.size = size;
}

static void answer(const Head *request, int result, const void *payload, size_t size) {
    if (request->request)
        say((Head){.type = HOME_SOCKETS_ANSWER, .socket = request->socket, .request = request->request,
                   .error = result < 0 ? (uint32_t)errno : 0},
            payload, result < 0 ? 0 : size);
}

static void answer_names(Socket *s, const Head *head, int result) {
    int error = errno;
    Names names;

    get_names(s, &names);
    errno = error;
    answer(head, result, &names, sizeof names);
}

/* Orders */

static void create(const Head *head) {
    int fd = socket((int)head->value, (int)head->more | SOCK_NONBLOCK, (int)head->extra);

    if (fd >= 0)
        add(head->socket, fd, head->more == SOCK_STREAM);
    answer(head, fd, NULL, 0);
}

static void order_connect(Socket *s, const Head *head, const uint8_t *payload, size_t size) {
    int result = connect(s->fd, (const struct sockaddr *)payload, (socklen_t)size);
    bool off = ((const struct sockaddr *)payload)->sa_family == AF_UNSPEC;

    if (s->stream && off) {
        s->connected = s->connecting = s->in_ended = s->broken = false;
        s->credit = HOME_SOCKETS_WINDOW;
        s->given = 0;
        s->out_size = 0;
    } else if (s->stream && !result) {
        s->connected = true;
    } else if (s->stream && errno == EINPROGRESS) {
        s->connecting = true;
        s->connect_request = head->request;
    }
    answer_names(s, head, result);
}

static void set_option(Socket *s, const Head *head, const uint8_t *payload, size_t size) {
    answer(head, setsockopt(s->fd, (int)head->value, (int)head->more, payload, (socklen_t)size), NULL, 0);
}

static void get_option(Socket *s, const Head *head, uint8_t *payload) {
    socklen_t size = head->extra;
    int result = getsockopt(s->fd, (int)head->value, (int)head->more, payload, &size);

    answer(head, result, payload, size);
}

static void datagram(Socket *s, const Head *head, const uint8_t *payload, size_t size) {
    size_t skip = head->value + head->more;
    ssize_t sent;

    if (skip > size)
        fail("a datagram");
    sent = sendto(s->fd, payload + skip, size - skip, MSG_NOSIGNAL, head->value ? (const struct sockaddr *)payload : NULL,
                  head->value);
    answer(head, (int)sent, NULL, 0);
    say((Head){.type = HOME_SOCKETS_TAKEN, .socket = s->id, .value = head->size}, NULL, 0);
}

static void data(Socket *s, const Head *head, const uint8_t *payload, size_t size) {
    s->given += (uint32_t)size;
    if (!s->stream || !size || size > HOME_SOCKETS_DATA_MAX || s->given > HOME_SOCKETS_WINDOW || s->released)
        fail("data against the rules");
    s->out = realloc(s->out, s->out_size + size);
    memcpy(s->out + s->out_size, payload, size);
    s->out_size += size;
    if (head->flags & HOME_SOCKETS_OOB)
        s->out_urgent = s->out_size;
}

static void order(const Head *head, uint8_t *payload, size_t size) {
    Socket *s = find(head->socket);

    if (head->type == HOME_SOCKETS_CREATE) {
        create(head);
        return;
    }
    if (!s) {
        errno = EBADF;
        answer(head, -1, NULL, 0);
        return;
    }
    switch (head->type) {
    case HOME_SOCKETS_BIND:
        answer_names(s, head, bind(s->fd, (struct sockaddr *)payload, (socklen_t)size));
        break;
    case HOME_SOCKETS_CONNECT: order_connect(s, head, payload, size); break;
    case HOME_SOCKETS_LISTEN: {
        int result = listen(s->fd, (int)head->value);

        if (!result && !s->listening)
            s->accepts = head->value < 1 ? 1 : head->value > HOME_SOCKETS_ACCEPTS ? HOME_SOCKETS_ACCEPTS : head->value;
        s->listening = s->listening || !result;
        answer_names(s, head, result);
        break;
    }
    case HOME_SOCKETS_NAME: answer_names(s, head, 0); break;
    case HOME_SOCKETS_SETOPT: set_option(s, head, payload, size); break;
    case HOME_SOCKETS_GETOPT: get_option(s, head, payload); break;
    case HOME_SOCKETS_DATA: data(s, head, payload, size); break;
    case HOME_SOCKETS_DATAGRAM: datagram(s, head, payload, size); break;
    case HOME_SOCKETS_SHUTDOWN: s->shut = (int)head->value + 1; break;
    case HOME_SOCKETS_RELEASE:
        s->released = true;
        s->release_request = head->request;
        if (head->flags & HOME_SOCKETS_UNREAD) {
            struct linger now = {1, 0};

            setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            s->out_size = 0;
        }
        break;
    case HOME_SOCKETS_TAKEN:
        if (s->listening)
            s->accepts += head->value;
        else
            s->credit += head->value;
        break;
    default: errno = EPROTO; fail("an unknown record");
    }
}

/* What sockets do by themselves */

static void broken(Socket *s, int error) {
    if (!s->broken && !s->released)
        say((Head){.type = HOME_SOCKETS_ERROR, .socket = s->id, .error = (uint32_t)error}, NULL, 0);
    s->broken = true;
    s->out_size = 0;
}

static void write_out(Socket *s) {
    while (s->out_size && !s->broken) {
        size_t size = s->out_urgent ? s->out_urgent : s->out_size;
        ssize_t written = send(s->fd, s->out, size, MSG_NOSIGNAL | (s->out_urgent ? MSG_OOB : 0));

        if (written < 0 && errno == EAGAIN)
            return;
        if (written < 0) {
            broken(s, errno);
            return;
        }
        s->out_size -= (size_t)written;
        s->out_urgent -= s->out_urgent ? (size_t)written : 0;
        memmove(s->out, s->out + written, s->out_size);
        s->given -= (uint32_t)written;
        if (!s->released)
            say((Head){.type = HOME_SOCKETS_TAKEN, .socket = s->id, .value = (uint32_t)written}, NULL, 0);
    }
    if (s->shut)
        shutdown(s->fd, s->shut - 1);
    s->shut = 0;
}

static void read_in(Socket *s, short ready) {
    uint8_t byte, bytes[HOME_SOCKETS_DATA_MAX];
    int mark = 0;
    ssize_t size;

    if (ready & POLLPRI && !ioctl(s->fd, SIOCATMARK, &mark) && mark && s->credit && recv(s->fd, &byte, 1, MSG_OOB) == 1) {
        say((Head){.type = HOME_SOCKETS_DATA, .flags = HOME_SOCKETS_OOB, .socket = s->id}, &byte, 1);
        s->credit--;
    }
    if (!s->credit || s->in_ended || s->broken || !(ready & (POLLIN | POLLERR | POLLHUP)))
        return;
    size = recv(s->fd, bytes, s->credit < sizeof bytes ? s->credit : sizeof bytes, 0);
    if (size > 0) {
        say((Head){.type = HOME_SOCKETS_DATA, .socket = s->id}, bytes, (size_t)size);
        s->credit -= (uint32_t)size;
    } else if (!size) {
        say((Head){.type = HOME_SOCKETS_END, .socket = s->id}, NULL, 0);
        s->in_ended = true;
    } else if (errno != EAGAIN) {
        broken(s, errno);
    }
}

static void read_datagram(Socket *s) {
    uint8_t bytes[sizeof(struct sockaddr_storage) + 65535];
    struct sockaddr_storage from;
    socklen_t name = sizeof from;
    ssize_t size;
    uint32_t cost;

    if (s->credit < HOME_SOCKETS_RECORD_MAX)
        return;
    size = recvfrom(s->fd, bytes + sizeof from, 65535, 0, (struct sockaddr *)&from, &name);
    if (size < 0) {
        if (errno != EAGAIN)
            say((Head){.type = HOME_SOCKETS_ERROR, .socket = s->id, .error = (uint32_t)errno}, NULL, 0);
        return;
    }
    memcpy(bytes + sizeof from - name, &from, name);
    cost = (uint32_t)(sizeof(Head) + name + (size_t)size);
    say((Head){.type = HOME_SOCKETS_DATAGRAM, .socket = s->id, .value = name}, bytes + sizeof from - name,
        name + (size_t)size);
    s->credit -= cost;
}

/* The socket whose own name is this one's peer. */
static uint32_t other_end(const Names *names) {
    Names others;

    for (int i = 0; joins && i < SOCKETS; i++)
        if (sockets[i].id && sockets[i].connecting) {
            get_names(&sockets[i], &others);
            if (!memcmp(&others.own, &names->peer, sizeof others.own))
                return sockets[i].id;
        }
    return 0;
}

static bool accept_one(Socket *s) {
    int fd = s->accepts ? accept4(s->fd, NULL, NULL, SOCK_NONBLOCK) : -1;
    Names names;
    Socket *new;

    if (fd < 0)
        return false;
    new = add(++last_id, fd, true);
    new->connected = true;
    s->accepts--;
    get_names(new, &names);
    say((Head){.type = HOME_SOCKETS_ACCEPTED, .socket = s->id, .value = new->id, .more = other_end(&names)}, &names,
        sizeof names);
    return true;
}

static void connected(Socket *s) {
    int error = 0;
    socklen_t size = sizeof error;
    Names names;

    for (int i = 0; joins && i < SOCKETS; i++)
        while (sockets[i].id && sockets[i].listening && accept_one(&sockets[i]))
            ;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    get_names(s, &names);
    s->connecting = false;
    s->connected = !error;
    if (error) { /* so that it can connect again */
        struct sockaddr none = {.sa_family = AF_UNSPEC};

        connect(s->fd, &none, sizeof none);
    }
    say((Head){.type = HOME_SOCKETS_CONNECTED, .socket = s->id, .request = s->connect_request, .error = (uint32_t)error},
        &names, sizeof names);
}

static void look_at(Socket *s, short ready) {
    if (s->connecting) {
        if (ready & (POLLOUT | POLLERR | POLLHUP))
            connected(s);
    } else if (s->listening) {
        if (ready & POLLIN)
            accept_one(s);
    } else if (!s->stream) {
        if (!s->released && ready & (POLLIN | POLLERR))
            read_datagram(s);
    } else if (s->connected) {
        if (!s->released)
            read_in(s, ready);
        write_out(s);
    }
    if (s->released && !s->out_size) {
        if (s->release_request)
            say((Head){.type = HOME_SOCKETS_ANSWER, .socket = s->id, .request = s->release_request}, NULL, 0);
        end(s);
    }
}

/* What is to be waited for: nothing that cannot be acted on, or the loop would spin. */
static short wanted(const Socket *s) {
    bool open = s->connected && !s->broken && !s->in_ended && s->credit && !s->released;

    if (s->connecting)
        return POLLOUT;
    if (s->listening)
        return s->accepts ? POLLIN : 0;
    if (!s->stream)
        return s->credit >= HOME_SOCKETS_RECORD_MAX && !s->released ? POLLIN : 0;
    return (short)((open ? POLLIN | POLLPRI : 0) | (s->out_size ? POLLOUT : 0));
}

void answer_run(int fd, bool join) {
    static struct pollfd polled[SOCKETS + 1];
    static Socket *owner[SOCKETS + 1];

    device = fd;
    joins = join;
    for (;;) {
        int count = 1;

        polled[0] = (struct pollfd){.fd = fd, .events = POLLIN};
        for (int i = 0; i < SOCKETS; i++)
            if (sockets[i].id && wanted(&sockets[i])) {
                polled[count] = (struct pollfd){.fd = sockets[i].fd, .events = wanted(&sockets[i])};
                owner[count++] = &sockets[i];
            }
        if (poll(polled, (nfds_t)count, -1) < 0)
            fail("poll");
        for (int i = 1; i < count; i++)
            if (polled[i].revents && owner[i]->id)
                look_at(owner[i], polled[i].revents);
        for (ssize_t size; polled[0].revents && (size = read(fd, buffer, sizeof buffer)) != -1;) {
            const Head *head = (const Head *)buffer;

            if (size < (ssize_t)sizeof *head || head->size != (uint32_t)size)
                fail("a record's size");
            order(head, buffer + sizeof *head, (size_t)size - sizeof *head);
            if (find(head->socket))
                look_at(find(head->socket), 0);
        }
    }
}
