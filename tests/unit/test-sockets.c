/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-sockets.c - the job's sockets at home, with a test in the place of the guest and real peers */
#include "common/home-sockets.h"
#include "deputy/files-impl.h"
#include "deputy/sockets.h"
#include "locked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct home_sockets_head Head;

/* A guest: what home has told it, in order. */
typedef struct {
    Sockets *sockets;
    GQueue told;            /* of GByteArray */
    gsize consumed;
    guint32 requests;
    guint refuse;           /* every so many records are refused at first; 0: none */
    gboolean refused;
    guint asked;
} Guest;

static int guest_send(const void *head, gsize head_size, const void *data, gsize size, gpointer user)
{
    Guest *guest = user;
    GByteArray *record = NULL;

    if (guest->refuse && guest->asked++ % guest->refuse == 0) {
        guest->refused = TRUE;
        return -EAGAIN;
    }
    record = g_byte_array_new();
    g_byte_array_append(record, head, (guint) head_size);
    if (size)
        g_byte_array_append(record, data, (guint) size);
    g_assert_cmpuint(((Head *) (void *) record->data)->size, ==, record->len);
    g_queue_push_tail(&guest->told, record);
    return 0;
}

static void guest_consumed(gsize size, gpointer user)
{
    ((Guest *) user)->consumed += size;
}

static gboolean guest_busy(gpointer user)
{
    return FALSE;
}

static void guest_flush(gpointer user)
{
}

static const SocketsEvents events = { guest_send, guest_consumed, guest_busy, guest_flush };

static Guest *guest_new(Files *files)
{
    g_autoptr(GError) error = NULL;
    Guest *guest = g_new0(Guest, 1);

    g_queue_init(&guest->told);
    guest->sockets = sockets_new(files, &events, guest, &error);
    g_assert_no_error(error);
    return guest;
}

static void guest_free(Guest *guest)
{
    sockets_free(guest->sockets);
    g_queue_clear_full(&guest->told, (GDestroyNotify) g_byte_array_unref);
    g_free(guest);
}

static gboolean wake(gpointer user)
{
    return G_SOURCE_CONTINUE;
}

static void turn(Guest *guest)
{
    guint timer = g_timeout_add(2, wake, NULL);

    g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
    if (guest->refused) {
        guest->refused = FALSE;
        sockets_writable(guest->sockets);
    }
}

/* The first record of that type for that socket (0: any), taken out; within five seconds. */
static GByteArray *await(Guest *guest, guint16 type, guint32 socket)
{
    for (gint64 end = g_get_monotonic_time() + 5000000; g_get_monotonic_time() < end; turn(guest))
        for (GList *link = guest->told.head; link; link = link->next) {
            GByteArray *record = link->data;
            const Head *head = (void *) record->data;
            if (head->type == type && (!socket || head->socket == socket)) {
                g_queue_delete_link(&guest->told, link);
                return record;
            }
        }
    g_error("record %u of socket %u did not come", type, socket);
}

static gboolean told(Guest *guest, guint16 type, guint32 socket)
{
    for (GList *link = guest->told.head; link; link = link->next) {
        const Head *head = (void *) ((GByteArray *) link->data)->data;
        if (head->type == type && head->socket == socket)
            return TRUE;
    }
    return FALSE;
}

static Head await_head(Guest *guest, guint16 type, guint32 socket)
{
    GByteArray *record = await(guest, type, socket);
    Head head = *(Head *) (void *) record->data;

    g_byte_array_unref(record);
    return head;
}

static gboolean say_data(Guest *guest, Head head, const void *data, gsize size)
{
    g_autofree guint8 *record = g_malloc(sizeof head + size);

    head.size = (guint32) (sizeof head + size);
    memcpy(record, &head, sizeof head);
    if (size)
        memcpy(record + sizeof head, data, size);
    return sockets_message(guest->sockets, record, head.size);
}

/* An order and its answer; the error, and the payload into value. */
static guint32 order(Guest *guest, Head head, const void *data, gsize size, void *value, gsize room)
{
    head.request = ++guest->requests;
    g_assert_true(say_data(guest, head, data, size));
    GByteArray *record = await(guest, HOME_SOCKETS_ANSWER, head.socket);
    const Head *answer = (void *) record->data;
    guint32 error = answer->error;

    g_assert_cmpuint(answer->request, ==, head.request);
    if (value) {
        memset(value, 0, room);
        memcpy(value, answer + 1, MIN(room, record->len - sizeof *answer));
    }
    g_byte_array_unref(record);
    return error;
}

static guint32 create(Guest *guest, guint32 id, int family, int type)
{
    return order(guest, (Head){ .type = HOME_SOCKETS_CREATE, .socket = id, .value = (guint32) family,
                                .more = (guint32) type }, NULL, 0, NULL, 0);
}

static struct sockaddr_in local(guint16 port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket of home's: its port is returned in address. */
static int home_listener(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *address;

    *address = local(0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) address, size), ==, 0);
    g_assert_cmpint(listen(fd, 16), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *) address, &size), ==, 0);
    return fd;
}

/* The guest's socket id is connected to a socket of home's, which is returned. */
static int connected(Guest *guest, guint32 id)
{
    struct sockaddr_in address;
    int listener = home_listener(&address);
    struct home_sockets_names names;

    g_assert_cmpuint(create(guest, id, AF_INET, SOCK_STREAM), ==, 0);
    guint32 error = order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = id }, &address,
                          sizeof address, &names, sizeof names);
    if (error == EINPROGRESS)
        error = await_head(guest, HOME_SOCKETS_CONNECTED, id).error;
    g_assert_cmpuint(error, ==, 0);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    close(listener);
    return fd;
}

static gboolean data(Guest *guest, guint32 id, const void *bytes, gsize size)
{
    return say_data(guest, (Head){ .type = HOME_SOCKETS_DATA, .socket = id }, bytes, size);
}

static void taken(Guest *guest, guint32 id, guint32 bytes)
{
    g_assert_true(say_data(guest, (Head){ .type = HOME_SOCKETS_TAKEN, .socket = id, .value = bytes },
                           NULL, 0));
}

static void release(Guest *guest, guint32 id, guint16 flags)
{
    g_assert_true(say_data(guest, (Head){ .type = HOME_SOCKETS_RELEASE, .flags = flags, .socket = id },
                           NULL, 0));
}

static void shut(Guest *guest, guint32 id)
{
    g_assert_true(say_data(guest, (Head){ .type = HOME_SOCKETS_SHUTDOWN, .socket = id,
                                          .value = SHUT_WR }, NULL, 0));
}

static guint8 pattern(guint64 at)
{
    return (guint8) (at * 167 + (at >> 8) * 13 + (at >> 16));
}

/* Exact bytes both ways at once, much more than a window, with a link that is full now and then and
 * ends that wait: the home's end reads what it wrote. */
static void test_stream(gconstpointer refuse)
{
    const guint64 all = 3u << 20;
    Guest *guest = guest_new(NULL);
    int fd = connected(guest, 1);
    guint64 sent = 0, echoed = 0, written = 0, got = 0;
    gint64 window = HOME_SOCKETS_WINDOW;
    guint8 bytes[20000];
    gboolean half = FALSE;

    guest->refuse = GPOINTER_TO_UINT(refuse);
    g_assert_true(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (got < all) {
        gsize size = MIN(MIN(sizeof bytes, (gsize) window), all - sent);
        for (gsize i = 0; i < size; i++)
            bytes[i] = pattern(sent + i);
        if (size && g_random_int_range(0, 4)) {
            g_assert_true(data(guest, 1, bytes, size));
            sent += size;
            window -= (gint64) size;
        }
        if (sent == all && !half) {
            shut(guest, 1);
            half = TRUE;
        }
        for (gssize n = 1; n > 0 && g_random_int_range(0, 3);) {
            n = recv(fd, bytes, (gsize) g_random_int_range(1, sizeof bytes), 0);
            for (gssize i = 0; i < n; i++)
                g_assert_cmpuint(bytes[i], ==, pattern(echoed++));
        }
        size = MIN(sizeof bytes, echoed - written);
        for (gsize i = 0; i < size; i++)
            bytes[i] = pattern(written + i);
        gssize n = size ? send(fd, bytes, size, MSG_NOSIGNAL) : 0;
        written += n > 0 ? (guint64) n : 0;
        turn(guest);
        for (GByteArray *record; (record = g_queue_pop_head(&guest->told)); g_byte_array_unref(record)) {
            const Head *head = (void *) record->data;
            if (head->type == HOME_SOCKETS_TAKEN) {
                window += head->value;
                continue;
            }
            g_assert_cmpuint(head->type, ==, HOME_SOCKETS_DATA);
            for (gsize i = sizeof *head; i < record->len; i++)
                g_assert_cmpuint(record->data[i], ==, pattern(got++));
            taken(guest, 1, record->len - (guint32) sizeof *head);
        }
    }
    g_assert_cmpuint(echoed, ==, all);
    while (recv(fd, bytes, 1, 0) < 0)
        turn(guest); /* the half close comes behind the bytes */
    g_assert_cmpint(recv(fd, bytes, 1, 0), ==, 0);
    close(fd);
    await_head(guest, HOME_SOCKETS_END, 1);
    release(guest, 1, 0);
    guest_free(guest);
}

static guint32 set_option(Guest *guest, guint32 id, int level, int name, int value)
{
    return order(guest, (Head){ .type = HOME_SOCKETS_SETOPT, .socket = id, .value = (guint32) level,
                                .more = (guint32) name }, &value, sizeof value, NULL, 0);
}

/* A peer that does not read stalls its own socket; and home reads no more than the window ahead. */
static void test_windows(void)
{
    Guest *guest = guest_new(NULL);
    int slow = connected(guest, 1), quick = connected(guest, 2);
    static guint8 bytes[HOME_SOCKETS_DATA_MAX];
    gsize sent = 0, got = 0;
    int size = 20000;

    setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    g_assert_cmpuint(set_option(guest, 1, SOL_SOCKET, SO_SNDBUF, size), ==, 0);
    for (gsize left = HOME_SOCKETS_WINDOW; left;) {
        gsize piece = MIN(left, sizeof bytes);
        g_assert_true(data(guest, 1, bytes, piece));
        left -= piece;
        sent += piece;
    }
    g_assert_true(data(guest, 2, "quick", 5));
    g_assert_cmpint(recv(quick, bytes, sizeof bytes, 0), ==, 5);
    release(guest, 1, 0);
    g_assert_true(sockets_linger(guest->sockets));
    fcntl(slow, F_SETFL, O_NONBLOCK);
    for (gssize n; (n = recv(slow, bytes, sizeof bytes, 0)) != 0; turn(guest))
        got += n > 0 ? (gsize) n : 0;
    g_assert_cmpuint(got, ==, sent);
    g_assert_false(sockets_linger(guest->sockets));

    fcntl(quick, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 400; i++) {
        while (send(quick, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            ;
        turn(guest);
    }
    got = 0;
    for (GByteArray *record; (record = g_queue_pop_head(&guest->told)); g_byte_array_unref(record))
        if (((Head *) (void *) record->data)->type == HOME_SOCKETS_DATA)
            got += record->len - sizeof(Head);
    g_assert_cmpuint(got, ==, HOME_SOCKETS_WINDOW);
    close(slow);
    close(quick);
    guest_free(guest);
}

static guint32 listens(Guest *guest, guint32 id, guint32 backlog, struct sockaddr_in *address)
{
    struct home_sockets_names names;

    *address = local(0);
    g_assert_cmpuint(create(guest, id, AF_INET, SOCK_STREAM), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_BIND, .socket = id }, address,
                           sizeof *address, &names, sizeof names), ==, 0);
    g_assert_cmpuint(names.own.size, ==, sizeof *address);
    memcpy(address, names.own.address, sizeof *address);
    g_assert_cmpuint(address->sin_port, !=, 0);
    return order(guest, (Head){ .type = HOME_SOCKETS_LISTEN, .socket = id, .value = backlog }, NULL,
                 0, NULL, 0);
}

static int home_connects(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (const struct sockaddr *) address, sizeof *address) == 0)
        return fd;
    close(fd);
    return -errno;
}

static void test_listen(void)
{
    Guest *guest = guest_new(NULL);
    struct sockaddr_in address;
    int fds[3];
    char text[8];

    g_assert_cmpuint(listens(guest, 1, 2, &address), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        g_assert_cmpint(fds[i] = home_connects(&address), >=, 0);
    guint32 first = await_head(guest, HOME_SOCKETS_ACCEPTED, 1).value;
    guint32 second = await_head(guest, HOME_SOCKETS_ACCEPTED, 1).value;
    g_assert_cmpuint(first & HOME_SOCKETS_BY_HOME, !=, 0);
    for (int i = 0; i < 20; i++)
        turn(guest);
    g_assert_true(g_queue_is_empty(&guest->told)); /* not more ahead than the backlog */
    g_assert_cmpint(send(fds[0], "hello", 5, 0), ==, 5);
    GByteArray *record = await(guest, HOME_SOCKETS_DATA, first);
    g_assert_cmpmem(record->data + sizeof(Head), record->len - sizeof(Head), "hello", 5);
    g_byte_array_unref(record);
    taken(guest, 1, 1);
    g_assert_true(data(guest, first, "answer", 6));
    g_assert_cmpint(recv(fds[0], text, sizeof text, 0), ==, 6);
    guint32 third = await_head(guest, HOME_SOCKETS_ACCEPTED, 1).value;
    g_assert_true(third != first && third != second);

    /* Released: the port is closed; what was not accepted the guest breaks off, what was goes on. */
    release(guest, 1, 0);
    release(guest, second, HOME_SOCKETS_UNREAD);
    g_assert_cmpint(home_connects(&address), ==, -ECONNREFUSED);
    g_assert_cmpint(recv(fds[1], text, sizeof text, 0), <, 1);
    g_assert_true(data(guest, first, "on", 2));
    g_assert_cmpint(recv(fds[0], text, sizeof text, 0), ==, 2);
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
    guest_free(guest);
}

static void test_errors(void)
{
    Guest *guest = guest_new(NULL);
    struct sockaddr_in address, nobody;
    int listener = home_listener(&address);
    const struct linger reset = { 1, 0 };
    char text[8];

    close(home_listener(&nobody));
    g_assert_cmpuint(create(guest, 1, AF_INET, SOCK_STREAM), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_BIND, .socket = 1 }, &address,
                           sizeof address, NULL, 0), ==, EADDRINUSE);
    guint32 error = order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = 1 }, &nobody,
                          sizeof nobody, NULL, 0);
    if (error == EINPROGRESS)
        error = await_head(guest, HOME_SOCKETS_CONNECTED, 1).error;
    g_assert_cmpuint(error, ==, ECONNREFUSED);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_NAME, .socket = 1, .value = 1 }, NULL,
                           0, NULL, 0), ==, ENOTCONN);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_NAME, .socket = 77 }, NULL, 0, NULL, 0),
                     ==, EBADF);

    /* Broken off by the peer: behind the bytes before it. */
    int fd = connected(guest, 2);
    g_assert_cmpint(send(fd, "last", 4, 0), ==, 4);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    g_byte_array_unref(await(guest, HOME_SOCKETS_DATA, 2));
    close(fd);
    g_assert_cmpuint(await_head(guest, HOME_SOCKETS_ERROR, 2).error, ==, ECONNRESET);
    g_assert_true(data(guest, 2, "lost", 4));

    /* Written to a peer that is gone: what it had said comes first. */
    fd = connected(guest, 3);
    g_assert_true(data(guest, 3, "unread", 6));
    g_assert_cmpint(send(fd, "bye", 3, 0), ==, 3);
    close(fd);
    g_assert_true(data(guest, 3, "more", 4));
    g_assert_true(data(guest, 3, "more", 4));
    g_byte_array_unref(await(guest, HOME_SOCKETS_DATA, 3));
    error = await_head(guest, HOME_SOCKETS_ERROR, 3).error;
    g_assert_true(error == ECONNRESET || error == EPIPE);

    /* Broken off by the program. */
    fd = connected(guest, 4);
    release(guest, 4, HOME_SOCKETS_UNREAD);
    g_assert_cmpint(recv(fd, text, sizeof text, 0), ==, -1);
    g_assert_cmpint(errno, ==, ECONNRESET);
    close(fd);
    close(listener);
    guest_free(guest);
}

static void test_options(void)
{
    Guest *guest = guest_new(NULL);
    int value = 0;

    g_assert_cmpuint(create(guest, 1, AF_INET, SOCK_STREAM), ==, 0);
    g_assert_cmpuint(set_option(guest, 1, IPPROTO_TCP, TCP_NODELAY, 1), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_GETOPT, .socket = 1, .value = IPPROTO_TCP,
                                          .more = TCP_NODELAY, .extra = sizeof value }, NULL, 0,
                           &value, sizeof value), ==, 0);
    g_assert_cmpint(value, ==, 1);
    g_assert_cmpuint(set_option(guest, 1, SOL_SOCKET, SO_ATTACH_FILTER, 1), ==, ENOPROTOOPT);
    g_assert_cmpuint(set_option(guest, 1, SOL_SOCKET, SO_REUSEADDR, 1), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_IOCTL, .socket = 1, .value = 0x1234 },
                           NULL, 0, NULL, 0), ==, ENOTTY);
    guest_free(guest);
}

static guint8 *datagram(const void *address, gsize size, const char *text, gsize *ret_size)
{
    guint8 *payload = g_malloc(size + strlen(text));

    memcpy(payload, address, size);
    memcpy(payload + size, text, strlen(text));
    *ret_size = size + strlen(text);
    return payload;
}

static void test_datagrams(void)
{
    Guest *guest = guest_new(NULL);
    struct home_sockets_names names;
    struct sockaddr_in home = local(0), own, nobody;
    socklen_t length = sizeof home;
    char text[16] = "";
    gsize size;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    close(home_listener(&nobody));
    g_assert_cmpint(bind(fd, (struct sockaddr *) &home, length), ==, 0);
    getsockname(fd, (struct sockaddr *) &home, &length);
    g_assert_cmpuint(create(guest, 1, AF_INET, SOCK_DGRAM), ==, 0);
    g_autofree guint8 *there = datagram(&home, sizeof home, "there", &size);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .socket = 1,
                                          .value = sizeof home }, there, size, NULL, 0), ==, 0);
    length = sizeof own;
    g_assert_cmpint(recvfrom(fd, text, sizeof text, 0, (struct sockaddr *) &own, &length), ==, 5);
    g_assert_cmpstr(text, ==, "there");
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_NAME, .socket = 1 }, NULL, 0, &names,
                           sizeof names), ==, 0);
    g_assert_cmpuint(((struct sockaddr_in *) (void *) names.own.address)->sin_port, ==, own.sin_port);

    /* Where it was sent to is asked for, and comes with it. */
    g_assert_cmpuint(set_option(guest, 1, IPPROTO_IP, IP_PKTINFO, 1), ==, 0);
    g_assert_cmpint(sendto(fd, "and back", 8, 0, (struct sockaddr *) &own, length), ==, 8);
    GByteArray *record = await(guest, HOME_SOCKETS_DATAGRAM, 1);
    const Head *head = (void *) record->data;
    g_assert_cmpuint(head->value, ==, sizeof home);
    g_assert_cmpmem(record->data + sizeof *head, 8, &home, 8);
    const struct home_sockets_control *item =
        (void *) (record->data + sizeof *head + head->value);
    g_assert_cmpuint(head->more, ==, sizeof *item + sizeof(struct in_pktinfo));
    g_assert_true(item->level == IPPROTO_IP && item->type == IP_PKTINFO);
    g_assert_cmpmem(record->data + sizeof *head + head->value + head->more, 8, "and back", 8);
    taken(guest, 1, record->len);
    g_byte_array_unref(record);

    /* In pieces: one arrives. */
    g_autofree guint8 *piece = datagram(&home, sizeof home, "one ", &size);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .flags = HOME_SOCKETS_MORE, .socket = 1,
                                          .value = sizeof home }, piece, size, NULL, 0), ==, 0);
    g_assert_cmpint(recv(fd, text, sizeof text, MSG_DONTWAIT), ==, -1);
    g_autofree guint8 *rest = datagram(&home, sizeof home, "two", &size);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .socket = 1, .value = sizeof home },
                           rest, size, NULL, 0), ==, 0);
    g_assert_cmpint(recv(fd, text, sizeof text, 0), ==, 7);
    g_assert_cmpmem(text, 7, "one two", 7);

    /* None has no bytes as well; too long is the kernel's word. */
    g_assert_cmpint(sendto(fd, "", 0, 0, (struct sockaddr *) &own, length), ==, 0);
    g_assert_cmpuint(await_head(guest, HOME_SOCKETS_DATAGRAM, 1).size, >, sizeof(Head));
    g_autofree guint8 *large = g_malloc0(sizeof home + 65530);
    memcpy(large, &home, sizeof home);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .socket = 1,
                                          .value = sizeof home }, large, sizeof home + 65530, NULL, 0),
                     ==, EMSGSIZE);

    /* Nobody there: told when the peer is known. */
    g_assert_cmpuint(create(guest, 2, AF_INET, SOCK_DGRAM), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = 2 }, &nobody,
                           sizeof nobody, NULL, 0), ==, 0);
    g_assert_true(say_data(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .socket = 2 }, "x", 1));
    g_assert_cmpuint(await_head(guest, HOME_SOCKETS_ERROR, 2).error, ==, ECONNREFUSED);

    /* With the details, if they are asked for: for each of what was sent, and no error besides. */
    g_assert_cmpuint(set_option(guest, 2, IPPROTO_IP, IP_RECVERR, 1), ==, 0);
    for (guint i = 0; i < 3; i++)
        g_assert_true(say_data(guest, (Head){ .type = HOME_SOCKETS_DATAGRAM, .socket = 2 }, "xyz", 3));
    for (guint i = 0; i < 3; i++) {
        record = await(guest, HOME_SOCKETS_DATAGRAM, 2);
        head = (void *) record->data;
        g_assert_cmpuint(head->flags, ==, HOME_SOCKETS_QUEUED);
        g_assert_cmpuint(head->error, ==, ECONNREFUSED);
        g_assert_cmpmem(record->data + sizeof *head, 8, &nobody, 8);
        g_assert_cmpmem(record->data + sizeof *head + head->value + head->more, 3, "xyz", 3);
        g_byte_array_unref(record);
    }
    g_assert_false(told(guest, HOME_SOCKETS_ERROR, 2));
    close(fd);
    guest_free(guest);
}

static void no_reply(const struct iovec *parts, int count, void *user)
{
}

/* AF_UNIX: a place is a number of the file server, and a name there. */
static void test_unix(void)
{
    g_autofree char *folder = g_dir_make_tmp("sockets-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "door", NULL);
    Files *files = files_new(&(FilesOptions){ .root = folder, .workers = 1 }, no_reply, NULL, NULL);
    Guest *guest = guest_new(files);
    guint8 place[sizeof(struct home_sockets_place) + 4];
    struct home_sockets_place *at = (void *) place;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    FilesNode root;
    FilesInode *inode;
    struct statx stx;
    char text[8];

    *at = (struct home_sockets_place){ .family = AF_UNIX, .mode = 0640, .node = 1 };
    memcpy(at->name, "door", 4);
    g_assert_cmpuint(create(guest, 1, AF_UNIX, SOCK_STREAM), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_BIND, .socket = 1 }, place, sizeof place,
                           NULL, 0), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_LISTEN, .socket = 1, .value = 0 }, NULL,
                           0, NULL, 0), ==, 0);
    g_assert_cmpuint(create(guest, 2, AF_UNIX, SOCK_STREAM), ==, 0);
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_BIND, .socket = 2 }, place, sizeof place,
                           NULL, 0), ==, EADDRINUSE);
    g_assert_cmpint(files_node_get(files, 1, TRUE, &root), ==, 0);
    g_assert_cmpint(files_look(files, &root, "door", &inode, &stx), ==, 0);
    g_assert_cmpuint(stx.stx_mode, ==, S_IFSOCK | 0640);
    files_node_put(&root);

    /* From home to the job. */
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(connect(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    guint32 accepted = await_head(guest, HOME_SOCKETS_ACCEPTED, 1).value;
    g_assert_cmpint(send(fd, "knock", 5, 0), ==, 5);
    g_byte_array_unref(await(guest, HOME_SOCKETS_DATA, accepted));

    /* From the job to the job, the queue being full: tried until there is room. */
    *at = (struct home_sockets_place){ .family = AF_UNIX, .node = inode->id };
    for (guint32 id = 3; id < 7; id++) {
        g_assert_cmpuint(create(guest, id, AF_UNIX, SOCK_STREAM), ==, 0);
        guint32 error = order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = id }, place,
                              sizeof *at, NULL, 0);
        g_assert_true(error == 0 || error == EINPROGRESS);
        taken(guest, 1, 1);
        if (error)
            g_assert_cmpuint(await_head(guest, HOME_SOCKETS_CONNECTED, id).error, ==, 0);
    }
    close(fd);
    await_head(guest, HOME_SOCKETS_END, accepted);
    release(guest, 1, 0);
    *at = (struct home_sockets_place){ .family = AF_UNIX, .node = inode->id };
    g_assert_cmpuint(order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = 2 }, place, sizeof *at,
                           text, sizeof text), ==, ECONNREFUSED);
    files_inodes_put(files->inodes, inode);
    guest_free(guest);
    files_free(files);
    g_unlink(path);
    g_rmdir(folder);
}

/* Both ends in one job: the listening one is told which the other is, before that hears that it is
 * connected. */
static void test_own(void)
{
    Guest *guest = guest_new(NULL);
    struct sockaddr_in address;

    g_assert_cmpuint(listens(guest, 1, 5, &address), ==, 0);
    g_assert_cmpuint(create(guest, 2, AF_INET, SOCK_STREAM), ==, 0);
    guint32 error = order(guest, (Head){ .type = HOME_SOCKETS_CONNECT, .socket = 2 }, &address,
                          sizeof address, NULL, 0);
    g_assert_true(error == 0 || error == EINPROGRESS);
    if (error) {
        g_byte_array_unref(await(guest, HOME_SOCKETS_CONNECTED, 2));
        g_assert_false(g_queue_is_empty(&guest->told)); /* it was there before */
    }
    g_assert_cmpuint(await_head(guest, HOME_SOCKETS_ACCEPTED, 1).more, ==, 2);
    guest_free(guest);
}

static void test_many(void)
{
    Guest *guest = guest_new(NULL);

    for (guint32 id = 1; id <= 800; id++)
        g_assert_cmpuint(create(guest, id, AF_INET, id % 2 ? SOCK_DGRAM : SOCK_STREAM), ==, 0);
    for (guint32 id = 1; id <= 800; id++)
        release(guest, id, 0);
    g_assert_false(sockets_linger(guest->sockets));
    guest_free(guest);
}

/* What no guest says. */
static void test_lies(void)
{
    static const Head lies[] = {
        { .type = 99, .socket = 1 },
        { .type = HOME_SOCKETS_ANSWER, .socket = 1 },
        { .type = HOME_SOCKETS_NAME, .socket = 0 },
        { .type = HOME_SOCKETS_CREATE, .socket = 1, .value = AF_INET, .more = SOCK_STREAM }, /* again */
        { .type = HOME_SOCKETS_CREATE, .socket = 9, .value = AF_NETLINK, .more = SOCK_STREAM },
        { .type = HOME_SOCKETS_CREATE, .socket = 9, .value = AF_INET, .more = SOCK_RAW },
        { .type = HOME_SOCKETS_CREATE, .socket = HOME_SOCKETS_BY_HOME | 9, .value = AF_INET,
          .more = SOCK_STREAM },
        { .type = HOME_SOCKETS_DATA, .socket = 1 },
        { .type = HOME_SOCKETS_DATAGRAM, .socket = 1 },
        { .type = HOME_SOCKETS_DATAGRAM, .socket = 2, .value = 1 },
    };
    static guint8 bytes[HOME_SOCKETS_DATA_MAX];
    Guest *guest = guest_new(NULL);
    Head head = { .size = sizeof head + 1, .type = HOME_SOCKETS_NAME, .socket = 1 };
    int fd = connected(guest, 1);

    g_assert_cmpuint(create(guest, 2, AF_INET, SOCK_DGRAM), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(lies); i++)
        g_assert_false(say_data(guest, lies[i], NULL, 0));
    g_assert_false(sockets_message(guest->sockets, &head, sizeof head));
    g_assert_false(sockets_message(guest->sockets, &head, 3));
    gboolean good = TRUE;
    for (int i = 0; i < 400 && good; i++)
        good = data(guest, 1, bytes, sizeof bytes);
    g_assert_false(good); /* beyond the window */
    close(fd);
    guest_free(guest);
}

/* All of it within the back's system calls. */
static void all_at_once(void)
{
    test_stream(NULL);
    test_listen();
    test_errors();
    test_options();
    test_datagrams();
    test_own();
}

static void test_locked(void)
{
    run_locked(all_at_once);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/sockets/stream", NULL, test_stream);
    g_test_add_data_func("/sockets/stream-full-link", GUINT_TO_POINTER(3), test_stream);
    g_test_add_func("/sockets/windows", test_windows);
    g_test_add_func("/sockets/listen", test_listen);
    g_test_add_func("/sockets/errors", test_errors);
    g_test_add_func("/sockets/options", test_options);
    g_test_add_func("/sockets/datagrams", test_datagrams);
    g_test_add_func("/sockets/unix", test_unix);
    g_test_add_func("/sockets/own", test_own);
    g_test_add_func("/sockets/many", test_many);
    g_test_add_func("/sockets/lies", test_lies);
    g_test_add_func("/sockets/locked", test_locked);
    return g_test_run();
}
