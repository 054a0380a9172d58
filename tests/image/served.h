/* SPDX-License-Identifier: GPL-2.0-or-later */
/* served.h - a file system that a process of the guest serves through /dev/fuse */
#pragma once

#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mounts one at /mnt, with more options after a comma or "", and has a child serve it; TRUE if it is there. */
bool served_mount(const char *options, void (*serve)(int fuse));

/* The next request, read into the buffer (its size in *ret_size unless that is NULL); NULL: there is none yet, after a moment.
 * Ends the process when the file system is gone. */
const struct fuse_in_header *served_next(int fuse, void *buffer, size_t room, size_t *ret_size);

/* Answers a request with an error (an errno), or with so many bytes. */
void reply(int fuse, uint64_t unique, int error, const void *data, size_t size);

/* Answers what most servers here have nothing to say to: what is forgotten gets no answer, a close succeeds, all else is not
 * there (ENOSYS). */
void reply_plainly(int fuse, const struct fuse_in_header *head);
