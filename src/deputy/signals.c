/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals.c - the front's signals: taken in to be passed on, and the ways to stop and to die by one
 *
 * Signals are blocked and read from a signalfd, so dispositions stay as they were inherited, and to
 * stop or to die by a signal it only has to be unblocked. What the caller of `sojourn run` had
 * ignored or blocked is taken in like any other (Linux keeps a blocked signal even if it is
 * ignored): the program in the guest began with the same, and may have changed it since.
 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

gboolean signals_ignored(int sig)
{
    struct sigaction action;

    return sigaction(sig, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void signals_inherited(guint64 *ret_ignored, guint64 *ret_blocked)
{
    sigset_t mask;

    *ret_ignored = *ret_blocked = 0;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    for (int sig = 1; sig <= 64; sig++) {
        if (signals_ignored(sig))
            *ret_ignored |= 1ULL << (sig - 1);
        if (sigismember(&mask, sig) == 1)
            *ret_blocked |= 1ULL << (sig - 1);
    }
}

int signals_open(void)
{
    /* Faults of the front's own are never passed on. */
    static const int own[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGTRAP };
    sigset_t mask;

    sigfillset(&mask);
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        sigdelset(&mask, own[i]);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

gboolean signals_next(int fd, struct signalfd_siginfo *ret_info)
{
    return read(fd, ret_info, sizeof *ret_info) == sizeof *ret_info;
}

gboolean signals_stop(int sig)
{
    return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU || sig == SIGSTOP;
}

gboolean signals_kill(int sig)
{
    return !signals_stop(sig) && sig != SIGCHLD && sig != SIGCONT && sig != SIGURG &&
           sig != SIGWINCH;
}

static void unblock(int sig)
{
    sigset_t one;

    sigemptyset(&one);
    sigaddset(&one, sig);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

gboolean signals_stop_self(int sig, gboolean group)
{
    sigset_t before, pending;

    if (signals_ignored(sig))
        sig = SIGSTOP;
    sigprocmask(SIG_BLOCK, NULL, &before);
    kill(group ? 0 : getpid(), sig);
    unblock(sig);
    /* Here it stops, and here it goes on. */
    sigprocmask(SIG_SETMASK, &before, NULL);
    return sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1;
}

void signals_die(int sig, gboolean group)
{
    const struct rlimit none = { 0, 0 };

    setrlimit(RLIMIT_CORE, &none);
    signal(sig, SIG_DFL);
    kill(group ? 0 : getpid(), sig);
    unblock(sig);
    _exit(128 + sig); /* a signal that does not kill cannot have killed the program */
}
