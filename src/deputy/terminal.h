/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.h - the user's terminal: its modes, size and whose turn it is */
#pragma once

#include "common/wire.h"

#include <glib.h>
#include <termios.h>

typedef struct {
    int fd;                     /* a description of our own that does not block; -1: no terminal */
    gboolean shared; /* only some of stdin and stdout are it: its modes are not ours alone */
    gboolean retired;           /* its modes are others' affair for good */
    gboolean raw;               /* at the moment, by us */
    struct termios modes;       /* what it is to have when we do not hold it raw */
    struct termios raw_modes;   /* what we made of them */
} Terminal;

/* The terminal that some of descriptors 0 to 2 are; kinds becomes WIRE_TERMINAL for these. FALSE:
 * none. */
gboolean terminal_open(Terminal *terminal, guint8 kinds[3]);

/* Whether it is this process group's turn. */
gboolean terminal_ours(const Terminal *terminal);

/* All keys as they are typed; nothing if it is not our turn or the terminal is shared. */
void terminal_raw(Terminal *terminal);

/* Modes as the program left them (or as they were); works on any path out, also twice. */
void terminal_restore(Terminal *terminal);

/* This process was stopped and goes on: somebody else has had the terminal. */
void terminal_forget(Terminal *terminal);

/* Output of the guest's terminal, which has made \r\n of each \n: undone, in place, where the
 * home's terminal does that itself (in the background). The new size. */
gsize terminal_plain(const Terminal *terminal, guint8 *bytes, gsize size);

/* Whether a read gets what is meant for us: it is our turn and, of a shared one, no other program
 * has taken the keys. */
gboolean terminal_readable(const Terminal *terminal);

/* Whether a write now would stop a process in the background (stty tostop). */
gboolean terminal_stops_output(const Terminal *terminal);

/* For START and WINSIZE, and from MODES. */
void terminal_size(const Terminal *terminal, WireWinsize *ret_size);
void terminal_modes(const Terminal *terminal, WireModes *ret_modes);
void terminal_follow(Terminal *terminal, const WireModes *modes);

/* For another process with the same descriptor: puts modes back if they are still exactly what was
 * left raw. */
void terminal_rescue(int fd, const struct termios *raw, const struct termios *modes);
