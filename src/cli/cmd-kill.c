/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd-kill.c - sojourn kill: a signal for jobs, given as kill(1) takes it */
#include "ask.h"
#include "cmd.h"
#include "common/log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The number of "9", "KILL" or "SIGKILL"; 0: there is none. */
static int signal_number(const char *text)
{
    guint64 number;

    if (g_ascii_string_to_unsigned(text, 10, 1, SIGRTMAX, &number, NULL))
        return number;
    if (g_ascii_strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < SIGRTMIN; i++)
        if (sigabbrev_np(i) && g_ascii_strcasecmp(sigabbrev_np(i), text) == 0)
            return i;
    return 0;
}

/* Takes "-KILL", "-9" or "-s KILL" out of the front of the words. */
static const char *take_signal(int *argc, char ***argv)
{
    const char *first = *argc > 1 ? (*argv)[1] : "";
    const char *text = NULL;
    int used = 1;

    if (g_str_equal(first, "-s") && *argc > 2) {
        text = (*argv)[2];
        used = 2;
    } else if (first[0] == '-' && first[1] && first[1] != '-' && first[1] != 'h') {
        text = first + 1;
    }
    if (!text)
        return "TERM";
    (*argv)[used] = (*argv)[0];
    *argv += used;
    *argc -= used;
    return text;
}

int cmd_kill(int argc, char **argv)
{
    const char *text = take_signal(&argc, &argv);
    int number = signal_number(text);

    if (number)
        return ask_each(argc, argv, "job.kill", json_set_int(json_object(), "signal", number));
    log_error("There is no signal \"%s\"; kill -l shows them", text);
    return 2;
}
