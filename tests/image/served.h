/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.h - a file system that a process of the guest serves through /dev/fuse */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mounts one at /mnt, with more options after a comma or "", and has a child serve it; TRUE if it is there. */
bool served_mount(const char *options, void (*serve)(int fuse));

/* Answers a request with an error (an errno), or with so many bytes. */
void reply(int fuse, uint64_t unique, int error, const void *data, size_t size);
