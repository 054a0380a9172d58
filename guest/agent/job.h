/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job.h - the agent's view of the job: what home says to it, and what the warden says of it */
#pragma once

#include "common/link.h"
#include "control.h"
#include "departure.h"
#include "files.h"
#include "loop.h"
#include "sockets.h"
#include "streams.h"
#include "tunnel.h"
#include "usage.h"
#include "warden.h"

typedef struct {
    Link *link;
    Files files;
    Sockets sockets;
    Tunnel tunnel;
    Streams streams;
    Usage usage;
    Control control;
    Departure departure;
    Watch warden;
    int fuse_fd, start_fd;
    uint8_t held[1024];     /* a message that the link had no room for; nothing more is read until it is sent */
    size_t held_size;
    LinkChannel held_channel;
    uint8_t exited[128];    /* EXITED, until the output before it was sent */
    size_t exited_size;
    uint64_t exited_ms;     /* when it came */
    uint8_t left[16];       /* LEFT, the same */
    size_t left_size;
    uint64_t left_ms;
    bool exited_sent, power_off;
    bool has_modes;
    WireModes modes;        /* the terminal's, as home knows them */
} Job;

void job_init(Job *job, Link *link, Warden warden, int fuse);
/* Nobody waits for this guest: the warden rehearses. Not after START. */
void job_rehearse(Job *job);
/* START has come; its bytes. */
void job_start(Job *job, const void *data, size_t size);
/* Another message from home. */
void job_message(Job *job, const void *data, size_t size);
/* The link has room again. */
void job_writable(Job *job);
/* Milliseconds until job_check must be called, -1: no need. */
int job_tick(const Job *job);
/* To be called after each round of the loop: sends EXITED when its time has come; powers off after END. */
void job_check(Job *job);
