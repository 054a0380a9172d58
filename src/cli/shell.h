/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shell.h - the interactive shell: "sojourn" alone */
#pragma once

/* Reads commands from standard input until its end; returns the exit status of the last one when
 * there is no terminal, else 0. */
int shell_run(void);
