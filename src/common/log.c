/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - lines on stderr: program, optional subject, sentence; errno is kept */
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *program_name = "sojourn";
static gboolean debug_on;

void log_init(const char *program)
{
    program_name = program;
    debug_on = g_getenv("SOJOURN_DEBUG") != NULL;
}

/* One write, so that lines of several processes in one file do not mix. */
G_GNUC_PRINTF(2, 0)
static void log_line(const char *level, const char *format, va_list args)
{
    int saved = errno;
    g_autofree char *sentence = g_strdup_vprintf(format, args);
    g_autofree char *line = g_strdup_printf("%s: %s%s\n", program_name, level, sentence);

    if (write(STDERR_FILENO, line, strlen(line)) < 0)
        errno = 0; /* there is nobody left to tell */
    errno = saved;
}

#define LOG_FUNCTION(name, level, condition)   \
    void name(const char *format, ...)         \
    {                                          \
        va_list args;                          \
        if (!(condition))                      \
            return;                            \
        va_start(args, format);                \
        log_line(level, format, args);         \
        va_end(args);                          \
    }

LOG_FUNCTION(log_error, "", TRUE)
LOG_FUNCTION(log_warning, "warning: ", TRUE)
LOG_FUNCTION(log_info, "", TRUE)
LOG_FUNCTION(log_debug, "debug: ", debug_on)
