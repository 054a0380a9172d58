/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-dial.c - a connection to another node, made and carried by a thread of its own
 *
 * The main context sees only the result: the plain descriptor, or a sentence.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "tls-identity.h"

typedef struct {
    TlsIdentity *identity;
    TlsCredentials *credentials;
    char *address;
    guint port;
    char *expected;
    char *subject; /* who, in sentences */
    char *preamble;
    char *purpose;
    gint64 deadline;
    pthread_mutex_t mutex; /* for what comes below: the result */
    int fd;
    char *node;
} Dial;

static void dial_free(gpointer data)
{
    Dial *dial = data;

    pthread_mutex_lock(&dial->mutex); /* what the other thread did before is done */
    pthread_mutex_unlock(&dial->mutex);
    tls_identity_unref(dial->identity);
    tls_credentials_unref(dial->credentials);
    g_free(dial->address);
    g_free(dial->expected);
    g_free(dial->subject);
    g_free(dial->preamble);
    g_free(dial->purpose);
    g_free(dial->node);
    if (dial->fd >= 0)
        close(dial->fd);
    pthread_mutex_destroy(&dial->mutex);
    g_free(dial);
}

/* The thread's last act on dial: hands over the plain end (-1: error, taken over). */
static void dial_return(GTask *task, int fd, const char *node, GError *error)
{
    Dial *dial = g_task_get_task_data(task);

    g_prefix_error(&error, "cannot connect to %s: ", dial->subject);
    pthread_mutex_lock(&dial->mutex);
    dial->fd = fd;
    dial->node = g_strdup(node);
    pthread_mutex_unlock(&dial->mutex);
    if (error)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
}

/* Connects to one address; the socket, or -1 with errno. */
static int connect_to(const struct addrinfo *to, gint64 deadline)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    gint64 left = deadline - g_get_monotonic_time();
    socklen_t length = sizeof errno;
    int reason = 0;

    if (fd < 0)
        return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
        reason = errno;
        if (reason == EINPROGRESS && left > 0 && poll(&waiting, 1, left / 1000 + 1) == 1)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length);
        else if (reason == EINPROGRESS)
            reason = ETIMEDOUT;
    }
    if (reason == 0)
        return fd;
    close(fd);
    errno = reason;
    return -1;
}

static int connect_any(Dial *dial, GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    g_autofree char *port = g_strdup_printf("%u", dial->port);
    int code = getaddrinfo(dial->address, port, &hints, &found);
    int fd = -1;

    if (code != 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "its address cannot be resolved: %s",
                    gai_strerror(code));
        return -1;
    }
    for (struct addrinfo *to = found; to && fd < 0; to = to->ai_next)
        fd = connect_to(to, dial->deadline);
    if (fd < 0)
        g_set_error(error, SJ_ERROR,
                    errno == ETIMEDOUT      ? SJ_ERROR_TIMEOUT
                    : errno == ECONNREFUSED ? SJ_ERROR_DOWN
                                            : SJ_ERROR_GONE,
                    "%s", g_strerror(errno));
    freeaddrinfo(found);
    return fd;
}

/* The other end is who it should be. */
static gboolean check_peer(Dial *dial, TlsConnection *connection, GError **error)
{
    const char *peer = tls_connection_peer(connection);

    if (!dial->expected || g_str_equal(peer, dial->expected))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_DENIED, "the node there is '%s'", peer);
    return FALSE;
}

/* From nothing to a connection whose preamble has been accepted. */
static TlsConnection *dial_connect(Dial *dial, int *ret_socket, GError **error)
{
    g_autoptr(TlsConnection) connection = NULL;
    g_autofree char *line = NULL;
    gsize length;

    *ret_socket = connect_any(dial, error);
    if (*ret_socket < 0)
        return NULL;
    tls_tune(*ret_socket);
    tls_tune_for_purpose(*ret_socket, dial->purpose);
    connection = tls_connection_new(*ret_socket, dial->credentials, FALSE);
    if (!tls_connection_handshake(connection, dial->deadline, error) ||
        !check_peer(dial, connection, error) ||
        !tls_connection_write_line(connection, dial->preamble, dial->deadline, error))
        return NULL;
    line = tls_connection_read_line(connection, TLS_PREAMBLE_MAX, dial->deadline, &length, error);
    if (!line || !tls_answer_check(line, length, "it", error))
        return NULL;
    return g_steal_pointer(&connection);
}

static gpointer dial_thread(gpointer data)
{
    g_autoptr(GTask) task = data;
    Dial *dial = g_task_get_task_data(task);
    g_autoptr(TlsIdentity) identity = tls_identity_ref(dial->identity);
    g_autoptr(TlsConnection) connection = NULL;
    TlsEntry *entry = NULL;
    GError *error = NULL;
    int socket, pair[2];

    tls_block_signals();
    connection = dial_connect(dial, &socket, &error);
    if (connection && tls_plain_pair(pair, &error)) {
        entry = tls_identity_enter(identity, tls_connection_peer(connection), dial->purpose,
                                   socket);
        if (!entry) {
            g_set_error(&error, SJ_ERROR, SJ_ERROR_BUSY, "there are %d connections with it",
                        TLS_PEER_MAX);
            close(pair[0]);
            close(pair[1]);
        }
    }
    if (!entry) {
        dial_return(task, -1, NULL, error);
        return NULL;
    }
    tls_tune_plain(pair[0], dial->purpose);
    tls_tune_plain(pair[1], dial->purpose);
    dial_return(task, pair[0], tls_connection_peer(connection), NULL);
    g_clear_object(&task);
    tls_connection_pump(connection, pair[1], tls_entry_counter(entry));
    tls_identity_leave(identity, entry);
    return NULL;
}

/* Who is dialled, for sentences. */
static char *subject_of(const char *node, const char *address, guint port)
{
    return node ? g_strdup_printf("node '%s' (%s port %u)", node, address, port)
                : g_strdup_printf("%s port %u", address, port);
}

void tls_dial(TlsIdentity *identity, const char *address, guint port, const char *expected_node,
              Json *preamble, guint timeout_ms, GAsyncReadyCallback done, gpointer user)
{
    GTask *task = g_task_new(NULL, NULL, done, user);
    Dial *dial = g_new0(Dial, 1);
    GError *error = NULL;
    GThread *thread = NULL;

    pthread_mutex_init(&dial->mutex, NULL);
    dial->fd = -1;
    dial->identity = tls_identity_ref(identity);
    dial->address = g_strdup(address);
    dial->port = port;
    dial->expected = g_strdup(expected_node);
    dial->subject = subject_of(expected_node, address, port);
    dial->preamble = json_print(preamble);
    dial->purpose = g_strdup(json_get_string(preamble, "purpose", "other"));
    dial->deadline = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
    json_unref(preamble);
    g_task_set_source_tag(task, tls_dial);
    g_task_set_task_data(task, dial, dial_free);
    dial->credentials = tls_identity_credentials(identity, &error);
    if (dial->credentials)
        thread = g_thread_try_new("tls-dialled", dial_thread, g_object_ref(task), &error);
    if (thread)
        g_thread_unref(thread);
    else {
        if (dial->credentials)
            g_object_unref(task);
        g_task_return_error(task, error);
    }
    g_object_unref(task);
}

int tls_dial_finish(GAsyncResult *result, char **ret_node, GError **error)
{
    Dial *dial = g_task_get_task_data(G_TASK(result));
    int fd = -1;

    if (!dial) { /* a task that failed before there was anything to dial */
        g_task_propagate_boolean(G_TASK(result), error);
        return -1;
    }
    pthread_mutex_lock(&dial->mutex);
    if (g_task_propagate_boolean(G_TASK(result), error)) {
        fd = dial->fd;
        dial->fd = -1;
        if (ret_node)
            *ret_node = g_steal_pointer(&dial->node);
    }
    pthread_mutex_unlock(&dial->mutex);
    return fd;
}
