/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.c - what dialling and listening have in common: lines, sockets, limits */
#include "tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "common/error.h"
#include "tls-identity.h"

enum { PLAIN_BUFFER = 1024 * 1024 };

/* After how long without a sign of life a connection is given up. Bulk may be kept waiting longer
 * by a destination that does not read, and a full window counts as no sign. */
enum { DEAD_MS = 10000, DEAD_BULK_MS = 30000 };

void tls_block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
}

void tls_tune(int fd)
{
    static const int on = 1, idle = 4, interval = 2, count = 3;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

/* What may be under way between the sender of a guest's memory and who takes it. The guest is
 * stopped when all of its memory has been *sent*; so it stands still until what lies in buffers has
 * been taken, and Linux, left alone, makes them as large as most of a small guest. A network with a
 * round trip above NEAR_US needs them: it is left alone. */
enum { STREAM_BUFFER = 128 * 1024, NEAR_US = 1000 };

static gboolean is_stream(const char *purpose)
{
    return g_str_equal(purpose, "migration");
}

static void set_buffers(int fd, int size)
{
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

static gboolean is_near(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_rtt <= NEAR_US;
}

void tls_tune_for_purpose(int fd, const char *purpose)
{
    gboolean bulk = !g_str_equal(purpose, "call") && !g_str_equal(purpose, "link");
    unsigned int dead = bulk ? DEAD_BULK_MS : DEAD_MS;

    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
    if (is_stream(purpose) && is_near(fd))
        set_buffers(fd, STREAM_BUFFER);
}

void tls_tune_plain(int fd, const char *purpose)
{
    set_buffers(fd, is_stream(purpose) ? STREAM_BUFFER : PLAIN_BUFFER);
}

gboolean tls_plain_pair(int pair[2], GError **error)
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot make a socket pair: %s",
                    g_strerror(errno));
        return FALSE;
    }
    set_buffers(pair[0], PLAIN_BUFFER);
    set_buffers(pair[1], PLAIN_BUFFER);
    return TRUE;
}

Json *tls_preamble_parse(const char *line, gsize length, GError **error)
{
    g_autoptr(Json) preamble = NULL;

    if (length >= TLS_PREAMBLE_MAX) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "the preamble is too long");
        return NULL;
    }
    preamble = json_parse(line, length, error);
    if (!preamble)
        return NULL;
    if (!json_is_object(preamble) || !json_get_string(preamble, "purpose", NULL)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "the preamble has no purpose");
        return NULL;
    }
    return g_steal_pointer(&preamble);
}

gboolean tls_answer_check(const char *line, gsize length, const char *node, GError **error)
{
    g_autoptr(Json) answer = json_parse(line, length, error);

    if (!answer) {
        g_prefix_error(error, "%s gave no proper answer: ", node);
        return FALSE;
    }
    if (!json_is_object(answer) ||
        (json_has(answer, "error") && !json_get_string(answer, "error", NULL))) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "%s gave no proper answer", node);
        return FALSE;
    }
    if (json_has(answer, "error")) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "%s refused: %s", node,
                    json_get_string(answer, "error", ""));
        return FALSE;
    }
    return TRUE;
}
