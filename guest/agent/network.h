/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.h - the guest's own network devices */
#pragma once

/* Brings the loopback device up. */
void network_up(void);
