/* SPDX-License-Identifier: GPL-2.0-or-later */
/* other-tsc.c - QEMU on a machine whose time stamp counter has another rate
 *
 * TCG shows its guests the host's own counter, so nodes on one machine have one rate. This is a QEMU for which the counter runs
 * at the rate that the end of its file name says ("qemu-1700000": so many kHz): Linux lets a process ask for a signal at each
 * RDTSC (PR_SET_TSC), whose handler puts the time, in units of that rate, where the counter's value is expected.
 *
 * It is one file, because a node lets only its QEMU and the dynamic loader be executed: a library that can be executed. Then it
 * has the loader start QEMU with itself loaded before; there its constructor sets the handler. The C library's own clocks,
 * which read the counter in the vDSO, get the real value.
 *
 * make: gcc -shared -fPIC -O2 -nostartfiles -Wl,-e,begin -o DIR/qemu-1700000 other-tsc.c
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define LOADER "/lib64/ld-linux-x86-64.so.2"
#define QEMU "/usr/bin/qemu-system-x86_64"
#define MODULES "/usr/lib/x86_64-linux-gnu/qemu"
#define RATE "OTHER_TSC_KHZ"
#define VDSO_SIZE 0x4000

const char interpreter[] __attribute__((section(".interp"), used)) = LOADER;

static uint64_t khz, vdso;

static uint64_t counter(uint64_t ip)
{
    struct timespec now;
    uint32_t low, high;

    if (ip >= vdso && ip < vdso + VDSO_SIZE) {
        syscall(SYS_prctl, PR_SET_TSC, PR_TSC_ENABLE);
        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        syscall(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV);
        return (uint64_t)high << 32 | low;
    }
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &now);
    return ((unsigned __int128)now.tv_sec * 1000000000 + now.tv_nsec) * khz / 1000000;
}

static void trapped(int signal, siginfo_t *info, void *context)
{
    greg_t *at = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)at[REG_RIP];
    int size = code[0] == 0x0f && code[1] == 0x31 ? 2 : code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9 ? 3 : 0;
    uint64_t value;

    if (!size) { /* a real fault: again, and for good */
        sigaction(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        return;
    }
    value = counter(at[REG_RIP]);
    at[REG_RAX] = (uint32_t)value;
    at[REG_RDX] = value >> 32;
    if (size == 3)
        at[REG_RCX] = 0; /* RDTSCP: which processor */
    at[REG_RIP] += size;
}

static void __attribute__((constructor)) loaded(void)
{
    const char *rate = getenv(RATE);
    struct sigaction act = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER};

    if (!rate || !(khz = strtoull(rate, NULL, 10)))
        return;
    vdso = getauxval(AT_SYSINFO_EHDR);
    sigaction(SIGSEGV, &act, NULL);
    prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
}

/* What the kernel has put onto the stack: argc, argv. */
__attribute__((used, noreturn)) static void begin_with(char **stack)
{
    int count = *(long *)stack, n = 0;
    static char self[4096];
    char **argv = stack + 1, *name, **words = calloc(count + 8, sizeof *words);
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    name = length > 0 ? strrchr(self, '-') : NULL;
    if (!words || !name || setenv(RATE, name + 1, 1) < 0 || setenv("QEMU_MODULE_DIR", MODULES, 1) < 0)
        _exit(127);
    words[n++] = (char *)LOADER;
    words[n++] = (char *)"--preload";
    words[n++] = self;
    words[n++] = (char *)QEMU;
    for (int i = 1; i < count; i++)
        words[n++] = argv[i];
    words[n++] = (char *)"-L"; /* it looks for its folder, as for its modules, beside the loader */
    words[n++] = (char *)"/usr/share/qemu";
    execv(LOADER, words);
    perror(LOADER);
    _exit(127);
}

__asm__(".globl begin\nbegin: mov %rsp, %rdi\nand $-16, %rsp\ncall begin_with\n");
