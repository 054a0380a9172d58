/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ticker.c - touches memory and then says something every millisecond: a program whose freeze can be seen from outside
 *
 * usage: ticker MIB        as a program: to stdout, until it cannot
 * As process 1 of a bare guest (no job, no agent) MIB comes from the kernel's command line ("touch=MIB") and the output
 * goes to the guest's first virtio port; with "touch=none" the guest is ended at once.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"

/* Random contents: neither zeros nor what can be squeezed, so that every byte must travel. */
static void touch(size_t mib)
{
    size_t words = mib * (1 << 20) / sizeof(unsigned long);
    unsigned long *memory = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned long long random = 88172645463325252ull;

    if (memory == MAP_FAILED)
        exit(1);
    for (size_t i = 0; i < words; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        memory[i] = (unsigned long)random;
    }
}

static void tick(int fd)
{
    static const struct timespec pause = {0, 1000000};
    char line[24];

    for (unsigned long n = 1;; n++) {
        int size = snprintf(line, sizeof line, "%lu\n", n);

        if (write(fd, line, (size_t)size) != size && fd == STDOUT_FILENO)
            exit(1);
        nanosleep(&pause, NULL);
    }
}

static void as_init(void)
{
    char line[2048] = "";
    const char *word;
    int fd;

    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    fd = open("/proc/cmdline", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) < 0 || !(word = strstr(line, "touch=")) ||
        strncmp(word, "touch=none", 10) == 0) {
        reboot(RB_AUTOBOOT);
        exit(1);
    }
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    touch(strtoul(word + 6, NULL, 10));
    while ((fd = open(PORT, O_WRONLY)) < 0)
        usleep(1000);
    tick(fd);
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        as_init();
    if (argc != 2)
        return 2;
    touch(strtoul(argv[1], NULL, 10));
    tick(STDOUT_FILENO);
}
