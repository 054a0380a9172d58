/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c - waits for descriptors: the only place where the agent sleeps
 *
 * A limit to the waiting is a timer that is left alone when something else ends the wait: setting one costs an exit from
 * the guest, and most waits with a limit are short. So a wait may end for nothing.
 */
#include "loop.h"

#include "console.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 16

static int loop = -1;
static unsigned rounds;
static Watch timer = { .fd = -1 };
static uint64_t timer_ms;   /* when it goes off; 0: it is not set */

static void timer_ready(void *user, uint32_t events)
{
    uint64_t count;

    if (read(timer.fd, &count, sizeof count) > 0)
        timer_ms = 0;
}

void loop_init(void)
{
    loop = epoll_create1(EPOLL_CLOEXEC);
    timer = (Watch) { .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), .ready = timer_ready };
    if (loop < 0 || timer.fd < 0)
        die("epoll");
    watch_set(&timer, EPOLLIN);
}

void watch_set(Watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    int operation = !events ? EPOLL_CTL_DEL : watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (events == watch->events || watch->fd < 0)
        return;
    if (epoll_ctl(loop, operation, watch->fd, &event) < 0)
        say("epoll_ctl failed, errno %d", errno);
    watch->events = events;
}

void watch_close(Watch *watch)
{
    if (watch->fd < 0)
        return;
    watch_set(watch, 0);
    close(watch->fd);
    watch->fd = -1;
}

static void timer_set(uint64_t due_ms)
{
    struct itimerspec when = { .it_value = { .tv_sec = (time_t)(due_ms / 1000), .tv_nsec = (long)(due_ms % 1000) * 1000000 } };

    if (timer_ms && timer_ms <= due_ms)
        return;
    timerfd_settime(timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
    timer_ms = due_ms;
}

static void loop_call(const struct epoll_event *events, int count)
{
    rounds++;
    for (int i = 0; i < count; i++) {
        const Watch *watch = events[i].data.ptr;

        if (watch->events)  /* an earlier one of this round may have ended it */
            watch->ready(watch->user, events[i].events);
    }
}

void loop_wait(int timeout_ms)
{
    struct epoll_event events[EVENTS];

    if (timeout_ms > 0)
        timer_set(now_ms() + (uint64_t)timeout_ms);
    loop_call(events, epoll_wait(loop, events, EVENTS, timeout_ms == 0 ? 0 : -1));
}

void loop_wait_ns(uint64_t timeout_ns)
{
    struct timespec timeout = { (time_t)(timeout_ns / 1000000000), (long)(timeout_ns % 1000000000) };
    struct epoll_event events[EVENTS];

    loop_call(events, epoll_pwait2(loop, events, EVENTS, &timeout, NULL));
}

unsigned loop_rounds(void)
{
    return rounds;
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t now_ms(void)
{
    return now_ns() / 1000000;
}
