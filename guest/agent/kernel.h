/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.h - settings and figures of the guest's kernel, in files below /proc and /sys */
#pragma once

/* Writes a setting; where that fails, the console says so, and all goes on without it. */
void kernel_set(const char *setting, const char *value);

/* The number behind this word in the first 4 KiB of a file; 0 when there is none. */
unsigned long kernel_figure(const char *file, const char *word);
