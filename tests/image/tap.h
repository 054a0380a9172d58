/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.h - what each init here begins, says and ends with: TAP on the console */
#pragma once

#include <stdbool.h>

/* Mounts /dev and /proc, and says each line at once. */
void tap_begin(void);

/* One result; returns `good`. What fails says errno, too. */
bool ok(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A result: whether the kernel's log has no complaint. */
void ok_log(void);

/* How many results there were. */
void tap_plan(void);

/* The same, and the machine is over. */
void tap_end(void) __attribute__((noreturn));
