/* SPDX-License-Identifier: GPL-2.0-or-later */
/* signals.c - payloads of signals of all kinds: queued, real-time, blocked, on another stack, interrupting, of faults */
#include "payload.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got, got_order[512];
static volatile sig_atomic_t last_sender, last_code;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    if (got < 512)
        got_order[got] = info->si_value.sival_int;
    last_sender = info->si_pid;
    last_code = info->si_code;
    got++;
}

static void handle(int sig, int flags)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

    MUST(sigaction(sig, &action, NULL) == 0);
}

static sigset_t set_of(int sig)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, sig);
    return set;
}

/* Real-time signals are queued, each with its value, in order; ordinary ones are not. */
CASE(queued_signals)
{
    sigset_t blocked, none;

    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN + 3);
    sigaddset(&blocked, SIGUSR1);
    handle(SIGRTMIN + 3, 0);
    handle(SIGUSR1, 0);
    while (more()) {
        MUST(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
        got = 0;
        for (int i = 0; i < 100; i++)
            MUST(sigqueue(getpid(), SIGRTMIN + 3, (union sigval) { .sival_int = i * 7 }) == 0);
        MUST(got == 0);
        MUST(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
        MUST(got == 100);
        for (int i = 0; i < 100; i++)
            MUST(got_order[i] == i * 7);
        MUST(last_code == SI_QUEUE && last_sender == getpid());
        MUST(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
        got = 0;
        for (int i = 0; i < 10; i++)
            MUST(kill(getpid(), SIGUSR1) == 0);
        MUST(sigprocmask(SIG_SETMASK, &none, NULL) == 0);
        MUST(got == 1);
    }
}

CASE(signal_ping_pong)
{
    sigset_t set = set_of(SIGUSR1), old;

    handle(SIGUSR1, 0);
    MUST(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    while (more()) {
        pid_t child;

        got = 0;
        child = fork();
        if (child == 0) {
            for (int i = 0; i < 50; i++) {
                while (got <= i)
                    sigsuspend(&old);
                MUST(last_sender == getppid());
                MUST(kill(getppid(), SIGUSR1) == 0);
            }
            _exit(0);
        }
        for (int i = 0; i < 50; i++) {
            MUST(kill(child, SIGUSR1) == 0);
            while (got <= i)
                sigsuspend(&old);
            MUST(last_sender == child && last_code == SI_USER);
        }
        joined(child);
    }
}

CASE(wait_for_signal)
{
    sigset_t set = set_of(SIGRTMIN + 1);

    MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    while (more()) {
        struct timespec limit = { 0, 20000000 };
        siginfo_t info;
        uint64_t before = now_ns();

        FAILS(EAGAIN, sigtimedwait(&set, &info, &limit));
        MUST(now_ns() - before >= 20000000);
        MUST(sigqueue(getpid(), SIGRTMIN + 1, (union sigval) { .sival_int = 55 }) == 0);
        MUST(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
        MUST(info.si_value.sival_int == 55 && info.si_uid == getuid());
    }
}

CASE(signal_descriptor)
{
    sigset_t set = set_of(SIGUSR2);
    struct signalfd_siginfo info;
    int fd;

    MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    MUST(fd >= 0);
    while (more()) {
        FAILS(EAGAIN, read(fd, &info, sizeof info));
        MUST(kill(getpid(), SIGUSR2) == 0);
        MUST(read(fd, &info, sizeof info) == sizeof info);
        MUST(info.ssi_signo == SIGUSR2 && info.ssi_pid == (uint32_t)getpid());
    }
}

static sigjmp_buf back;
static char *other_stack;

static void on_overflow(int sig, siginfo_t *info, void *context)
{
    char here;

    (void)info;
    (void)context;
    MUST(sig == SIGSEGV && &here > other_stack && &here < other_stack + 65536);
    siglongjmp(back, 1);
}

static int recurse(volatile char *above)
{
    volatile char room[4096];

    room[0] = *above;
    if (room[0] != *above)      /* never */
        return 0;
    return recurse(room) + room[0];
}

/* A stack that overflows is survived on another one. */
CASE(alternate_stack)
{
    struct sigaction action = { .sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    stack_t stack = { .ss_size = 65536 };

    other_stack = stack.ss_sp = malloc(65536);
    MUST(setrlimit(RLIMIT_STACK, &(struct rlimit) { 1 << 20, 8 << 20 }) == 0 || errno == EPERM || errno == EINVAL);
    MUST(sigaltstack(&stack, NULL) == 0 && sigaction(SIGSEGV, &action, NULL) == 0);
    while (more()) {
        volatile char top = 0;

        if (sigsetjmp(back, 1) == 0)
            recurse(&top);
    }
}

static volatile uintptr_t fault_at;
static volatile int fault_signal, fault_code;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = sig;
    fault_code = info->si_code;
    fault_at = (uintptr_t)info->si_addr;
    siglongjmp(back, 1);
}

CASE(faults)
{
    struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
    volatile int zero = 0;
    volatile char *volatile nowhere = (volatile char *)16;
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    MUST(page != MAP_FAILED);
    for (size_t i = 0; i < 4; i++)
        MUST(sigaction((int[]) { SIGSEGV, SIGFPE, SIGILL, SIGTRAP }[i], &action, NULL) == 0);
    while (more()) {
        if (sigsetjmp(back, 1) == 0)
            *(volatile char *)(page + 123) = 1;
        MUST(fault_signal == SIGSEGV && fault_code == SEGV_ACCERR && fault_at == (uintptr_t)page + 123);
        if (sigsetjmp(back, 1) == 0)
            *nowhere = 1;
        MUST(fault_signal == SIGSEGV && fault_code == SEGV_MAPERR && fault_at == 16);
        if (sigsetjmp(back, 1) == 0) {
            int quotient = 1;

            __asm__ volatile("cltd; idivl %1" : "+a"(quotient) : "r"(zero) : "edx", "cc");
        }
        MUST(fault_signal == SIGFPE && fault_code == FPE_INTDIV);
        if (sigsetjmp(back, 1) == 0)
            __asm__ volatile("ud2");
        MUST(fault_signal == SIGILL);
        if (sigsetjmp(back, 1) == 0)
            __asm__ volatile("int3");
        MUST(fault_signal == SIGTRAP);
    }
}

/* A read is interrupted, or goes on after the handler, as the handler was set. */
CASE(interrupted_read)
{
    while (more()) {
        int ends[2];
        char byte;
        pid_t child;

        MUST(pipe(ends) == 0);
        handle(SIGALRM, 0);
        got = 0;
        /* again and again: the first may come before the read, if we are kept from it for so long */
        setitimer(ITIMER_REAL, &(struct itimerval) { .it_value = { 0, 10000 }, .it_interval = { 0, 10000 } }, NULL);
        FAILS(EINTR, read(ends[0], &byte, 1));
        setitimer(ITIMER_REAL, &(struct itimerval) { .it_value = { 0, 0 } }, NULL);
        MUST(got >= 1);
        got = 0;
        handle(SIGALRM, SA_RESTART);
        child = fork();
        if (child == 0) {
            sleep_ms(40);
            MUST(write(ends[1], "x", 1) == 1);
            _exit(0);
        }
        setitimer(ITIMER_REAL, &(struct itimerval) { .it_value = { 0, 10000 } }, NULL);
        MUST(read(ends[0], &byte, 1) == 1 && byte == 'x');
        MUST(got == 1);
        joined(child);
        close(ends[0]), close(ends[1]);
    }
}

CASE(child_signals)
{
    sigset_t set = set_of(SIGCHLD), old;
    static const int expected[] = { CLD_EXITED, CLD_KILLED, CLD_STOPPED };

    handle(SIGCHLD, 0);
    MUST(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    while (more())
        for (int i = 0; i < 3; i++) {
            pid_t child;

            got = 0;
            child = fork();
            if (child == 0) {
                if (i == 0)
                    _exit(4);
                raise(i == 1 ? SIGKILL : SIGSTOP);
            }
            while (got == 0)
                sigsuspend(&old);
            MUST(last_sender == child && last_code == expected[i]);
            if (i == 2)
                MUST(kill(child, SIGKILL) == 0);
            wait_for(child);
            MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);     /* takes what is still pending */
            MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
        }
}

CASE(default_actions)
{
    static const int fatal[] = { SIGHUP, SIGINT, SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGUSR2, SIGIO, SIGPROF, SIGVTALRM, SIGPWR };
    static const int harmless[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };

    while (more()) {
        for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
            pid_t child = fork();

            if (child == 0) {
                for (int sig = 1; sig < 32; sig++)
                    signal(sig, SIG_DFL);
                raise(fatal[i]);
                _exit(0);
            }
            MUST(WTERMSIG(wait_for(child)) == fatal[i]);
        }
        for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
            MUST(raise(harmless[i]) == 0);
    }
}

/* What is ignored and blocked is inherited by an executed program; what is handled is not. */
CASE(signals_over_exec)
{
    sigset_t set = set_of(SIGUSR2);

    MUST(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    signal(SIGUSR1, SIG_IGN);
    handle(SIGHUP, 0);
    while (more()) {
        pid_t child = fork();

        if (child == 0) {
            execl(payload_program(), "payload", "--helper", "signals", NULL);
            _exit(99);
        }
        joined(child);
    }
}

CASE(broken_pipe)
{
    while (more()) {
        int ends[2];
        pid_t child;

        MUST(pipe(ends) == 0);
        close(ends[0]);
        child = fork();
        if (child == 0) {
            signal(SIGPIPE, SIG_DFL);
            (void)!write(ends[1], "x", 1);
            _exit(0);
        }
        MUST(WTERMSIG(wait_for(child)) == SIGPIPE);
        signal(SIGPIPE, SIG_IGN);
        FAILS(EPIPE, write(ends[1], "x", 1));
        close(ends[1]);
    }
}

CASE(signal_of_a_pipe)
{
    int ends[2];

    handle(SIGRTMIN + 5, 0);
    MUST(pipe2(ends, O_NONBLOCK) == 0);
    MUST(fcntl(ends[0], F_SETOWN, getpid()) == 0 && fcntl(ends[0], F_SETSIG, SIGRTMIN + 5) == 0);
    MUST(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK) == 0);
    while (more()) {
        char byte;

        got = 0;
        MUST(write(ends[1], "x", 1) == 1);
        MUST(got == 1 && last_code == POLL_IN);
        MUST(read(ends[0], &byte, 1) == 1);
    }
}

CASE(stop_and_continue)
{
    while (more()) {
        int ends[2], status;
        char byte;
        pid_t child;

        MUST(pipe(ends) == 0);
        child = fork();
        if (child == 0)
            for (;;) {
                MUST(write(ends[1], "t", 1) == 1);
                sleep_ms(1);
            }
        MUST(read(ends[0], &byte, 1) == 1);
        MUST(kill(child, SIGSTOP) == 0);
        MUST(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
        MUST(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
        while (read(ends[0], &byte, 1) == 1)
            ;
        sleep_ms(20);
        FAILS(EAGAIN, read(ends[0], &byte, 1));
        MUST(kill(child, SIGCONT) == 0);
        MUST(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
        MUST(fcntl(ends[0], F_SETFL, 0) == 0 && read(ends[0], &byte, 1) == 1);
        MUST(kill(child, SIGKILL) == 0);
        wait_for(child);
        close(ends[0]), close(ends[1]);
    }
}
