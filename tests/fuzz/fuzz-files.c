/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz-files.c - what a hostile guest may send to the file server
 *
 * Input: a byte (bit 0: read-only, bits 1 and 2: cache), then requests, each a 16-bit length and so
 * many bytes of a raw FUSE request, whose length field is put right if it is zero. They are
 * executed after a good INIT against a small tree. Beside that tree lies a file that nobody may
 * touch. */
#include "deputy/files.h"

#include <fcntl.h>
#include <ftw.h>
#include <linux/fuse.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST 0x7777777777777777u

static char folder[] = "/tmp/fuzz-files-XXXXXX";
static int folder_fd;
static struct stat before;
static GMutex mutex;
static GCond cond;
static gboolean last_answered;

static void reply(const struct iovec *iov, int count, void *user)
{
    const struct fuse_out_header *head = iov[0].iov_base;
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    if (iov[0].iov_len < sizeof(*head) || head->len != size ||
        (head->unique && (head->error > 0 || head->error < -4095)))
        abort();
    g_mutex_lock(&mutex);
    last_answered |= head->unique == LAST;
    g_cond_broadcast(&cond);
    g_mutex_unlock(&mutex);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_world(void)
{
    struct rlimit limit = { 1 << 20, 1 << 20 };

    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || !mkdtemp(folder))
        abort();
    atexit(remove_folder);
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(openat(folder_fd, "outside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (mkdirat(folder_fd, "root", 0755) < 0 || fstatat(folder_fd, "outside", &before, 0) < 0)
        abort();
}

/* What requests before this have removed is made again. */
static void make_tree(void)
{
    int flags = O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int fd = openat(folder_fd, "root/f", flags, 0644);

    if (fd >= 0) {
        if (write(fd, "content", 7) != 7)
            abort();
        close(fd);
    }
    if (mkdirat(folder_fd, "root/d", 0755) == 0 &&
        symlinkat("../../outside", folder_fd, "root/d/l") < 0)
        abort();
}

static void send_init(Files *files)
{
    struct {
        struct fuse_in_header head;
        struct fuse_init_in in;
    } m = { { .len = sizeof(m), .opcode = FUSE_INIT, .unique = 1 },
            { .major = 7, .minor = 37, .max_readahead = 1 << 20, .flags = ~0u } };

    files_request(files, &m, sizeof(m));
}

/* One worker takes requests in turn: when the last is answered, so are all but waiting locks. */
static void send_last(Files *files)
{
    struct fuse_in_header m = {
        .len = sizeof(m), .opcode = FUSE_STATFS, .unique = LAST, .nodeid = 1
    };

    files_request(files, &m, sizeof(m));
    g_mutex_lock(&mutex);
    while (!last_answered)
        g_cond_wait(&cond, &mutex);
    last_answered = FALSE;
    g_mutex_unlock(&mutex);
}

static void send_all(Files *files, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t length = data[0] | data[1] << 8;
        g_autofree uint8_t *request = NULL;
        uint32_t len;
        uint64_t unique;

        data += 2;
        size -= 2;
        length = MIN(length, size);
        request = g_malloc(length ? length : 1);
        memcpy(request, data, length);
        if (length >= sizeof(struct fuse_in_header)) {
            memcpy(&len, request, 4);
            if (!len) {
                len = (uint32_t)length;
                memcpy(request, &len, 4);
            }
            memcpy(&unique, request + offsetof(struct fuse_in_header, unique), 8);
            if (unique == LAST)
                request[offsetof(struct fuse_in_header, unique)]++;
        }
        files_request(files, request, length);
        data += length;
        size -= length;
    }
}

static void check_outside(void)
{
    struct stat now;

    if (fstatat(folder_fd, "outside", &now, AT_SYMLINK_NOFOLLOW) < 0 ||
        now.st_ino != before.st_ino || now.st_ctim.tv_sec != before.st_ctim.tv_sec ||
        now.st_ctim.tv_nsec != before.st_ctim.tv_nsec)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static gboolean made;
    g_autofree char *root = NULL;
    FilesOptions options = { .workers = 1 };
    Files *files;

    if (size < 1)
        return 0;
    if (!made)
        make_world();
    made = TRUE;
    make_tree();
    options.root = root = g_build_filename(folder, "root", NULL);
    options.read_only = data[0] & 1;
    options.cache = (FilesCache)((data[0] >> 1) % 3);
    files = files_new(&options, reply, NULL, NULL);
    if (!files)
        abort();
    send_init(files);
    send_all(files, data + 1, size - 1);
    send_last(files);
    files_free(files);
    check_outside();
    return 0;
}
