/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c - waits for descriptors: the only place where the agent sleeps */
#include "loop.h"

#include "console.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 16

static int loop = -1;

void loop_init(void)
{
    loop = epoll_create1(EPOLL_CLOEXEC);
    if (loop < 0)
        die("epoll");
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

void loop_wait(int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop, events, EVENTS, timeout_ms);

    for (int i = 0; i < count; i++) {
        const Watch *watch = events[i].data.ptr;

        if (watch->events)  /* an earlier one of this round may have ended it */
            watch->ready(watch->user, events[i].events);
    }
}

uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
