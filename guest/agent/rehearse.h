/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rehearse.h - a program's start, done once for nothing while nobody waits for it */
#pragma once

/* As this program's second argument: it is the one that is started. */
#define REHEARSAL "--rehearsal"

/* Takes a tenth of a second, at most half a one; leaves nothing behind. */
void rehearse(void);

/* What the started program does; returns its exit status. */
int rehearse_program(const char *self);
