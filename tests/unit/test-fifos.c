/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-fifos.c - FIFOs of the home that the job has open, with a test in the place of the guest */
#include "common/home-sockets.h"
#include "deputy/files-impl.h"
#include "deputy/sockets.h"
#include "locked.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct home_sockets_head Head;

/* A guest, and the folder with the FIFO "p". */
typedef struct {
    char *folder, *path;
    Files *files;
    FilesInode *inode;
    Sockets *sockets;
    GQueue told;            /* of GByteArray */
    gboolean deaf;          /* takes nothing */
    guint32 requests;
} Guest;

static int guest_send(const void *head, gsize head_size, const void *data, gsize size, gpointer user)
{
    if (((Guest *) user)->deaf)
        return -EAGAIN;
    GByteArray *record = g_byte_array_new();

    g_byte_array_append(record, head, (guint) head_size);
    if (size)
        g_byte_array_append(record, data, (guint) size);
    g_queue_push_tail(&((Guest *) user)->told, record);
    return 0;
}

static void guest_consumed(gsize size, gpointer user)
{
}

static gboolean guest_busy(gpointer user)
{
    return FALSE;
}

static void guest_flush(gpointer user)
{
}

static void no_reply(const struct iovec *pieces, int count, gpointer user)
{
}

static Guest *guest_new(void)
{
    static const SocketsEvents events = { guest_send, guest_consumed, guest_busy, guest_flush };
    Guest *guest = g_new0(Guest, 1);
    FilesNode root;
    struct statx stx;

    g_queue_init(&guest->told);
    guest->folder = g_dir_make_tmp("fifos-XXXXXX", NULL);
    guest->path = g_build_filename(guest->folder, "p", NULL);
    g_assert_cmpint(mkfifo(guest->path, 0600), ==, 0);
    guest->files = files_new(&(FilesOptions){ .root = guest->folder, .workers = 1 }, no_reply, NULL, NULL);
    g_assert_cmpint(files_node_get(guest->files, 1, TRUE, &root), ==, 0);
    g_assert_cmpint(files_look(guest->files, &root, "p", &guest->inode, &stx), ==, 0);
    files_node_put(&root);
    guest->sockets = sockets_new(guest->files, &events, guest, NULL);
    return guest;
}

static void guest_free(Guest *guest)
{
    sockets_free(guest->sockets);
    g_queue_clear_full(&guest->told, (GDestroyNotify) g_byte_array_unref);
    files_inodes_put(guest->files->inodes, guest->inode);
    files_free(guest->files);
    g_unlink(guest->path);
    g_rmdir(guest->folder);
    g_free(guest->path);
    g_free(guest->folder);
    g_free(guest);
}

/* Says a record; its number. */
static guint32 say(Guest *guest, Head head, const void *data, gsize size)
{
    g_autofree guint8 *record = g_malloc(sizeof head + size);

    head.size = (guint32) (sizeof head + size);
    if (!head.request)
        head.request = ++guest->requests;
    memcpy(record, &head, sizeof head);
    if (size)
        memcpy(record + sizeof head, data, size);
    return sockets_message(guest->sockets, record, head.size) ? head.request : 0;
}

static gboolean wake(gpointer user)
{
    return G_SOURCE_CONTINUE;
}

/* What home has said with this type and number; NULL if nothing, even after a while. */
static GByteArray *look(Guest *guest, guint16 type, guint32 request, guint patience_ms)
{
    gint64 end = g_get_monotonic_time() + patience_ms * 1000;

    do {
        for (GList *link = guest->told.head; link; link = link->next) {
            const Head *head = (void *) ((GByteArray *) link->data)->data;
            if (head->type == type && head->request == request) {
                GByteArray *record = link->data;
                g_queue_delete_link(&guest->told, link);
                return record;
            }
        }
        guint timer = g_timeout_add(2, wake, NULL);
        g_main_context_iteration(NULL, TRUE);
        g_source_remove(timer);
    } while (g_get_monotonic_time() < end);
    return NULL;
}

static gboolean waits(Guest *guest, guint32 request)
{
    return look(guest, HOME_SOCKETS_ANSWER, request, 30) == NULL;
}

/* The error of an answer, its bytes into value and their number into *ret_size. */
static guint32 answer(Guest *guest, guint32 request, void *value, gsize room, gsize *ret_size)
{
    GByteArray *record = look(guest, HOME_SOCKETS_ANSWER, request, 5000);
    g_assert_nonnull(record);
    const Head *head = (void *) record->data;
    guint32 error = head->error;

    if (ret_size)
        *ret_size = record->len - sizeof *head;
    if (value)
        memcpy(value, head + 1, MIN(room, record->len - sizeof *head));
    g_byte_array_unref(record);
    return error;
}

static guint32 ask_open(Guest *guest, guint32 id, int flags)
{
    const struct home_sockets_place place = { .family = 1, .node = guest->inode->id };

    return say(guest,
               (Head){ .type = HOME_SOCKETS_OPEN, .socket = id, .value = (guint32) flags & O_ACCMODE,
                       .flags = flags & O_NONBLOCK ? HOME_SOCKETS_NOWAIT : 0 },
               &place, sizeof place);
}

static guint32 opens(Guest *guest, guint32 id, int flags)
{
    return answer(guest, ask_open(guest, id, flags), NULL, 0, NULL);
}

static guint32 ask_read(Guest *guest, guint32 id, guint16 flags)
{
    return say(guest, (Head){ .type = HOME_SOCKETS_READ, .socket = id, .flags = flags, .value = 65536 },
               NULL, 0);
}

static void interrupt(Guest *guest, guint32 id, guint32 request)
{
    say(guest, (Head){ .type = HOME_SOCKETS_INTERRUPT, .socket = id, .request = request }, NULL, 0);
}

static void release(Guest *guest, guint32 id)
{
    say(guest, (Head){ .type = HOME_SOCKETS_RELEASE, .socket = id }, NULL, 0);
}

static void test_open(void)
{
    Guest *guest = guest_new();

    g_assert_cmpuint(opens(guest, 1, O_WRONLY | O_NONBLOCK), ==, ENXIO);
    g_assert_cmpuint(opens(guest, 2, O_RDWR), ==, 0);
    release(guest, 2);

    /* Each waits for the other, and finds somebody of home's, too. */
    guint32 writer = ask_open(guest, 3, O_WRONLY);
    g_assert_true(waits(guest, writer));
    guint32 reader = ask_open(guest, 4, O_RDONLY);
    g_assert_cmpuint(answer(guest, reader, NULL, 0, NULL), ==, 0);
    g_assert_cmpuint(answer(guest, writer, NULL, 0, NULL), ==, 0);
    release(guest, 3);
    release(guest, 4);
    reader = ask_open(guest, 5, O_RDONLY);
    g_assert_true(waits(guest, reader));
    int fd = open(guest->path, O_WRONLY | O_CLOEXEC);
    g_assert_cmpuint(answer(guest, reader, NULL, 0, NULL), ==, 0);
    close(fd);
    release(guest, 5);

    /* Interrupted, closed by who was killed, and still waiting at the end. */
    reader = ask_open(guest, 6, O_RDONLY);
    g_assert_true(waits(guest, reader));
    interrupt(guest, 6, reader);
    g_assert_cmpuint(answer(guest, reader, NULL, 0, NULL), ==, EINTR);
    reader = ask_open(guest, 7, O_RDONLY);
    release(guest, 7);
    g_assert_true(waits(guest, reader));
    ask_open(guest, 8, O_RDONLY);
    guest_free(guest);
}

static void test_bytes(void)
{
    Guest *guest = guest_new();
    struct home_sockets_written written;
    g_autofree char *bulk = g_malloc0(HOME_SOCKETS_FIFO_MAX);
    Head write_bulk = { .type = HOME_SOCKETS_WRITE, .socket = 1 };
    char text[16];
    gsize size;

    int fd = open(guest->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpuint(opens(guest, 1, O_RDWR), ==, 0);
    guint32 request = ask_read(guest, 1, HOME_SOCKETS_NOWAIT);
    g_assert_cmpuint(answer(guest, request, NULL, 0, NULL), ==, EAGAIN);
    request = ask_read(guest, 1, 0);
    g_assert_true(waits(guest, request));
    g_assert_cmpint(write(fd, "abc", 3), ==, 3);
    g_assert_cmpuint(answer(guest, request, text, sizeof text, &size), ==, 0);
    g_assert_cmpmem(text, size, "abc", 3);
    request = ask_read(guest, 1, 0);
    interrupt(guest, 1, request);
    g_assert_cmpuint(answer(guest, request, NULL, 0, NULL), ==, EINTR);

    /* What does not fit waits, or says how much did. */
    request = say(guest, write_bulk, bulk, HOME_SOCKETS_FIFO_MAX);
    g_assert_cmpuint(answer(guest, request, &written, sizeof written, &size), ==, 0);
    g_assert_cmpuint(written.size, ==, HOME_SOCKETS_FIFO_MAX);
    request = say(guest, write_bulk, bulk, HOME_SOCKETS_FIFO_MAX);
    g_assert_true(waits(guest, request));
    g_assert_cmpint(read(fd, bulk, 8192), ==, 8192);
    g_assert_true(waits(guest, request));
    interrupt(guest, 1, request);
    g_assert_cmpuint(answer(guest, request, &written, sizeof written, &size), ==, 0);
    g_assert_cmpuint(written.size, ==, 8192);
    write_bulk.flags = HOME_SOCKETS_NOWAIT;
    g_assert_cmpuint(answer(guest, say(guest, write_bulk, bulk, 1), NULL, 0, NULL), ==, EAGAIN);
    close(fd);
    release(guest, 1);

    /* The end, more than once, and a pipe that nobody reads. */
    g_assert_cmpuint(opens(guest, 2, O_RDONLY | O_NONBLOCK), ==, 0);
    g_assert_cmpuint(opens(guest, 3, O_WRONLY), ==, 0);
    request = ask_read(guest, 2, 0);
    release(guest, 3);
    g_assert_cmpuint(answer(guest, request, NULL, 0, &size), ==, 0);
    g_assert_cmpuint(size, ==, 0);
    g_assert_cmpuint(opens(guest, 4, O_WRONLY), ==, 0);
    release(guest, 2);
    write_bulk = (Head){ .type = HOME_SOCKETS_WRITE, .socket = 4 };
    g_assert_cmpuint(answer(guest, say(guest, write_bulk, bulk, 5), NULL, 0, NULL), ==, EPIPE);
    guest_free(guest);
}

static guint32 asks_poll(Guest *guest, guint32 id)
{
    guint32 now = 0;
    guint32 request = say(guest,
                          (Head){ .type = HOME_SOCKETS_POLL, .socket = id, .value = EPOLLIN | EPOLLOUT },
                          NULL, 0);

    g_assert_cmpuint(answer(guest, request, &now, sizeof now, NULL), ==, 0);
    return now;
}

static void test_poll(void)
{
    Guest *guest = guest_new();
    GByteArray *record;

    g_assert_cmpuint(opens(guest, 1, O_RDONLY | O_NONBLOCK), ==, 0);
    int fd = open(guest->path, O_WRONLY | O_CLOEXEC);
    g_assert_cmpuint(asks_poll(guest, 1), ==, 0);
    g_assert_null(look(guest, HOME_SOCKETS_EVENTS, 0, 30));
    for (int i = 0; i < 2; i++) {   /* said once until something is asked again */
        g_assert_cmpint(write(fd, "x", 1), ==, 1);
        record = look(guest, HOME_SOCKETS_EVENTS, 0, 5000);
        g_assert_cmpuint(((Head *) (void *) record->data)->value, ==, EPOLLIN);
        g_byte_array_unref(record);
        g_assert_cmpint(write(fd, "x", 1), ==, 1);
        g_assert_null(look(guest, HOME_SOCKETS_EVENTS, 0, 30));
        g_assert_cmpuint(asks_poll(guest, 1), ==, EPOLLIN);
    }
    answer(guest, ask_read(guest, 1, 0), NULL, 0, NULL);
    close(fd);
    record = look(guest, HOME_SOCKETS_EVENTS, 0, 5000);
    g_assert_cmpuint(((Head *) (void *) record->data)->value, ==, EPOLLHUP);
    g_byte_array_unref(record);
    g_assert_cmpuint(asks_poll(guest, 1), ==, EPOLLHUP);
    guest_free(guest);
}

/* What no guest says, and what is only too late. */
static void test_lies(void)
{
    Guest *guest = guest_new();
    const struct home_sockets_place root = { .family = 1, .node = 1 };

    g_assert_cmpuint(opens(guest, 1, O_RDWR), ==, 0);
    g_assert_cmpuint(ask_open(guest, 1, O_RDWR), ==, 0);
    g_assert_cmpuint(ask_open(guest, 2, 3), ==, 0);
    g_assert_cmpuint(ask_open(guest, HOME_SOCKETS_BY_HOME | 2, O_RDWR), ==, 0);
    guint32 request = say(guest, (Head){ .type = HOME_SOCKETS_OPEN, .socket = 2 }, &root, sizeof root);
    g_assert_cmpuint(answer(guest, request, NULL, 0, NULL), ==, ESTALE); /* a folder */
    for (guint16 type = HOME_SOCKETS_BIND; type <= HOME_SOCKETS_SHUTDOWN; type++)
        if (type != HOME_SOCKETS_IOCTL)
            g_assert_cmpuint(say(guest, (Head){ .type = type, .socket = 1 }, NULL, 0), ==, 0);
    g_assert_cmpuint(say(guest, (Head){ .type = HOME_SOCKETS_DATA, .socket = 1 }, "x", 1), ==, 0);
    g_assert_cmpuint(say(guest, (Head){ .type = HOME_SOCKETS_READ, .socket = 1 }, NULL, 0), ==, 0);
    g_assert_cmpuint(say(guest, (Head){ .type = HOME_SOCKETS_WRITE, .socket = 1 }, NULL, 0), ==, 0);
    g_assert_cmpuint(answer(guest, ask_read(guest, 7, 0), NULL, 0, NULL), ==, EBADF);

    /* Asked by one that was killed, then by another: the first gets its answer. */
    request = ask_read(guest, 1, 0);
    guint32 other = ask_read(guest, 1, 0);
    g_assert_cmpuint(answer(guest, request, NULL, 0, NULL), ==, EINTR);
    g_assert_true(waits(guest, other));
    guest_free(guest);
}

/* Many small questions must not make home keep many long answers for a guest that takes none. */
static void test_deaf(void)
{
    Guest *guest = guest_new();
    static const char bulk[16384];
    gsize first, second;

    int fd = open(guest->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    g_assert_cmpuint(opens(guest, 1, O_RDWR), ==, 0);
    g_assert_cmpint(write(fd, bulk, sizeof bulk), ==, sizeof bulk);
    guest->deaf = TRUE;
    guint32 poll = say(guest, (Head){ .type = HOME_SOCKETS_POLL, .socket = 1, .value = EPOLLIN }, NULL, 0);
    guint32 request = ask_read(guest, 1, 0), other = ask_read(guest, 1, 0);
    guest->deaf = FALSE;
    sockets_writable(guest->sockets);
    g_assert_cmpuint(answer(guest, poll, NULL, 0, NULL), ==, 0);
    g_assert_cmpuint(answer(guest, request, NULL, 0, &first), ==, 0);
    g_assert_cmpuint(answer(guest, other, NULL, 0, &second), ==, 0);
    g_assert_cmpuint(first, ==, 4096);
    g_assert_cmpuint(second, ==, 4096);
    g_assert_cmpuint(answer(guest, ask_read(guest, 1, 0), NULL, 0, &first), ==, 0);
    g_assert_cmpuint(first, ==, sizeof bulk - 8192);
    close(fd);
    guest_free(guest);
}

static Guest *outside; /* made before the lock, as the back makes what it needs */

static void all_at_once(void)
{
    Guest *guest = outside;
    guint32 reader = ask_open(guest, 1, O_RDONLY);

    g_assert_true(waits(guest, reader));
    interrupt(guest, 1, reader);
    g_assert_cmpuint(answer(guest, reader, NULL, 0, NULL), ==, EINTR);
    g_assert_cmpuint(opens(guest, 2, O_RDWR), ==, 0);
    g_assert_cmpuint(asks_poll(guest, 2), ==, EPOLLOUT);
    g_assert_cmpuint(answer(guest, say(guest, (Head){ .type = HOME_SOCKETS_WRITE, .socket = 2 }, "x", 1),
                            NULL, 0, NULL), ==, 0);
    g_assert_cmpuint(answer(guest, ask_read(guest, 2, 0), NULL, 0, NULL), ==, 0);
    sockets_free(guest->sockets);
}

static void test_locked(void)
{
    outside = guest_new();
    run_locked(all_at_once);
    guest_free(outside);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fifos/open", test_open);
    g_test_add_func("/fifos/bytes", test_bytes);
    g_test_add_func("/fifos/poll", test_poll);
    g_test_add_func("/fifos/lies", test_lies);
    g_test_add_func("/fifos/deaf", test_deaf);
    g_test_add_func("/fifos/locked", test_locked);
    return g_test_run();
}
