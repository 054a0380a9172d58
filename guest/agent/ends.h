/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ends.h - the program's descriptors 0, 1 and 2, and the agent's ends of them, which the warden hands over */
#pragma once

#include "program.h"
#include "warden.h"

/* The agent's ends, so far; begins zeroed. */
typedef struct {
    uint8_t bytes[1 + WARDEN_ENDS];
    int fds[WARDEN_ENDS];
    int count;
} Ends;

/* Makes the program's descriptors, and a terminal, as START wants them. 0; -1 with errno. */
int ends_streams(Program *program, Ends *ends);

/* Makes the network device of --network nat; its end is the agent's, too. -1 with errno. */
int ends_network(const WireStart *start, Ends *ends);

/* Gives the agent its ends, by the socket to it, and closes them here. */
void ends_hand_over(Ends *ends, int agent);
