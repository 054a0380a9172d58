/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - the guest's own network devices */
#pragma once

#include "common/wire.h"

/* Brings the loopback device up. */
void network_up(void);
/* Makes devices without a wire that have these addresses and default routes, START's: sockets live at home and need none, but
 * programs ask which kinds of address the machine has, and whether and by which device it reaches others. */
void network_mirror(const WireStrings *addresses);
/* Makes the device whose packets come out of the descriptor that is returned, with these addresses, START's, a way through
 * it to everywhere, and one to name servers on the home's loopback. -1 and errno. */
int network_tunnel(const WireStrings *addresses);
/* Makes a device without a wire for nothing (rehearse.h). */
void network_rehearse(void);
