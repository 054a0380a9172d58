/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolver.h - port 53 of 127.0.0.1 in a job with a network of its own: home's name server there */
#pragma once

#include "common/wire.h"

/* If START's addresses name 127.0.0.1 as a name server of home's, what the job asks there, or at ::1, is asked at home from
 * now on, through the device that network_tunnel makes. */
void resolver_start(const WireStrings *addresses);
