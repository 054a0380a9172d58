/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - the guest's wall clock */
#pragma once

#include <stdint.h>

/* Home's time is realtime_ns now, as far as is known: follows it. */
void clock_follow(uint64_t realtime_ns);
