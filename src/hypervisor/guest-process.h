/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-process.h - the QEMU that is a guest: which process it is, and its quick end */
#pragma once

#include "hypervisor.h"

/* The pid of a guest's QEMU that is certainly that; 0: there is none. */
int guest_pid(Hypervisor *hv, const char *id);

/* An end that has begun. */
typedef struct GuestEnd GuestEnd;

/* Sends SIGKILL. Never NULL, also where there is no such guest. */
GuestEnd *guest_end_begin(Hypervisor *hv, const char *id);

/* Blocks (any thread) until the process is gone, or for 100 ms; until then libvirtd, as a rule, does not notice. */
void guest_end_wait(GuestEnd *end);

/* Lets libvirtd notice. NULL is fine. */
void guest_end_free(GuestEnd *end);
