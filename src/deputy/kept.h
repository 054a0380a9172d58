/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kept.h - the output of a detached job, kept in the user's state directory, bounded */
#pragma once

#include <glib.h>

/* The file of job id (g_free). What was written before it is in the same name with ".old". */
char *kept_path(const char *id);

/* Forks a process that keeps what comes from fd until its end as the output of job id. fd is taken
 * over. Errors are said in the log; the job's output then ends nowhere, and the job goes on. */
void kept_start(const char *id, int fd);

/* Copies to standard output what is kept of job id, and what is still to come, until the job has
 * ended. FALSE: nothing is kept of it. */
gboolean kept_show(const char *id);
