/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets-impl.h - what the files of sockets share; for nobody else */
#pragma once

#include "common/home-sockets.h"
#include "deputy/sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>

typedef struct home_sockets_head SocketHead;
typedef struct home_sockets_names SocketNames;

/* A record of the guest. */
typedef struct {
    SocketHead head;
    const guint8 *payload;  /* not aligned; valid during the call only */
    gsize size;             /* of the payload */
} SocketRecord;

/* Bytes or a datagram of the guest that home's kernel has not taken yet. */
typedef struct SocketPiece SocketPiece;
struct SocketPiece {
    SocketPiece *next;
    SocketHead head;        /* of its record */
    guint32 size, done;     /* bytes of the payload; of these written */
    guint8 bytes[];
};

typedef enum {
    SOCKET_NEW,             /* neither of the others */
    SOCKET_CONNECTING,
    SOCKET_LISTENING,
    SOCKET_OPEN,            /* data goes both ways; a socket for datagrams always is */
    SOCKET_FIFO,            /* none at all, but an open FIFO */
} SocketState;

typedef struct Fifo Fifo;
typedef struct Socket Socket;
struct Socket {
    Sockets *all;
    guint32 id;
    int fd;
    int family;
    gboolean stream;
    gboolean sequenced;     /* packets in a connection: SOCK_SEQPACKET */
    gboolean wants_errors;  /* details of them (IP_RECVERR) */
    SocketState state;
    guint32 connect_request; /* the number of the last CONNECT */
    GBytes *ends;           /* both, as sockets_other_end looks for them; NULL: not connected */
    SocketRecord *late;     /* AF_UNIX: the CONNECT to be tried again, as the backlog was full */

    /* guest to home */
    SocketPiece *first, *last;
    guint32 held;           /* bytes of the guest's window that these take */
    guint32 taken;          /* given back, not yet told */
    gboolean out_broken;    /* nothing can be sent any more: what comes is thrown away */
    int out_error;          /* why, if it is not said yet */
    gboolean shut;          /* SHUT_WR is due behind what is held */
    gboolean released;      /* ends when nothing is held */
    guint32 release_request; /* answered when the peer has all, or the time is over */
    gint64 release_until;   /* monotonic us */
    struct linger linger;   /* as the program set it; the real one's is never on */

    /* home to guest */
    gint64 credit;          /* bytes that may be sent before the guest takes some */
    gboolean in_ended;      /* END or ERROR was said */

    /* a listening socket: connections that were announced and not yet taken by the program */
    guint announced, announced_max;

    Fifo *fifo;             /* it is one, perhaps not open yet; NULL: a socket */

    guint32 events;         /* that epoll waits for */
    gboolean watched;
    guint retry;            /* timer: what gave EAGAIN and cannot be waited for is tried again */
};

struct Sockets {
    SocketsEvents call;
    gpointer user;
    Files *files;
    int home;               /* the folder to go back to, O_PATH */
    int epoll;
    GSource *source;
    gpointer tag;
    gboolean paused;        /* the source does not poll */
    GHashTable *table;      /* id to Socket */
    GHashTable *ends;       /* of those that connected from here: Socket by its ends */
    GHashTable *listeners;  /* set of Socket */
    guint32 next_id;        /* of connections */
    guint lingering;        /* released, not yet ended */
    GList *openings;        /* FIFOs that a thread waits to open, the program perhaps no more */

    GQueue late;            /* of GBytes: records that the link had no room for */
    gsize late_bytes;
    gsize owed;             /* bytes of the guest's records not given back, as late is long */
};

/* sockets.c: to the guest. Where the link has no room records queue up; while they do, nothing is
 * read from any socket. The head's size is filled in. */
void sockets_send(Sockets *sockets, const SocketHead *head, const void *data, gsize size);
gboolean sockets_full(const Sockets *sockets);
void sockets_answer(Sockets *sockets, const SocketHead *request, int error, const void *data,
                    gsize size);
Socket *sockets_find(Sockets *sockets, guint32 id);
/* Takes fd over. */
Socket *sockets_add(Sockets *sockets, guint32 id, int fd, int family, gboolean stream);
/* The end of it; reset: the peer is told that the connection broke. */
void socket_remove(Socket *socket, gboolean reset);

/* sockets-poll.c: waiting */
gboolean sockets_poll_open(Sockets *sockets, GError **error);
void sockets_poll_close(Sockets *sockets);
/* Waits for what the socket can go on with now. */
void socket_update(Socket *socket);
/* Once more in a moment. */
void socket_retry(Socket *socket);

/* sockets-order.c: what the guest wants done. FALSE: it cannot be. */
gboolean sockets_order(Sockets *sockets, Socket *socket, const SocketRecord *record);
/* Closed by the program: it is removed when what is held was sent, or at once. */
void socket_release(Socket *socket, guint32 request, gboolean reset);
void socket_connected(Socket *socket);      /* it is decided */
void socket_connect_again(Socket *socket);
void socket_accept(Socket *socket);

/* sockets-data.c: bytes of streams, and what comes with them */
gboolean socket_take(Socket *socket, const SocketRecord *record);   /* DATA or DATAGRAM */
gboolean socket_taken(Socket *socket, const SocketRecord *record);
void socket_write(Socket *socket);          /* what is held; it may be removed */
void socket_finish(Socket *socket);         /* released: is it the end? It may be removed */
void socket_drop(Socket *socket);           /* forgets what is held */
void socket_read(Socket *socket);           /* as windows allow */
void socket_read_urgent(Socket *socket);
gboolean socket_may_read(const Socket *socket);
void socket_end(Socket *socket);            /* END: no more comes */
/* ERROR: of a stream the end of both directions, of datagrams for whoever asks next. */
void socket_error(Socket *socket, int error);

/* sockets-datagram.c */
/* 0, or -errno; -EAGAIN: later. */
int socket_send_datagram(Socket *socket, const SocketPiece *piece);
/* One of home's for the guest: FALSE: there is none. */
gboolean socket_read_datagram(Socket *socket);
void socket_read_errors(Socket *socket);
/* Whether address, control data and data are as the head says. */
gboolean socket_datagram_check(const SocketRecord *record);

/* sockets-name.c: addresses of the guest's records as the system wants them */
typedef struct {
    struct sockaddr_storage address;
    socklen_t size;
    int fd;             /* that the name goes through, -1: none */
    mode_t mode;
    gboolean inside;    /* the name is to be made in the folder fd */
} SocketName;
/* 0 or -errno. To be cleared in either case. */
int socket_name(Socket *socket, const void *address, gsize size, gboolean make,
                SocketName *ret_name);
void socket_name_clear(SocketName *name);
int socket_bind(Socket *socket, const SocketName *name);
int socket_connect(Socket *socket, const SocketName *name);
/* Fills in the one, the other or both. */
/* Remembers, or forgets, the ends of a connection that this socket makes. */
void socket_set_ends(Socket *socket, const SocketRecord *connect);
void socket_clear_ends(Socket *socket);
/* Of an accepted connection: the socket of this job at its other end; NULL: it is nobody of us. */
Socket *sockets_other_end(const Sockets *sockets, const SocketNames *names);
/* Whether what this one connects to may be that listening socket. */
gboolean socket_listens_for(const Socket *listener, const Socket *socket);
void socket_names(const Socket *socket, gboolean own, gboolean peer, SocketNames *ret_names);

/* sockets-fifo.c: FIFOs. Orders are as those in sockets-order.c */
gboolean fifo_order_open(Sockets *sockets, const SocketRecord *record);
gboolean fifo_order_read(Socket *socket, const SocketRecord *record);
gboolean fifo_order_write(Socket *socket, const SocketRecord *record);
gboolean fifo_order_poll(Socket *socket, const SocketRecord *record);
gboolean fifo_order_interrupt(Socket *socket, const SocketRecord *record);
guint32 fifo_events(const Socket *socket);  /* that epoll is to wait for */
void fifo_serve(Socket *socket);            /* something may be possible now */
void fifo_free(Socket *socket);
void fifos_end(Sockets *sockets);           /* no thread is left */

/* sockets-option.c: the options and commands that may pass: 0 or -errno */
int socket_set_option(Socket *socket, int level, int name, const void *value, gsize size);
/* *size: room in value, then bytes there. */
int socket_get_option(Socket *socket, int level, int name, void *value, socklen_t *size);
/* The same for commands of ioctl; *size: bytes of the argument, then of the result. */
int socket_ioctl(Socket *socket, guint32 command, guint8 argument[HOME_SOCKETS_VALUE_MAX],
                 gsize *size);
