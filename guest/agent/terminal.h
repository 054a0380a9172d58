/* SPDX-License-Identifier: GPL-2.0-or-later */
/* terminal.h - a pseudo-terminal's modes, size and foreground group, seen from its master */
#pragma once

#include "common/wire.h"

/* A new pseudo-terminal's master, from the ptmx of a devpts; owned by uid on the side of the program. -1 and errno. */
int terminal_open(const char *ptmx, uint32_t uid);
/* The program's side of it; -1 and errno. */
int terminal_peer(int master);
/* False: it has none any more. */
bool terminal_get_modes(int master, WireModes *ret_modes);
void terminal_set_modes(int master, const WireModes *modes);
void terminal_set_size(int master, const WireWinsize *size);
/* Sends a signal to the foreground process group. */
void terminal_signal(int master, int sig);
