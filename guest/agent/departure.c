/* SPDX-License-Identifier: GPL-2.0-or-later */
/* departure.c - what nobody needs is given back to the host: before a migration, and when the job has come to rest
 *
 * All that the host still holds for the guest is copied, whether anybody needs it or not. So, in this order:
 *
 *  - clean pages of files that no process has mapped are dropped: they are at home. If the program wants one of them again
 *    it costs as much as if it had been copied, and most are never wanted again. What is mapped, programs and libraries,
 *    is wanted at once, a page at a time, and stays.
 *  - names and inodes are dropped if there is much of them. A few are worth more than what they weigh: each costs a
 *    round trip when it is looked up again.
 *  - free pages, these and those that the program has freed, are reported to the host, which then has nothing to copy.
 *
 * A job that has come to rest only does the last: Linux by itself reports blocks of 2 MiB, and an idle guest would hold
 * megabytes that nobody has used since it was started.
 *
 * A thread does it, because the kernel may wait for a file meanwhile, and the agent may not.
 */
#include "departure.h"

#include "common/wire.h"
#include "console.h"
#include "kernel.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <unistd.h>

#define DROP "/proc/sys/vm/drop_caches"
#define REPORT "/sys/module/page_reporting/parameters/report_now"
#define NAMES_MAX_KIB 4096 /* that the kernel could take back from its caches of names and inodes */

void departure_report(void)
{
    kernel_set(REPORT, "0");
}

static void *give_back(void *data)
{
    const Departure *departure = data;
    static const char done;

    if (departure->leaves) {
        kernel_set(DROP, "1");
        if (kernel_figure("/proc/meminfo", "SReclaimable:") > NAMES_MAX_KIB)
            kernel_set(DROP, "2");
    }
    departure_report();
    if (write(departure->end, &done, 1) < 0)
        say("the end of a departure's preparation could not be told");
    return NULL;
}

static void departure_tell(Departure *departure)
{
    static const WireMessage departed = { .type = WIRE_DEPARTED };
    uint8_t bytes[8];

    departure->owed = link_send(departure->link, LINK_CONTROL, bytes, wire_encode(&departed, bytes, sizeof bytes)) != 0;
}

static void departure_done(void *user, uint32_t events)
{
    Departure *departure = user;
    char done;

    if (read(departure->done.fd, &done, 1) != 1)
        return;
    departure->busy = false;
    if (departure->leaves)
        departure_tell(departure);
    else if (departure->again)
        departure_begin(departure);
}

void departure_init(Departure *departure, Link *link)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        die("cannot make a pipe");
    departure->link = link;
    departure->end = fds[1];
    departure->done = (Watch) { .fd = fds[0], .ready = departure_done, .user = departure };
    watch_set(&departure->done, EPOLLIN);
}

static void departure_start(Departure *departure, bool leaves)
{
    pthread_attr_t small;
    pthread_t thread;

    departure->leaves = leaves;
    departure->again = false;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 4 * PTHREAD_STACK_MIN);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    departure->busy = pthread_create(&thread, &small, give_back, departure) == 0;
    pthread_attr_destroy(&small);
}

void departure_begin(Departure *departure)
{
    if (departure->busy) {
        departure->again = !departure->leaves;
        return;
    }
    departure_start(departure, true);
    if (!departure->busy)
        departure_tell(departure);
}

void departure_rest(Departure *departure)
{
    if (!departure->busy)
        departure_start(departure, false);
}

void departure_writable(Departure *departure)
{
    if (departure->owed)
        departure_tell(departure);
}
