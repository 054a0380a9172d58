/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads.c - payloads of threads and of what they and processes wait for: mutexes of all kinds, conditions, raw futexes */
#include "payload.h"

#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6

static void *shared_memory(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    MUST(at != MAP_FAILED);
    return at;
}

static void in_threads(void *(*run)(void *), void *data)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        MUST(pthread_create(&threads[i], NULL, run, data) == 0);
    for (int i = 0; i < THREADS; i++)
        MUST(pthread_join(threads[i], NULL) == 0);
}

static pthread_mutex_t counter_lock = PTHREAD_MUTEX_INITIALIZER;
static volatile uint64_t counter;

static void *count_up(void *data)
{
    (void)data;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&counter_lock);
        counter = counter + 1;
        pthread_mutex_unlock(&counter_lock);
    }
    return NULL;
}

CASE(mutex)
{
    for (uint64_t round = 1; more(); round++) {
        in_threads(count_up, NULL);
        MUST(counter == round * THREADS * 2000);
    }
}

static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *take_turns(void *data)
{
    int mine = (int)(intptr_t)data;

    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&counter_lock);
        while (turn % 2 != mine)
            pthread_cond_wait(&turn_changed, &counter_lock);
        turn++;
        pthread_cond_broadcast(&turn_changed);
        pthread_mutex_unlock(&counter_lock);
    }
    return NULL;
}

CASE(condition_ping_pong)
{
    for (int round = 1; more(); round++) {
        pthread_t other;

        MUST(pthread_create(&other, NULL, take_turns, (void *)1) == 0);
        take_turns((void *)0);
        MUST(pthread_join(other, NULL) == 0);
        MUST(turn == round * 400);
    }
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile uint64_t pair[2];

static void *read_and_write(void *data)
{
    (void)data;
    for (int i = 0; i < 300; i++) {
        if (i % 5 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            MUST(pair[0] == pair[1]);
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}

CASE(readers_and_writers)
{
    for (uint64_t round = 1; more(); round++) {
        in_threads(read_and_write, NULL);
        MUST(pair[0] == round * THREADS * 60);
    }
}

static pthread_barrier_t barrier;
static volatile int phases[THREADS * 16];

static void *in_phases(void *data)
{
    static int next;
    int mine = __atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % THREADS;

    (void)data;
    for (int phase = 1; phase <= 20; phase++) {
        phases[mine * 16] = phase;
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < THREADS; i++)
            MUST(phases[i * 16] == phase);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

CASE(barriers)
{
    MUST(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    while (more())
        in_threads(in_phases, NULL);
}

/* The owner is killed while it holds the mutex: the next one is told, and mends the state. */
CASE(robust_mutex)
{
    struct { pthread_mutex_t lock; volatile int broken; } *shared = shared_memory(4096);
    pthread_mutexattr_t kind;

    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
    MUST(pthread_mutex_init(&shared->lock, &kind) == 0);
    while (more()) {
        pid_t child = fork();

        MUST(child >= 0);
        if (child == 0) {
            MUST(pthread_mutex_lock(&shared->lock) == 0);
            shared->broken = 1;
            kill(getpid(), SIGKILL);
            pause();
        }
        MUST(WTERMSIG(wait_for(child)) == SIGKILL);
        MUST(pthread_mutex_lock(&shared->lock) == EOWNERDEAD);
        MUST(shared->broken == 1);
        shared->broken = 0;
        MUST(pthread_mutex_consistent(&shared->lock) == 0);
        MUST(pthread_mutex_unlock(&shared->lock) == 0);
        MUST(pthread_mutex_lock(&shared->lock) == 0);
        MUST(pthread_mutex_unlock(&shared->lock) == 0);
    }
}

CASE(mutex_between_processes)
{
    struct { pthread_mutex_t lock; pthread_cond_t changed; volatile uint64_t value; } *shared = shared_memory(4096);
    pthread_mutexattr_t kind;
    pthread_condattr_t condition_kind;

    pthread_mutexattr_init(&kind);
    pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED);
    pthread_condattr_init(&condition_kind);
    pthread_condattr_setpshared(&condition_kind, PTHREAD_PROCESS_SHARED);
    MUST(pthread_mutex_init(&shared->lock, &kind) == 0);
    MUST(pthread_cond_init(&shared->changed, &condition_kind) == 0);
    while (more()) {
        pid_t child;

        shared->value = 0;
        child = fork();
        MUST(child >= 0);
        for (uint64_t i = child == 0; i < 200; i += 2) {
            pthread_mutex_lock(&shared->lock);
            while (shared->value != i)
                pthread_cond_wait(&shared->changed, &shared->lock);
            shared->value++;
            pthread_cond_broadcast(&shared->changed);
            pthread_mutex_unlock(&shared->lock);
        }
        if (child == 0)
            _exit(0);
        joined(child);
        MUST(shared->value == 200);
    }
}

static int futex(volatile uint32_t *at, int operation, uint32_t value, const struct timespec *limit)
{
    return (int)syscall(SYS_futex, at, operation, value, limit, NULL, 0);
}

CASE(futex_between_processes)
{
    volatile uint32_t *word = shared_memory(4096);

    while (more()) {
        pid_t child;

        *word = 0;
        child = fork();
        MUST(child >= 0);
        for (uint32_t i = child == 0; i < 300; i += 2) {
            uint32_t seen;

            while ((seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != i)
                futex(word, FUTEX_WAIT, seen, NULL);
            __atomic_store_n(word, i + 1, __ATOMIC_SEQ_CST);
            futex(word, FUTEX_WAKE, INT_MAX, NULL);
        }
        if (child == 0)
            _exit(0);
        joined(child);
        MUST(*word == 300);
    }
}

CASE(futex_errors)
{
    volatile uint32_t word = 5;
    struct timespec limit = { 0, 20000000 };

    while (more()) {
        uint64_t before = now_ns();

        FAILS(EAGAIN, futex(&word, FUTEX_WAIT, 4, NULL));
        FAILS(ETIMEDOUT, futex(&word, FUTEX_WAIT, 5, &limit));
        MUST(now_ns() - before >= 20000000);
        MUST(futex(&word, FUTEX_WAKE, 1, NULL) == 0);
        FAILS(EINVAL, futex((volatile uint32_t *)(uintptr_t)((uintptr_t)&word + 1), FUTEX_WAIT, 5, NULL));
    }
}

CASE(mutex_with_inheritance)
{
    pthread_mutexattr_t kind;

    pthread_mutexattr_init(&kind);
    MUST(pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT) == 0);
    MUST(pthread_mutex_init(&counter_lock, &kind) == 0);
    for (uint64_t round = 1; more(); round++) {
        in_threads(count_up, NULL);
        MUST(counter == round * THREADS * 2000);
    }
}

static sem_t slots, items;
static int ring[8], ring_in, ring_out;

static void *produce(void *data)
{
    (void)data;
    for (int i = 0; i < 500; i++) {
        sem_wait(&slots);
        ring[ring_in++ % 8] = i;
        sem_post(&items);
    }
    return NULL;
}

CASE(semaphores)
{
    MUST(sem_init(&slots, 0, 8) == 0 && sem_init(&items, 0, 0) == 0);
    while (more()) {
        pthread_t producer;

        MUST(pthread_create(&producer, NULL, produce, NULL) == 0);
        for (int i = 0; i < 500; i++) {
            sem_wait(&items);
            MUST(ring[ring_out++ % 8] == i);
            sem_post(&slots);
        }
        MUST(pthread_join(producer, NULL) == 0);
    }
}

static pthread_key_t key;
static int keys_destroyed;

static void key_gone(void *value)
{
    free(value);
    __atomic_add_fetch(&keys_destroyed, 1, __ATOMIC_SEQ_CST);
}

static void *with_key(void *data)
{
    int *value = malloc(sizeof *value);

    (void)data;
    *value = (int)syscall(SYS_gettid);
    pthread_setspecific(key, value);
    sched_yield();
    MUST(*(int *)pthread_getspecific(key) == (int)syscall(SYS_gettid));
    return NULL;
}

CASE(threads_come_and_go)
{
    MUST(pthread_key_create(&key, key_gone) == 0);
    for (int round = 1; more(); round++) {
        in_threads(with_key, NULL);
        MUST(keys_destroyed == round * THREADS);
    }
}

static void cleaned(void *data)
{
    *(volatile int *)data = 1;
}

static void *until_cancelled(void *data)
{
    pthread_cleanup_push(cleaned, data);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return NULL;
}

CASE(cancellation)
{
    while (more()) {
        volatile int clean = 0;
        pthread_t thread;
        void *result;

        MUST(pthread_create(&thread, NULL, until_cancelled, (void *)&clean) == 0);
        sleep_ms(2);
        MUST(pthread_cancel(thread) == 0);
        MUST(pthread_join(thread, &result) == 0);
        MUST(result == PTHREAD_CANCELED && clean == 1);
    }
}

static void *add_events(void *data)
{
    for (int i = 0; i < 100; i++)
        MUST(eventfd_write(*(int *)data, 3) == 0);
    return NULL;
}

CASE(eventfd_sums)
{
    while (more()) {
        int fd = eventfd(0, EFD_CLOEXEC);
        pthread_t thread;
        eventfd_t part, sum = 0;

        MUST(fd >= 0);
        MUST(pthread_create(&thread, NULL, add_events, &fd) == 0);
        while (sum < 300) {
            MUST(eventfd_read(fd, &part) == 0);
            sum += part;
        }
        MUST(sum == 300);
        MUST(pthread_join(thread, NULL) == 0);
        close(fd);
    }
}

CASE(memory_barrier)
{
    long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

    MUST(commands >= 0);
    while (more())
        if (commands & MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
            MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
            MUST(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
        }
}
