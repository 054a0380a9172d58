/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver.c - port 53 of 127.0.0.1 in a job with a network of its own: home's name server there
 *
 * A resolv.conf that names 127.0.0.1 or ::1 means home's; but these addresses are the guest's own. So the agent listens
 * there (as at home, the port is taken) and asks home's 127.0.0.1 through the tunnel's device, past the guest's own address.
 * A thread of its own waits for questions; each connection, rare as they are, has one more. A datagram's socket is kept until
 * as many questions have come as there are places: so nobody needs to know when an answer is late.
 */
#include "resolver.h"

#include "common/tunnel.h"
#include "console.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENERS 4         /* datagrams and streams, IPv4 and IPv6 */
#define QUESTIONS 32
#define BACKLOG 16
#define DATAGRAM_MAX 4096   /* what is longer, clients ask for over TCP */

typedef struct {
    int fd;                 /* connected to home's name server; -1: none */
    int listener;
    socklen_t asker_size;
    struct sockaddr_storage asker;
} Question;

static struct {
    int listeners[LISTENERS];
    Question questions[QUESTIONS];
    unsigned next;
} all;

static int listen_at(int family, int kind)
{
    const in_port_t port = htons(TUNNEL_RESOLVER_PORT);
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = port };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = port };
    const struct sockaddr *address = family == AF_INET ? (const void *)&four : (const void *)&six;
    int fd = socket(family, kind | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, address, family == AF_INET ? sizeof four : sizeof six) == 0 &&
        (kind == SOCK_DGRAM || listen(fd, BACKLOG) == 0))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A socket to home's name server. -1 and errno. */
static int ask_home(int kind)
{
    const in_port_t port = htons(TUNNEL_RESOLVER_PORT);
    struct sockaddr_in home = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = port };
    int fd = socket(AF_INET, kind | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, TUNNEL_DEVICE, sizeof TUNNEL_DEVICE) == 0 &&
        connect(fd, (struct sockaddr *)&home, sizeof home) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Datagrams */

static void take_question(int listener)
{
    Question *it = &all.questions[all.next++ % QUESTIONS];
    uint8_t bytes[DATAGRAM_MAX];
    ssize_t size;

    if (it->fd >= 0)
        close(it->fd);
    *it = (Question) { .fd = ask_home(SOCK_DGRAM), .listener = listener, .asker_size = sizeof it->asker };
    size = recvfrom(listener, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&it->asker, &it->asker_size);
    if (size >= 0 && it->fd >= 0)
        send(it->fd, bytes, (size_t)size, MSG_NOSIGNAL);    /* or it is lost, as datagrams are */
}

static void give_answer(Question *it)
{
    uint8_t bytes[DATAGRAM_MAX];
    ssize_t size = recv(it->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (size >= 0) {
        sendto(it->listener, bytes, (size_t)size, MSG_NOSIGNAL, (struct sockaddr *)&it->asker, it->asker_size);
    } else if (errno != EAGAIN && errno != EINTR) {
        close(it->fd);
        it->fd = -1;
    }
}

/* Connections */

/* What has come at one end goes to the other. false at its end. */
static bool pass_on(int from, int to)
{
    uint8_t bytes[DATAGRAM_MAX];
    ssize_t size = recv(from, bytes, sizeof bytes, 0);

    if (size <= 0)
        shutdown(to, SHUT_WR);
    for (ssize_t done = 0, written; done < size; done += written)
        if ((written = send(to, bytes + done, (size_t)(size - done), MSG_NOSIGNAL)) <= 0)
            return false;
    return size > 0;
}

static void *connection_run(void *user)
{
    int client = (int)(intptr_t)user, home = ask_home(SOCK_STREAM);
    struct pollfd ends[2] = { { .fd = client, .events = POLLIN }, { .fd = home, .events = POLLIN } };

    while (home >= 0 && (ends[0].fd >= 0 || ends[1].fd >= 0) && poll(ends, 2, -1) >= 0)
        for (int i = 0; i < 2; i++)
            if (ends[i].fd >= 0 && ends[i].revents && !pass_on(ends[i].fd, i == 0 ? home : client))
                ends[i].fd = -1;
    if (home >= 0)
        close(home);
    close(client);
    return NULL;
}

static int thread_start(void *(*run)(void *), void *user)
{
    pthread_attr_t small;
    pthread_t thread;
    int error;

    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 4 * PTHREAD_STACK_MIN);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &small, run, user);
    pthread_attr_destroy(&small);
    return error;
}

static void take_connection(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (client >= 0 && thread_start(connection_run, (void *)(intptr_t)client) != 0)
        close(client);
}

static void *resolver_run(void *user)
{
    struct pollfd fds[LISTENERS + QUESTIONS];

    (void)user;
    for (;;) {
        for (int i = 0; i < LISTENERS + QUESTIONS; i++)
            fds[i] = (struct pollfd) {
                .fd = i < LISTENERS ? all.listeners[i] : all.questions[i - LISTENERS].fd, .events = POLLIN,
            };
        poll(fds, LISTENERS + QUESTIONS, -1);
        for (int i = LISTENERS; i < LISTENERS + QUESTIONS; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                give_answer(&all.questions[i - LISTENERS]);
        for (int i = 0; i < LISTENERS; i++)
            if (fds[i].fd >= 0 && fds[i].revents)
                i % 2 == 0 ? take_question(fds[i].fd) : take_connection(fds[i].fd);
    }
    return NULL;
}

static bool is_needed(const WireStrings *addresses)
{
    for (uint32_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->items[i], TUNNEL_RESOLVER " 0 127.0.0.1/32") == 0)
            return true;
    return false;
}

void resolver_start(const WireStrings *addresses)
{
    int error;

    if (!is_needed(addresses))
        return;
    for (int i = 0; i < QUESTIONS; i++)
        all.questions[i].fd = -1;
    for (int i = 0; i < LISTENERS; i++)     /* a guest may be without IPv6 */
        all.listeners[i] = listen_at(i < 2 ? AF_INET : AF_INET6, i % 2 == 0 ? SOCK_DGRAM : SOCK_STREAM);
    error = thread_start(resolver_run, NULL);
    if (all.listeners[0] < 0 || error)
        say("home's name server at 127.0.0.1 cannot be asked");
}
