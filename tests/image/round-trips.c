/* SPDX-License-Identifier: GPL-2.0-or-later */
/* round-trips.c - an init that serves files to itself through /dev/fuse and counts what it is asked
 *
 * The root has the file "bare", of which the server says that it has no extended attributes, "dressed", of which it does
 * not, and many others. Attributes are good for a second. The server can keep a GETATTR waiting, and can be told to
 * invalidate "bare". Results are TAP on the console.
 */
#include "served.h"
#include "tap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* As in the kernel's patches 40-round-trips. */
#define NO_XATTR_FLAG (1ULL << 62)
#define ATTR_NO_XATTR (1U << 31)

#define MANY 1000
#define SECURITY "security.selinux"
#define ACL "system.posix_acl_access"

enum { ROOT = 1, BARE, DRESSED, OTHERS };

typedef struct {
    volatile int asked[64]; /* by opcode */
    volatile unsigned most; /* bytes that a READDIR has asked for */
    volatile unsigned long long init_flags;
    volatile bool hold_getattr, holds, invalidate;
} Shared;
static Shared *shared;

/* The server */

static void invalidate(int fuse) {
    struct {
        struct fuse_out_header head;
        struct fuse_notify_inval_inode_out body;
    } notice = {{sizeof notice, FUSE_NOTIFY_INVAL_INODE, 0}, {.ino = BARE, .off = -1}};

    if (write(fuse, &notice, sizeof notice) < 0)
        printf("# notice: %m\n");
}

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr attr = {.ino = node + 100, .mode = node == ROOT ? S_IFDIR | 0755 : S_IFREG | 0666, .nlink = 1};

    attr.blksize = 4096;
    attr.flags = node == BARE ? ATTR_NO_XATTR : 0;
    return attr;
}

static struct fuse_entry_out entry_out(uint64_t node) {
    return (struct fuse_entry_out){.nodeid = node, .attr_valid = 1, .attr = attributes(node)};
}

static void name_of(int i, char *name, size_t size) {
    if (i < 2)
        snprintf(name, size, "%s", i ? "dressed" : "bare");
    else
        snprintf(name, size, "a-file-of-many-%d", i);
}

static void read_directory(int fuse, const struct fuse_in_header *head, const struct fuse_read_in *in, bool plus) {
    static char buffer[1 << 16];
    size_t used = 0;

    if (in->size > shared->most)
        shared->most = in->size;
    memset(buffer, 0, sizeof buffer);
    for (int i = (int)in->offset; i < MANY; i++) {
        char name[40], *at = buffer + used;
        struct fuse_dirent dirent = {.ino = (uint64_t)i + BARE + 100, .off = (uint64_t)i + 1, .type = DT_REG};
        struct fuse_entry_out out = entry_out((uint64_t)i + BARE);
        size_t size;

        name_of(i, name, sizeof name);
        dirent.namelen = (uint32_t)strlen(name);
        size = FUSE_DIRENT_ALIGN((plus ? sizeof out : 0) + FUSE_NAME_OFFSET + dirent.namelen);
        if (used + size > in->size || used + size > sizeof buffer)
            break;
        if (plus) {
            memcpy(at, &out, sizeof out);
            at += sizeof out;
        }
        memcpy(at, &dirent, sizeof dirent);
        memcpy(at + FUSE_NAME_OFFSET, name, dirent.namelen);
        used += size;
    }
    reply(fuse, head->unique, 0, buffer, used);
}

static void answer_init(int fuse, const struct fuse_in_header *head, const struct fuse_init_in *in) {
    struct fuse_init_out out = {.major = FUSE_KERNEL_VERSION, .minor = in->minor, .max_readahead = in->max_readahead};

    shared->init_flags = in->flags | (unsigned long long)in->flags2 << 32;
    out.flags = in->flags & (FUSE_DO_READDIRPLUS | FUSE_POSIX_LOCKS);
    out.max_write = 4096;
    reply(fuse, head->unique, 0, &out, sizeof out);
}

static void answer_lookup(int fuse, const struct fuse_in_header *head, const char *name) {
    uint64_t node = !strcmp(name, "bare") ? BARE : !strcmp(name, "dressed") ? DRESSED : 0;
    struct fuse_entry_out entry = entry_out(node);

    reply(fuse, head->unique, node ? 0 : ENOENT, &entry, sizeof entry);
}

static void answer(int fuse, const struct fuse_in_header *head, const void *data) {
    struct fuse_attr_out attr = {.attr_valid = 1, .attr = attributes(head->nodeid)};
    struct fuse_open_out opened = {.open_flags = FOPEN_NOFLUSH};
    struct fuse_write_out written = {.size = 1};

    switch (head->opcode) {
    case FUSE_INIT:
        answer_init(fuse, head, data);
        break;
    case FUSE_LOOKUP:
        answer_lookup(fuse, head, data);
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        reply(fuse, head->unique, 0, &attr, sizeof attr);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        reply(fuse, head->unique, 0, &opened, sizeof opened);
        break;
    case FUSE_WRITE:
        reply(fuse, head->unique, 0, &written, sizeof written);
        break;
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        read_directory(fuse, head, data, head->opcode == FUSE_READDIRPLUS);
        break;
    case FUSE_GETXATTR:
        reply(fuse, head->unique, ENODATA, NULL, 0);
        break;
    case FUSE_SETXATTR:
    case FUSE_REMOVEXATTR:
    case FUSE_SETLK:
    case FUSE_ACCESS:
        reply(fuse, head->unique, 0, NULL, 0);
        break;
    default:
        reply_plainly(fuse, head);
    }
}

static void serve(int fuse) {
    static char buffer[FUSE_MIN_READ_BUFFER + 8192];
    struct fuse_in_header held = {0};

    for (;;) {
        const struct fuse_in_header *head;

        if (held.unique && !shared->hold_getattr) {
            answer(fuse, &held, NULL);
            held.unique = 0;
            shared->holds = false;
        }
        if (shared->invalidate) {
            invalidate(fuse);
            shared->invalidate = false;
        }
        head = served_next(fuse, buffer, sizeof buffer, NULL);
        if (!head)
            continue;
        if (head->opcode < 64)
            shared->asked[head->opcode]++;
        if (head->opcode == FUSE_GETATTR && shared->hold_getattr && head->nodeid == BARE) {
            held = *head;
            shared->holds = true;
        } else {
            answer(fuse, head, buffer + sizeof *head);
        }
    }
}

/* The tests */

/* By descriptor: walking there by name would make the attributes new each time. */
static int bare, dressed;

/* How often the server is asked for an attribute by this; the answer must be that there is none. */
static int asks(int fd, const char *name) {
    int before = shared->asked[FUSE_GETXATTR];
    char value[16];

    if (fgetxattr(fd, name, value, sizeof value) >= 0 || errno != ENODATA)
        return -1;
    return shared->asked[FUSE_GETXATTR] - before;
}

static void refresh(void) {
    struct stat status;

    usleep(1100000);
    fstat(bare, &status);
}

static void test_xattr(void) {
    printf("# flags %llx\n", shared->init_flags);
    ok(shared->init_flags & NO_XATTR_FLAG, "the kernel offers FUSE_NO_XATTR_FLAG");
    refresh();
    ok(asks(bare, SECURITY) == 0 && asks(bare, ACL) == 0, "a file said to have none is not asked for");
    ok(asks(bare, "user.some") == 1, "but for an attribute of users");
    ok(asks(dressed, SECURITY) == 1 && asks(dressed, ACL) == 1, "and any other file");
    usleep(1100000);
    ok(asks(bare, SECURITY) == 1, "it is not believed longer than the attributes");
    refresh();
    shared->invalidate = true;
    while (shared->invalidate)
        usleep(1000);
    ok(asks(bare, SECURITY) == 1, "nor when they are invalidated");
    refresh();
    ok(asks(bare, SECURITY) == 0, "it is again when they are new");
    ok(!fsetxattr(bare, SECURITY, "x", 1, 0) && asks(bare, SECURITY) == 1, "not after an attribute was set");
    refresh();
    int before = shared->asked[FUSE_GETXATTR];
    ok(write(bare, "x", 1) == 1 && write(bare, "x", 1) == 1 && shared->asked[FUSE_GETXATTR] == before &&
           asks(bare, SECURITY) == 0,
       "a write neither asks nor unsays it");
}

/* A reply that was on its way when an attribute was set. */
static void test_stale(void) {
    struct stat status;

    usleep(1100000);
    shared->hold_getattr = true;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(fstat(bare, &status) != 0);
    for (int i = 0; i < 1000 && !shared->holds; i++)
        usleep(1000);
    ok(shared->holds && !fsetxattr(bare, SECURITY, "x", 1, 0), "an attribute is set while attributes are asked for");
    shared->hold_getattr = false;
    waitpid(pid, NULL, 0);
    ok(asks(bare, SECURITY) == 1, "their older answer is not believed");
}

static void test_directory(void) {
    DIR *folder = opendir("/mnt");
    int entries = 0, before = shared->asked[FUSE_READDIR] + shared->asked[FUSE_READDIRPLUS];
    bool exact = folder != NULL;

    for (struct dirent *entry; folder && (entry = readdir(folder)); entries++) {
        char name[40];

        name_of(entries, name, sizeof name);
        exact = exact && !strcmp(entry->d_name, name);
    }
    if (folder)
        closedir(folder);
    before = shared->asked[FUSE_READDIR] + shared->asked[FUSE_READDIRPLUS] - before;
    printf("# %d requests of %u bytes\n", before, shared->most);
    ok(exact && entries == MANY, "a directory of a thousand is listed");
    ok(shared->most == 32768 && before <= 10, "32 KiB at a time");
}

static bool lock(int fd, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

    return !fcntl(fd, F_SETLK, &lock);
}

static void test_locks(void) {
    int one = open("/mnt/dressed", O_RDWR | O_CLOEXEC), two = open("/mnt/dressed", O_RDONLY | O_CLOEXEC);
    int before = shared->asked[FUSE_FLUSH];

    close(two);
    ok(shared->asked[FUSE_FLUSH] == before, "a close with FOPEN_NOFLUSH says nothing");
    two = open("/mnt/dressed", O_RDONLY | O_CLOEXEC);
    ok(lock(one, F_WRLCK), "a lock");
    close(two);
    ok(shared->asked[FUSE_FLUSH] == before + 1, "closing another descriptor of a file that is locked drops the lock at home");
    close(one);
}

int main(void) {
    tap_begin();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ok(served_mount("", serve), "mount");
    bare = open("/mnt/bare", O_RDWR | O_CLOEXEC);
    dressed = open("/mnt/dressed", O_RDWR | O_CLOEXEC);
    ok(bare >= 0 && dressed >= 0, "two files");
    test_xattr();
    test_stale();
    test_directory();
    test_locks();
    ok_log();
    tap_end();
}
