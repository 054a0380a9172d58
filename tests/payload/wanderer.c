/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wanderer.c - moves itself from node to node through its control files, and checks what they say
 *
 * usage: wanderer HOME AVOIDED NODE...
 * Its job must not go to AVOIDED (--avoid). It visits each NODE, some by name and some by the number that is the node's
 * place in the list, and comes home; then it meets each error. Ends with "verdict ok" or a sentence.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what, const char *detail)
{
    printf("verdict wrong: %s: %s\n", what, detail);
    exit(1);
}

static const char *path_of(const char *file)
{
    static char path[64];

    snprintf(path, sizeof path, "/proc/self/%s", file);
    return path;
}

/* Writes a text and returns errno, 0 if it went well. */
static int order(const char *file, const char *text)
{
    int fd = open(path_of(file), O_WRONLY | O_CLOEXEC), error = 0;

    if (fd < 0)
        return errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        error = errno;
    close(fd);
    return error;
}

static const char *text_of(const char *file)
{
    static char text[4096];
    int fd = open(path_of(file), O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (size < 0)
        fail(file, strerror(errno));
    text[size] = 0;
    text[strcspn(text, "\n")] = 0;
    close(fd);
    return text;
}

static void expect(const char *file, const char *wanted)
{
    const char *text = text_of(file);

    if (strcmp(text, wanted) != 0) {
        fprintf(stderr, "%s says \"%s\", not \"%s\"\n", file, text, wanted);
        fail(file, wanted);
    }
}

static void expect_error(const char *file, const char *text, int wanted)
{
    int error = order(file, text);

    if (error != wanted) {
        fprintf(stderr, "writing \"%s\" to %s: %s, not %s\n", text, file, strerror(error), strerror(wanted));
        fail(file, text);
    }
    printf("%s > %s: %s\n", text, file, strerror(error));
}

static int moves;

static void visit(const char *file, const char *order_text, const char *where)
{
    char count[12];

    expect_error(file, order_text, 0);
    snprintf(count, sizeof count, "%d", ++moves);
    expect("where", where);
    expect("pms/where", where);
    expect("nmigs", count);
}

static void journey(const char *home, char **nodes)
{
    char number[12];

    expect("where", "home");
    expect("pms/where", "home");
    expect("nmigs", "0");
    expect("home", home);
    expect("lock", "0");
    expect("cantmove", "");
    expect("pms/stay", "");
    for (int i = 0; nodes[i]; i++) {
        snprintf(number, sizeof number, "%d", i + 2);   /* home is the first */
        visit(i % 2 ? "goto" : "pms/where", i % 2 ? nodes[i] : number, nodes[i]);
        expect("home", home);
    }
    visit("pms/where", "home", "home");
    visit("goto", nodes[0], nodes[0]);
    visit("goto", "0", "home");
    expect_error("goto", "home", 0);    /* it is there: nothing is done, and that is well */
    snprintf(number, sizeof number, "%d", moves);
    expect("nmigs", number);
}

static void errors(const char *avoided, const char *node)
{
    expect_error("goto", "no-such-node", EINVAL);
    expect_error("goto", "77", EINVAL);
    expect_error("pms/where", " \n", EINVAL);
    expect_error("lock", "2", EINVAL);
    expect_error("goto", avoided, EPERM);
    expect_error("nmigs", "1", EACCES);
    expect_error("lock", "1", 0);
    expect("lock", "1");
    expect_error("goto", node, EBUSY);
    if (!strstr(text_of("cantmove"), "locked"))
        fail("cantmove", "says nothing of the lock");
    if (!strstr(text_of("pms/stay"), "locked"))
        fail("pms/stay", "says nothing of the lock");
    expect_error("lock", "0", 0);
    expect("cantmove", "");
}

/* Two processes order at once: the one that comes second is told so. The child's file moves the parent, too. */
static void both(const char *node)
{
    int status = 0, error;
    pid_t pid = fork();

    if (pid == 0)
        _exit(order("goto", node));
    usleep(50000);
    error = order("goto", node);
    waitpid(pid, &status, 0);
    status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (!((error == EAGAIN && status == 0) || (error == 0 && status == EAGAIN))) {
        fprintf(stderr, "of two orders one ended with \"%s\", the other with \"%s\"\n", strerror(error), strerror(status));
        fail("goto", "two at once");
    }
    moves++;
    expect("where", node);
    printf("two at once: %s\n", strerror(EAGAIN));
}

static void on_alarm(int sig)
{
}

/* An order can be left; the journey goes on, and is over when pms/where says no more that it is under way. */
static void leave(const char *home_word)
{
    struct sigaction action = { .sa_handler = on_alarm };

    sigaction(SIGALRM, &action, NULL);
    ualarm(50000, 0);
    expect_error("goto", home_word, EINTR);
    for (int i = 0; i < 600 && strcmp(text_of("pms/where"), "home") != 0; i++)
        usleep(100000);
    moves++;
    expect("where", "home");
}

int main(int argc, char **argv)
{
    char count[12];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 4)
        return 2;
    journey(argv[1], argv + 3);
    errors(argv[2], argv[3]);
    both(argv[3]);
    leave("home");
    snprintf(count, sizeof count, "%d", moves);
    expect("nmigs", count);
    printf("verdict ok, %d moves\n", moves);
    return 0;
}
