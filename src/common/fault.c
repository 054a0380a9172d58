/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.c - for tests: a controller is hurt at a named step, exactly once */
#include "fault.h"

#include "log.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *order; /* path of the file; NULL: no faults */
static char *libvirtd; /* path of its pid file */

void fault_init(const char *run_dir)
{
    g_free(order);
    g_free(libvirtd);
    libvirtd = g_build_filename(run_dir, "libvirtd.pid", NULL);
    order = g_getenv("SOJOURN_FAULTS") ? g_build_filename(run_dir, "faults", NULL) : NULL;
}

static void kill_libvirtd(void)
{
    g_autofree char *text = NULL;
    int pid = g_file_get_contents(libvirtd, &text, NULL, NULL) ? atoi(text) : 0;

    if (pid > 1)
        kill(pid, SIGKILL);
}

gboolean fault(const char *step)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) words = NULL;

    if (!order || !g_file_get_contents(order, &text, NULL, NULL))
        return FALSE;
    words = g_strsplit(g_strstrip(text), " ", 2);
    if (g_strv_length(words) != 2 || !g_str_equal(words[0], step) || unlink(order) < 0)
        return FALSE;
    log_warning("fault at step %s: %s", step, words[1]);
    if (g_str_equal(words[1], "kill"))
        raise(SIGKILL);
    else if (g_str_equal(words[1], "stop"))
        raise(SIGSTOP);
    else if (g_str_equal(words[1], "libvirtd"))
        kill_libvirtd();
    return g_str_equal(words[1], "lose");
}
