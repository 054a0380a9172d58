/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.h - starts the program as START says, and watches it */
#pragma once

#include "common/wire.h"

#include <sys/types.h>

/* The highest RLIMIT_NOFILE that Linux can be made to allow. */
#define PROGRAM_OPEN_MAX (sizeof(long) > 4 ? 0x7fffffc0u : 0x3fffffe0u)

/* What the process that watches the program writes, one after the other, to a pipe. */
typedef enum {
    REPORT_BORN,        /* value: pid, group: its process group; signals can be sent */
    REPORT_STARTED,     /* value: pid */
    REPORT_FAILED,      /* value: errno, stage */
    REPORT_STOPPED,     /* value: signal */
    REPORT_CONTINUED,
    REPORT_EXITED       /* value: wait status, usage */
} ReportKind;

typedef struct {
    ReportKind kind;
    int32_t value, group;
    WireStage stage;
    WireRusage usage;
} Report;

typedef struct {
    const WireStart *start;
    int stdio[3];       /* descriptors above 2; -1: closed */
    int terminal;       /* the program's side of the pseudo-terminal, -1: none */
    int proc;           /* the folder /proc */
    int report;         /* write end of the pipe */
} Program;

/* Forks the session's leader, which does the rest; all signals must be blocked. Its pid, or -1 and errno. */
pid_t program_start(const Program *program);
