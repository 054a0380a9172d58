/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpu.c - payloads that keep state in the processor: registers, SSE, AVX, x87, rounding, thread pointers, code that changes */
#include "payload.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define SPIN 200000

/* A chain of arithmetic has the same end each time. */
static uint64_t chain(uint64_t seed, int steps)
{
    for (int i = 0; i < steps; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        seed ^= seed >> 29;
        seed = seed << 7 | seed >> 57;
        seed += (uint64_t)(seed % 97) / 3;
    }
    return seed;
}

CASE(arithmetic)
{
    uint64_t first = chain(42, SPIN);

    fact("chain %016llx", (unsigned long long)first);
    while (more())
        MUST(chain(42, SPIN) == first);
}

#ifdef __x86_64__
CASE(registers)
{
    while (more()) {
        uint64_t wrong;

        __asm__ volatile(
            "mov $0x1111111111111111, %%r8; mov $0x2222222222222222, %%r9; mov $0x3333333333333333, %%r10;"
            "mov $0x4444444444444444, %%r11; mov $0x5555555555555555, %%r12; mov $0x6666666666666666, %%r13;"
            "mov $0x7777777777777777, %%r14; mov $0x0888888888888888, %%r15;"
            "mov %[spin], %%ecx;"
            "1: pause; dec %%ecx; jnz 1b;"
            "xor %%rax, %%rax;"
            "mov $0x1111111111111111, %%rdx; xor %%rdx, %%r8; or %%r8, %%rax;"
            "mov $0x2222222222222222, %%rdx; xor %%rdx, %%r9; or %%r9, %%rax;"
            "mov $0x3333333333333333, %%rdx; xor %%rdx, %%r10; or %%r10, %%rax;"
            "mov $0x4444444444444444, %%rdx; xor %%rdx, %%r11; or %%r11, %%rax;"
            "mov $0x5555555555555555, %%rdx; xor %%rdx, %%r12; or %%r12, %%rax;"
            "mov $0x6666666666666666, %%rdx; xor %%rdx, %%r13; or %%r13, %%rax;"
            "mov $0x7777777777777777, %%rdx; xor %%rdx, %%r14; or %%r14, %%rax;"
            "mov $0x0888888888888888, %%rdx; xor %%rdx, %%r15; or %%r15, %%rax;"
            : "=a"(wrong) : [spin] "i"(SPIN)
            : "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc");
        MUST(wrong == 0);
    }
}

CASE(sse)
{
    uint8_t before[16 * 16], after[16 * 16];

    fill(before, sizeof before, 7);
    while (more()) {
        __asm__ volatile(
            "movdqu 0(%0), %%xmm0; movdqu 16(%0), %%xmm1; movdqu 32(%0), %%xmm2; movdqu 48(%0), %%xmm3;"
            "movdqu 64(%0), %%xmm4; movdqu 80(%0), %%xmm5; movdqu 96(%0), %%xmm6; movdqu 112(%0), %%xmm7;"
            "movdqu 128(%0), %%xmm8; movdqu 144(%0), %%xmm9; movdqu 160(%0), %%xmm10; movdqu 176(%0), %%xmm11;"
            "movdqu 192(%0), %%xmm12; movdqu 208(%0), %%xmm13; movdqu 224(%0), %%xmm14; movdqu 240(%0), %%xmm15;"
            "mov %2, %%ecx;"
            "1: paddq %%xmm1, %%xmm0; pxor %%xmm15, %%xmm14; psubq %%xmm1, %%xmm0; pxor %%xmm15, %%xmm14; dec %%ecx; jnz 1b;"
            "movdqu %%xmm0, 0(%1); movdqu %%xmm1, 16(%1); movdqu %%xmm2, 32(%1); movdqu %%xmm3, 48(%1);"
            "movdqu %%xmm4, 64(%1); movdqu %%xmm5, 80(%1); movdqu %%xmm6, 96(%1); movdqu %%xmm7, 112(%1);"
            "movdqu %%xmm8, 128(%1); movdqu %%xmm9, 144(%1); movdqu %%xmm10, 160(%1); movdqu %%xmm11, 176(%1);"
            "movdqu %%xmm12, 192(%1); movdqu %%xmm13, 208(%1); movdqu %%xmm14, 224(%1); movdqu %%xmm15, 240(%1);"
            : : "r"(before), "r"(after), "i"(SPIN)
            : "rcx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
              "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
        MUST(memcmp(before, after, sizeof before) == 0);
    }
}

__attribute__((target("avx"))) static void avx_round(void)
{
    uint8_t before[4 * 32], after[4 * 32];

    fill(before, sizeof before, 9);
    __asm__ volatile(
        "vmovdqu 0(%0), %%ymm0; vmovdqu 32(%0), %%ymm5; vmovdqu 64(%0), %%ymm10; vmovdqu 96(%0), %%ymm15;"
        "mov %2, %%ecx;"
        "1: vxorps %%ymm0, %%ymm5, %%ymm5; vxorps %%ymm0, %%ymm5, %%ymm5; dec %%ecx; jnz 1b;"
        "vmovdqu %%ymm0, 0(%1); vmovdqu %%ymm5, 32(%1); vmovdqu %%ymm10, 64(%1); vmovdqu %%ymm15, 96(%1); vzeroupper;"
        : : "r"(before), "r"(after), "i"(SPIN)
        : "rcx", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
          "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    MUST(memcmp(before, after, sizeof before) == 0);
}

CASE(avx)
{
    while (more())
        if (__builtin_cpu_supports("avx"))
            avx_round();
}

/* What the processor says of itself must stay true while the program runs. */
CASE(processor_features)
{
    uint32_t first[4][4], now[4];
    uint32_t leaves[4] = { 0, 1, 7, 0x80000001 };

    for (int i = 0; i < 4; i++)
        MUST(__get_cpuid_count(leaves[i], 0, &first[i][0], &first[i][1], &first[i][2], &first[i][3]) || leaves[i] == 7);
    while (more())
        for (int i = 0; i < 4; i++) {
            if (!__get_cpuid_count(leaves[i], 0, &now[0], &now[1], &now[2], &now[3]))
                continue;
            if (leaves[i] == 1)
                now[1] = first[i][1];       /* which processor this thread is on */
            MUST(memcmp(first[i], now, sizeof now) == 0);
        }
}

static __thread uint64_t of_thread;

static void *pointers_keep(void *data)
{
    uint64_t mine[4] = { (uint64_t)(uintptr_t)data * 0x9e3779b97f4a7c15u };
    unsigned long base = 0;

    of_thread = mine[0];
    MUST(syscall(SYS_arch_prctl, ARCH_SET_GS, mine) == 0);
    for (int i = 0; i < 50; i++) {
        uint64_t found;

        chain(1, 2000);
        __asm__ volatile("mov %%gs:0, %0" : "=r"(found));
        MUST(found == mine[0] && of_thread == mine[0]);
    }
    MUST(syscall(SYS_arch_prctl, ARCH_GET_GS, &base) == 0 && base == (unsigned long)(uintptr_t)mine);
    return NULL;
}

CASE(thread_pointers)
{
    while (more()) {
        pthread_t threads[4];

        for (uintptr_t i = 0; i < 4; i++)
            MUST(pthread_create(&threads[i], NULL, pointers_keep, (void *)(i + 1)) == 0);
        for (int i = 0; i < 4; i++)
            MUST(pthread_join(threads[i], NULL) == 0);
    }
}
#endif

CASE(x87)
{
    while (more()) {
        long double sum = 0, back[8];
        uint32_t spin = SPIN;

        /* eight values on the stack, all the while */
        __asm__ volatile("fninit; fld1; fldpi; fldl2e; fldl2t; fldlg2; fldln2; fldz; fld1;"
                         "1: fchs; fchs; fincstp; fdecstp; dec %0; jnz 1b;"
                         "fstpt 0(%1); fstpt 16(%1); fstpt 32(%1); fstpt 48(%1); fstpt 64(%1); fstpt 80(%1); fstpt 96(%1);"
                         "fstpt 112(%1);"
                         : "+r"(spin) : "r"(back) : "memory", "cc");
#ifdef __x86_64__
        MUST(back[0] == 1 && back[1] == 0 && back[7] == 1);
        MUST(fabsl(back[6] - 3.14159265358979323851L) < 1e-18L && fabsl(back[2] - 0.693147180559945309417L) < 1e-18L);
#endif
        for (int i = 1; i < 2000; i++)
            sum += 1.0L / ((long double)i * i);
        MUST(fabsl(sum - 1.64443394182739269L) < 1e-15L);
    }
}

static void *rounding_keep(void *data)
{
    static const int modes[] = { FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    int mode = modes[(uintptr_t)data & 3];
    volatile double one = 1, three = 3, third;

    MUST(fesetround(mode) == 0);
    for (int i = 0; i < 200; i++) {
        chain(3, 1000);
        third = one / three;
        MUST(fegetround() == mode);
        MUST((third * 3 > 1 || third > 0.33333333333333331) == (mode == FE_UPWARD));
    }
    return NULL;
}

CASE(rounding)
{
    while (more()) {
        pthread_t threads[4];

        for (uintptr_t i = 0; i < 4; i++)
            MUST(pthread_create(&threads[i], NULL, rounding_keep, (void *)i) == 0);
        for (int i = 0; i < 4; i++)
            MUST(pthread_join(threads[i], NULL) == 0);
    }
}

CASE(float_exact)
{
    double first = 0;

    for (int round = 0; more(); round++) {
        double sum = 0;

        for (int i = 1; i < 3000; i++)
            sum += sin(i) * exp(-i / 1000.0) / sqrt(i);
        if (round == 0)
            first = sum;
        MUST(memcmp(&sum, &first, sizeof sum) == 0);
    }
}

/* A just-in-time compiler in small: code is written, run, changed, run. */
CASE(code_that_changes)
{
    uint8_t *code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(code != MAP_FAILED);
    for (uint32_t value = 1; more(); value++)
        for (uint32_t at = 0; at < 8192 - 64; at += 61) {
            uint32_t wanted = value * 2654435761u + at;
            int (*function)(void) = (int (*)(void))(uintptr_t)(code + at);

            code[at] = 0xb8;        /* mov wanted, %eax; ret */
            memcpy(code + at + 1, &wanted, 4);
            code[at + 5] = 0xc3;
            MUST((uint32_t)function() == wanted);
        }
    MUST(mprotect(code, 8192, PROT_READ | PROT_EXEC) == 0);
}

CASE(tsc_not_back)
{
    while (more()) {
        uint64_t last = __rdtsc();

        for (int i = 0; i < 20000; i++) {
            uint64_t now = __rdtsc();

            MUST(now >= last);
            last = now;
        }
    }
}
