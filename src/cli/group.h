/* SPDX-License-Identifier: GPL-2.0-or-later */
/* group.h - the jobs of a group, and many jobs moved at once */
#pragma once

#include "common/json.h"

/* The jobs at hand of a group (new array of job.list's rows), NULL: the sentence was printed. There is none without a member, and
 * all are of one user: an administrator, who sees those of all, has to name jobs if several have a group of that name. */
Json *group_jobs(const char *group, int *ret_status);

/* Moves these jobs (what people call them) to a node at once, as far as the nodes take them at once; each says how it went when
 * it is there. as_json: {moved:[{job,...}],stayed:[{job,reason}]}. Returns the exit status: 1 if any has stayed. */
int group_migrate(const char *const *jobs, const char *node, gboolean as_json);

/* The same for all of a group. */
int group_migrate_all(const char *group, const char *node, gboolean as_json);
