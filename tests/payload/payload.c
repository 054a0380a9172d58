/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload.c - runs the cases: one, or all in parallel, each with a verdict
 *
 *     payload --list                       the names of the cases
 *     payload CASE                         one case, in this folder
 *     payload --suite FOLDER K [CASE]...   these cases (or all), K at a time, each in a folder of its own below FOLDER
 *     payload --differences                what a job may see that is not as at home (docs/transparency.md)
 *     payload --partner FOLDER             what some cases have as their opposite at home
 *
 * PAYLOAD_SECONDS (default 3) is how long a case lasts, PAYLOAD_LIMIT how long it may take before it is said to hang.
 * PAYLOAD_SCRIPTS is a folder of executable cases in other languages: *.sh, *.py. Exit status 0: every verdict is ok.
 */
#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CASES 400

typedef struct {
    char name[64];
    void (*run)(void);          /* NULL: a script */
    char script[1024];
    pid_t pid;                  /* 0: not started, -1: over */
    int output, status;
    uint64_t began;
    bool hung;
} Case;

static Case cases[MAX_CASES];
static int count;
static const char *running = "payload";
static uint64_t began;
static unsigned rounds;
static volatile sig_atomic_t told_to_stop;
static uint64_t random_state = 88172645463325252u;
static char program_path[4096];

void payload_add(const char *name, void (*run)(void))
{
    Case *new = &cases[count++];

    snprintf(new->name, sizeof new->name, "%s", name);
    for (char *at = new->name; *at; at++)
        if (*at == '_')
            *at = '-';
    new->run = run;
}

void payload_wrong(const char *file, int line, const char *what)
{
    int error = errno;
    const char *slash = strrchr(file, '/');

    dprintf(1, "%s: WRONG at %s:%d: %s (errno %s, round %u)\n", running, slash ? slash + 1 : file, line, what,
            error ? strerrorname_np(error) : "0", rounds);
    _exit(1);
}

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void sleep_ms(unsigned ms)
{
    struct timespec time = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&time, &time) < 0 && errno == EINTR)
        ;
}

double seconds_wanted(void)
{
    const char *word = getenv("PAYLOAD_SECONDS");

    return word ? atof(word) : 3;
}

bool more(void)
{
    if (rounds++ == 0)
        return true;
    sleep_ms(5);        /* many share one processor */
    return !told_to_stop && (double)(now_ns() - began) < seconds_wanted() * 1e9;
}

bool first_round(void)
{
    return rounds <= 1;
}

void fact(const char *format, ...)
{
    char line[4096];
    va_list arguments;

    if (!first_round())
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    dprintf(1, "%s: %s\n", running, line);
}

uint64_t next_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

pid_t start(void (*run)(void *), void *data)
{
    pid_t pid = fork();

    MUST(pid >= 0);
    if (pid == 0) {
        run(data);
        _exit(0);
    }
    return pid;
}

int wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            payload_wrong(__FILE__, __LINE__, "waitpid");
    return status;
}

void joined(pid_t pid)
{
    int status = wait_for(pid);

    MUST(status == 0);
}

static uint64_t mixed(uint64_t word)
{
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
    word = (word ^ word >> 27) * 0x94d049bb133111ebu;
    return word ^ word >> 31;
}

void fill(void *at, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = mixed(seed + i);

        memcpy((char *)at + i, &word, size - i < 8 ? size - i : 8);
    }
}

bool is_filled(const void *at, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = mixed(seed + i);

        if (memcmp((const char *)at + i, &word, size - i < 8 ? size - i : 8) != 0)
            return false;
    }
    return true;
}

bool write_all(int fd, const void *at, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t part = write(fd, (const char *)at + done, size - done);

        if (part < 0 && errno != EINTR)
            return false;
        done += part > 0 ? (size_t)part : 0;
    }
    return true;
}

bool read_all(int fd, void *at, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t part = read(fd, (char *)at + done, size - done);

        if (part == 0 || (part < 0 && errno != EINTR))
            return false;
        done += part > 0 ? (size_t)part : 0;
    }
    return true;
}

void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    MUST(fd >= 0);
    MUST(write_all(fd, text, strlen(text)));
    MUST(close(fd) == 0);
}

bool file_is(const char *path, const char *text)
{
    size_t size = strlen(text);
    char *found = malloc(size + 2);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, found, size + 1);
    bool same = got == (ssize_t)size && memcmp(found, text, size) == 0;

    if (fd >= 0)
        close(fd);
    free(found);
    return same;
}

const char *payload_program(void)
{
    return program_path;
}

const char *partner_folder(void)
{
    return getenv("PAYLOAD_PARTNER");
}

static void on_term(int sig)
{
    (void)sig;
    told_to_stop = 1;
}

static int run_case(const Case *one)
{
    running = one->name;
    if (one->run) {
        signal(SIGTERM, on_term);
        began = now_ns();
        one->run();
        dprintf(1, "%s: ok\n", running);
        return 0;
    }
    execl(one->script, one->script, NULL);
    payload_wrong(__FILE__, __LINE__, "a script cannot be executed");
}

static void case_start(Case *one, const char *folder)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, one->name);
    one->output = memfd_create(one->name, MFD_CLOEXEC);
    one->began = now_ns();
    one->pid = fork();
    if (one->pid != 0)
        return;
    running = one->name;
    MUST(setsid() > 0);
    MUST(mkdir(path, 0755) == 0);
    MUST(chdir(path) == 0);
    MUST(dup2(one->output, 1) == 1);
    MUST(dup2(one->output, 2) == 2);
    MUST(close_range(3, ~0u, 0) == 0);
    exit(run_case(one));
}

/* What is known of a process that does not end. */
static void case_explain(const Case *one)
{
    static const char *const files[] = { "wchan", "syscall", "stat" };
    char path[64], text[300];

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        int fd;
        ssize_t got;

        snprintf(path, sizeof path, "/proc/%d/%s", one->pid, files[i]);
        fd = open(path, O_RDONLY);
        got = fd < 0 ? -1 : read(fd, text, sizeof text);
        if (got > 0)
            fprintf(stderr, "# %s: %s: %.*s\n", one->name, files[i], (int)got, text);
        if (fd >= 0)
            close(fd);
    }
}

static void case_over(Case *one, int status)
{
    one->status = status;
    kill(-one->pid, SIGKILL);
    one->pid = -1;
    if (getenv("PAYLOAD_VERBOSE"))
        fprintf(stderr, "# %s: %.1f s\n", one->name, (double)(now_ns() - one->began) / 1e9);
}

static bool case_print(const Case *one)
{
    char text[65536];
    off_t at = 0;
    ssize_t got;

    while ((got = pread(one->output, text, sizeof text, at)) > 0) {
        fwrite(text, 1, (size_t)got, stdout);
        at += got;
    }
    if (one->hung)
        printf("%s: HANGS\n", one->name);
    else if (one->status)
        printf("%s: ended with wait status %#x\n", one->name, (unsigned)one->status);
    return !one->hung && !one->status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const Case *)a)->name, ((const Case *)b)->name);
}

static void add_scripts(const char *folder)
{
    DIR *open_folder = folder ? opendir(folder) : NULL;
    const struct dirent *entry;

    while (open_folder && (entry = readdir(open_folder))) {
        const char *dot = strrchr(entry->d_name, '.');

        if (!dot || (strcmp(dot, ".sh") != 0 && strcmp(dot, ".py") != 0) || strcmp(entry->d_name, "lib.py") == 0)
            continue;
        if (count == MAX_CASES)
            break;
        snprintf(cases[count].name, sizeof cases[count].name, "%.60s", entry->d_name);
        snprintf(cases[count].script, sizeof cases[count].script, "%.700s/%.255s", folder, entry->d_name);
        count++;
    }
    if (open_folder)
        closedir(open_folder);
}

static bool wanted(const Case *one, char **names)
{
    if (!*names)
        return true;
    for (; *names; names++)
        if (strcmp(*names, one->name) == 0)
            return true;
    return false;
}

/* Ends those that take too long; collects who has ended. How many still run. */
static int suite_collect(uint64_t limit_ns)
{
    int left = 0, status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < count; i++)
            if (cases[i].pid == pid)
                case_over(&cases[i], status);
    for (int i = 0; i < count; i++) {
        if (cases[i].pid <= 0)
            continue;
        left++;
        if (!cases[i].hung && now_ns() - cases[i].began > limit_ns) {
            cases[i].hung = true;
            case_explain(&cases[i]);
            kill(-cases[i].pid, SIGKILL);
        }
    }
    return left;
}

static int suite(const char *folder, int parallel, char **names)
{
    const char *limit = getenv("PAYLOAD_LIMIT");
    uint64_t limit_ns = (uint64_t)((limit ? atof(limit) : seconds_wanted() * 10 + 400) * 1e9);
    int next = 0, good = 0, all = 0;

    for (;;) {
        int left = suite_collect(limit_ns);

        while (next < count && !wanted(&cases[next], names))
            next++;
        if (next == count && left == 0)
            break;
        if (next < count && left < parallel)
            case_start(&cases[next++], folder);
        else
            sleep_ms(20);
    }
    for (int i = 0; i < count; i++)
        if (cases[i].pid == -1) {
            all++;
            good += case_print(&cases[i]);
        }
    printf("verdict: %d of %d ok\n", good, all);
    return good == all && all > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    ssize_t length = readlink("/proc/self/exe", program_path, sizeof program_path - 1);

    program_path[length > 0 ? length : 0] = 0;
    add_scripts(getenv("PAYLOAD_SCRIPTS"));
    qsort(cases, (size_t)count, sizeof cases[0], by_name);
    if (argc > 2 && strcmp(argv[1], "--helper") == 0)
        return helper_run(argc - 2, argv + 2);
    if (argc == 3 && strcmp(argv[1], "--partner") == 0)
        return partner_run(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--differences") == 0)
        return differences_run();
    if (argc > 3 && strcmp(argv[1], "--suite") == 0)
        return suite(argv[2], atoi(argv[3]), argv + 4);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (int i = 0; i < count; i++)
            puts(cases[i].name);
        return 0;
    }
    for (int i = 0; argc == 2 && i < count; i++)
        if (strcmp(cases[i].name, argv[1]) == 0)
            return run_case(&cases[i]);
    fprintf(stderr, "usage: payload --list | CASE | --suite FOLDER K [CASE]... | --partner FOLDER\n");
    return 2;
}
