/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - lines on stderr: program, optional subject, sentence; errno is kept */
#pragma once

#include <glib.h>

/* Sets the program's name as it begins each line. $SOJOURN_DEBUG turns debug lines on. */
void log_init(const char *program);

void log_error(const char *format, ...) G_GNUC_PRINTF(1, 2);
void log_warning(const char *format, ...) G_GNUC_PRINTF(1, 2);
void log_info(const char *format, ...) G_GNUC_PRINTF(1, 2);
void log_debug(const char *format, ...) G_GNUC_PRINTF(1, 2);
