/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.h - job.*: what users ask of jobs, here or, forwarded, at the jobs' homes */
#pragma once

#include "node.h"

/* Runs a job.* method for user (NULL: one who may command all jobs) and answers call. */
void commands_run(Node *node, const char *method, Json *params, const char *user, RpcCall *call);
