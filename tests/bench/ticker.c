/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ticker.c - touches memory and then says something every millisecond: a program whose freeze can be seen from outside
 *
 * usage: ticker MIB [KIB [FREED-MIB FILE]]     as a program: to stdout, until it cannot
 * Writes to KIB of the memory each second. With a past it has first read FILE, and used and freed FREED-MIB more.
 * As process 1 of a bare guest (no job, no agent) all that comes from the kernel's command line ("touch=MIB dirty=KIB
 * freed=FREED-MIB past=FILE") and the output goes to the guest's first virtio port; with "touch=none" the guest is ended at
 * once. A stock kernel needs modules for that: those that the file /modules names are loaded first, in its order.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PORT "/dev/vport0p1"

/* Random contents: neither zeros nor what can be squeezed, so that every byte must travel. */
static volatile char *touch(size_t mib)
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
    return (volatile char *)memory;
}

/* One page after the other, so many as the time since the last call asks for. */
static void dirty(volatile char *memory, size_t mib, size_t kib_s)
{
    static struct timespec last;
    static size_t page;
    static double due;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (last.tv_sec)
        due += ((double)(now.tv_sec - last.tv_sec) + (double)(now.tv_nsec - last.tv_nsec) / 1e9) * (double)kib_s / 4;
    last = now;
    for (; due >= 1; due -= 1)
        memory[page++ % (mib << 8) << 12] += 1;
}

static void tick(int fd, volatile char *memory, size_t mib, size_t kib_s)
{
    static const struct timespec pause = {0, 1000000};
    char line[24];

    for (unsigned long n = 1;; n++) {
        int size = snprintf(line, sizeof line, "%lu\n", n);

        if (write(fd, line, (size_t)size) != size && fd == STDOUT_FILENO)
            exit(1);
        if (mib && kib_s)
            dirty(memory, mib, kib_s);
        nanosleep(&pause, NULL);
    }
}

typedef struct {
    size_t mib, kib_s, freed_mib;
    const char *file;    /* to be read; NULL: none */
} Life;

static void live(const Life *life, int (*output)(void)) __attribute__((noreturn));
static void live(const Life *life, int (*output)(void))
{
    static char buffer[1 << 18];
    volatile char *memory = touch(life->mib), *freed;
    int file = life->file ? open(life->file, O_RDONLY) : -1;

    if (life->file && file < 0)
        exit(1);
    while (file >= 0 && read(file, buffer, sizeof buffer) > 0)
        ;
    if (life->freed_mib) {
        freed = touch(life->freed_mib);
        munmap((void *)freed, life->freed_mib << 20);
    }
    tick(output(), memory, life->mib, life->kib_s);
    exit(1);
}

static void load_modules(void)
{
    FILE *list = fopen("/modules", "r");
    char name[200];
    int fd;

    while (list && fscanf(list, "%199s", name) == 1) {
        fd = open(name, O_RDONLY);
        syscall(SYS_finit_module, fd, "", 0);
        close(fd);
    }
}

static size_t number_of(const char *line, const char *word)
{
    const char *at = strstr(line, word);

    return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

static int standard_output(void)
{
    return STDOUT_FILENO;
}

static int port(void)
{
    int fd;

    while ((fd = open(PORT, O_WRONLY)) < 0)
        usleep(1000);
    return fd;
}

static void as_init(void)
{
    char line[2048] = "", *past;
    Life life;
    int fd;

    mkdir("/proc", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    fd = open("/proc/cmdline", O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) < 0 || !strstr(line, "touch=") || strstr(line, "touch=none")) {
        reboot(RB_AUTOBOOT);
        exit(1);
    }
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    load_modules();
    past = strstr(line, "past=");
    life = (Life) { number_of(line, "touch="), number_of(line, "dirty="), number_of(line, "freed="), past ? past + 5 : NULL };
    if (past)
        *strpbrk(past, " \n") = '\0';
    while (past && access(past + 5, R_OK) < 0)
        usleep(1000);
    live(&life, port);
}

int main(int argc, char **argv)
{
    if (getpid() == 1)
        as_init();
    Life life = {0};

    if (argc != 2 && argc != 3 && argc != 5)
        return 2;
    life.mib = strtoul(argv[1], NULL, 10);
    if (argc > 2)
        life.kib_s = strtoul(argv[2], NULL, 10);
    if (argc > 3)
        life.freed_mib = strtoul(argv[3], NULL, 10);
    life.file = argv[argc == 5 ? 4 : argc];
    live(&life, standard_output);
}
