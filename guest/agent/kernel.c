/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel.c - settings and figures of the guest's kernel, in files below /proc and /sys */
#include "kernel.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void kernel_set(const char *setting, const char *value)
{
    int fd = open(setting, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        say("%s could not be set to %s: %s", setting, value, strerror(errno));
    if (fd >= 0)
        close(fd);
}

unsigned long kernel_figure(const char *file, const char *word)
{
    char text[4096];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const char *at;

    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = 0;
    at = strstr(text, word);
    return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}
