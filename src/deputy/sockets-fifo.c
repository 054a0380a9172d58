/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-fifo.c - FIFOs of the home's tree that the job has open: each open file there is one here
 *
 * What is in a FIFO belongs to nobody until it is read: another process, at home or in the job, may
 * be the next to read it, and what one end has written the other can read at once. So nothing is
 * pushed: the program's open, read, write and poll are requests, done here as they would be done
 * without a job, and answered when they are done. Only that poll may find something is told unasked
 * (EVENTS), once after each request.
 *
 * An open that waits for the other end gets a thread, which sits in open(2): only there a FIFO's two
 * ends find each other. It is woken by a signal, again and again until it has noticed, since one
 * that comes just before the system call is lost. Everything else is non-blocking, on the main loop.
 */
#include "sockets-impl.h"

#include "common/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPENINGS_MAX 512
#define WAKE_SIGNAL (SIGRTMIN + 6)
#define WAKE_MS 5
#define STACK_SIZE (128u << 10)
#define LATE_READ 4096      /* bytes, while the guest does not take its answers: a READ is small, and there may be many */

/* An open that waits. */
typedef struct {
    Sockets *all;
    Socket *socket;         /* NULL: nobody wants it any more */
    pthread_t thread;
    int place, access;
    GSource *done;          /* runs on the main loop when the thread has ended */
    guint waking;           /* timer */
    int ended;              /* atomic; then: */
    int fd, error;
} Opening;

struct Fifo {
    Opening *opening;
    SocketHead open;        /* the request */
    SocketHead reading;     /* the READ that waits for bytes; number 0: none */
    SocketPiece *writing;   /* the WRITE whose bytes are not all written; NULL: none */
    guint32 watched;        /* what poll asked for, ever */
    gboolean told;          /* EVENTS was said, and no request has come since */
};

/* Opening */

static void open_path(int place, int flags, int *ret_fd, int *ret_error)
{
    char path[64];

    g_snprintf(path, sizeof path, "/proc/self/fd/%d", place);
    *ret_fd = open(path, flags | O_CLOEXEC | O_NOCTTY);
    *ret_error = *ret_fd < 0 ? errno : 0;
}

static void *wait_for_other_end(void *user)
{
    Opening *opening = user;
    sigset_t set;

    sigfillset(&set);
    sigdelset(&set, WAKE_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
    open_path(opening->place, opening->access, &opening->fd, &opening->error);
    g_atomic_int_set(&opening->ended, 1);
    g_source_attach(opening->done, NULL);
    return NULL;
}

static void opening_free(Opening *opening)
{
    pthread_join(opening->thread, NULL);
    source_clear(&opening->done);
    if (opening->waking)
        g_source_remove(opening->waking);
    close(opening->place);
    opening->all->openings = g_list_remove(opening->all->openings, opening);
    g_free(opening);
}

static void now_open(Socket *socket, int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    socket->fd = fd;
    socket->state = SOCKET_FIFO;
    socket_update(socket);
}

/* The answer to OPEN; what could not be opened is gone. */
static void open_done(Socket *socket, int fd, int error)
{
    Sockets *sockets = socket->all;
    const SocketHead request = socket->fifo->open;

    if (error)
        socket_remove(socket, FALSE);
    else
        now_open(socket, fd);
    sockets_answer(sockets, &request, error == EMFILE ? ENFILE : error, NULL, 0);
    sockets->call.flush(sockets->user);
}

static gboolean opening_done(gpointer user)
{
    Opening *opening = user;
    Socket *socket = opening->socket;
    int fd = opening->fd, error = opening->error;

    opening_free(opening);
    if (socket) {
        socket->fifo->opening = NULL;
        open_done(socket, fd, error);
    } else if (fd >= 0) {
        close(fd);
    }
    return G_SOURCE_REMOVE;
}

static gboolean opening_wake(gpointer user)
{
    Opening *opening = user;

    if (!g_atomic_int_get(&opening->ended))
        pthread_kill(opening->thread, WAKE_SIGNAL);
    return G_SOURCE_CONTINUE;
}

static void opening_interrupt(Opening *opening)
{
    if (opening->waking)
        return;
    opening_wake(opening);
    opening->waking = g_timeout_add(WAKE_MS, opening_wake, opening);
}

static void woken(int number)
{
}

static gboolean opening_start(Socket *socket, int place, int access)
{
    Opening *opening = g_new0(Opening, 1);
    struct sigaction action = { .sa_handler = woken }; /* no SA_RESTART */
    pthread_attr_t attributes;

    *opening = (Opening){ .all = socket->all,
                          .socket = socket,
                          .place = place,
                          .access = access,
                          .done = g_idle_source_new() };
    g_source_set_priority(opening->done, G_PRIORITY_DEFAULT);
    g_source_set_callback(opening->done, opening_done, opening, NULL);
    sigaction(WAKE_SIGNAL, &action, NULL);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    int error = pthread_create(&opening->thread, &attributes, wait_for_other_end, opening);
    pthread_attr_destroy(&attributes);
    if (error) {
        g_source_unref(opening->done);
        g_free(opening);
        return FALSE;
    }
    socket->all->openings = g_list_prepend(socket->all->openings, opening);
    socket->fifo->opening = opening;
    return TRUE;
}

/* Takes place over. */
static void begin_open(Socket *socket, int place, int access, gboolean patient)
{
    int fd = -1, error = ENXIO;

    /* A reader waits for a writer, and where a writer finds a reader it need not wait. */
    if (!patient || access != O_RDONLY)
        open_path(place, access | O_NONBLOCK, &fd, &error);
    if (error == ENXIO && patient) {
        error = ENFILE;
        if (g_list_length(socket->all->openings) < OPENINGS_MAX && opening_start(socket, place, access))
            return;
    }
    close(place);
    open_done(socket, fd, error);
}

/* The FIFO that the guest means: a descriptor of its place, or -errno. */
static int find_place(Sockets *sockets, const SocketRecord *record)
{
    struct home_sockets_place place;
    struct stat status;

    memcpy(&place, record->payload, sizeof place);
    int fd = sockets->files ? files_place(sockets->files, place.node, FALSE) : -ESTALE;
    if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))) {
        close(fd);
        return -ESTALE;
    }
    return fd;
}

gboolean fifo_order_open(Sockets *sockets, const SocketRecord *record)
{
    guint32 id = record->head.socket;
    int access = (int) record->head.value;

    if (id & HOME_SOCKETS_BY_HOME || sockets_find(sockets, id) ||
        record->size != sizeof(struct home_sockets_place) ||
        (access != O_RDONLY && access != O_WRONLY && access != O_RDWR))
        return FALSE;
    int place = find_place(sockets, record);
    if (place < 0) {
        sockets_answer(sockets, &record->head, place == -EMFILE ? ENFILE : -place, NULL, 0);
        return TRUE;
    }
    Socket *socket = sockets_add(sockets, id, -1, AF_UNSPEC, FALSE);
    socket->fifo = g_new0(Fifo, 1);
    socket->fifo->open = record->head;
    begin_open(socket, place, access,
               access != O_RDWR && !(record->head.flags & HOME_SOCKETS_NOWAIT));
    return TRUE;
}

/* Reading */

static void read_done(Socket *socket, int error, const void *bytes, gsize size)
{
    const SocketHead request = socket->fifo->reading;

    socket->fifo->reading.request = 0;
    sockets_answer(socket->all, &request, error, bytes, size);
}

static void try_read(Socket *socket)
{
    static guint8 bytes[HOME_SOCKETS_FIFO_MAX];
    const gsize room = g_queue_is_empty(&socket->all->late) ? HOME_SOCKETS_FIFO_MAX : LATE_READ;
    gssize size = read(socket->fd, bytes, MIN(socket->fifo->reading.value, room));

    if (size >= 0)
        read_done(socket, 0, bytes, (gsize) size);
    else if (errno != EAGAIN || socket->fifo->reading.flags & HOME_SOCKETS_NOWAIT)
        read_done(socket, errno, NULL, 0);
}

gboolean fifo_order_read(Socket *socket, const SocketRecord *record)
{
    Fifo *fifo = socket->fifo;

    if (socket->state != SOCKET_FIFO || record->size || record->head.request == 0 ||
        record->head.value == 0 || record->head.value > HOME_SOCKETS_FIFO_MAX)
        return FALSE;
    if (fifo->reading.request)  /* who asked that was killed */
        read_done(socket, EINTR, NULL, 0);
    fifo->reading = record->head;
    fifo->told = FALSE;
    try_read(socket);
    socket_update(socket);
    return TRUE;
}

/* Writing */

static void write_done(Socket *socket, int error)
{
    SocketPiece *piece = socket->fifo->writing;
    const struct home_sockets_written written = { .size = piece->done,
                                                  .error = (guint32) error };

    socket->fifo->writing = NULL;
    if (piece->done)
        sockets_answer(socket->all, &piece->head, 0, &written, sizeof written);
    else
        sockets_answer(socket->all, &piece->head, error, NULL, 0);
    g_free(piece);
}

/* One write is one here: the system keeps a small one whole. */
static void try_write(Socket *socket)
{
    SocketPiece *piece = socket->fifo->writing;
    gboolean patient = !(piece->head.flags & HOME_SOCKETS_NOWAIT);
    gssize size;

    do {
        size = write(socket->fd, piece->bytes + piece->done, piece->size - piece->done);
        if (size > 0)
            piece->done += (guint32) size;
    } while (size > 0 && piece->done < piece->size && patient);
    if (piece->done == piece->size)
        write_done(socket, 0);
    else if (size < 0 && errno != EAGAIN)
        write_done(socket, errno);
    else if (!patient)
        write_done(socket, EAGAIN);
}

gboolean fifo_order_write(Socket *socket, const SocketRecord *record)
{
    Fifo *fifo = socket->fifo;

    if (socket->state != SOCKET_FIFO || record->head.request == 0 || record->size == 0 ||
        record->size > HOME_SOCKETS_FIFO_MAX)
        return FALSE;
    if (fifo->writing)
        write_done(socket, EINTR);
    fifo->writing = g_malloc(sizeof *fifo->writing + record->size);
    *fifo->writing = (SocketPiece){ .head = record->head, .size = (guint32) record->size };
    memcpy(fifo->writing->bytes, record->payload, record->size);
    fifo->told = FALSE;
    try_write(socket);
    socket_update(socket);
    return TRUE;
}

/* Waiting for either */

static guint32 events_now(const Socket *socket)
{
    struct pollfd poller = { .fd = socket->fd, .events = (short) socket->fifo->watched };

    return poll(&poller, 1, 0) > 0 ? (guint32) (guint16) poller.revents : 0;
}

gboolean fifo_order_poll(Socket *socket, const SocketRecord *record)
{
    if (socket->state != SOCKET_FIFO || record->size || record->head.request == 0)
        return FALSE;
    socket->fifo->watched |= record->head.value & (EPOLLIN | EPOLLOUT);
    socket->fifo->told = FALSE;
    guint32 now = events_now(socket);
    sockets_answer(socket->all, &record->head, 0, &now, sizeof now);
    socket_update(socket);
    return TRUE;
}

gboolean fifo_order_interrupt(Socket *socket, const SocketRecord *record)
{
    Fifo *fifo = socket->fifo;
    guint32 request = record->head.request;

    if (record->size)
        return FALSE;
    if (request && fifo->reading.request == request)
        read_done(socket, EINTR, NULL, 0);
    else if (request && fifo->writing && fifo->writing->head.request == request)
        write_done(socket, EINTR);
    else if (fifo->opening && fifo->open.request == request)
        opening_interrupt(fifo->opening);
    if (socket->state == SOCKET_FIFO)
        socket_update(socket);
    return TRUE;
}

/* Edges only: a hang-up stays. */
guint32 fifo_events(const Socket *socket)
{
    const Fifo *fifo = socket->fifo;
    guint32 events = fifo->watched;

    if (fifo->reading.request)
        events |= EPOLLIN;
    if (fifo->writing)
        events |= EPOLLOUT;
    return events | EPOLLET;
}

void fifo_serve(Socket *socket)
{
    Fifo *fifo = socket->fifo;
    guint32 now;

    if (fifo->reading.request)
        try_read(socket);
    if (fifo->writing)
        try_write(socket);
    if (!fifo->watched || fifo->told || !(now = events_now(socket)))
        return;
    fifo->told = TRUE;
    sockets_send(socket->all,
                 &(SocketHead){ .type = HOME_SOCKETS_EVENTS, .socket = socket->id, .value = now },
                 NULL, 0);
}

/* The end */

void fifo_free(Socket *socket)
{
    Fifo *fifo = socket->fifo;

    if (fifo->opening) {
        fifo->opening->socket = NULL;
        opening_interrupt(fifo->opening);
    }
    g_free(fifo->writing);
    g_clear_pointer(&socket->fifo, g_free);
}

void fifos_end(Sockets *sockets)
{
    while (sockets->openings) {
        Opening *opening = sockets->openings->data;

        while (!g_atomic_int_get(&opening->ended)) {
            pthread_kill(opening->thread, WAKE_SIGNAL);
            g_usleep(1000);
        }
        if (opening->fd >= 0)
            close(opening->fd);
        opening_free(opening);
    }
}
