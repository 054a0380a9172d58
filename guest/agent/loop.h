/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.h - waits for descriptors: the only place where the agent sleeps */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

/* A descriptor and what to call when it is ready. It must stay where it is as long as it is watched. */
typedef struct {
    int fd;             /* -1: none */
    uint32_t events;    /* EPOLLIN, EPOLLOUT; 0: not watched, not even for errors */
    void (*ready)(void *user, uint32_t events);
    void *user;
} Watch;

/* Once, before anything else here. */
void loop_init(void);
/* Changes what is waited for. */
void watch_set(Watch *watch, uint32_t events);
/* Stops watching and closes the descriptor. */
void watch_close(Watch *watch);
/* Waits up to timeout_ms (-1: for ever), then calls for what is ready. */
void loop_wait(int timeout_ms);
/* The same, up to so many nanoseconds; that costs more, and ends on time. */
void loop_wait_ns(uint64_t timeout_ns);
/* How often has been waited. */
unsigned loop_rounds(void);
/* Nanoseconds of the monotonic clock. */
uint64_t now_ns(void);
/* Milliseconds of the monotonic clock. */
uint64_t now_ms(void);
