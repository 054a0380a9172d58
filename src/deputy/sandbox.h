/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what the back gives up once it is set up */
#pragma once

#include <glib.h>

/* How much of internet sockets is left. */
typedef enum {
    SANDBOX_NO_NETWORK,
    SANDBOX_CONNECT,    /* connections and datagrams go out; nothing can be bound or listened at */
    SANDBOX_NETWORK
} SandboxNetwork;

/* Files: at and below root everything that the user may do, but never execute; nothing elsewhere;
 * with read_only nothing is changed; without network no TCP, where Landlock knows of it. Binds the calling thread and those it
 * starts later: call it before the first thread. FALSE with an error where the kernel has no Landlock; nothing has been
 * bound then. */
gboolean sandbox_files(const char *root, gboolean read_only, SandboxNetwork network, GError **error);

/* No core dump, no ptrace by others, no new privileges, and only the system calls of syscalls.c:
 * any other fails with EPERM and is logged by the kernel (with $SOJOURN_SANDBOX=kill it ends the
 * process: for tests). front is a pidfd, the only process that may be sent a signal. Binds all
 * threads. */
gboolean sandbox_process(int front, SandboxNetwork network, GError **error);
