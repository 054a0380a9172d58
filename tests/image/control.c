/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - an init that serves the control files of its own processes, and uses them as programs do
 *
 * It holds /dev/pms; its children read and write /proc/PID/... and tell by their exit status how that ended. Results are
 * TAP on the console.
 */
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER 1000
#define CALLS_MAX 32
#define UNANSWERED 200      /* exit status of a child that saw what it should not */

struct request {
    struct {
        uint64_t id;
        uint16_t order, size;
        char file[20];
    } head;
    char text[300];
};

static int device = -1;

static bool readable(int timeout_ms) {
    struct pollfd fd = {.fd = device, .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1 && fd.revents & POLLIN;
}

/* The next request, its text terminated; id 0: none within a second. */
static struct request take(void) {
    struct request request = {0};

    if (readable(1000) && read(device, &request, sizeof request - 1) >= (ssize_t)sizeof request.head)
        return request;
    memset(&request, 0, sizeof request);
    return request;
}

static bool give(uint64_t id, int error, const char *text) {
    struct {
        uint64_t id;
        int32_t error;
        uint32_t padding;
        char text[300];
    } answer = {id, error, 0, ""};
    size_t size = 16 + strlen(text);

    memcpy(answer.text, text, strlen(text));
    return write(device, &answer, size) == (ssize_t)size;
}

static bool is(const struct request *request, int order, const char *file, const char *text) {
    return request->head.id && request->head.order == order && !strcmp(request->head.file, file) &&
           request->head.size == strlen(text) && !memcmp(request->text, text, strlen(text));
}

/* Children */

static pid_t child(void) {
    fflush(stdout);
    pid_t pid = fork();

    if (pid == 0 && device >= 0)
        close(device);
    return pid;
}

static int status_of(pid_t pid) {
    int status = 0;

    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* errno of writing text to a file, 0: it went well. */
static int try_write(const char *file, const char *text, size_t size) {
    int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC), error = 0;

    if (fd < 0)
        return errno;
    if (write(fd, text, size) != (ssize_t)size)
        error = errno ?: UNANSWERED;
    close(fd);
    return error;
}

static pid_t writer(const char *file, const char *text) {
    pid_t pid = child();

    if (pid == 0)
        _exit(try_write(file, text, strlen(text)));
    return pid;
}

/* 0: the file says text; else errno. */
static pid_t reader(const char *file, const char *text) {
    char buffer[300] = "";
    pid_t pid = child();

    if (pid)
        return pid;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, buffer, sizeof buffer - 1);
    if (size < 0)
        _exit(errno);
    /* all of it came at once; an empty file would be asked for anew */
    _exit(strcmp(buffer, text) || (size && read(fd, buffer, 10)) ? UNANSWERED : 0);
}

static int as_user(const char *file) {
    pid_t pid = child();

    if (pid == 0)
        _exit(setuid(USER) ? UNANSWERED : try_write(file, "node2", 5));
    return status_of(pid);
}

/* Tests */

static void test_unserved(void) {
    ok(status_of(reader("/proc/self/where", "")) == ENODEV, "without a server reading is ENODEV");
    device = open("/dev/pms", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ok(device >= 0, "the device is there");
    ok(open("/dev/pms", O_RDWR) < 0 && errno == EBUSY, "and has one server");
}

static bool has_mode(const char *file, mode_t mode) {
    struct stat status;

    return !stat(file, &status) && status.st_mode == (S_IFREG | mode);
}

static void test_files(void) {
    int entries = 0;
    DIR *folder = opendir("/proc/self/pms");

    for (struct dirent *entry; folder && (entry = readdir(folder));)
        entries += !strcmp(entry->d_name, "where") || !strcmp(entry->d_name, "stay");
    ok(entries == 2, "/proc/PID/pms has where and stay");
    ok(has_mode("/proc/self/pms/where", 0644) && has_mode("/proc/self/pms/stay", 0444) && has_mode("/proc/self/where", 0444) &&
           has_mode("/proc/self/goto", 0200) && has_mode("/proc/self/nmigs", 0444) && has_mode("/proc/self/lock", 0644) &&
           has_mode("/proc/self/cantmove", 0444) && has_mode("/proc/self/home", 0444),
       "the files have their modes");
    ok(!readable(0), "looking at them asks nothing");
}

static void test_read(void) {
    static const char *const files[] = {"pms/where", "pms/stay", "where", "nmigs", "lock", "cantmove", "home"};
    bool good = true;

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[64], text[64];

        snprintf(path, sizeof path, "/proc/self/%s", files[i]);
        snprintf(text, sizeof text, "this is %s\n", files[i]);
        pid_t pid = reader(path, text);
        struct request request = take();
        good = good && is(&request, 0, files[i], "") && give(request.head.id, 0, text) && status_of(pid) == 0;
    }
    ok(good, "each file is asked for by name, and says the answer");
    pid_t pid = reader("/proc/self/where", "");
    struct request request = take();
    ok(give(request.head.id, EAGAIN, "") && status_of(pid) == EAGAIN, "an answer may be an error");
    pid = reader("/proc/self/where", "");
    request = take();
    ok(give(request.head.id, 0, "") && status_of(pid) == 0, "or empty");
}

static void test_write(void) {
    static const int errors[] = {0, EINVAL, EPERM, EBUSY, EAGAIN};
    bool good = true;

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        pid_t pid = writer(i % 2 ? "/proc/self/goto" : "/proc/self/pms/where", " node2\n");
        struct request request = take();

        good = good && is(&request, 1, i % 2 ? "goto" : "pms/where", "node2");
        usleep(20000);
        good = good && waitpid(pid, NULL, WNOHANG) == 0;
        good = good && give(request.head.id, errors[i], "") && status_of(pid) == errors[i];
    }
    ok(good, "an order waits for its answer and returns it");
    ok(try_write("/proc/self/goto", "", 0) == EINVAL && try_write("/proc/self/goto", "\n", 1) == EINVAL &&
           try_write("/proc/self/goto", "a\0b", 3) == EINVAL,
       "nothing, or a zero in it, is no order");
    static char much[300];
    memset(much, 'a', sizeof much);
    ok(try_write("/proc/self/goto", much, sizeof much) == EINVAL && !readable(0), "nor is too much");
    ok(!give(12345, 0, "") && errno == ENOENT, "an answer to nothing is refused");
}

static void test_rights(void) {
    char path[40];
    pid_t pid = child();

    if (pid == 0) {
        if (setuid(USER))
            _exit(UNANSWERED);
        snprintf(path, sizeof path, "/proc/%d/goto", (int)getpid());
        _exit(try_write(path, "node2", 5));
    }
    struct request request = take();
    ok(is(&request, 1, "goto", "node2") && give(request.head.id, 0, "") && status_of(pid) == 0, "a user may order for itself");
    ok(as_user("/proc/1/goto") == EPERM && as_user("/proc/1/pms/where") == EPERM && as_user("/proc/1/lock") == EPERM,
       "for another's process EPERM");
    ok(as_user("/proc/self/nmigs") == EACCES && try_write("/proc/self/nmigs", "1", 1) == EACCES,
       "what cannot be written is EACCES, for root too");
    ok(!readable(0), "and home is not asked");

    pid_t target = child();
    if (target == 0) {
        if (setuid(USER))
            _exit(UNANSWERED);
        pause();
        _exit(0);
    }
    usleep(100000);
    snprintf(path, sizeof path, "/proc/%d/goto", (int)target);
    pid = writer(path, "node3");
    request = take();
    ok(is(&request, 1, "goto", "node3") && give(request.head.id, 0, "") && status_of(pid) == 0, "root may order for all");
    /* opened by a user, written to by root: it is the opener that counts */
    pid = child();
    if (pid == 0) {
        if (seteuid(USER))
            _exit(UNANSWERED);
        int fd = open("/proc/1/goto", O_WRONLY);
        _exit(fd < 0 ? errno : 0);
    }
    ok(status_of(pid) == EPERM, "who gave up being root may not");
    kill(target, SIGKILL);
    waitpid(target, NULL, 0);
}

static void on_alarm(int sig) {
    (void)sig;
}

static void test_interrupted(void) {
    pid_t pid = child();

    if (pid == 0) {
        sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
        alarm(1);
        _exit(try_write("/proc/self/goto", "node2", 5));
    }
    struct request request = take();
    ok(is(&request, 1, "goto", "node2") && status_of(pid) == EINTR, "an order that is under way can be left");
    ok(give(request.head.id, 0, ""), "its answer is taken all the same");
    pid = writer("/proc/self/goto", "node2");
    bool waits = readable(1000);
    kill(pid, SIGKILL);
    ok(waits && status_of(pid) == 256 + SIGKILL && !readable(0), "one that nobody has read is taken back");
}

static void test_many(void) {
    pid_t pids[CALLS_MAX];

    for (int i = 0; i < CALLS_MAX; i++)
        pids[i] = reader("/proc/self/where", "many\n");
    usleep(300000);
    ok(status_of(reader("/proc/self/where", "")) == EAGAIN, "there are never more than 32");
    bool good = true;
    for (int i = 0; i < CALLS_MAX; i++) {
        struct request request = take();
        good = good && give(request.head.id, 0, "many\n");
    }
    for (int i = 0; i < CALLS_MAX; i++)
        good = good && status_of(pids[i]) == 0;
    ok(good && !readable(0), "each is answered");
}

static void test_end(void) {
    pid_t one = reader("/proc/self/where", ""), two = writer("/proc/self/goto", "node2");

    take();
    usleep(100000);
    close(device);
    device = -1;
    ok(status_of(one) == EIO && status_of(two) == EIO, "without the server they fail");
}

int main(void) {
    tap_begin();
    test_unserved();
    if (device >= 0) {
        test_files();
        test_read();
        test_write();
        test_rights();
        test_interrupted();
        test_many();
        test_end();
    }
    tap_end();
}
