/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.h - what the agent has to say, on the guest's serial console */
#pragma once

/* Sees that descriptors 0, 1 and 2 lead to /dev/console, or to nothing if there is none. */
void console_open(void);
/* One line "sojourn: ..."; keeps errno. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with the reason from errno, and the guest ends. Only before the loop, or in a child. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* Ends the guest: QEMU is started with -no-reboot. */
void power_off(void) __attribute__((noreturn));
