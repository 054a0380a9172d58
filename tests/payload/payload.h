/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload.h - what the payloads share: a case is a function that makes state and verifies it until it is told to stop
 *
 *     CASE(rename_over_open)
 *     {
 *         while (more())
 *             MUST(rename("new", "old") == 0);
 *     }
 *
 * A case runs in a process, session and empty folder of its own. It ends by returning; its verdict is then "ok". Whatever a
 * case prints with fact() must be the same wherever it runs, so it must not depend on how many rounds there were.
 */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CASE(name)                                                                                                     \
    static void case_##name(void);                                                                                     \
    __attribute__((constructor)) static void add_##name(void) { payload_add(#name, case_##name); }                     \
    static void case_##name(void)

/* Ends the process with a verdict if the condition is not met. */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        if (!(condition))                                                                                              \
            payload_wrong(__FILE__, __LINE__, #condition);                                                             \
    } while (0)

/* The call must return -1 with this errno. */
#define FAILS(error, call) MUST((call) == -1 && errno == (error))

/* Adds a case; underscores in its name become dashes. */
void payload_add(const char *name, void (*run)(void));

/* Prints where and why, and ends the process with status 1. */
void payload_wrong(const char *file, int line, const char *what) __attribute__((noreturn));

/* True in the first round, and then until the time is over or SIGTERM came. */
bool more(void);

/* Whether this is the first round: facts are printed then. */
bool first_round(void);

/* Prints a line that must be the same everywhere; in the first round only. */
void fact(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Seconds that the case is meant to last. */
double seconds_wanted(void);

/* CLOCK_MONOTONIC, ns. */
uint64_t now_ns(void);

void sleep_ms(unsigned ms);

/* The next of a row of numbers that looks random; the row is the same in each process that was not forked in the middle. */
uint64_t next_number(void);

/* Forks a process that calls run(data) and ends with status 0. Returns its number. */
pid_t start(void (*run)(void *), void *data);

/* Waits for a child; returns its wait status. */
int wait_for(pid_t pid);

/* Waits for a child, which must have ended with status 0. */
void joined(pid_t pid);

/* Bytes at random, and the same check for them: what fill(at, size, seed) wrote, is_filled finds. */
void fill(void *at, size_t size, uint64_t seed);
bool is_filled(const void *at, size_t size, uint64_t seed);

/* Writes a whole file; the length of text is its size. */
void write_file(const char *path, const char *text);

/* The file's contents are exactly the text. */
bool file_is(const char *path, const char *text);

/* Reads or writes all of size, whatever parts it comes in. False at an error or an early end. */
bool read_all(int fd, void *at, size_t size);
bool write_all(int fd, const void *at, size_t size);

/* The program's own path, and the folder that home's partner works in, or NULL without one. */
const char *payload_program(void);
const char *partner_folder(void);

/* partner.c: works in the folder, at home, until a file "stop" is there. */
int partner_run(const char *folder);

/* differ.c: prints what is not as at home. */
int differences_run(void);

/* exec.c: argv after "payload --helper NAME": what an executed program of a case does. */
int helper_run(int argc, char **argv);

#endif
