/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.h - START: all that the program inherits from the process that stands for it at home */
#pragma once

#include "deputy/front.h"
#include "terminal.h"

/* This process's START message, encoded (g_bytes_unref), or NULL and an error if it is too long.
 * Call it before anything inherited is changed (signals, terminal). */
GBytes *start_new(const RunOptions *options, const Terminal *terminal, const guint8 kinds[3],
                  GError **error);

/* The executable file that execvp would find for name, by this PATH; "" (as everything but an absolute folder may mean
 * something else to the guest) where it has to be looked for there. g_free. For start_new and tests. */
char *start_program(const char *name, const char *path);

/* cwd as a program sees it whose / is root; "/" if it is not below. For start_new and tests; part
 * of cwd. */
const char *start_below(const char *cwd, const char *root);
