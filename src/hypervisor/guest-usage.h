/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-usage.h - what a guest uses of this machine */
#pragma once

#include "hypervisor.h"

typedef struct {
    guint64 cpu_ns;    /* run by its QEMU so far */
    guint64 vcpu_run_ns, vcpu_wait_ns; /* run by the threads that are its CPUs, and waited for a CPU of this machine */
    guint64 rss_bytes; /* resident memory */
    int pid;           /* of QEMU */
} GuestUsage;

/* From /proc: three system calls for most guests, does not ask libvirtd, does not block. FALSE where there is no such guest. On
 * the main context. */
gboolean guest_usage(Hypervisor *hv, const char *id, GuestUsage *ret_usage);
