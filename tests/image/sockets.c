/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - an init that tries home sockets: each scene is played with stock sockets and at home, and must be the same
 *
 * A child plays the home (answer.c) in a network namespace of its own, where sockets are the stock kernel's. A scene is a
 * function that does things and tells what came of them; it runs once in that namespace and once in the first one, whose
 * sockets live at home. IPv4, or, with family=6 on the kernel's command line, IPv6, where the home also says which
 * connections have both ends in the guest. Results are TAP on the console.
 */
#include "answer.h"

#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 4000
#define BULK (2u << 20)

static FILE *story;     /* what a scene tells */
static int family;      /* of the scene's sockets */
static volatile sig_atomic_t signals;

/* One line of the story: the call, what it gave, the error. */
static long told(const char *what, long result) {
    fprintf(story, "%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
    return result;
}
#define TELL(call) told(#call, (errno = 0, (long)(call)))

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} Address;

static socklen_t address(Address *a, int port) {
    memset(a, 0, sizeof *a);
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->v4.sin_port = htons((uint16_t)port);
        a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof a->v4;
    }
    a->v6.sin6_port = htons((uint16_t)port);
    a->v6.sin6_addr = in6addr_loopback;
    return sizeof a->v6;
}

static int do_connect(int fd, int port) {
    Address a;
    socklen_t size = address(&a, port);

    return connect(fd, &a.any, size);
}

static int do_bind(int fd, int port) {
    Address a;
    socklen_t size = address(&a, port);

    return bind(fd, &a.any, size);
}

static int listener(int port) {
    int fd = socket(family, SOCK_STREAM, 0), yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (do_bind(fd, port) < 0 || listen(fd, 5) < 0)
        told("a listener", -1);
    return fd;
}

/* Two ends of a connection, one[0] the one that connected. */
static void connection(int port, int one[2]) {
    int server = listener(port);

    one[0] = socket(family, SOCK_STREAM, 0);
    if (do_connect(one[0], port) < 0 || (one[1] = accept(server, NULL, NULL)) < 0)
        told("a connection", -1);
    close(server);
}

static short ready(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};

    poll(&p, 1, 0);
    for (int i = 0; i < ms && !(p.revents & (POLLIN | POLLERR | POLLHUP | POLLPRI)); i += 10) {
        usleep(10000);
        poll(&p, 1, 0);
    }
    return p.revents;
}
#define READY(fd) fprintf(story, #fd " is ready for %#x\n", (unsigned)ready(fd, 0))
#define READY_SOON(fd) fprintf(story, #fd " is soon ready for %#x\n", (unsigned)ready(fd, 3000))

static int error_of(int fd) {
    int error = -1;
    socklen_t size = sizeof error;

    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;

    return getsockopt(fd, level, name, &value, &size) < 0 ? -1 : value;
}

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int port_of(int fd, bool peer) {
    Address a = {0};
    socklen_t size = sizeof a;

    if ((peer ? getpeername : getsockname)(fd, &a.any, &size) < 0)
        return -1;
    return ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

static void on_signal(int number) { signals++; (void)number; }

static void catch(int number, int flags) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};

    sigaction(number, &action, NULL);
}

/* Scenes */

static void scene_refused(void) {
    int fd = socket(family, SOCK_STREAM, 0);

    READY(fd);
    TELL(do_connect(fd, PORT + 99));
    TELL(error_of(fd));
    TELL(do_connect(fd, PORT + 99));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    TELL(do_connect(fd, PORT + 99));
    READY_SOON(fd);
    TELL(error_of(fd));
    TELL(error_of(fd));
    TELL(send(fd, "x", 1, MSG_NOSIGNAL));
    TELL(recv(fd, &fd, 0, 0));
    TELL(close(fd));
}

static void scene_unconnected(void) {
    char c[4];
    int fd = socket(family, SOCK_STREAM, 0);

    TELL(send(fd, "x", 1, MSG_NOSIGNAL));
    TELL(recv(fd, c, sizeof c, 0));
    TELL(recv(fd, c, sizeof c, MSG_DONTWAIT));
    TELL(accept(fd, NULL, NULL));
    TELL(shutdown(fd, SHUT_WR));
    TELL(port_of(fd, false));
    TELL(port_of(fd, true));
    TELL(shutdown(fd, 7));
    close(fd);
    fd = socket(family, SOCK_STREAM, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    TELL(do_bind(fd, PORT));
    TELL(port_of(fd, false));
    TELL(do_bind(fd, PORT));
    TELL(listen(fd, 1));
    TELL(listen(fd, 7));
    TELL(option(fd, SOL_SOCKET, SO_ACCEPTCONN));
    TELL(recv(fd, c, sizeof c, MSG_DONTWAIT));
    TELL(do_connect(fd, PORT));
    READY(fd);
    TELL(fcntl(fd, F_SETFL, O_NONBLOCK));
    TELL(accept(fd, NULL, NULL));
    close(fd);
    TELL(socket(family, SOCK_STREAM, 250));
    TELL(socket(family, SOCK_DGRAM, IPPROTO_TCP));
}

static void scene_names(void) {
    int one[2];

    connection(PORT + 1, one);
    TELL(port_of(one[0], true));
    TELL(port_of(one[1], false));
    TELL(port_of(one[0], false) == port_of(one[1], true) && port_of(one[0], false) > 0);
    TELL(do_connect(one[0], PORT + 1));
    TELL(do_connect(one[1], PORT + 1));
    READY(one[0]);
    TELL(close(one[0]));
    TELL(close(one[1]));
}

static void scene_addresses(void) {
    int a = socket(family, SOCK_STREAM, 0), b = socket(family, SOCK_STREAM, 0);
    Address address = {.any.sa_family = AF_UNIX};

    TELL(do_bind(a, PORT + 2));
    TELL(listen(a, 1));
    TELL(do_bind(b, PORT + 2));
    TELL(bind(b, &address.any, 3));
    TELL(bind(b, &address.any, sizeof address));
    address.any.sa_family = (sa_family_t)family;
    address.v6.sin6_addr.s6_addr[0] = 0x20;
    if (family == AF_INET)
        address.v4.sin_addr.s_addr = htonl(0x01020304);
    TELL(bind(b, &address.any, family == AF_INET ? sizeof address.v4 : sizeof address.v6));
    TELL(connect(b, &address.any, family == AF_INET ? sizeof address.v4 : sizeof address.v6));
    close(a);
    close(b);
}

static void scene_bytes(void) {
    char got[64] = "";
    int one[2], yes = 1;

    connection(PORT + 3, one);
    TELL(recv(one[1], got, sizeof got, MSG_DONTWAIT));
    TELL(send(one[0], "hello, home", 11, 0));
    READY_SOON(one[1]);
    TELL(recv(one[1], got, 5, MSG_PEEK));
    fprintf(story, "%.5s\n", got);
    TELL(ioctl(one[1], FIONREAD, &yes));
    fprintf(story, "%d bytes\n", yes);
    TELL(recv(one[1], got, 5, 0));
    TELL(recv(one[1], got, sizeof got, MSG_TRUNC));
    TELL(send(one[0], "ab", 2, 0));
    if (!fork()) {
        usleep(100000);
        send(one[0], "cd", 2, 0);
        _exit(0);
    }
    TELL(recv(one[1], got, 4, MSG_WAITALL));
    fprintf(story, "%.4s\n", got);
    wait(NULL);
    TELL(send(one[0], "", 0, 0));
    TELL(shutdown(one[0], SHUT_WR));
    READY_SOON(one[1]);
    TELL(recv(one[1], got, 4, 0));
    TELL(send(one[0], "x", 1, MSG_NOSIGNAL));
    READY(one[0]);
    TELL(send(one[1], "back", 4, 0));
    TELL(recv(one[0], got, sizeof got, 0));
    TELL(close(one[1]));
    READY_SOON(one[0]);
    TELL(recv(one[0], got, sizeof got, 0));
    TELL(recv(one[0], got, sizeof got, 0));
    TELL(close(one[0]));
}

static void scene_reset(void) {
    struct linger now = {1, 0};
    char c[4];
    int one[2];

    connection(PORT + 4, one);
    TELL(send(one[1], "xyz", 3, 0));
    READY_SOON(one[0]);
    TELL(setsockopt(one[1], SOL_SOCKET, SO_LINGER, &now, sizeof now));
    TELL(close(one[1]));
    for (int i = 0; i < 300 && !(ready(one[0], 0) & POLLERR); i++)
        usleep(10000);
    READY(one[0]);
    TELL(recv(one[0], c, 2, 0));
    TELL(error_of(one[0]));
    READY(one[0]);
    TELL(send(one[0], "x", 1, MSG_NOSIGNAL));
    catch(SIGPIPE, 0);
    signals = 0;
    TELL(send(one[0], "x", 1, 0));
    TELL(signals);
    TELL(port_of(one[0], true));
    TELL(close(one[0]));

    connection(PORT + 4, one); /* what nobody read makes a reset of a close, too */
    TELL(send(one[0], "xyz", 3, 0));
    READY_SOON(one[1]);
    TELL(close(one[1]));
    for (int i = 0; i < 300 && !(ready(one[0], 0) & POLLERR); i++)
        usleep(10000);
    TELL(recv(one[0], c, 2, 0));
    TELL(recv(one[0], c, 2, 0));
    TELL(close(one[0]));
}

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525 + 1013904223; }

static void bulk_send(int fd) {
    static uint8_t bytes[100000];
    uint32_t state = 1, size_state = 2;

    for (size_t done = 0; done < BULK;) {
        size_t size = 1 + (next_random(&size_state) >> 8) % sizeof bytes;

        size = size < BULK - done ? size : BULK - done;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(next_random(&state) >> 24);
        for (size_t at = 0; at < size;) {
            ssize_t sent = send(fd, bytes + at, size - at, 0);

            if (sent < 0) {
                told("bulk_send", -1);
                return;
            }
            at += (size_t)sent;
        }
        done += size;
    }
}

static void bulk_receive(int fd, unsigned pause_us) {
    static uint8_t bytes[70000];
    uint32_t state = 1;
    size_t done = 0, wrong = 0;
    ssize_t size;

    while (done < BULK && (size = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < size; i++)
            wrong += bytes[i] != (uint8_t)(next_random(&state) >> 24);
        done += (size_t)size;
        if (pause_us && done < 1u << 19)
            usleep(pause_us);
    }
    fprintf(story, "%zu bytes, %zu wrong\n", done, wrong);
}

static void scene_bulk(void) {
    int one[2];

    connection(PORT + 5, one);
    fflush(story);
    if (!fork()) {
        bulk_send(one[0]);
        _exit(0);
    }
    bulk_receive(one[1], 3000);
    wait(NULL);
    fflush(story);
    if (!fork()) {
        bulk_send(one[1]);
        _exit(0);
    }
    bulk_receive(one[0], 0);
    wait(NULL);
    close(one[0]);
    close(one[1]);
}

/* Fills one end, sees that it is full, empties the other, sees that there is room. */
static void scene_full(void) {
    static char bytes[50000];
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
    int one[2], wait_for = epoll_create1(0);
    size_t sent = 0, received = 0;
    ssize_t size;

    connection(PORT + 6, one);
    fcntl(one[0], F_SETFL, O_NONBLOCK);
    fcntl(one[1], F_SETFL, O_NONBLOCK);
    TELL(epoll_ctl(wait_for, EPOLL_CTL_ADD, one[0], &event));
    TELL(epoll_wait(wait_for, &event, 1, 1000));
    TELL(epoll_wait(wait_for, &event, 1, 0));
    for (int idle = 0; idle < 20;) { /* until nothing goes for a while */
        size = send(one[0], bytes, sizeof bytes, 0);
        if (size > 0) {
            sent += (size_t)size;
            idle = 0;
        } else {
            usleep(10000);
            idle++;
        }
    }
    TELL(send(one[0], bytes, sizeof bytes, 0));
    fprintf(story, "%s\n", ready(one[0], 0) & POLLOUT ? "not full" : "full");
    while (epoll_wait(wait_for, &event, 1, 0) > 0)
        ;
    for (int idle = 0; idle < 20;) {
        size = recv(one[1], bytes, sizeof bytes, 0);
        if (size > 0) {
            received += (size_t)size;
            idle = 0;
        } else {
            usleep(10000);
            idle++;
        }
    }
    fprintf(story, "%s\n", sent == received ? "all of it" : "not all");
    TELL(epoll_wait(wait_for, &event, 1, 1000));
    fprintf(story, "%#x\n", event.events);
    TELL(send(one[0], bytes, 10, 0));
    close(one[0]);
    close(one[1]);
    close(wait_for);
}

static void scene_edges(void) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
    int one[2], wait_for = epoll_create1(0);
    char c[8];

    connection(PORT + 7, one);
    TELL(epoll_ctl(wait_for, EPOLL_CTL_ADD, one[1], &event));
    TELL(epoll_wait(wait_for, &event, 1, 50));
    for (int i = 0; i < 3; i++) {
        TELL(send(one[0], "abc", 3, 0));
        TELL(epoll_wait(wait_for, &event, 1, 1000));
        TELL(epoll_wait(wait_for, &event, 1, 50));
    }
    TELL(recv(one[1], c, sizeof c, 0));
    TELL(epoll_wait(wait_for, &event, 1, 50));
    TELL(shutdown(one[0], SHUT_WR));
    TELL(epoll_wait(wait_for, &event, 1, 1000));
    fprintf(story, "%#x\n", event.events);
    close(one[0]);
    close(one[1]);
    close(wait_for);
}

static void scene_urgent(void) {
    char c[16] = "";
    int one[2], mark = 5;

    connection(PORT + 8, one);
    catch(SIGURG, 0);
    signals = 0;
    fcntl(one[1], F_SETOWN, getpid());
    TELL(recv(one[1], c, 1, MSG_OOB));
    TELL(send(one[0], "abc", 3, MSG_OOB));
    TELL(send(one[0], "def", 3, 0));
    for (int i = 0; i < 300 && !(ready(one[1], 0) & POLLPRI); i++)
        usleep(10000);
    usleep(50000);
    READY(one[1]);
    TELL(signals);
    TELL(recv(one[1], c, sizeof c, 0));
    fprintf(story, "%.2s\n", c);
    TELL(ioctl(one[1], SIOCATMARK, &mark));
    TELL(mark);
    TELL(recv(one[1], c, 1, MSG_OOB));
    fprintf(story, "%.1s\n", c);
    TELL(recv(one[1], c, 1, MSG_OOB));
    READY(one[1]);
    TELL(recv(one[1], c, sizeof c, 0));
    fprintf(story, "%.3s\n", c);
    TELL(set(one[1], SOL_SOCKET, SO_OOBINLINE, 1));
    TELL(send(one[0], "gh", 2, MSG_OOB));
    for (int i = 0; i < 300 && !(ready(one[1], 0) & POLLPRI); i++)
        usleep(10000);
    TELL(recv(one[1], c, sizeof c, 0));
    TELL(recv(one[1], c, sizeof c, 0));
    fprintf(story, "%.1s\n", c);
    close(one[0]);
    close(one[1]);
}

static void scene_signals(void) {
    struct timeval soon = {0, 100000};
    char c[16];
    int one[2], status;
    pid_t child;

    connection(PORT + 9, one);
    catch(SIGIO, 0);
    signals = 0;
    TELL(fcntl(one[1], F_SETOWN, getpid()));
    TELL(fcntl(one[1], F_SETFL, O_ASYNC));
    TELL(send(one[0], "x", 1, 0));
    for (int i = 0; i < 300 && !signals; i++)
        usleep(10000);
    TELL(signals > 0);
    fcntl(one[1], F_SETFL, 0);
    TELL(recv(one[1], c, sizeof c, 0));

    catch(SIGALRM, 0);
    ualarm(100000, 0);
    TELL(recv(one[1], c, sizeof c, 0));
    TELL(setsockopt(one[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    TELL(recv(one[1], c, sizeof c, 0));
    child = fork();
    if (!child) {
        soon.tv_usec = 0;
        setsockopt(one[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
        recv(one[1], c, sizeof c, 0);
        _exit(0);
    }
    usleep(50000);
    TELL(kill(child, SIGKILL));
    TELL(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    close(one[0]);
    close(one[1]);
}

static void scene_files(void) {
    static char in[40000], out[40000];
    int one[2], file = memfd_create("file", 0), tube[2];
    size_t done = 0;
    off_t from = 0;
    ssize_t size;

    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (char)(i * 7 + i / 251);
    TELL(write(file, in, sizeof in));
    connection(PORT + 10, one);
    TELL(sendfile(one[0], file, &from, sizeof in));
    TELL(recv(one[1], out, sizeof out, MSG_WAITALL));
    TELL(memcmp(in, out, sizeof in));
    TELL(pipe(tube));
    TELL(write(tube[1], in, 10000));
    TELL(splice(tube[0], NULL, one[0], NULL, 10000, 0));
    for (done = 0; done < 10000; done += (size_t)size)
        if ((size = splice(one[1], NULL, tube[1], NULL, 10000 - done, 0)) <= 0)
            break;
    TELL(done);
    TELL(read(tube[0], out, 10000));
    TELL(memcmp(in, out, 10000));
    TELL(write(one[0], in, 100));
    TELL(read(one[1], out, 100));
    close(one[0]);
    close(one[1]);
    close(file);
    close(tube[0]);
    close(tube[1]);
}

static void scene_many(void) {
    enum { MANY = 200 };
    static int near[MANY], far[MANY];
    int server = listener(PORT + 11), good = 0;

    listen(server, MANY);
    for (int i = 0; i < MANY; i++) {
        near[i] = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (do_connect(near[i], PORT + 11) < 0 && errno != EINPROGRESS)
            TELL(-1);
    }
    for (int i = 0; i < MANY; i++) {
        char c = (char)i;

        far[i] = accept(server, NULL, NULL);
        if (far[i] < 0 || send(far[i], &c, 1, 0) != 1)
            TELL(-1);
    }
    for (int i = 0; i < MANY; i++) {
        char c;

        ready(near[i], 1000);
        good += recv(near[i], &c, 1, 0) == 1;
        close(near[i]);
        close(far[i]);
    }
    TELL(good);
    close(server);
}

static void scene_fork(void) {
    int server = listener(PORT + 12), status, failures = 0;

    for (int i = 0; i < 4; i++)
        if (!fork()) { /* four share a listening socket */
            for (int n = 0; n < 5; n++) {
                int fd = accept(server, NULL, NULL);
                char c;

                if (fd < 0 || recv(fd, &c, 1, 0) != 1 || send(fd, &c, 1, 0) != 1)
                    _exit(1);
                close(fd);
            }
            _exit(0);
        }
    for (int i = 0; i < 20; i++) {
        int fd = socket(family, SOCK_STREAM, 0);
        char c = 'a';

        if (do_connect(fd, PORT + 12) < 0 || send(fd, &c, 1, 0) != 1 || recv(fd, &c, 1, 0) != 1)
            failures++;
        close(fd);
    }
    for (int i = 0; i < 4; i++)
        failures += wait(&status) < 0 || status;
    TELL(failures);
    close(server);
}

static void scene_disconnect(void) {
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int one[2], server = listener(PORT + 13);
    char c;

    one[0] = socket(family, SOCK_STREAM, 0);
    TELL(do_connect(one[0], PORT + 13));
    TELL((one[1] = accept(server, NULL, NULL)) > 0);
    TELL(connect(one[0], &none, sizeof none));
    READY(one[0]);
    TELL(send(one[0], "x", 1, MSG_NOSIGNAL));
    TELL(recv(one[1], &c, 1, 0));
    close(one[1]);
    TELL(do_connect(one[0], PORT + 13));
    TELL((one[1] = accept(server, NULL, NULL)) > 0);
    TELL(send(one[0], "x", 1, 0));
    TELL(recv(one[1], &c, 1, 0));
    close(one[0]);
    close(one[1]);
    close(server);
}

static void scene_datagrams(void) {
    static char big[70000];
    char got[100] = "";
    Address from;
    socklen_t size = sizeof from;
    int a = socket(family, SOCK_DGRAM, 0), b = socket(family, SOCK_DGRAM, 0), bytes = -1;

    TELL(send(a, "x", 1, 0));
    READY(a);
    TELL(do_bind(b, PORT + 14));
    TELL(port_of(b, false));
    TELL(recv(b, got, sizeof got, MSG_DONTWAIT));
    size = address(&from, PORT + 14);
    TELL(sendto(a, "first", 5, 0, &from.any, size));
    TELL(sendto(a, "", 0, 0, &from.any, size));
    TELL(sendto(a, "second one", 10, 0, &from.any, size));
    TELL(sendto(a, big, sizeof big, 0, &from.any, size));
    TELL(sendto(a, big, 65520, 0, &from.any, size));
    READY_SOON(b);
    size = sizeof from;
    TELL(recvfrom(b, got, sizeof got, MSG_PEEK, &from.any, &size));
    TELL(size);
    TELL(ioctl(b, FIONREAD, &bytes));
    TELL(bytes);
    TELL(ioctl(a, SIOCATMARK, &bytes));
    TELL(recvfrom(b, got, sizeof got, 0, &from.any, &size));
    fprintf(story, "%.5s\n", got);
    TELL(ntohs(family == AF_INET ? from.v4.sin_port : from.v6.sin6_port) == port_of(a, false));
    TELL(recv(b, got, sizeof got, 0));
    TELL(recv(b, got, 3, MSG_TRUNC));
    TELL(sendto(b, "back", 4, 0, &from.any, size));
    TELL(recv(a, got, sizeof got, 0));
    TELL(do_connect(a, PORT + 14));
    TELL(port_of(a, true));
    TELL(send(a, "third", 5, 0));
    TELL(recv(b, got, sizeof got, 0));
    TELL(shutdown(b, SHUT_RD));
    TELL(close(b));
    TELL(send(a, "to nobody", 9, 0));
    READY_SOON(a);
    TELL(recv(a, got, sizeof got, 0));
    TELL(recv(a, got, sizeof got, MSG_DONTWAIT));
    size = address(&from, 0);
    TELL(sendto(a, "x", 1, 0, &from.any, size));
    close(a);
}

static void scene_options(void) {
    int fd = socket(family, SOCK_STREAM, 0), value = 0;
    struct linger linger = {1, 3};
    socklen_t size = 1;

    TELL(option(fd, SOL_SOCKET, SO_TYPE));
    TELL(option(fd, SOL_SOCKET, SO_PROTOCOL));
    TELL(option(fd, SOL_SOCKET, SO_DOMAIN) == family);
    TELL(option(fd, SOL_SOCKET, SO_REUSEADDR));
    TELL(set(fd, SOL_SOCKET, SO_REUSEADDR, 1));
    TELL(option(fd, SOL_SOCKET, SO_REUSEADDR));
    TELL(set(fd, SOL_SOCKET, SO_KEEPALIVE, 1));
    TELL(option(fd, SOL_SOCKET, SO_KEEPALIVE));
    TELL(set(fd, SOL_SOCKET, SO_RCVBUF, 20000));
    TELL(option(fd, SOL_SOCKET, SO_RCVBUF));
    TELL(option(fd, SOL_SOCKET, SO_SNDBUF));
    TELL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    linger = (struct linger){0};
    size = sizeof linger;
    TELL(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &size));
    TELL(linger.l_onoff * 100 + linger.l_linger);
    TELL(option(fd, IPPROTO_TCP, TCP_NODELAY));
    TELL(set(fd, IPPROTO_TCP, TCP_NODELAY, 1));
    TELL(option(fd, IPPROTO_TCP, TCP_NODELAY));
    TELL(set(fd, IPPROTO_TCP, 9999, 1));
    TELL(set(fd, SOL_SOCKET, 9999, 1));
    TELL(set(fd, 9999, 1, 1));
    TELL(option(fd, SOL_SOCKET, 9999));
    size = 1;
    TELL(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size));
    TELL(size);
    TELL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2));
    TELL(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    TELL(getsockopt(fd, SOL_SOCKET, SO_TYPE, NULL, &size));
    TELL(set(fd, SOL_SOCKET, SO_RCVLOWAT, 10));
    TELL(option(fd, SOL_SOCKET, SO_RCVLOWAT));
    TELL(ioctl(fd, 0x89ff, &value));
    close(fd);
}

typedef struct {
    const char *name;
    void (*play)(void);
} Scene;

static const Scene scenes[] = {
    {"refused", scene_refused}, {"unconnected", scene_unconnected}, {"names", scene_names},
    {"addresses", scene_addresses}, {"bytes", scene_bytes}, {"reset", scene_reset}, {"bulk", scene_bulk},
    {"full", scene_full}, {"edges", scene_edges}, {"urgent", scene_urgent}, {"signals", scene_signals},
    {"files", scene_files}, {"many", scene_many}, {"fork", scene_fork}, {"disconnect", scene_disconnect},
    {"datagrams", scene_datagrams}, {"options", scene_options},
};
#define SCENES (sizeof scenes / sizeof scenes[0])

/* The stage */

static void lo_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        ok(false, "loopback");
    close(fd);
}

/* Starts the home; returns its process when it serves. */
static pid_t home_start(bool join) {
    int tell[2];
    pid_t home;
    char c;

    if (pipe(tell) < 0 || (home = fork()) < 0)
        return -1;
    if (!home) {
        int fd;

        if (unshare(CLONE_NEWNET) < 0)
            _exit(1);
        lo_up();
        fd = open("/dev/home-sockets", O_RDWR | O_NONBLOCK);
        if (fd < 0 || open("/dev/home-sockets", O_RDWR) >= 0 || write(tell[1], "", 1) != 1)
            _exit(1);
        close(tell[0]);
        close(tell[1]);
        answer_run(fd, join);
    }
    close(tell[1]);
    c = (char)read(tell[0], &c, 1);
    close(tell[0]);
    return c == 1 ? home : -1;
}

/* Plays a scene in the namespace of fd, or, -1, in this one; what it told, to be freed. */
static char *play(const Scene *scene, int namespace) {
    int told_fd = memfd_create("story", 0), status = -1;
    struct stat stat;
    char *text;
    pid_t player = fork();

    if (!player) {
        if (namespace >= 0 && setns(namespace, CLONE_NEWNET) < 0)
            _exit(1);
        story = fdopen(told_fd, "w");
        alarm(60);
        signal(SIGPIPE, SIG_IGN);
        scene->play();
        fclose(story);
        _exit(0);
    }
    while (waitpid(player, &status, 0) != player)
        ;
    if (status)
        dprintf(told_fd, "ended with %#x\n", (unsigned)status);
    fstat(told_fd, &stat);
    text = calloc(1, (size_t)stat.st_size + 1);
    if (pread(told_fd, text, (size_t)stat.st_size, 0) < 0)
        *text = 0;
    close(told_fd);
    return text;
}

static void differ(const char *stock, const char *home) {
    while (*stock || *home) {
        int a = (int)strcspn(stock, "\n"), b = (int)strcspn(home, "\n");

        if (a != b || strncmp(stock, home, (size_t)a))
            printf("#   stock: %.*s\n#   home:  %.*s\n", a, stock, b, home);
        stock += a + (stock[a] != 0);
        home += b + (home[b] != 0);
    }
}

static long now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void compare(const Scene *scene, int namespace) {
    const char *which = family == AF_INET ? "IPv4" : "IPv6";
    long began = now_ms();
    char *stock = play(scene, namespace), *home = play(scene, -1);
    bool same = !strcmp(stock, home) && !strstr(stock, "ended with");

    if (strstr(stock, "ended with"))
        printf("#   stock: %s", stock);
    ok(same, "%s: %s, %ld ms", which, scene->name, now_ms() - began);
    if (!same)
        differ(stock, home);
    fflush(stdout);
    free(stock);
    free(home);
}

/* All scenes with a home, which goes away at the end. */
static void play_all(bool join) {
    char path[64];
    int namespace, fd, status;
    pid_t home = home_start(join);

    ok(home > 0, "a home serves%s", join ? ", and connections within the guest stay there" : "");
    snprintf(path, sizeof path, "/proc/%d/ns/net", (int)home);
    namespace = open(path, O_RDONLY | O_CLOEXEC);
    for (size_t n = 0; n < SCENES; n++)
        if (!getenv("scene") || !strcmp(getenv("scene"), scenes[n].name))
            compare(&scenes[n], namespace);
    close(namespace);
    ok(waitpid(home, &status, WNOHANG) == 0, "the home has nothing to complain of");

    fd = socket(family, SOCK_STREAM, 0);
    kill(home, SIGKILL);
    waitpid(home, NULL, 0);
    ok(do_connect(fd, PORT) < 0 && errno == ENETDOWN, "nobody waits for a home that is gone: %m");
    close(fd);
}

int main(void) {
    int fd;

    tap_begin();
    lo_up();
    family = getenv("family") ? AF_INET6 : AF_INET;
    play_all(family == AF_INET6);
    fd = socket(family, SOCK_STREAM, 0);
    ok(fd >= 0 && do_connect(fd, PORT) < 0 && errno == ECONNREFUSED, "without a home sockets are the kernel's own: %m");
    close(fd);
    ok_log();
    tap_end();
}
