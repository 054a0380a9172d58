/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c - the user's terminal: its modes, size and whose turn it is
 *
 * The program has a pseudo-terminal in the guest. If both stdin and stdout are the user's
 * terminal, that one is made raw while it is our turn, and the guest's line discipline does
 * everything: echo, editing, Ctrl-C, Ctrl-Z. If only some are (as in "sojourn run ls | less"),
 * others may be using the terminal as well: then it keeps its modes and works as ever, signals
 * from keys come to us like to the rest of the pipeline, whole lines are passed on, and the
 * guest's terminal is told that all this happens elsewhere (EXTPROC). A pipeline's pager takes the
 * terminal out of canonical mode: then its keys are not ours to read.
 *
 * A program may change modes and leave them changed, as stty does. Its last ones (MODES) become the
 * terminal's.
 */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef EXTPROC
#define EXTPROC 0200000
#endif

G_STATIC_ASSERT(NCCS <= 32); /* WireModes.cc */

/* A new description of the same terminal, so that O_NONBLOCK is nobody else's; the inherited one
 * where that may not be opened (a terminal of another user's, after su). */
static int reopen(int fd)
{
    char path[32];

    g_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int own = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

gboolean terminal_open(Terminal *terminal, guint8 kinds[3])
{
    struct stat first = { 0 }, other;

    *terminal = (Terminal) { .fd = -1 };
    for (int fd = 0; fd < 3; fd++) {
        if (kinds[fd] == WIRE_CLOSED || !isatty(fd) || fstat(fd, &other) < 0)
            continue;
        if (terminal->fd < 0) {
            if (tcgetattr(fd, &terminal->modes) < 0 || (terminal->fd = reopen(fd)) < 0)
                continue;
            first = other;
        }
        if (other.st_rdev == first.st_rdev)
            kinds[fd] = WIRE_TERMINAL;
    }
    terminal->shared = kinds[0] != WIRE_TERMINAL || kinds[1] != WIRE_TERMINAL;
    return terminal->fd >= 0;
}

gboolean terminal_ours(const Terminal *terminal)
{
    pid_t group = terminal->fd < 0 ? -1 : tcgetpgrp(terminal->fd);

    return terminal->fd >= 0 && (group < 0 || group == getpgrp());
}

static gboolean same_modes(const struct termios *a, const struct termios *b)
{
    return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
           memcmp(a->c_cc, b->c_cc, NCCS) == 0;
}

void terminal_raw(Terminal *terminal)
{
    struct termios now;

    if (terminal->fd < 0 || terminal->shared || terminal->retired || terminal->raw || !terminal_ours(terminal) ||
        tcgetattr(terminal->fd, &now) < 0)
        return;
    /* A shell gives a job it continues the modes it was stopped with: raw ones, if SIGSTOP left no
     * time. */
    if (!same_modes(&now, &terminal->raw_modes))
        terminal->modes = now;
    terminal->raw_modes = terminal->modes;
    cfmakeraw(&terminal->raw_modes);
    terminal->raw_modes.c_cc[VMIN] = 1;
    terminal->raw_modes.c_cc[VTIME] = 0;
    terminal->raw = tcsetattr(terminal->fd, TCSANOW, &terminal->raw_modes) == 0;
}

void terminal_forget(Terminal *terminal)
{
    terminal->raw = FALSE;
}

gsize terminal_plain(const Terminal *terminal, guint8 *bytes, gsize size)
{
    struct termios now;
    gsize kept = 0;

    if (terminal->shared || terminal->raw || tcgetattr(terminal->fd, &now) < 0 ||
        (now.c_oflag & (OPOST | ONLCR)) != (OPOST | ONLCR))
        return size;
    for (gsize i = 0; i < size; i++)
        if (bytes[i] != '\r' || i + 1 == size || bytes[i + 1] != '\n')
            bytes[kept++] = bytes[i];
    return kept;
}

void terminal_restore(Terminal *terminal)
{
    if (terminal->raw && terminal_ours(terminal))
        tcsetattr(terminal->fd, TCSADRAIN, &terminal->modes);
    terminal->raw = FALSE;
}

gboolean terminal_readable(const Terminal *terminal)
{
    struct termios now;

    if (!terminal_ours(terminal))
        return FALSE;
    return !terminal->shared || (tcgetattr(terminal->fd, &now) == 0 && now.c_lflag & ICANON);
}

gboolean terminal_stops_output(const Terminal *terminal)
{
    struct termios now;

    return terminal->fd >= 0 && !terminal_ours(terminal) && tcgetattr(terminal->fd, &now) == 0 &&
           now.c_lflag & TOSTOP;
}

void terminal_size(const Terminal *terminal, WireWinsize *ret_size)
{
    struct winsize size;

    memset(ret_size, 0, sizeof *ret_size);
    if (terminal->fd < 0 || ioctl(terminal->fd, TIOCGWINSZ, &size) < 0)
        return;
    *ret_size = (WireWinsize) { size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel };
}

static guint32 bits_per_second(speed_t speed)
{
    static const struct {
        speed_t speed;
        guint32 bits;
    } known[] = { { B9600, 9600 },
                  { B19200, 19200 },
                  { B38400, 38400 },
                  { B57600, 57600 },
                  { B115200, 115200 } };

    for (gsize i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].speed == speed)
            return known[i].bits;
    return 38400; /* what a pseudo-terminal has; only for show */
}

void terminal_modes(const Terminal *terminal, WireModes *ret_modes)
{
    const struct termios *modes = &terminal->modes;

    memset(ret_modes, 0, sizeof *ret_modes);
    if (terminal->fd < 0)
        return;
    ret_modes->iflag = modes->c_iflag;
    ret_modes->oflag = modes->c_oflag;
    ret_modes->cflag = modes->c_cflag;
    ret_modes->lflag = modes->c_lflag;
    ret_modes->line = modes->c_line;
    memcpy(ret_modes->cc, modes->c_cc, NCCS);
    ret_modes->ispeed = bits_per_second(cfgetispeed(modes));
    ret_modes->ospeed = bits_per_second(cfgetospeed(modes));
    if (terminal->shared) {
        ret_modes->lflag |= EXTPROC;
        ret_modes->oflag &= ~(guint32) OPOST;
    }
}

void terminal_follow(Terminal *terminal, const WireModes *modes)
{
    struct termios *mine = &terminal->modes;

    if (terminal->fd < 0 || terminal->retired || (terminal->shared && tcgetattr(terminal->fd, mine) < 0))
        return;
    mine->c_iflag = modes->iflag;
    mine->c_oflag = terminal->shared ? (modes->oflag & ~(guint32) OPOST) | (mine->c_oflag & OPOST)
                                     : modes->oflag;
    mine->c_cflag = (modes->cflag & ~(guint32) CBAUD) | (mine->c_cflag & CBAUD);
    mine->c_lflag = terminal->shared ? modes->lflag & ~(guint32) EXTPROC : modes->lflag;
    memcpy(mine->c_cc, modes->cc, NCCS);
    if (terminal->shared && terminal_ours(terminal))
        tcsetattr(terminal->fd, TCSADRAIN, mine);
}

void terminal_rescue(int fd, const struct termios *raw, const struct termios *modes)
{
    struct termios now;

    if (tcgetattr(fd, &now) == 0 && same_modes(&now, raw))
        tcsetattr(fd, TCSANOW, modes);
}
