/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ends.c - the program's descriptors 0, 1 and 2, and the agent's ends of them, which the warden hands over */
#include "ends.h"

#include "console.h"
#include "mounts.h"
#include "network.h"
#include "terminal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void ends_add(Ends *ends, int which, int fd)
{
    ends->bytes[++ends->count] = (uint8_t)which;
    ends->fds[ends->count - 1] = fd;
}

/* A pipe whose one end is the program's descriptor, and whose other, which does not block, is the agent's. */
static int make_pipe(Program *program, Ends *ends, WireStream which)
{
    int ours = which == WIRE_STDIN ? 1 : 0;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0 || fcntl(fds[ours], F_SETFL, O_NONBLOCK) < 0)
        return -1;
    program->stdio[which] = fds[!ours];
    ends_add(ends, which, fds[ours]);
    return 0;
}

static int make_terminal(Program *program, Ends *ends)
{
    const WireStart *start = program->start;
    int master = terminal_open(JOB_PTMX, start->uid);

    if (master < 0)
        return -1;
    terminal_set_modes(master, &start->modes);
    terminal_set_size(master, &start->winsize);
    program->terminal = terminal_peer(master);
    ends_add(ends, WIRE_TTY, master);
    return program->terminal;
}

int ends_streams(Program *program, Ends *ends)
{
    const WireStart *start = program->start;

    for (int i = 0; i < 3; i++)
        if (start->stdio[i] == WIRE_TERMINAL && program->terminal < 0 && make_terminal(program, ends) < 0)
            return -1;
    for (int i = 0; i < 3; i++) {
        program->stdio[i] = -1;
        if (i == 2 && start->merged && program->stdio[1] >= 0)
            program->stdio[i] = fcntl(program->stdio[1], F_DUPFD_CLOEXEC, 3);
        else if (start->stdio[i] == WIRE_TERMINAL)
            program->stdio[i] = fcntl(program->terminal, F_DUPFD_CLOEXEC, 3);
        else if (start->stdio[i] == WIRE_NULL)
            program->stdio[i] = open(JOB_NULL, O_RDWR | O_CLOEXEC);
        else if (start->stdio[i] == WIRE_PIPE && make_pipe(program, ends, (WireStream)i) < 0)
            return -1;
        if (program->stdio[i] < 0 && start->stdio[i] != WIRE_CLOSED)
            return -1;
    }
    return 0;
}

int ends_network(const WireStart *start, Ends *ends)
{
    int tunnel = network_tunnel(&start->addresses);

    if (tunnel >= 0)
        ends_add(ends, WARDEN_TUNNEL, tunnel);
    return tunnel;
}

void ends_hand_over(Ends *ends, int agent)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof ends->fds)];
    } control = { 0 };
    struct iovec part = { ends->bytes, 1 + (size_t)ends->count };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    ends->bytes[0] = WARDEN_ATTACHED;
    if (ends->count) {
        size_t size = (size_t)ends->count * sizeof ends->fds[0];

        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(size);
        control.header = (struct cmsghdr) {
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(size),
        };
        memcpy(CMSG_DATA(&control.header), ends->fds, size);
    }
    if (sendmsg(agent, &message, 0) < 0)
        die("cannot hand over the streams");
    for (int i = 0; i < ends->count; i++)
        close(ends->fds[i]);
}
