/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-sockets.c - a guest that says anything of its sockets
 *
 * The input is records behind one another, each with its length (16 bits) in front; size and the
 * number of the request are put right in half of them, so that more than the first check is
 * reached. A byte 0xff there lets a turn of the main loop pass instead. AF_UNIX names lead nowhere:
 * the only place that there is is a FIFO. For what the input may find, addresses are made loopback's.
 */
#include "common/home-sockets.h"
#include "deputy/files-impl.h"
#include "deputy/sockets.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    unsigned asked;
} Guest;

static int take(const void *head, gsize head_size, const void *data, gsize size, gpointer user)
{
    Guest *guest = user;
    struct home_sockets_head record;

    if (head_size < sizeof record)
        abort();
    memcpy(&record, head, sizeof record);
    if (record.size != head_size + size || record.size > HOME_SOCKETS_RECORD_MAX)
        abort();
    return guest->asked++ % 5 == 4 ? -EAGAIN : 0;
}

static void consumed(gsize size, gpointer user)
{
}

static gboolean busy(gpointer user)
{
    return FALSE;
}

static void flush(gpointer user)
{
}

static void no_reply(const struct iovec *pieces, int count, gpointer user)
{
}

static char *folder, *path;
static Files *files;
static FilesInode *fifo;

static void remove_fifo(void)
{
    unlink(path);
    rmdir(folder);
}

/* Once: a folder with a FIFO, served. */
static void make_fifo(void)
{
    FilesNode root;
    struct statx stx;

    if (files)
        return;
    signal(SIGPIPE, SIG_IGN);
    folder = g_dir_make_tmp("fuzz-XXXXXX", NULL);
    path = g_build_filename(folder, "p", NULL);
    if (mkfifo(path, 0600) < 0)
        abort();
    atexit(remove_fifo);
    files = files_new(&(FilesOptions){ .root = folder, .workers = 1 }, no_reply, NULL, NULL);
    if (!files || files_node_get(files, 1, TRUE, &root) || files_look(files, &root, "p", &fifo, &stx))
        abort();
    files_node_put(&root);
}

/* Only to this machine: an input must not reach out. */
static void tame(struct home_sockets_head *head, uint8_t *payload, size_t size)
{
    struct sockaddr_in address;

    if (head->type == HOME_SOCKETS_OPEN && size == sizeof(struct home_sockets_place)) {
        memcpy(payload + offsetof(struct home_sockets_place, node), &fifo->id, sizeof fifo->id);
        return;
    }

    if (head->type != HOME_SOCKETS_BIND && head->type != HOME_SOCKETS_CONNECT &&
        head->type != HOME_SOCKETS_DATAGRAM)
        return;
    if (size < sizeof address) {
        memset(payload, 0, size);
        return;
    }
    memcpy(&address, payload, sizeof address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address.sin_family != AF_UNSPEC && address.sin_family != AF_UNIX)
        address.sin_family = AF_INET;
    memcpy(payload, &address, sizeof address);
}

static void say(Sockets *sockets, const uint8_t *bytes, size_t size, int right)
{
    uint8_t *record = malloc(size + 1);
    struct home_sockets_head head;

    memcpy(record, bytes, size);
    if (size >= sizeof head) {
        memcpy(&head, record, sizeof head);
        if (right)
            head.size = (uint32_t) size;
        if (head.type == HOME_SOCKETS_CREATE && right)
            head.value = head.value % 2 ? AF_INET : AF_UNIX;
        tame(&head, record + sizeof head, size - sizeof head);
        memcpy(record, &head, sizeof head);
    }
    sockets_message(sockets, record, size);
    free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const SocketsEvents events = { take, consumed, busy, flush };
    Guest guest = { 0 };
    make_fifo();
    Sockets *sockets = sockets_new(files, &events, &guest, NULL);
    size_t at = 0;

    while (sockets && at + 2 <= size) {
        size_t length = data[at] | (size_t) data[at + 1] << 8;

        at += 2;
        if (data[at - 1] == 0xff) {
            g_main_context_iteration(NULL, FALSE);
            sockets_writable(sockets);
            continue;
        }
        if (length % 0x8000 > size - at)
            break;
        say(sockets, data + at, length % 0x8000, !(length & 0x8000));
        at += length % 0x8000;
    }
    sockets_free(sockets);
    return 0;
}
