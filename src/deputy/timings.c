/* SPDX-License-Identifier: GPL-2.0-or-later */
/* timings.c - the time line of a job's start and end, for --timings */
#include "timings.h"

#include "common/log.h"

#include <string.h>

static const char *const names[] = {
    [PAIR_BEGIN] = "begin",
    [PAIR_FORKED] = "forked",
    [PAIR_CONNECTED] = "connected",
    [PAIR_LOCKED] = "locked down",
    [PAIR_CREATED] = "guest created",
    [PAIR_LINKED] = "channel open",
    [PAIR_ESTABLISHED] = "link up",
    [PAIR_READY] = "agent ready",
    [PAIR_STARTED] = "program started",
    [PAIR_OUTPUT] = "first output",
    [PAIR_EXITED] = "program ended",
    [PAIR_END] = "end",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == PAIR_MARKS);

const char *timings_name(PairMark mark)
{
    return names[mark];
}

void timings_mark(Timings *timings, PairMark mark)
{
    if (!timings->us[mark])
        timings->us[mark] = (guint64) g_get_monotonic_time();
}

void timings_take(Timings *timings, const guint8 *bytes, gsize size)
{
    if (size != 9 || bytes[0] >= PAIR_MARKS || timings->us[bytes[0]])
        return;
    memcpy(&timings->us[bytes[0]], bytes + 1, sizeof timings->us[0]);
}

void timings_send(int pair, PairMark mark)
{
    guint8 packet[10] = { PAIR_MARK, (guint8) mark };
    guint64 now = (guint64) g_get_monotonic_time();

    memcpy(packet + 2, &now, sizeof now);
    pair_send(pair, packet, sizeof packet, NULL, 0);
}

static int by_time(gconstpointer a, gconstpointer b, gpointer timings)
{
    const guint64 *us = ((const Timings *) timings)->us;

    return us[*(const int *) a] < us[*(const int *) b]
               ? -1
               : us[*(const int *) a] > us[*(const int *) b];
}

void timings_print(const Timings *timings)
{
    int order[PAIR_MARKS], count = 0;
    g_autoptr(GString) line = g_string_new("timings (ms):");

    for (int mark = 0; mark < PAIR_MARKS; mark++)
        if (timings->us[mark])
            order[count++] = mark;
    g_qsort_with_data(order, count, sizeof order[0], by_time, (gpointer) timings);
    for (int i = 0; i < count; i++)
        g_string_append_printf(line, "%s %s %.1f", i ? "," : "", names[order[i]],
                               (double) (timings->us[order[i]] - timings->us[order[0]]) / 1000);
    log_info("%s", line->str);
}
