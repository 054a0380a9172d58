/* SPDX-License-Identifier: GPL-2.0-or-later */
/* partner.c - payloads with an opposite at home: a process there that locks, appends and changes the same files meanwhile
 *
 * The partner works in a folder until a file "stop" is there; a case finds the folder in PAYLOAD_PARTNER. Without it a case
 * starts a partner of its own, so that it can be run alone.
 */
#include "payload.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Under each kind of lock a number is added to; who adds also counts in a place of its own. */
typedef struct {
    uint64_t sum, home, job, unused;
} Sums;

static const char *const kinds[] = { "posix", "open-file", "flock" };

static int lock_kind(int fd, int kind, bool on)
{
    struct flock range = { .l_type = on ? F_WRLCK : F_UNLCK, .l_whence = SEEK_SET };

    if (kind == 2)
        return flock(fd, on ? LOCK_EX : LOCK_UN);
    return fcntl(fd, kind == 0 ? F_SETLKW : F_OFD_SETLKW, &range);
}

static bool add(int fd, int kind, bool at_home)
{
    Sums sums;

    if (lock_kind(fd, kind, true) < 0 || pread(fd, &sums, sizeof sums, 0) != sizeof sums)
        return false;
    if (sums.sum != sums.home + sums.job)
        return false;
    sums.sum++;
    *(at_home ? &sums.home : &sums.job) += 1;
    return pwrite(fd, &sums, sizeof sums, 0) == sizeof sums && lock_kind(fd, kind, false) == 0;
}

static int make(const char *name, size_t size)
{
    int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0666);

    return fd >= 0 && ftruncate(fd, (off_t)size) == 0 ? fd : -1;
}

static bool append_line(int fd, const char *who, unsigned number)
{
    char line[64];
    int length = snprintf(line, sizeof line, "%s %u\n", who, number);

    return write(fd, line, (size_t)length) == length;
}

int partner_run(const char *folder)
{
    int sums[3], log, replaced = 0, page;
    char text[64];

    umask(0);
    if (chdir(folder) < 0)
        return 2;
    for (int i = 0; i < 3; i++)
        if ((sums[i] = make(kinds[i], sizeof(Sums))) < 0)
            return 2;
    log = open("log", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0666);
    page = make("page", 4096);
    if (log < 0 || page < 0)
        return 2;
    while (access("stop", F_OK) < 0) {
        for (int i = 0; i < 3; i++)
            if (!add(sums[i], i, true))
                return 1;
        if (!append_line(log, "home", (unsigned)replaced))
            return 1;
        snprintf(text, sizeof text, "replaced %d\n", ++replaced);
        write_file("replaced.new", text);
        if (rename("replaced.new", "replaced") < 0 || pwrite(page, &replaced, sizeof replaced, 0) != sizeof replaced)
            return 1;
        if (replaced == 1)
            write_file("ready", "");
        sleep_ms(20);
    }
    return 0;
}

static pid_t own_partner;

/* Goes to the partner's folder; starts one if there is none. */
static void meet_partner(void)
{
    const char *folder = partner_folder();

    if (!folder) {
        MUST(mkdir("partner", 0777) == 0);
        folder = "partner";
        own_partner = fork();
        if (own_partner == 0)
            _exit(partner_run("partner"));
    }
    MUST(chdir(folder) == 0);
    while (access("ready", F_OK) < 0)
        sleep_ms(20);
}

static void leave_partner(void)
{
    if (!own_partner)
        return;
    write_file("stop", "");
    joined(own_partner);
}

static void add_with_home(int kind)
{
    Sums sums;
    uint64_t mine = 0;
    int fd;

    meet_partner();
    fd = open(kinds[kind], O_RDWR);
    MUST(fd >= 0);
    while (more()) {
        MUST(add(fd, kind, false));
        mine++;
    }
    MUST(lock_kind(fd, kind, true) == 0 && pread(fd, &sums, sizeof sums, 0) == sizeof sums);
    MUST(sums.job == mine && sums.sum == sums.home + mine && sums.home > 0);
    MUST(lock_kind(fd, kind, false) == 0);
    leave_partner();
}

CASE(home_and_job_lock_posix)
{
    add_with_home(0);
}

CASE(home_and_job_lock_open_file)
{
    add_with_home(1);
}

CASE(home_and_job_flock)
{
    add_with_home(2);
}

/* Both append to one file: every line of both is there once, whole, in its writer's order. */
CASE(home_and_job_append)
{
    unsigned mine = 0, number, next_home = 0, next_job = 0;
    char who[16];
    FILE *file;
    int fd;

    meet_partner();
    fd = open("log", O_WRONLY | O_APPEND);
    MUST(fd >= 0);
    while (more())
        MUST(append_line(fd, "job", mine++));
    sleep_ms(60);
    file = fopen("log", "r");
    MUST(file != NULL);
    for (int fields; (fields = fscanf(file, "%15s %u", who, &number)) == 2;)
        MUST(strcmp(who, "job") == 0 ? number == next_job++ : strcmp(who, "home") == 0 && number == next_home++);
    MUST(next_job == mine && next_home > 0);
    fclose(file);
    leave_partner();
}

/* A file that home replaces is whole and never older at each open. */
CASE(home_replaces)
{
    int last = 0;

    meet_partner();
    while (more()) {
        int number = 0, end = 0;
        FILE *file;

        MUST((file = fopen("replaced", "r")) != NULL);
        MUST(fscanf(file, "replaced %d\n%n", &number, &end) == 1 && end > 0 && fgetc(file) == EOF);
        MUST(number >= last);
        last = number;
        fclose(file);
    }
    MUST(last > 1);
    leave_partner();
}

/* What home writes into a file that is mapped is there at the latest when it is opened again. */
CASE(home_changes_mapped)
{
    int last = 0, seen = 0;

    meet_partner();
    while (more()) {
        int fd = open("page", O_RDONLY), now;
        volatile int *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

        MUST(fd >= 0 && at != MAP_FAILED);
        now = *at;
        MUST(now >= last);
        seen += now > last;
        last = now;
        MUST(munmap((void *)(uintptr_t)at, 4096) == 0 && close(fd) == 0);
        sleep_ms(20);
    }
    MUST(seen > 2);
    leave_partner();
}
