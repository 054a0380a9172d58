/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls-listen.c - connections that come in, each carried by a thread of its own
 *
 * The thread makes the handshake and reads the preamble; the main context decides (TlsAccepted),
 * and its answer is handed back under a lock. Limits: handshakes under way (then the listener stops
 * accepting for a moment), time for a handshake with its preamble, connections of one node.
 */
#include <errno.h>
#include <glib-unix.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"
#include "tls-identity.h"

enum { HANDSHAKE_S = 10, ANSWER_S = 30, PAUSE_MS = 50 };

struct TlsListener {
    atomic_int references;
    TlsIdentity *identity;
    GMainContext *context;
    GSource *source;
    int fd;
    TlsAccepted accepted;
    gpointer user;
    gboolean closed; /* main context only */
    atomic_int handshakes;
};

/* What the main context decides about a connection that came in. */
typedef enum { WAITING, ACCEPTED, REFUSED, GONE } Verdict;

struct TlsAccept {
    atomic_int references; /* the connection's thread, and the main context until it answers */
    TlsListener *listener;
    char *node;
    char *address;
    char *preamble;
    pthread_mutex_t mutex;
    pthread_cond_t answered;
    Verdict verdict; /* from here under the mutex */
    char *refusal;
    int plain;
};

static TlsListener *listener_ref(TlsListener *listener)
{
    atomic_fetch_add(&listener->references, 1);
    return listener;
}

static void listener_unref(TlsListener *listener)
{
    if (atomic_fetch_sub(&listener->references, 1) > 1)
        return;
    tls_identity_unref(listener->identity);
    g_main_context_unref(listener->context);
    g_free(listener);
}

static void accept_unref(TlsAccept *accept)
{
    if (atomic_fetch_sub(&accept->references, 1) > 1)
        return;
    listener_unref(accept->listener);
    pthread_cond_destroy(&accept->answered);
    pthread_mutex_destroy(&accept->mutex);
    g_free(accept->node);
    g_free(accept->address);
    g_free(accept->preamble);
    g_free(accept->refusal);
    g_free(accept);
}

/* Gives the thread its answer, unless it has stopped waiting. */
static gboolean answer(TlsAccept *accept, Verdict verdict, int plain, const char *refusal)
{
    gboolean in_time;

    pthread_mutex_lock(&accept->mutex);
    in_time = accept->verdict == WAITING;
    if (in_time) {
        accept->verdict = verdict;
        accept->plain = plain;
        accept->refusal = g_strdup(refusal);
        pthread_cond_signal(&accept->answered);
    }
    pthread_mutex_unlock(&accept->mutex);
    return in_time;
}

int tls_accept(TlsAccept *accept, GError **error)
{
    int pair[2];

    if (!tls_plain_pair(pair, error)) {
        tls_refuse(accept, "out of descriptors");
        return -1;
    }
    if (!answer(accept, ACCEPTED, pair[1], NULL)) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "the connection of %s is gone",
                    accept->node ? accept->node : accept->address);
        close(pair[0]);
        close(pair[1]);
        pair[0] = -1;
    }
    accept_unref(accept);
    return pair[0];
}

void tls_refuse(TlsAccept *accept, const char *sentence)
{
    answer(accept, REFUSED, -1, sentence);
    accept_unref(accept);
}

const char *tls_accept_address(TlsAccept *accept)
{
    return accept->address;
}

/* On the main context: a connection has shown its preamble. */
static gboolean deliver(gpointer data)
{
    TlsAccept *accept = data;
    TlsListener *listener;
    g_autoptr(Json) preamble = NULL;

    pthread_mutex_lock(&accept->mutex);
    preamble = json_parse(accept->preamble, -1, NULL);
    listener = listener_ref(accept->listener);
    pthread_mutex_unlock(&accept->mutex);
    if (listener->closed || !preamble)
        tls_refuse(accept, "this node is stopping");
    else
        listener->accepted(listener, accept->node, preamble, accept, listener->user);
    listener_unref(listener);
    return G_SOURCE_REMOVE;
}

/* Asks the main context and waits for what it says. */
static Verdict ask(TlsAccept *accept)
{
    GSource *source = g_idle_source_new();
    struct timespec until;
    Verdict verdict;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ANSWER_S;
    atomic_fetch_add(&accept->references, 1);
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, deliver, accept, NULL);
    pthread_mutex_lock(&accept->mutex); /* what was written until now is seen by who locks next */
    g_source_attach(source, accept->listener->context);
    g_source_unref(source);
    while (accept->verdict == WAITING &&
           pthread_cond_timedwait(&accept->answered, &accept->mutex, &until) == 0)
        ;
    if (accept->verdict == WAITING)
        accept->verdict = GONE;
    verdict = accept->verdict;
    pthread_mutex_unlock(&accept->mutex);
    return verdict;
}

static gboolean write_refusal(TlsConnection *connection, const char *sentence, gint64 deadline)
{
    g_autoptr(Json) line = json_set_string(json_object(), "error", sentence);
    g_autofree char *text = json_print(line);

    if (strlen(text) >= TLS_PREAMBLE_MAX)
        return FALSE;
    return tls_connection_write_line(connection, text, deadline, NULL);
}

/* Handshake and preamble of a connection that came in; TRUE with its purpose (g_free). */
static gboolean introduce(TlsAccept *accept, TlsConnection *connection, char **ret_purpose)
{
    gint64 deadline = g_get_monotonic_time() + HANDSHAKE_S * G_USEC_PER_SEC;
    g_autoptr(GError) error = NULL;
    g_autoptr(Json) preamble = NULL;
    gsize length = 0;

    if (tls_connection_handshake(connection, deadline, &error))
        accept->preamble = tls_connection_read_line(connection, TLS_PREAMBLE_MAX, deadline, &length,
                                                    &error);
    if (!accept->preamble) {
        log_debug("connection from %s: %s", accept->address, error->message);
        return FALSE;
    }
    preamble = tls_preamble_parse(accept->preamble, length, &error);
    if (!preamble) {
        log_debug("connection from %s: %s", accept->address, error->message);
        write_refusal(connection, error->message, deadline);
        return FALSE;
    }
    accept->node = g_strdup(tls_connection_peer(connection));
    *ret_purpose = g_strdup(json_get_string(preamble, "purpose", "other"));
    return TRUE;
}

/* From the preamble to the end of the connection. */
static void serve(TlsAccept *accept, TlsConnection *connection, int socket, const char *purpose)
{
    TlsIdentity *identity = accept->listener->identity;
    TlsEntry *entry = tls_identity_enter(identity, accept->node, purpose, socket);
    gint64 deadline;
    Verdict verdict;

    tls_tune_for_purpose(socket, purpose);
    verdict = entry ? ask(accept) : REFUSED;
    deadline = g_get_monotonic_time() + HANDSHAKE_S * G_USEC_PER_SEC;
    if (verdict != ACCEPTED)
        write_refusal(connection, !entry ? "too many connections of this node"
                                  : accept->refusal ? accept->refusal
                                                    : "this node is too busy", deadline);
    else if (tls_connection_write_line(connection, "{}", deadline, NULL)) {
        tls_tune_plain(accept->plain, purpose);
        tls_connection_pump(connection, accept->plain, tls_entry_counter(entry));
    } else
        close(accept->plain);
    if (entry)
        tls_identity_leave(identity, entry);
}

typedef struct {
    TlsAccept *accept;
    TlsCredentials *credentials;
    int socket;
} Incoming;

static gpointer accept_thread(gpointer data)
{
    g_autofree Incoming *incoming = data;
    TlsAccept *accept = incoming->accept;
    TlsConnection *connection = tls_connection_new(incoming->socket, incoming->credentials, TRUE);
    g_autofree char *purpose = NULL;
    gboolean good;

    tls_block_signals();
    good = introduce(accept, connection, &purpose);
    atomic_fetch_sub(&accept->listener->handshakes, 1);
    if (good)
        serve(accept, connection, incoming->socket, purpose);
    tls_connection_free(connection);
    tls_credentials_unref(incoming->credentials);
    accept_unref(accept);
    return NULL;
}

static TlsAccept *accept_new(TlsListener *listener, const struct sockaddr *from, socklen_t length)
{
    TlsAccept *accept = g_new0(TlsAccept, 1);
    char host[NI_MAXHOST] = "?";
    pthread_condattr_t attributes;

    getnameinfo(from, length, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    atomic_init(&accept->references, 1);
    accept->listener = listener_ref(listener);
    accept->address = g_strdup(g_str_has_prefix(host, "::ffff:") ? host + 7 : host);
    accept->plain = -1;
    pthread_mutex_init(&accept->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&accept->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    return accept;
}

/* Starts the thread that carries this socket from now on. */
static void start_incoming(TlsListener *listener, int fd, const struct sockaddr *from,
                           socklen_t length)
{
    g_autoptr(GError) error = NULL;
    TlsCredentials *credentials = tls_identity_credentials(listener->identity, &error);
    Incoming *incoming;
    GThread *thread;

    if (!credentials) {
        close(fd);
        return;
    }
    tls_tune(fd);
    incoming = g_new(Incoming, 1);
    *incoming = (Incoming){accept_new(listener, from, length), credentials, fd};
    atomic_fetch_add(&listener->handshakes, 1);
    thread = g_thread_try_new("tls-accepted", accept_thread, incoming, &error);
    if (thread) {
        g_thread_unref(thread);
        return;
    }
    log_warning("a connection from %s was dropped: %s", incoming->accept->address, error->message);
    atomic_fetch_sub(&listener->handshakes, 1);
    accept_unref(incoming->accept);
    tls_credentials_unref(credentials);
    g_free(incoming);
    close(fd);
}

static void watch(TlsListener *listener);

/* A pause is over. */
static gboolean resume(gpointer data)
{
    watch(data);
    return G_SOURCE_REMOVE;
}

static void set_source(TlsListener *listener, GSource *source, GSourceFunc function)
{
    source_clear(&listener->source);
    if (source)
        listener->source = source_add(source, listener->context, function, listener);
}

static gboolean connection_came(int fd, GIOCondition condition, gpointer data)
{
    TlsListener *listener = data;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int socket = -1;

    if (atomic_load(&listener->handshakes) < TLS_HANDSHAKES_MAX) {
        socket = accept4(fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return G_SOURCE_CONTINUE;
        if (socket < 0)
            log_warning("cannot accept a connection: %s", g_strerror(errno));
    }
    if (socket >= 0) {
        start_incoming(listener, socket, (struct sockaddr *)&from, length);
        return G_SOURCE_CONTINUE;
    }
    set_source(listener, g_timeout_source_new(PAUSE_MS), resume);
    return G_SOURCE_REMOVE;
}

static void watch(TlsListener *listener)
{
    set_source(listener, g_unix_fd_source_new(listener->fd, G_IO_IN),
               G_SOURCE_FUNC(connection_came));
}

/* A listening socket on one of the addresses; -1 with errno. */
static int listen_on(const struct addrinfo *to)
{
    static const int on = 1, off = 0;
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int reason;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (to->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, to->ai_addr, to->ai_addrlen) == 0 && listen(fd, 128) == 0)
        return fd;
    reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* The addresses to try, IPv6 first where all are meant: it takes IPv4 too. */
static int listen_any(const char *address, guint port, GError **error)
{
    gboolean all = !address || !*address || g_str_equal(address, "*");
    static const char *const every[] = {"::", "0.0.0.0"};
    g_autofree char *service = g_strdup_printf("%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const char *reason = NULL;
    int fd = -1;

    for (guint i = 0; fd < 0 && i < (all ? 2 : 1); i++) {
        struct addrinfo *found = NULL;
        int code = getaddrinfo(all ? every[i] : address, service, &hints, &found);
        if (code == 0)
            fd = listen_on(found);
        reason = code ? gai_strerror(code) : g_strerror(errno);
        if (found)
            freeaddrinfo(found);
    }
    if (fd < 0)
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                    "cannot listen on %s port %u: %s; is another sojournd running, or is the "
                    "address not this machine's?", all ? "all addresses" : address, port, reason);
    return fd;
}

TlsListener *tls_listen(TlsIdentity *identity, const char *address, guint port,
                        TlsAccepted accepted, gpointer user, GError **error)
{
    int fd = listen_any(address, port, error);
    TlsListener *listener;

    if (fd < 0)
        return NULL;
    listener = g_new0(TlsListener, 1);
    atomic_init(&listener->references, 1);
    listener->identity = tls_identity_ref(identity);
    listener->context = g_main_context_ref_thread_default();
    listener->fd = fd;
    listener->accepted = accepted;
    listener->user = user;
    watch(listener);
    return listener;
}

void tls_listener_free(TlsListener *listener)
{
    if (!listener)
        return;
    listener->closed = TRUE;
    set_source(listener, NULL, NULL);
    close(listener->fd);
    listener_unref(listener);
}

guint tls_listener_port(TlsListener *listener)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char port[NI_MAXSERV] = "0";

    if (getsockname(listener->fd, (struct sockaddr *)&bound, &length) == 0)
        getnameinfo((struct sockaddr *)&bound, length, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    return atoi(port);
}
