/* SPDX-License-Identifier: GPL-2.0-or-later */
/* locked.h - a test within the system calls that a job's back has */
#pragma once

/* Runs it in a child that any other system call kills; the test fails if the child does not come to its end. */
void run_locked(void (*test)(void));
