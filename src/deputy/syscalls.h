/* SPDX-License-Identifier: GPL-2.0-or-later */
/* syscalls.h - the system calls that the back may make once it is locked down */
#pragma once

/* Names, alphabetical, NULL at the end. Those that an architecture lacks are skipped. */
extern const char *const syscalls_allowed[];
