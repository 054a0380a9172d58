/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the guest's own network devices */
#include "network.h"

#include "console.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void network_up(void)
{
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        say("no loopback device: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}
