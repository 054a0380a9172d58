/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.c - payloads of pipes and FIFOs: every byte, back-pressure, ends, half-closed pairs, readiness, atomic writes */
#include "payload.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* All 256 values, in blocks of all sizes, through two processes and back. */
CASE(binary_through_cat)
{
    static char out[60000], back[60000];

    for (uint64_t round = 0; more(); round++) {
        int down[2], up[2];
        pid_t child, writer;

        MUST(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0);
        child = fork();
        if (child == 0) {
            dup2(down[0], 0), dup2(up[1], 1);
            execlp("cat", "cat", NULL);
            _exit(98);
        }
        fill(out, sizeof out, round);
        for (int i = 0; i < 256; i++)
            out[i] = (char)i;
        writer = fork();
        if (writer == 0) {
            close(down[0]), close(up[0]), close(up[1]);
            for (size_t done = 0; done < sizeof out;) {
                size_t part = next_number() % 5000 + 1;

                part = part < sizeof out - done ? part : sizeof out - done;
                MUST(write_all(down[1], out + done, part));
                done += part;
            }
            _exit(0);
        }
        close(down[0]), close(down[1]), close(up[1]);
        MUST(read_all(up[0], back, sizeof back) && memcmp(out, back, sizeof out) == 0);
        MUST(read(up[0], back, 1) == 0);
        joined(writer);
        joined(child);
        close(up[0]);
    }
}

/* A pipe takes what fits, no more, and goes on when there is room. */
CASE(back_pressure)
{
    while (more()) {
        int ends[2];
        char page[4096] = "";
        size_t taken = 0;
        struct pollfd room = { .events = POLLOUT };
        int waiting, error;

        MUST(pipe2(ends, O_NONBLOCK) == 0);
        room.fd = ends[1];
        while (write(ends[1], page, sizeof page) == sizeof page)
            taken += sizeof page;
        error = errno;
        MUST(error == EAGAIN && taken == (size_t)fcntl(ends[1], F_GETPIPE_SZ));
        fact("a pipe holds %zu", taken);
        MUST(ioctl(ends[0], FIONREAD, &waiting) == 0 && (size_t)waiting == taken);
        MUST(poll(&room, 1, 0) == 0);
        MUST(read(ends[0], page, sizeof page) == sizeof page);
        MUST(poll(&room, 1, 0) == 1 && room.revents == POLLOUT);
        MUST(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) == 1 << 20);
        MUST(write(ends[1], page, sizeof page) == sizeof page);
        close(ends[0]);
        MUST(poll(&room, 1, 0) == 1 && room.revents & POLLERR);
        close(ends[1]);
    }
}

CASE(end_of_file)
{
    while (more()) {
        int ends[2], copy;
        char text[8];
        struct pollfd waiting = { .events = POLLIN };

        MUST(pipe2(ends, O_NONBLOCK) == 0);
        copy = dup(ends[1]);
        waiting.fd = ends[0];
        close(ends[1]);
        FAILS(EAGAIN, read(ends[0], text, 1));
        MUST(write(copy, "last", 4) == 4 && close(copy) == 0);
        MUST(poll(&waiting, 1, 0) == 1 && waiting.revents == (POLLIN | POLLHUP));
        MUST(read(ends[0], text, 8) == 4 && read(ends[0], text, 8) == 0 && read(ends[0], text, 8) == 0);
        MUST(poll(&waiting, 1, 0) == 1 && waiting.revents == POLLHUP);
        close(ends[0]);
    }
}

static void write_pieces(void *data)
{
    int *fds = data;
    char piece[PIPE_BUF];

    memset(piece, 'a' + (int)(getpid() % 26), sizeof piece);
    for (int i = 0; i < 50; i++)
        MUST(write(fds[1], piece, sizeof piece) == sizeof piece);
}

/* Pieces of PIPE_BUF from several writers are not mixed. */
CASE(atomic_pieces)
{
    while (more()) {
        int ends[2];
        pid_t children[3];
        char piece[PIPE_BUF];

        MUST(pipe(ends) == 0);
        for (int i = 0; i < 3; i++)
            children[i] = start(write_pieces, ends);
        for (int i = 0; i < 150; i++) {
            MUST(read_all(ends[0], piece, sizeof piece));
            for (size_t at = 1; at < sizeof piece; at++)
                MUST(piece[at] == piece[0]);
        }
        for (int i = 0; i < 3; i++)
            joined(children[i]);
        close(ends[0]), close(ends[1]);
    }
}

CASE(yes_head)
{
    while (more()) {
        char text[100] = "";
        FILE *pipeline = popen("yes | head -c 200000 | md5sum", "r");

        MUST(pipeline && fgets(text, sizeof text, pipeline));
        MUST(pclose(pipeline) == 0);
        fact("%s", strtok(text, " \n"));
        pipeline = popen("bash -c 'trap \"\" CHLD; yes | head -n 3 | tail -n 1; echo ${PIPESTATUS[*]}'", "r");
        MUST(pipeline && fgets(text, sizeof text, pipeline) && strcmp(text, "y\n") == 0);
        MUST(fgets(text, sizeof text, pipeline) && strcmp(text, "141 0 0\n") == 0);
        MUST(pclose(pipeline) == 0);
    }
}

static void fifo_writer(void *data)
{
    int fd = open("fifo", O_WRONLY);

    (void)data;
    MUST(fd >= 0);
    for (uint32_t i = 0; i < 500; i++)
        MUST(write(fd, &i, sizeof i) == sizeof i);
}

/* A named pipe between two processes of the job. */
CASE(fifo)
{
    MUST(mkfifo("fifo", 0600) == 0);
    while (more()) {
        pid_t child;
        uint32_t got;
        int fd;

        FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
        child = start(fifo_writer, NULL);
        fd = open("fifo", O_RDONLY);
        MUST(fd >= 0);
        for (uint32_t i = 0; i < 500; i++)
            MUST(read_all(fd, &got, sizeof got) && got == i);
        MUST(read(fd, &got, 1) == 0);
        joined(child);
        close(fd);
    }
}

CASE(pseudo_terminal)
{
    while (more()) {
        int master = posix_openpt(O_RDWR | O_NOCTTY), peer;
        char text[64];

        MUST(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
        peer = open(ptsname(master), O_RDWR | O_NOCTTY);
        MUST(peer >= 0 && isatty(peer));
        MUST(write(master, "a line\n", 7) == 7);
        MUST(read(peer, text, sizeof text) == 7 && memcmp(text, "a line\n", 7) == 0);
        MUST(read_all(master, text, 8) && memcmp(text, "a line\r\n", 8) == 0);
        MUST(write(peer, "x\n", 2) == 2 && read_all(master, text, 3) && memcmp(text, "x\r\n", 3) == 0);
        MUST(ioctl(master, TIOCSWINSZ, &(struct winsize) { 50, 132, 0, 0 }) == 0);
        struct winsize size;
        MUST(ioctl(peer, TIOCGWINSZ, &size) == 0 && size.ws_row == 50 && size.ws_col == 132);
        close(peer);
        FAILS(EIO, read(master, text, 1));
        close(master);
    }
}
