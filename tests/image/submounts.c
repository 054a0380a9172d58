/* SPDX-License-Identifier: GPL-2.0-or-later */
/* submounts.c - an init that serves a few file systems to itself through /dev/fuse and looks at them
 *
 * The server, a child, has three file systems, as a home has them:
 *
 *     /                A     /sub             B     /sub/deep        C
 *     /plain           A     /sub/file        B     /sub/deep/leaf   C
 *     /plain/again     B     the directory /sub once more, as after mount --bind
 *     /back            A     the directory /plain once more
 *
 * Its replies are never cached by name, and its inodes have generations. It counts lookups and forgets in memory that
 * the tests see, and can be told to keep a RELEASE waiting or to lose a file system. Results are TAP on the console.
 */
#include "served.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBER_A 8, 1
#define NUMBER_B 0, 45
#define NUMBER_C 259, 300000
#define DEV_A gnu_dev_makedev(NUMBER_A)
#define DEV_B gnu_dev_makedev(NUMBER_B)
#define DEV_C gnu_dev_makedev(NUMBER_C)
#define TEXT "what the file says\n"
#define TRIES 500

enum { ROOT = 1, SUB, FILE_, DEEP, LEAF, PLAIN, NODES };

typedef struct {
    mode_t mode;
    uint64_t blocks; /* what statfs says */
    unsigned major, minor;
} Node;

static const Node nodes[NODES] = {
    [ROOT] = {S_IFDIR | 0755, 1000, NUMBER_A}, [PLAIN] = {S_IFDIR | 0755, 1000, NUMBER_A},
    [SUB] = {S_IFDIR | 0755, 2000, NUMBER_B},  [FILE_] = {S_IFREG | 0644, 2000, NUMBER_B},
    [DEEP] = {S_IFDIR | 0755, 3000, NUMBER_C}, [LEAF] = {S_IFREG | 0644, 3000, NUMBER_C},
};

typedef struct {
    int parent;
    const char *name;
    int node;
    bool mount;
} Entry;

static const Entry entries[] = {
    {ROOT, "sub", SUB, true},  {ROOT, "plain", PLAIN, false},  {ROOT, "back", PLAIN, true}, {SUB, "file", FILE_, false},
    {SUB, "deep", DEEP, true}, {DEEP, "leaf", LEAF, false},    {PLAIN, "again", SUB, true},
};
#define ENTRIES (sizeof entries / sizeof entries[0])

/* What server and tests share. */
typedef struct {
    volatile long lookups[NODES]; /* minus forgets */
    volatile int reads, releases, init_flags;
    volatile bool hold_release, lose_sub;
} Shared;
static Shared *shared;

/* The server */

/* As fuse_attr has it: new_encode_dev() of the kernel. */
static uint32_t encode(unsigned major_, unsigned minor_) {
    return (minor_ & 0xff) | major_ << 8 | (minor_ & ~0xffu) << 12;
}

static struct fuse_attr attributes(int node, bool mount) {
    struct fuse_attr attr = {.ino = (uint64_t)node + 1000, .mode = nodes[node].mode, .nlink = 1, .blksize = 4096};

    attr.size = S_ISREG(attr.mode) ? strlen(TEXT) : 0;
    if (mount) {
        attr.flags = FUSE_ATTR_SUBMOUNT;
        attr.rdev = encode(nodes[node].major, nodes[node].minor);
    }
    return attr;
}

static struct fuse_entry_out entry_out(const Entry *entry) {
    struct fuse_entry_out out = {.nodeid = (uint64_t)entry->node, .generation = 7};

    out.attr = attributes(entry->node, entry->mount);
    __sync_fetch_and_add(&shared->lookups[entry->node], 1);
    return out;
}

static const Entry *find_entry(int parent, const char *name) {
    for (size_t i = 0; i < ENTRIES; i++)
        if (entries[i].parent == parent && !strcmp(entries[i].name, name))
            return shared->lose_sub && entries[i].node == SUB ? NULL : &entries[i];
    return NULL;
}

static void read_directory(int fuse, const struct fuse_in_header *head, const struct fuse_read_in *in, bool plus) {
    char buffer[4096];
    size_t used = 0;

    memset(buffer, 0, sizeof buffer);
    for (size_t i = in->offset; i < ENTRIES; i++) {
        const Entry *entry = &entries[i];
        struct fuse_dirent dirent = {.ino = (uint64_t)entry->node + 1000, .off = i + 1, .namelen = strlen(entry->name)};
        char *at = buffer + used;

        if (entry->parent != (int)head->nodeid)
            continue;
        dirent.type = nodes[entry->node].mode >> 12;
        if (plus) {
            struct fuse_entry_out out = entry_out(entry);
            memcpy(at, &out, sizeof out);
            at += sizeof out;
        }
        memcpy(at, &dirent, sizeof dirent);
        memcpy(at + FUSE_NAME_OFFSET, entry->name, dirent.namelen);
        used = (size_t)(at - buffer) + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + dirent.namelen);
    }
    reply(fuse, head->unique, 0, buffer, used);
}

static void forget(const struct fuse_in_header *head, const char *data) {
    const struct fuse_batch_forget_in *batch = (const void *)data;
    const struct fuse_forget_one *one = (const void *)(batch + 1);

    if (head->opcode == FUSE_FORGET) {
        __sync_fetch_and_sub(&shared->lookups[head->nodeid], (long)((const struct fuse_forget_in *)data)->nlookup);
        return;
    }
    for (uint32_t i = 0; i < batch->count; i++)
        __sync_fetch_and_sub(&shared->lookups[one[i].nodeid], (long)one[i].nlookup);
}

static void answer_init(int fuse, const struct fuse_in_header *head, const struct fuse_init_in *in) {
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = in->minor, .max_readahead = in->max_readahead};

    shared->init_flags = (int)in->flags;
    out.flags = in->flags & (FUSE_SUBMOUNTS | FUSE_DO_READDIRPLUS | FUSE_BIG_WRITES);
    out.max_write = 4096;
    out.max_background = 12;
    reply(fuse, head->unique, 0, &out, sizeof out);
}

static void answer(int fuse, const struct fuse_in_header *head, const char *data) {
    int node = (int)head->nodeid;
    const Entry *entry;
    struct fuse_entry_out found;
    struct fuse_attr_out attr = {.attr_valid = 0};
    struct fuse_open_out opened = {.open_flags = FOPEN_KEEP_CACHE};
    struct fuse_statfs_out fs = {.st = {.bsize = 4096, .frsize = 4096, .namelen = 255}};

    switch (head->opcode) {
    case FUSE_INIT:
        answer_init(fuse, head, (const void *)data);
        break;
    case FUSE_LOOKUP:
        entry = find_entry(node, data);
        if (entry)
            found = entry_out(entry);
        reply(fuse, head->unique, entry ? 0 : ENOENT, &found, sizeof found);
        break;
    case FUSE_GETATTR:
        attr.attr = attributes(node, false);
        reply(fuse, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(fuse, head->unique, 0, &opened, sizeof opened);
        break;
    case FUSE_READ:
        __sync_fetch_and_add(&shared->reads, 1);
        reply(fuse, head->unique, 0, TEXT, strlen(TEXT));
        break;
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        read_directory(fuse, head, (const void *)data, head->opcode == FUSE_READDIRPLUS);
        break;
    case FUSE_STATFS:
        fs.st.blocks = nodes[node].blocks;
        reply(fuse, head->unique, 0, &fs, sizeof fs);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
        forget(head, data);
        break;
    case FUSE_ACCESS:
    case FUSE_DESTROY:
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    default:
        reply_plainly(fuse, head);
    }
}

static void serve(int fuse) {
    static char buffer[FUSE_MIN_READ_BUFFER + 4096];
    uint64_t held = 0;

    for (;;) {
        const struct fuse_in_header *head;

        if (held && !shared->hold_release) {
            reply(fuse, held, 0, NULL, 0);
            held = 0;
        }
        head = served_next(fuse, buffer, sizeof buffer, NULL);
        if (!head)
            continue;
        if (head->opcode == FUSE_RELEASE)
            __sync_fetch_and_add(&shared->releases, 1);
        if (head->opcode == FUSE_RELEASE && shared->hold_release)
            held = head->unique;
        else
            answer(fuse, head, buffer + sizeof *head);
    }
}

/* The tests */

static dev_t dev_of(const char *path) {
    struct stat st;
    return lstat(path, &st) ? 0 : st.st_dev;
}

static bool mounted(const char *path, dev_t dev) {
    char line[512], where[256];
    unsigned ma, mi;
    bool found = false;
    FILE *file = fopen("/proc/self/mountinfo", "re");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%*d %*d %u:%u %*s %255s", &ma, &mi, where) == 3 && !strcmp(where, path))
            found = makedev(ma, mi) == dev;
    if (file)
        fclose(file);
    return found;
}

static bool read_text(const char *path) {
    char text[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (fd >= 0)
        close(fd);
    return size == (ssize_t)strlen(TEXT) && !strcmp(text, TEXT);
}

static void drop_caches(void) {
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "2", 1) != 1)
        printf("# drop_caches: %m\n");
    close(fd);
}

static bool until_forgotten(void) {
    for (int i = 0; i < TRIES; i++) {
        long left = 0;
        for (int node = ROOT + 1; node < NODES; node++)
            left += labs(shared->lookups[node]);
        if (!left)
            return true;
        usleep(10000);
    }
    for (int node = ROOT + 1; node < NODES; node++)
        printf("# node %d: %ld lookups left\n", node, shared->lookups[node]);
    return false;
}

static void test_devices(void) {
    struct stat st;
    struct statfs fs;

    ok(dev_of("/mnt") == DEV_A, "the root has the server's device number");
    ok(dev_of("/mnt/plain") == DEV_A, "so has a plain directory");
    ok(dev_of("/mnt/sub") == DEV_B && !mounted("/mnt/sub", DEV_B), "lstat shows a submount's device before it is mounted");
    ok(read_text("/mnt/sub/file"), "a file below can be read");
    ok(mounted("/mnt/sub", DEV_B), "which has mounted it, with its device in mountinfo");
    ok(!lstat("/mnt/sub", &st) && st.st_dev == DEV_B && st.st_ino == SUB + 1000, "lstat shows the same as before");
    ok(dev_of("/mnt/sub/file") == DEV_B, "the file has the submount's device");
    ok(dev_of("/mnt/sub/deep") == DEV_C && dev_of("/mnt/sub/deep/leaf") == DEV_C && mounted("/mnt/sub/deep", DEV_C),
       "a submount of a submount has its own");
    ok(!statfs("/mnt/plain", &fs) && fs.f_blocks == 1000 && !statfs("/mnt/sub/.", &fs) && fs.f_blocks == 2000 &&
           !statfs("/mnt/sub/deep/.", &fs) && fs.f_blocks == 3000,
       "statfs tells them apart");
    ok(dev_of("/proc") != DEV_B && minor(dev_of("/proc")) >= 1 << 19, "devices of the guest's own cannot look alike");
}

static void test_readdir(void) {
    DIR *dir = opendir("/mnt");
    struct dirent *entry;
    int seen = 0;

    while (dir && (entry = readdir(dir)))
        seen += *entry->d_name != '.' && entry->d_type == DT_DIR;
    if (dir)
        closedir(dir);
    ok(seen == 3, "readdir lists the mount points");
    ok(dev_of("/mnt/sub") == DEV_B && dev_of("/mnt/sub/file") == DEV_B, "and does not change what they are");
}

static void test_one_super_block(void) {
    int before, status = 1;
    struct stat one, other;
    pid_t child;

    read_text("/mnt/sub/file");
    before = shared->reads;
    ok(read_text("/mnt/plain/again/file") && mounted("/mnt/plain/again", DEV_B), "a directory can be mounted twice");
    ok(!stat("/mnt/sub/file", &one) && !stat("/mnt/plain/again/file", &other) && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino,
       "its file is the same in both places");
    ok(shared->reads == before, "and is cached once");
    ok(dev_of("/mnt/back/.") == DEV_A && mounted("/mnt/back", DEV_A) && dev_of("/mnt/back/again") == DEV_B,
       "a directory of the root file system can be mounted below it");
    child = fork();
    if (!child) {
        umount2("/mnt/sub/deep", MNT_DETACH);
        umount2("/mnt/sub", MNT_DETACH);
        _exit(unshare(CLONE_NEWNS) || mounted("/mnt/sub", DEV_B) || !read_text("/mnt/sub/file") || !mounted("/mnt/sub", DEV_B));
    }
    waitpid(child, &status, 0);
    ok(!status, "another mount namespace mounts for itself");
    ok(read_text("/mnt/sub/file") && shared->reads == before, "and shares the cache");
}

static void test_unmount(void) {
    int fd = open("/mnt/sub/deep/leaf", O_RDONLY | O_CLOEXEC), i, releases;

    ok(fd >= 0 && umount2("/mnt/sub/deep", 0) && errno == EBUSY, "a submount in use cannot be unmounted");
    shared->hold_release = true;
    releases = shared->releases;
    close(fd);
    for (i = 0; i < TRIES && shared->releases == releases; i++)
        usleep(10000);
    ok(i < TRIES, "close does not wait for the server");
    ok(!umount2("/mnt/sub/deep", 0), "nor does umount, with a RELEASE on its way");
    ok(dev_of("/mnt/sub/deep/leaf") == DEV_C, "it can be mounted again meanwhile");
    ok(!umount2("/mnt/sub/deep", 0), "and unmounted again");
    shared->hold_release = false;
    for (i = 0; i < 200 && read_text("/mnt/sub/deep/leaf") && !umount2("/mnt/sub/deep", i % 2 ? 0 : MNT_DETACH); i++)
        ;
    ok(i == 200, "two hundred times more (%d)", i);
    ok(read_text("/mnt/sub/deep/leaf") && !umount2("/mnt/sub/deep", MNT_FORCE), "a forced umount of a submount");
    ok(dev_of("/mnt/plain") == DEV_A && read_text("/mnt/sub/file"), "does not end the connection");
}

static void test_lost(void) {
    int fd = open("/mnt/sub/file", O_RDONLY | O_CLOEXEC);
    char text[64];

    shared->lose_sub = true;
    ok(!dev_of("/mnt/sub") && errno == ENOENT && !mounted("/mnt/sub", DEV_B), "a submount that the server unmounts is gone");
    ok(read(fd, text, sizeof text) == (ssize_t)strlen(TEXT), "but open files stay open");
    shared->lose_sub = false;
    ok(read_text("/mnt/sub/file") && dev_of("/mnt/sub") == DEV_B, "when it is back it is as it was");
    close(fd);
}

static void test_forget(void) {
    umount2("/mnt/sub", MNT_DETACH);
    umount2("/mnt/plain/again", MNT_DETACH);
    umount2("/mnt/back", MNT_DETACH);
    drop_caches();
    ok(until_forgotten(), "every lookup is forgotten once");
}

static void test_end(void) {
    int status = 1;

    ok(dev_of("/mnt/sub/deep/leaf") == DEV_C, "with submounts mounted");
    ok(!umount2("/mnt", MNT_DETACH), "the whole tree can be detached");
    for (int i = 0; i < TRIES && waitpid(-1, &status, WNOHANG) <= 0; i++)
        usleep(10000);
    ok(!status, "which ends the connection");
}

/* Mount as the agent does; a kernel without the options shows what it lacks in the tests that follow. */
static bool mount_home(void) {
    char options[64];

    snprintf(options, sizeof options, ",auto_submounts,server_dev=%u", encode(NUMBER_A));
    return ok(served_mount(options, serve), "mount with auto_submounts and server_dev") ||
           ok(served_mount("", serve), "mount without");
}

int main(void) {
    tap_begin();
    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mount_home()) {
        test_devices();
        ok(shared->init_flags & FUSE_SUBMOUNTS, "the kernel offers FUSE_SUBMOUNTS");
        test_readdir();
        test_one_super_block();
        test_unmount();
        test_lost();
        test_forget();
        test_end();
        ok_log();
    }
    tap_end();
}
