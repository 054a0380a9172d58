/* SPDX-License-Identifier: GPL-2.0-or-later */
/* time.c - payloads of time: clocks that never go back, timers that fire once and not early, the wall clock near home's */
#include "payload.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000u

static uint64_t ns_of(struct timespec time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    MUST(clock_gettime(clock, &now) == 0);
    return ns_of(now);
}

static struct timespec time_of(uint64_t ns)
{
    return (struct timespec) { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

CASE(clocks_not_back)
{
    static const clockid_t clocks[] = {
        CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID,
    };
    enum { COUNT = sizeof clocks / sizeof clocks[0] };
    uint64_t last[COUNT] = { 0 };

    while (more())
        for (int i = 0; i < 500; i++)
            for (int which = 0; which < COUNT; which++) {
                uint64_t now = clock_ns(clocks[which]);

                MUST(now >= last[which]);
                last[which] = now;
            }
}

static volatile uint64_t latest;
static volatile int stop;

static void *look_at_clock(void *data)
{
    (void)data;
    while (!stop) {
        uint64_t seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST), now = now_ns();

        MUST(now >= seen);
        if (now > seen)
            __atomic_compare_exchange_n(&latest, &seen, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        if (now % 64 == 0)
            sleep_ms(1);
    }
    return NULL;
}

/* What one thread has seen is not in the future of another. */
CASE(clock_between_threads)
{
    while (more()) {
        pthread_t threads[3];

        stop = 0;
        for (int i = 0; i < 3; i++)
            MUST(pthread_create(&threads[i], NULL, look_at_clock, NULL) == 0);
        sleep_ms(30);
        stop = 1;
        for (int i = 0; i < 3; i++)
            MUST(pthread_join(threads[i], NULL) == 0);
    }
}

static int64_t away_from_home(void)
{
    uint64_t before, after, stamp;
    struct stat status;
    int fd;

    before = clock_ns(CLOCK_REALTIME);
    fd = open("stamp", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    MUST(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &status) == 0);
    after = clock_ns(CLOCK_REALTIME);
    MUST(close(fd) == 0 && unlink("stamp") == 0);
    stamp = ns_of(status.st_mtim);
    if (stamp + 10 * MS < before)       /* a file's time is that of home's last tick */
        return (int64_t)(stamp + 10 * MS - before);
    return stamp > after ? (int64_t)(stamp - after) : 0;
}

/* A new file's time is home's: the wall clock is never away from it by 50 ms for longer than the correction takes. */
CASE(wall_clock)
{
    while (more()) {
        int64_t away = 0;

        for (int i = 0; i < 40; i++) {
            away = away_from_home();
            if (away > -50 * (int64_t)MS && away < 50 * (int64_t)MS)
                break;
            sleep_ms(50);
        }
        MUST(away > -50 * (int64_t)MS && away < 50 * (int64_t)MS);
    }
}

CASE(sleeping)
{
    while (more()) {
        uint64_t before = now_ns(), wall = clock_ns(CLOCK_MONOTONIC) + 15 * MS;
        struct timespec ten = { 0, 10 * MS }, until = time_of(wall);

        MUST(nanosleep(&ten, NULL) == 0);
        MUST(now_ns() - before >= 10 * MS);
        MUST(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
        MUST(now_ns() >= wall);
        before = now_ns();
        usleep(3000);
        MUST(now_ns() - before >= 3 * MS);
    }
}

CASE(waiting_with_limit)
{
    while (more()) {
        struct epoll_event event;
        struct timeval limit = { 0, 10000 };
        int poller = epoll_create1(0);
        uint64_t before = now_ns();

        MUST(poll(NULL, 0, 10) == 0 && now_ns() - before >= 10 * MS);
        before = now_ns();
        MUST(select(0, NULL, NULL, NULL, &limit) == 0 && now_ns() - before >= 10 * MS);
        before = now_ns();
        MUST(poller >= 0 && epoll_wait(poller, &event, 1, 10) == 0 && now_ns() - before >= 10 * MS);
        close(poller);
    }
}

CASE(conditions_with_limit)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_condattr_t kind;
    pthread_cond_t never;
    sem_t sem;

    pthread_condattr_init(&kind);
    pthread_condattr_setclock(&kind, CLOCK_MONOTONIC);
    MUST(pthread_cond_init(&never, &kind) == 0 && sem_init(&sem, 0, 0) == 0);
    while (more()) {
        uint64_t until = now_ns() + 12 * MS, wall;
        struct timespec limit = time_of(until);
        int result;

        pthread_mutex_lock(&lock);
        while ((result = pthread_cond_timedwait(&never, &lock, &limit)) == 0)
            ;
        pthread_mutex_unlock(&lock);
        MUST(result == ETIMEDOUT && now_ns() >= until);
        wall = clock_ns(CLOCK_REALTIME) + 12 * MS;
        limit = time_of(wall);
        FAILS(ETIMEDOUT, sem_timedwait(&sem, &limit));
        MUST(clock_ns(CLOCK_REALTIME) + 50 * MS >= wall);
    }
}

/* A timer of 5 ms has fired as often as there were 5 ms: none is lost, none comes early, however long the guest stood still. */
CASE(timerfd_counts)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t began, fired = 0, part;
    struct itimerspec every = { .it_interval = { 0, 5 * MS } };

    MUST(fd >= 0);
    began = now_ns() + 5 * MS;
    every.it_value = time_of(began);
    MUST(timerfd_settime(fd, TFD_TIMER_ABSTIME, &every, NULL) == 0);
    while (more()) {
        uint64_t before = now_ns(), after;

        MUST(read(fd, &part, sizeof part) == sizeof part);
        after = now_ns();
        fired += part;
        MUST(fired <= (after - began) / (5 * MS) + 1);
        MUST(before < began || fired >= (before - began) / (5 * MS));
    }
    close(fd);
}

CASE(timerfd_once)
{
    while (more()) {
        int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
        struct itimerspec once = { .it_value = { 0, 10 * MS } }, left;
        struct pollfd waiting = { fd, POLLIN, 0 };
        uint64_t before = now_ns(), fired;

        MUST(fd >= 0 && timerfd_settime(fd, 0, &once, NULL) == 0);
        MUST(poll(&waiting, 1, -1) == 1);
        MUST(read(fd, &fired, sizeof fired) == sizeof fired && fired == 1);
        MUST(now_ns() - before >= 10 * MS);
        MUST(timerfd_gettime(fd, &left) == 0 && left.it_value.tv_nsec == 0 && left.it_value.tv_sec == 0);
        close(fd);
    }
}

static volatile sig_atomic_t fired;

static void on_timer(int sig)
{
    (void)sig;
    fired++;
}

CASE(interval_timers)
{
    signal(SIGALRM, on_timer);
    signal(SIGVTALRM, on_timer);
    signal(SIGPROF, on_timer);
    while (more()) {
        uint64_t before = now_ns();

        fired = 0;
        MUST(setitimer(ITIMER_REAL, &(struct itimerval) { .it_value = { 0, 10000 } }, NULL) == 0);
        while (!fired)
            sleep_ms(1);
        MUST(now_ns() - before >= 10 * MS && fired == 1);
        fired = 0;
        MUST(setitimer(ITIMER_PROF, &(struct itimerval) { .it_value = { 0, 8000 } }, NULL) == 0);
        while (!fired)
            ;
        MUST(fired == 1);
        fired = 0;
        MUST(setitimer(ITIMER_VIRTUAL, &(struct itimerval) { .it_value = { 0, 8000 } }, NULL) == 0);
        while (!fired)
            ;
        MUST(fired == 1);
    }
}

/* alarm() runs on in a program that is executed. */
CASE(alarm_once)
{
    signal(SIGALRM, on_timer);
    MUST(alarm(1) == 0);
    MUST(alarm(100) == 1);
    MUST(alarm(0) == 100);
    while (more()) {
        uint64_t before = now_ns();

        fired = 0;
        MUST(alarm(1) == 0);
        while (!fired)
            sleep_ms(5);
        MUST(fired == 1 && now_ns() - before >= 990 * MS);
    }
}

static volatile unsigned expired;

static void on_timer_value(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    MUST(info->si_code == SI_TIMER && info->si_value.sival_int == 1234);
    fired++;
    expired += 1 + (unsigned)info->si_overrun;
}

CASE(posix_timers)
{
    struct sigaction action = { .sa_sigaction = on_timer_value, .sa_flags = SA_SIGINFO };
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2, .sigev_value.sival_int = 1234 };
    sigset_t set, old;
    timer_t timer;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    MUST(sigaction(SIGRTMIN + 2, &action, NULL) == 0 && timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    while (more()) {
        uint64_t before = now_ns(), blocked;
        struct itimerspec once = { .it_value = { 0, 10 * MS } }, often = { { 0, 2 * MS }, { 0, 2 * MS } }, off = { 0 };

        fired = 0;
        MUST(timer_settime(timer, 0, &once, NULL) == 0);
        while (!fired)
            sleep_ms(1);
        MUST(fired == 1 && now_ns() - before >= 10 * MS);
        /* what could not be delivered is counted */
        MUST(sigprocmask(SIG_BLOCK, &set, &old) == 0);
        expired = 0;
        before = now_ns();
        MUST(timer_settime(timer, 0, &often, NULL) == 0);
        sleep_ms(21);
        blocked = now_ns() - before;
        MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
        MUST(timer_settime(timer, 0, &off, NULL) == 0);
        MUST(expired >= blocked / (2 * MS) - 1 && expired <= (now_ns() - before) / (2 * MS));
    }
    MUST(timer_delete(timer) == 0);
}

static volatile int in_thread;

static void on_thread_timer(union sigval value)
{
    MUST(value.sival_int == 99);
    __atomic_add_fetch(&in_thread, 1, __ATOMIC_SEQ_CST);
}

CASE(timers_with_threads)
{
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread_timer, .sigev_value.sival_int = 99,
    };
    struct itimerspec once = { .it_value = { 0, 10 * MS } };
    timer_t timer;

    MUST(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
    for (int round = 1; more(); round++) {
        MUST(timer_settime(timer, 0, &once, NULL) == 0);
        while (in_thread < round)
            sleep_ms(2);
        sleep_ms(15);
        MUST(in_thread == round);
    }
    MUST(timer_delete(timer) == 0);
}

CASE(time_agrees)
{
    while (more()) {
        uint64_t real = clock_ns(CLOCK_REALTIME), mono = now_ns(), boot = clock_ns(CLOCK_BOOTTIME);
        struct timeval day;
        time_t seconds = time(NULL);

        MUST(gettimeofday(&day, NULL) == 0);
        MUST((uint64_t)day.tv_sec + 1 >= real / 1000000000u && (uint64_t)seconds + 2 >= real / 1000000000u);
        MUST(boot >= mono);
        MUST(times(NULL) != (clock_t)-1);
    }
}

CASE(resolution)
{
    struct timespec step;

    while (more()) {
        MUST(clock_getres(CLOCK_MONOTONIC, &step) == 0);
        fact("monotonic %lld ns", (long long)ns_of(step));
        MUST(clock_getres(CLOCK_REALTIME, &step) == 0);
        fact("realtime %lld ns", (long long)ns_of(step));
    }
}
