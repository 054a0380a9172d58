/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals.h - the front's signals: taken in to be passed on, and the ways to stop and to die by one
 */
#pragma once

#include <glib.h>
#include <sys/signalfd.h>

/* What this process has inherited; bit n - 1 for signal n. Before signals_open. */
void signals_inherited(guint64 *ret_ignored, guint64 *ret_blocked);

/* Whether this process ignores sig. */
gboolean signals_ignored(int sig);

/* Blocks every signal, ignored ones too, and gives a descriptor to read them from (signalfd); -1
 * with errno. */
int signals_open(void);

/* Reads the next one; FALSE: none left. */
gboolean signals_next(int fd, struct signalfd_siginfo *ret_info);

/* Whether a program that does nothing about it dies of sig. */
gboolean signals_kill(int sig);

/* Whether sig stops a program that does nothing about it. */
gboolean signals_stop(int sig);

/* Stops this process by sig, or its whole process group, as the terminal would. Returns when it
 * goes on. TRUE if SIGCONT made it go on (and waits to be read); FALSE if it could not stop at all,
 * as in an orphaned process group. */
gboolean signals_stop_self(int sig, gboolean group);

/* Ends this process by sig, without a core dump; with group the process group gets it too. */
void signals_die(int sig, gboolean group) G_GNUC_NORETURN;
