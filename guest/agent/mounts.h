/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.h - the agent's own file systems, and those that the program sees */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where the warden makes the program's devices before they are moved to their places. */
#define JOB_PTMX "/job/dev/pts/ptmx"
#define JOB_NULL "/job/dev/null"
#define JOB_PROC "/job/proc"
/* What becomes its root; an empty folder before. */
#define JOB_ROOT "/job/root"

/* /dev, /proc, /sys of the agent; dies if that fails. */
void mounts_boot(void);
/* In the warden: makes the program's /proc, /sys and /dev, not yet in their places. */
void mounts_prepare(void);
/* In the warden: mounts the home's files over the /dev/fuse descriptor; root_dev is START's. 0, or -1 and errno. */
int mounts_home(int fuse, uint32_t root_dev, bool read_only);
/* In the warden: moves all to its place in the home's tree, which becomes the root. Looks up names in the home's files, so
 * it can wait. 0, or -1 and errno. */
int mounts_enter(void);
