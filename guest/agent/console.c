/* SPDX-License-Identifier: GPL-2.0-or-later */
/* console.c - what the agent has to say, on the guest's serial console */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

void console_open(void)
{
    int fd;

    if (fcntl(2, F_GETFD) >= 0)
        return;     /* the kernel did it */
    fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3; i++)
        if (fd != i)
            dup2(fd, i);
    if (fd > 2)
        close(fd);
}

__attribute__((format(printf, 1, 0)))
static void say_line(const char *format, va_list arguments, const char *reason)
{
    char line[512];
    int used = snprintf(line, sizeof line, "sojourn: ");

    used += vsnprintf(line + used, sizeof line - (size_t)used, format, arguments);
    if (used < (int)sizeof line)
        used += snprintf(line + used, sizeof line - (size_t)used, "%s%s\n", reason ? ": " : "", reason ? reason : "");
    if (used > (int)sizeof line - 1)
        used = sizeof line - 1;
    if (write(2, line, (size_t)used) < 0)
        return;     /* there is nobody else to tell */
}

void say(const char *format, ...)
{
    int saved = errno;
    va_list arguments;

    va_start(arguments, format);
    say_line(format, arguments, NULL);
    va_end(arguments);
    errno = saved;
}

void die(const char *format, ...)
{
    const char *reason = strerror(errno);
    va_list arguments;

    va_start(arguments, format);
    say_line(format, arguments, reason);
    va_end(arguments);
    power_off();
}

void power_off(void)
{
    reboot(RB_AUTOBOOT);
    _exit(1);
}
