/* SPDX-License-Identifier: GPL-2.0-or-later */
/* beliefs.c - an init that serves files to itself and says that all may be believed for long, until it invalidates it
 *
 * The root has "there", "late", "fresh" and "folder", in which are "a" and "b"; no time of any of them ever changes. The server
 * can be told to keep the answer to one LOOKUP, and to invalidate an inode, while it does or not. Results are TAP on the
 * console.
 */
#include "served.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* As in the kernel's patches 41-beliefs. */
#define INVAL_NAMES (1ULL << 61)
#define OPENDIR_LISTS (1ULL << 60)
#define OPEN_LISTING (1u << 30)
#define OPEN_LISTED (1u << 30)
#define LONG 1000

enum { ROOT = 1, THERE, LATE, FRESH, FOLDER, A, B };
static const char *const names[] = {[THERE] = "there", [LATE] = "late", [FRESH] = "fresh", [FOLDER] = "folder", [A] = "a", [B] = "b"};

typedef struct {
    volatile int asked[64]; /* by opcode */
    volatile unsigned long long init_flags, handle;
    volatile int hold, invalidate; /* a node: its LOOKUP is held; it is invalidated */
    volatile bool holds, lists; /* an OPENDIR is answered with the listing */
    volatile time_t read_at;    /* when the folder was read last */
} Shared;
static Shared *shared;

/* The server */

static void invalidate(int fuse, uint64_t node) {
    struct {
        struct fuse_out_header head;
        struct fuse_notify_inval_inode_out body;
    } notice = {{sizeof notice, FUSE_NOTIFY_INVAL_INODE, 0}, {.ino = node, .off = -1}};

    if (write(fuse, &notice, sizeof notice) < 0 && errno != ENOENT)
        printf("# notice: %m\n");
}

static struct fuse_attr attributes(uint64_t node) {
    bool folder = node == ROOT || node == FOLDER;

    return (struct fuse_attr){.ino = node + 100, .mode = folder ? S_IFDIR | 0755 : S_IFREG | 0666, .nlink = 1, .blksize = 4096,
                              .atime = node == FOLDER ? (uint64_t)shared->read_at : 0};
}

static void answer_lookup(int fuse, const struct fuse_in_header *head, const char *name) {
    struct fuse_entry_out out = {.entry_valid = LONG};

    for (int node = THERE; node <= B; node++)
        if (!strcmp(name, names[node]))
            out = (struct fuse_entry_out){.nodeid = (uint64_t)node, .entry_valid = LONG, .attr_valid = LONG,
                                          .attr = attributes((uint64_t)node)};
    reply(fuse, head->unique, 0, &out, sizeof out);
}

static void read_directory(int fuse, const struct fuse_in_header *head, const struct fuse_read_in *in) {
    static char buffer[1024];
    size_t used = 0;

    shared->handle = in->fh;
    memset(buffer, 0, sizeof buffer);
    for (int i = (int)in->offset; i < 2; i++) {
        struct fuse_dirent dirent = {.ino = (uint64_t)(A + i) + 100, .off = (uint64_t)i + 1, .namelen = 1, .type = DT_REG};

        memcpy(buffer + used, &dirent, sizeof dirent);
        buffer[used + FUSE_NAME_OFFSET] = *names[A + i];
        used += FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 1);
    }
    reply(fuse, head->unique, 0, buffer, used);
}

static void open_directory(int fuse, const struct fuse_in_header *head, const struct fuse_open_in *in) {
    struct {
        struct fuse_open_out opened;
        struct {
            struct fuse_entry_out out;
            struct fuse_dirent dirent;
            char name[8];
        } entry[2];
    } all = {.opened = {.fh = 7, .open_flags = FOPEN_CACHE_DIR}};
    bool lists = shared->lists && in->open_flags & OPEN_LISTING;

    if (lists)
        all.opened = (struct fuse_open_out){.open_flags = FOPEN_CACHE_DIR | OPEN_LISTED};
    for (int i = 0; i < 2; i++) {
        uint64_t node = (uint64_t)(A + i);

        all.entry[i].out = (struct fuse_entry_out){.nodeid = node, .entry_valid = LONG, .attr_valid = LONG, .attr = attributes(node)};
        all.entry[i].dirent = (struct fuse_dirent){.ino = node + 100, .off = (uint64_t)i + 1, .namelen = 1, .type = DT_REG};
        *all.entry[i].name = *names[node];
    }
    reply(fuse, head->unique, 0, &all, lists ? sizeof all : sizeof all.opened);
}

static void answer(int fuse, const struct fuse_in_header *head, const void *data) {
    struct fuse_attr_out attr = {.attr_valid = LONG, .attr = attributes(head->nodeid)};
    const struct fuse_init_in *in = data;
    struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .max_write = 4096};

    switch (head->opcode) {
    case FUSE_INIT:
        shared->init_flags = in->flags | (unsigned long long)in->flags2 << 32;
        init.minor = in->minor;
        init.flags = in->flags & (FUSE_AUTO_INVAL_DATA | FUSE_PARALLEL_DIROPS | FUSE_INIT_EXT);
        init.flags2 = in->flags2 & (OPENDIR_LISTS >> 32);
        reply(fuse, head->unique, 0, &init, sizeof init);
        break;
    case FUSE_LOOKUP:
        answer_lookup(fuse, head, data);
        break;
    case FUSE_GETATTR:
        reply(fuse, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_OPENDIR:
        open_directory(fuse, head, data);
        break;
    case FUSE_READDIR:
        read_directory(fuse, head, data);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break;
    case FUSE_RELEASEDIR:
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    default:
        reply(fuse, head->unique, ENOSYS, NULL, 0);
    }
}

static bool to_be_held(const struct fuse_in_header *head) {
    return head->opcode == FUSE_LOOKUP && shared->hold && !strcmp((const char *)(head + 1), names[shared->hold]);
}

static void serve(int fuse) {
    static char buffer[FUSE_MIN_READ_BUFFER + 8192], held[512];

    for (;;) {
        const struct fuse_in_header *head, *kept = (const void *)held;
        size_t size;

        if (shared->invalidate) {
            invalidate(fuse, (uint64_t)shared->invalidate);
            shared->invalidate = 0;
        }
        if (shared->holds && !shared->hold) {
            answer(fuse, kept, held + sizeof *kept);
            shared->holds = false;
        }
        head = served_next(fuse, buffer, sizeof buffer, &size);
        if (!head)
            continue;
        if (head->opcode < 64)
            shared->asked[head->opcode]++;
        if (to_be_held(head) && size <= sizeof held) {
            memcpy(held, buffer, size);
            shared->holds = true;
        } else {
            answer(fuse, head, buffer + sizeof *head);
        }
    }
}

/* The tests */

static void tell(int node) {
    shared->invalidate = node;
    while (shared->invalidate)
        usleep(1000);
}

/* How many requests of a kind a stat makes, whatever comes out. */
static int asks(int opcode, const char *path) {
    int before = shared->asked[opcode];
    struct stat status;

    stat(path, &status);
    return shared->asked[opcode] - before;
}

static void test_names(void) {
    ok(asks(FUSE_LOOKUP, "/mnt/there") == 1 && asks(FUSE_LOOKUP, "/mnt/there") == 0, "a name is asked for once");
    ok(shared->init_flags & INVAL_NAMES, "the kernel offers FUSE_INVAL_NAMES");
    ok(asks(FUSE_LOOKUP, "/mnt/missing") == 1 && asks(FUSE_LOOKUP, "/mnt/missing") == 0, "one that does not exist, too");
    tell(ROOT);
    ok(asks(FUSE_LOOKUP, "/mnt/there") == 1, "again when its folder was invalidated");
    ok(asks(FUSE_LOOKUP, "/mnt/missing") == 1, "also if it does not exist");
    ok(asks(FUSE_LOOKUP, "/mnt/there") == 0 && asks(FUSE_LOOKUP, "/mnt/missing") == 0, "and then not any more");
    tell(FOLDER);
    tell(THERE);
    int before = shared->asked[FUSE_GETATTR];
    ok(asks(FUSE_LOOKUP, "/mnt/there") == 0, "not when something else was");
    ok(shared->asked[FUSE_GETATTR] == before + 1 && asks(FUSE_GETATTR, "/mnt/there") == 0, "its own attributes, once");
}

/* A LOOKUP is answered after the invalidation of a node, though before it for all that the kernel can see. */
static void overtaken(int node, int invalidated) {
    char path[32];
    pid_t pid;

    snprintf(path, sizeof path, "/mnt/%s", names[node]);
    shared->hold = node;
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        _exit(asks(FUSE_LOOKUP, path) != 1);
    for (int i = 0; i < 1000 && !shared->holds; i++)
        usleep(1000);
    tell(invalidated);
    shared->hold = 0;
    waitpid(pid, NULL, 0);
}

static void test_overtaken(void) {
    overtaken(LATE, ROOT);
    ok(asks(FUSE_LOOKUP, "/mnt/late") == 1, "an answer that an invalidation has overtaken is not believed");
    ok(asks(FUSE_LOOKUP, "/mnt/late") == 0, "the next one is");
    int before = shared->asked[FUSE_GETATTR];
    overtaken(FRESH, FRESH);
    ok(shared->asked[FUSE_GETATTR] == before + 1, "nor are attributes of what was not known when it was invalidated");
    ok(asks(FUSE_GETATTR, "/mnt/fresh") == 0, "the next ones are");
}

/* How many requests it takes to list the folder, -1 if it is not right. */
static int listing(DIR *folder) {
    int before = shared->asked[FUSE_READDIR] + shared->asked[FUSE_OPENDIR], entries = 0;
    DIR *mine = folder ? folder : opendir("/mnt/folder");
    bool right = mine != NULL;

    for (struct dirent *entry; mine && (entry = readdir(mine)); entries++)
        right = right && !strcmp(entry->d_name, names[A + (entries & 1)]);
    if (mine)
        closedir(mine);
    return right && entries == 2 ? shared->asked[FUSE_READDIR] + shared->asked[FUSE_OPENDIR] - before : -1;
}

static void test_listing(void) {
    int drop = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    DIR *folder;

    ok(listing(NULL) > 0 && listing(NULL) == 0, "a folder is opened and read once");
    tell(FOLDER);
    ok(listing(NULL) > 0, "again when it was invalidated, though its times are the same");
    folder = opendir("/mnt/folder");
    ok(folder && drop >= 0 && write(drop, "1", 1) == 1 && listing(folder) > 0 && shared->handle == 0,
       "a listing that is gone after it was opened is asked for without handle");
    close(drop);
}

/* How many requests about folders there were. */
static int folder_requests(void) {
    return shared->asked[FUSE_OPENDIR] + shared->asked[FUSE_READDIR] + shared->asked[FUSE_RELEASEDIR];
}

static void test_listed(void) {
    int before, lookups;
    DIR *folder;

    shared->lists = true;
    tell(FOLDER);
    before = folder_requests();
    lookups = shared->asked[FUSE_LOOKUP];
    ok(listing(NULL) == 1 && folder_requests() == before + 1, "with the listing in the answer a folder takes one request");
    ok(asks(FUSE_LOOKUP, "/mnt/folder/a") + asks(FUSE_LOOKUP, "/mnt/folder/b") == 0 && shared->asked[FUSE_LOOKUP] == lookups,
       "its names are known then");
    ok(listing(NULL) == 0, "and the next time none");
    tell(FOLDER);
    folder = opendir("/mnt/folder");
    tell(FOLDER);
    before = shared->asked[FUSE_READDIR];
    ok(folder && listing(folder) > 0 && shared->asked[FUSE_READDIR] > before && shared->handle == 0,
       "a listing that was outdated after the folder was opened is not believed");
    ok(listing(NULL) >= 0 && listing(NULL) == 0, "the next one is");
}

/* How many GETATTR a stat of the folder makes after it was listed, read last at that time. */
static int asks_after_listing(time_t read_at) {
    shared->read_at = read_at;
    shared->lists = false;
    tell(FOLDER);
    listing(NULL);
    return asks(FUSE_GETATTR, "/mnt/folder");
}

static void test_time_of_reading(void) {
    ok(asks_after_listing(0) == 1, "the time of reading is asked for where reading changes it");
    ok(asks_after_listing(time(NULL) - 10) == 0, "and not where it is later than the others");
    ok(asks_after_listing(time(NULL) - 86500) == 1, "but if it is a day old");
}

int main(void) {
    tap_begin();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ok(served_mount("", serve), "mount");
    test_names();
    test_overtaken();
    test_listing();
    test_listed();
    test_time_of_reading();
    ok_log();
    tap_end();
}
