/* SPDX-License-Identifier: GPL-2.0-or-later */
/* detach.h - a front that goes on in the background: --detach */
#pragma once

#include <glib.h>

/* Forks. In the child, which has a session of its own and no standard input: TRUE, *ret_report is
 * where it reports, and *ret_output where its output comes out, as far as that does not go to a
 * file (-1: nowhere). In the parent, once the child has reported
 * or ended: FALSE, and *ret_status is the status to end with; the job's id has been printed, or the
 * reason why there is none. */
gboolean detach(int *ret_report, int *ret_output, int *ret_status);

/* The child's reports: the job's id; the program runs (closes report); a failure. */
void detach_job(int report, const char *id);
void detach_started(int report);
void detach_fail(int report, int status, const char *sentence);
