/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - the guest's own network devices */
#pragma once

#include "common/wire.h"

/* Brings the loopback device up. */
void network_up(void);
/* Makes devices without a wire that have these addresses, START's: sockets live at home and need none, but programs ask
 * which kinds of address the machine has. */
void network_mirror(const WireStrings *addresses);
/* Makes such a device for nothing (rehearse.h). */
void network_rehearse(void);
