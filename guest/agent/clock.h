/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - the guest's wall clock */
#pragma once

#include <stdint.h>

/* Home's time is realtime_ns now, once and for all: for a guest in which nothing runs yet. */
void clock_set(uint64_t realtime_ns);

/* Home's time is realtime_ns now or was a while ago: follows it. */
void clock_follow(uint64_t realtime_ns);
