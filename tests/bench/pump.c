/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pump.c - the far end of what tests/bench/sockets.py measures: bytes up, bytes down, questions and answers
 *
 * usage: pump PORT [ADDRESS [FILE]]  connected to 127.0.0.1:PORT, or that address, does what it is told there; meanwhile
 *                                    another process writes and reads that file
 *        pump within MIB             a connection to itself; prints MB/s
 * As process 1 of a bare guest it does the first on the guest's virtio port. An order is 16 bytes: a letter, a number in
 * decimal, zeros. u: so many bytes are sent. d: so many are taken, then one is sent. e: so many times 64 bytes come and
 * are sent back.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"
#define PIECE (256 << 10)
#define LOAD_PIECES 64

static char bytes[PIECE] __attribute__((aligned(4096)));

static void send_all(int fd, size_t size)
{
    while (size) {
        ssize_t done = write(fd, bytes, size < PIECE ? size : PIECE);

        if (done <= 0)
            exit(1);
        size -= (size_t)done;
    }
}

/* In pieces of at most so many bytes; the port without anybody at its other end gives 0. */
static void take_all(int fd, size_t size, size_t piece)
{
    while (size) {
        ssize_t done = read(fd, bytes, size < piece ? size : piece);

        if (done < 0 || (done == 0 && getpid() != 1))
            exit(done < 0);
        size -= (size_t)done;
    }
}

static void obey(int fd)
{
    for (;;) {
        char order[17] = "";

        take_all(fd, 16, 16);
        memcpy(order, bytes, 16);
        size_t number = strtoull(order + 1, NULL, 10);

        if (order[0] == 'u') {
            send_all(fd, number);
        } else if (order[0] == 'd') {
            take_all(fd, number, PIECE);
            send_all(fd, 1);
        } else {
            while (number--) {
                take_all(fd, 64, 64);
                send_all(fd, 64);
            }
        }
    }
}

static struct sockaddr_in local(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((unsigned short)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int connected(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        perror("pump: connect");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int within(size_t size)
{
    struct sockaddr_in address = local(0);
    socklen_t room = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), status;

    if (bind(listener, (struct sockaddr *)&address, room) < 0 || listen(listener, 1) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &room) < 0) {
        perror("pump: listen");
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        send_all(connected(&address), size);
        _exit(0);
    }
    int fd = accept(listener, NULL, NULL);
    double begun = now();
    take_all(fd, size, PIECE);
    printf("%.1f\n", (double)size / 1e6 / (now() - begun));
    waitpid(child, &status, 0);
    return status != 0;
}

/* Until the parent ends: each byte that is written, and each that is read, goes home. */
static void load(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (off_t i = 0; fd >= 0; i++) {
        off_t at = i % LOAD_PIECES * PIECE;

        if (i / LOAD_PIECES % 2 ? pread(fd, bytes, PIECE, at) != PIECE : pwrite(fd, bytes, PIECE, at) != PIECE)
            break;
    }
    perror(name);
    kill(getppid(), SIGKILL);
    _exit(1);
}

static void as_init(void)
{
    int fd;

    mkdir("/dev", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    while ((fd = open(PORT, O_RDWR)) < 0)
        usleep(1000);
    obey(fd);
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        as_init();
    if (argc == 3 && strcmp(argv[1], "within") == 0)
        return within(strtoull(argv[2], NULL, 10) << 20);
    if (argc < 2 || argc > 4)
        return 2;
    struct sockaddr_in address = local(atoi(argv[1]));
    if (argc > 2 && !inet_aton(argv[2], &address.sin_addr))
        return 2;
    if (argc > 3 && fork() == 0)
        load(argv[3]);
    obey(connected(&address));
}
