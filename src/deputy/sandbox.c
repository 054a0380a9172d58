/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - what the back gives up once it is set up
 *
 * The back believes nothing that the guest says, yet a mistake in it would be a way out of the
 * guest. So it keeps only what its work needs. Landlock: the user's files, without execution.
 * seccomp: an allow-list. The default answer is EPERM with a line in the kernel's log, not death: a
 * call that a new libc makes must not cost somebody their job of three days; tests use death, so
 * that it is noticed.
 */
#include "sandbox.h"

#include "common/error.h"
#include "common/landlock.h"
#include "syscalls.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKET_TYPE 0xf     /* the rest of socket's second argument are flags */

gboolean sandbox_files(const char *root, gboolean read_only, SandboxNetwork network, GError **error)
{
    g_autoptr(Landlock) landlock = landlock_new((network == SANDBOX_NO_NETWORK ? LANDLOCK_NO_TCP : 0) | LANDLOCK_NO_ABSTRACT, error);
    LandlockRights rights = read_only ? LANDLOCK_READ : LANDLOCK_READ | LANDLOCK_WRITE;

    return landlock && landlock_allow(landlock, root ? root : "/", rights, error) &&
           /* libfuse's "device" */
           landlock_allow(landlock, "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE, error) &&
           landlock_enforce(landlock, error);
}

static int allow_masked(scmp_filter_ctx filter, int call, unsigned argument, guint64 mask,
                        guint64 value)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                            SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, value));
}

static int allow_equal(scmp_filter_ctx filter, int call, unsigned argument, guint64 value)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
                            SCMP_CMP64(argument, SCMP_CMP_EQ, value));
}

/* Calls that are allowed for some arguments only. */
static int add_restricted(scmp_filter_ctx filter, int front)
{
    const guint64 namespaces = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS |
                               CLONE_NEWPID | CLONE_NEWUSER | CLONE_NEWUTS;
    int failed = 0;

    failed |= allow_masked(filter, SCMP_SYS(clone), 0, namespaces | CLONE_THREAD, CLONE_THREAD);
    /* clone3's flags cannot be seen; libc takes clone instead */
    failed |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FS_IOC_GETFLAGS);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FS_IOC_SETFLAGS);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FS_IOC_FSGETXATTR);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FS_IOC_FSSETXATTR);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FS_IOC_GETVERSION);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, FIONREAD);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, TIOCOUTQ);
    failed |= allow_masked(filter, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    failed |= allow_masked(filter, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    failed |= allow_equal(filter, SCMP_SYS(pidfd_send_signal), 0, (guint64) front);
    failed |= allow_equal(filter, SCMP_SYS(prctl), 0, PR_SET_NAME);
    /* a terminal left raw by a killed front */
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, TCGETS);
    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, TCSETS);
    failed |= allow_equal(filter, SCMP_SYS(socket), 0, AF_UNIX);
    failed |= allow_equal(filter, SCMP_SYS(tgkill), 0, (guint64) getpid()); /* abort() */
    failed |= allow_equal(filter, SCMP_SYS(unshare), 0, CLONE_FS); /* each worker its own umask */
    /* files-closet.c */
    failed |= allow_equal(filter, SCMP_SYS(unshare), 0, CLONE_FILES);
    failed |= allow_equal(filter, SCMP_SYS(socketpair), 0, AF_UNIX);
#ifdef __i386__
    failed |= allow_masked(filter, SCMP_SYS(mmap2), 2, PROT_EXEC, 0);
#endif
    return failed;
}

/* Raw sockets are not for jobs, also not for root's. */
static int allow_socket(scmp_filter_ctx filter, int family, int type)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                            SCMP_CMP64(0, SCMP_CMP_EQ, (guint64) family),
                            SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, (guint64) SOCKET_TYPE, (guint64) type));
}

/* What the job's connections need. */
static int add_connect(scmp_filter_ctx filter)
{
    int failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(getpeername), 0);

    failed |= allow_socket(filter, AF_INET, SOCK_STREAM);
    failed |= allow_socket(filter, AF_INET, SOCK_DGRAM);
    failed |= allow_socket(filter, AF_INET6, SOCK_STREAM);
    failed |= allow_socket(filter, AF_INET6, SOCK_DGRAM);
    return failed;
}

/* What the job's sockets need. */
static int add_network(scmp_filter_ctx filter)
{
    int failed = add_connect(filter);

    failed |= allow_equal(filter, SCMP_SYS(ioctl), 1, SIOCATMARK);
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 0);
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
    failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(listen), 0);
    return failed;
}

static int add_allowed(scmp_filter_ctx filter, int front, SandboxNetwork network)
{
    for (const char *const *name = syscalls_allowed; *name; name++) {
        int call = seccomp_syscall_resolve_name(*name);
        if (call == __NR_SCMP_ERROR || call < 0)
            continue;
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) != 0)
            return -1;
    }
    return add_restricted(filter, front) | (network == SANDBOX_NETWORK ? add_network(filter) : 0) |
           (network == SANDBOX_CONNECT ? add_connect(filter) : 0);
}

static gboolean load_filter(int front, SandboxNetwork network, GError **error)
{
    gboolean kill = g_strcmp0(g_getenv("SOJOURN_SANDBOX"), "kill") == 0;
    scmp_filter_ctx filter = seccomp_init(kill ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
    int failed = filter ? 0 : -ENOMEM;

    if (!failed)
        failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!failed)
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1); /* may fail: an older kernel */
    if (!failed)
        failed = add_allowed(filter, front, network);
    if (!failed)
        seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a long list */
    if (!failed)
        failed = seccomp_load(filter);
    seccomp_release(filter);
    if (failed)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot load the deputy's seccomp filter: %s",
                    g_strerror(failed < 0 ? -failed : EINVAL));
    return !failed;
}

gboolean sandbox_process(int front, SandboxNetwork network, GError **error)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot set no_new_privs: %s",
                    g_strerror(errno));
        return FALSE;
    }
    return load_filter(front, network, error);
}
