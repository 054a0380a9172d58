/* SPDX-License-Identifier: GPL-2.0-or-later */
/* streams.c - the front's ends of the program's streams: bytes read and written at home, exactly
 *
 * The inherited descriptors are shared with other programs (the shell, the rest of the pipeline),
 * so their O_NONBLOCK flag must not be touched, and yet nothing may make the front wait where it
 * cannot see signals. A pipe or FIFO is opened anew through /proc/self/fd: a description of our
 * own, non-blocking. Where that is not allowed, poll and writes of at most PIPE_BUF bytes, which a
 * pipe that polls writable takes at once. Regular files never make one wait, and their offset must
 * stay shared: they are used as they are. Sockets have MSG_DONTWAIT.
 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void streams_kinds(guint8 ret_kinds[3])
{
    struct stat st;

    for (int fd = 0; fd < 3; fd++) {
        if (fstat(fd, &st) < 0)
            ret_kinds[fd] = WIRE_CLOSED;
        else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
            ret_kinds[fd] = WIRE_NULL;
        else
            ret_kinds[fd] = WIRE_PIPE;
    }
}

gboolean streams_merged(void)
{
    struct stat out, err;

    if (fstat(1, &out) < 0 || fstat(2, &err) < 0 || out.st_dev != err.st_dev ||
        out.st_ino != err.st_ino)
        return FALSE;
    if (!S_ISREG(out.st_mode))
        return TRUE;
    /* Two descriptions of one file have an offset each. */
    return syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, 1, 2) == 0;
}

static mode_t type_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

/* A non-blocking description of our own for a pipe, else a copy of the descriptor. */
static int own_description(int fd, int flags, gboolean *ret_own)
{
    char path[32];
    int own = -1;

    g_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (type_of(fd) == S_IFIFO)
        own = open(path, flags | O_NONBLOCK | O_CLOEXEC);
    *ret_own = own >= 0;
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void stream_input_init(StreamInput *input, int fd, gboolean terminal)
{
    gboolean own;

    *input = (StreamInput) { .window = WIRE_WINDOW, .terminal = terminal };
    input->fd = terminal ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : own_description(fd, O_RDONLY, &own);
}

void stream_input_close(StreamInput *input)
{
    if (input->fd >= 0)
        close(input->fd);
    input->fd = -1;
}

gboolean stream_input_wanted(const StreamInput *input)
{
    return input->fd >= 0 && input->window > 0;
}

gssize stream_input_read(StreamInput *input, void *buffer, gsize size)
{
    gssize count;

    size = MIN(size, input->window);
    do
        count = read(input->fd, buffer, size);
    while (count < 0 && errno == EINTR);
    if (count > 0)
        input->window -= (gsize) count;
    return count;
}

void stream_output_init(StreamOutput *output, int fd, gboolean terminal)
{
    gboolean own = FALSE;
    mode_t type = type_of(fd);

    *output = (StreamOutput) { .fd = -1, .socket = type == S_IFSOCK };
    g_queue_init(&output->blocks);
    output->fd = terminal ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : own_description(fd, O_WRONLY, &own);
    if (terminal)
        own = (fcntl(output->fd, F_GETFL) & O_NONBLOCK) != 0;
    output->slice = own || type == S_IFREG || output->socket ? G_MAXSSIZE
                    : type == S_IFIFO                        ? PIPE_BUF
                                                             : 1024;
}

static void drop(StreamOutput *output)
{
    GBytes *block;

    while ((block = g_queue_pop_head(&output->blocks))) {
        output->taken += g_bytes_get_size(block) - output->done;
        output->done = 0;
        g_bytes_unref(block);
    }
}

void stream_output_close(StreamOutput *output)
{
    drop(output);
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
}

void stream_output_add(StreamOutput *output, const void *data, gsize size)
{
    if (output->fd < 0)
        output->taken += size;
    else
        g_queue_push_tail(&output->blocks, g_bytes_new(data, size));
}

gboolean stream_output_pending(const StreamOutput *output)
{
    return output->fd >= 0 && output->blocks.length > 0;
}

/* A descriptor that blocks is written to only when it says that it will not. */
static gssize write_some(const StreamOutput *output, const guint8 *data, gsize size)
{
    struct pollfd poll_fd = { .fd = output->fd, .events = POLLOUT };

    if (output->socket)
        return send(output->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (output->slice <= PIPE_BUF) {
        size = MIN(size, output->slice);
        if (poll(&poll_fd, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return write(output->fd, data, size);
}

gboolean stream_output_flush(StreamOutput *output)
{
    GBytes *block;

    while (output->fd >= 0 && (block = g_queue_peek_head(&output->blocks))) {
        gsize size;
        const guint8 *data = g_bytes_get_data(block, &size);
        gssize written = write_some(output, data + output->done, size - output->done);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN)
            return TRUE;
        if (written < 0) {
            output->failed = errno;
            stream_output_close(output);
            return FALSE;
        }
        output->taken += (gsize) written;
        output->done += (gsize) written;
        if (output->done == size) {
            g_bytes_unref(g_queue_pop_head(&output->blocks));
            output->done = 0;
        }
    }
    if (output->ending && output->fd >= 0)
        stream_output_close(output);
    return TRUE;
}

gsize stream_output_report(StreamOutput *output)
{
    gsize taken = output->taken;

    if (taken < WIRE_WINDOW / 4 && stream_output_pending(output))
        return 0;
    output->taken = 0;
    return taken;
}
