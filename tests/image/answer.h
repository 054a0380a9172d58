/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.h - a home in small, for sockets.c: answers /dev/home-sockets with sockets of another network namespace */
#pragma once

#include "../../src/common/home-sockets.h"

#include <stdbool.h>

/* Serves for ever; fd is the device. join: the guest is told which connections have both ends in it. */
void answer_run(int fd, bool join) __attribute__((noreturn));
