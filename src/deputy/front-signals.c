/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front-signals.c - signals at home become the program's; what they do to it happens to the front */
#include "front-private.h"

#include "signals.h"

#include <sys/wait.h>
#include <unistd.h>

static void send_size(Front *front)
{
    WireMessage message = { .type = WIRE_WINSIZE };

    if (front->terminal.fd < 0)
        return;
    terminal_size(&front->terminal, &message.winsize);
    front_tell(front, &message);
}

void front_signal_guest(Front *front, int sig, WireScope scope, const gint64 *value)
{
    WireMessage message = { .type = WIRE_SIGNAL,
                            .signal = { sig, (guint8) scope, value != NULL, value ? *value : 0 } };

    front->passed_on |= front_bit(sig);
    front_tell(front, &message);
}

/* The front goes on, after whatever stopped it. */
static void go_on(Front *front)
{
    terminal_forget(&front->terminal);
    if (!front->started)
        return;
    terminal_raw(&front->terminal);
    send_size(front);
    front_tell(front, &(WireMessage) { .type = WIRE_CONTINUE });
}

void front_stop(Front *front, int sig)
{
    gboolean group = front->terminal.raw && sig != SIGSTOP && !(front->passed_on & front_bit(sig));

    front->passed_on &= ~front_bit(sig);
    terminal_restore(&front->terminal);
    if (!signals_stop_self(sig, group))
        go_on(front);
}

void front_die(Front *front, int sig, gboolean group)
{
    terminal_restore(&front->terminal);
    close(front->pair);
    signals_die(sig, group);
}

/* Before the program runs, and when it has ended, a signal meets the front alone. */
static void take_alone(Front *front, int sig)
{
    if (!front->exited && front->inherited_blocked & front_bit(sig))
        front->early |= front_bit(sig);
    else if (signals_ignored(sig))
        return;
    else if (signals_kill(sig))
        front_die(front, sig, FALSE);
    else if (signals_stop(sig))
        signals_stop_self(sig, FALSE);
}

static void take_signal(Front *front, const struct signalfd_siginfo *info)
{
    int sig = (int) info->ssi_signo;
    gint64 value = (gint64) info->ssi_ptr;
    gboolean kernel = info->ssi_code > 0;

    if (sig == SIGCHLD && kernel)
        waitpid(front->back, NULL, WNOHANG);
    else if (sig == SIGPIPE && info->ssi_pid == (guint32) getpid())
        return; /* a write of ours: its errno has said it */
    else if (sig == SIGCONT)
        go_on(front);
    else if (sig == SIGWINCH && kernel && front->terminal.fd >= 0)
        send_size(front);
    else if (!front->started || front->exited)
        take_alone(front, sig);
    else
        front_signal_guest(front, sig, kernel ? WIRE_GROUP : WIRE_PROCESS,
                    info->ssi_code == SI_QUEUE ? &value : NULL);
}

void front_take_signals(Front *front)
{
    struct signalfd_siginfo info;

    while (!front->done && signals_next(front->signals, &info))
        take_signal(front, &info);
}

gboolean front_key_killed(const Front *front, int sig)
{
    const guint8 *keys = front->terminal.modes.c_cc;

    return front->key && !(front->passed_on & front_bit(sig)) &&
           ((sig == SIGINT && front->key == keys[VINTR]) ||
            (sig == SIGQUIT && front->key == keys[VQUIT]));
}
