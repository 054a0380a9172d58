/* SPDX-License-Identifier: GPL-2.0-or-later */
/* groups.h - groups of jobs that are at home here: who is in one, where its members are, where they should be together */
#pragma once

#include "jobs.h"

/* The name as it is kept: what stands for none ("0", "none", NULL) is "". */
const char *group_plain(const char *name);

/* Whether a (plain) name is right in form; FALSE and a sentence. */
gboolean group_check(const char *name, GError **error);

/* Puts a job into a group of its user's (NULL or "": none), as its host and its deputy will know, too; from then on it is
 * gathered with the others, though a person has put it where it is. FALSE and a sentence where the name is not right. */
gboolean group_join(Job *job, const char *name, GError **error);

/* Whether two jobs are in one group. */
gboolean group_same(const Job *job, const Job *other);

/* Where the others of its group are, as far as it may go there: home, or where most are; NULL: nowhere, or it has none
 * (static). */
const char *group_node(Node *node, Job *job);

/* Decides for each group that is torn apart where it should gather: `gather` of its jobs. To be called before their hosts are
 * asked. */
void groups_gather(Node *node);
