/* SPDX-License-Identifier: GPL-2.0-or-later */
/* job-text.h - what openMosix's files said of a process, said of a job: for /proc/PID in a job and for the folder of procfs */
#pragma once

#include "json.h"

/* Of job.show's answer, each ending with a newline (g_free): "1" for a locked job, else "0"; how often it has moved; a line for
 * each reason why it can go nowhere (none: ""). */
char *job_text_lock(Json *job);
char *job_text_migrations(Json *job);
char *job_text_stay(Json *job);
