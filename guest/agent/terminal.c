/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.c - a pseudo-terminal's modes, size and foreground group, seen from its master
 *
 * Modes are the kernel's termios2, whose speeds are numbers; <termios.h> cannot be included beside it.
 */
#include "terminal.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define TTY_GROUP 5     /* Debian's; devpts is mounted with it too */

int terminal_open(const char *ptmx, uint32_t uid)
{
    static const int unlocked = 0;
    int master = open(ptmx, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int peer;

    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0 || (peer = terminal_peer(master)) < 0)
        return -1;
    if (fchown(peer, uid, TTY_GROUP) < 0 || fchmod(peer, 0620) < 0) {
        close(peer);
        return -1;
    }
    close(peer);
    return master;
}

int terminal_peer(int master)
{
    return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

bool terminal_get_modes(int master, WireModes *ret_modes)
{
    struct termios2 modes;

    if (ioctl(master, TCGETS2, &modes) < 0)
        return false;
    *ret_modes = (WireModes) {
        .iflag = modes.c_iflag,
        .oflag = modes.c_oflag,
        .cflag = modes.c_cflag,
        .lflag = modes.c_lflag,
        .line = modes.c_line,
        .ispeed = modes.c_ispeed,
        .ospeed = modes.c_ospeed,
    };
    memcpy(ret_modes->cc, modes.c_cc, sizeof modes.c_cc);
    return true;
}

void terminal_set_modes(int master, const WireModes *modes)
{
    struct termios2 set = {
        .c_iflag = modes->iflag,
        .c_oflag = modes->oflag,
        .c_cflag = modes->cflag,
        .c_lflag = modes->lflag,
        .c_line = modes->line,
        .c_ispeed = modes->ispeed,
        .c_ospeed = modes->ospeed,
    };

    memcpy(set.c_cc, modes->cc, sizeof set.c_cc);
    ioctl(master, TCSETS2, &set);
}

void terminal_set_size(int master, const WireWinsize *size)
{
    struct winsize set = { size->rows, size->columns, size->xpixel, size->ypixel };

    ioctl(master, TIOCSWINSZ, &set);
}

void terminal_signal(int master, int sig)
{
    int group = 0;

    if (ioctl(master, TIOCGPGRP, &group) == 0 && group > 1)
        kill(-group, sig);
}
