/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - /dev/pms: what the job's processes ask and order through their control files, on its way home */
#pragma once

#include "common/link.h"
#include "common/wire.h"
#include "loop.h"

typedef struct {
    Link *link;
    Watch watch;            /* fd -1: the kernel has no control files */
    uint8_t held[WIRE_ORDER_MAX + 100];  /* an ASK that the link had no room for; nothing more is read until it is sent */
    size_t held_size;
} Control;

void control_start(Control *control, Link *link);
/* ANSWER has come. */
void control_answer(Control *control, const WireMessage *message);
/* The link has room again. */
void control_writable(Control *control);
