/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.c - the guest's randomness (random(4): RNDADDENTROPY, RNDRESEEDCRNG) */
#include "random.h"

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SEED_MAX 64

void random_seed(const void *bytes, size_t size)
{
    union {
        struct rand_pool_info info;
        unsigned char space[sizeof(struct rand_pool_info) + SEED_MAX];
    } pool = { .info = { .entropy_count = (int)(size * 8), .buf_size = (int)size } };
    int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);

    if (size <= SEED_MAX)
        memcpy(pool.info.buf, bytes, size);
    if (fd < 0 || size > SEED_MAX || ioctl(fd, RNDADDENTROPY, &pool.info) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
        say("the guest's randomness is its own alone: %s", strerror(errno));
    explicit_bzero(&pool, sizeof pool);
    if (fd >= 0)
        close(fd);
}
