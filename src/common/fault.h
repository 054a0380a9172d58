/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fault.h - for tests: a controller is hurt at a named step, exactly once
 *
 * Nothing ever happens unless SOJOURN_FAULTS is in the environment. Then the file "faults" in the controller's run directory,
 * one line "STEP ACTION", is taken away when that step is reached, and the controller does to itself what it says:
 *   kill      SIGKILL, as a crash
 *   stop      SIGSTOP, as a machine that does not answer
 *   libvirtd  SIGKILL for the node's libvirtd
 *   lose      what the step would send is not sent
 * The steps stand where fault() is called; tests/faults/steps.sh goes through them.
 */
#pragma once

#include <glib.h>

/* To be called first; run_dir is copied. */
void fault_init(const char *run_dir);

/* The step is reached. TRUE: what it would send is to be lost. */
gboolean fault(const char *step);
