/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-bare.c - files without extended attributes, of which the guest is told
 *
 * Hardly a file has an ACL or a security attribute, and hardly a program does not ask for them: `ls
 * -l' twice a file, cp, tar, and the guest's kernel before a write. Each is a round trip whose
 * answer is ENODATA. The guest's kernel takes that answer from a bit in the attributes, as long as
 * it believes these (1 s).
 *
 * To know costs a system call (listxattr), once per file and change: setting an attribute changes
 * ctime. A ctime as young as the clock's tick is not remembered. And a file system must be one that
 * answers ENODATA, not EOPNOTSUPP: tried once for each device. */
#include "deputy/files-impl.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define TICK_NS (12 * 1000 * 1000)

struct FilesBare {
    GMutex lock;
    GHashTable *devices; /* device → 1 answers ENODATA, 2 does not */
};

FilesBare *files_bare_new(void)
{
    FilesBare *b = g_new0(FilesBare, 1);

    g_mutex_init(&b->lock);
    b->devices = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return b;
}

void files_bare_free(FilesBare *b)
{
    if (!b)
        return;
    g_hash_table_destroy(b->devices);
    g_mutex_clear(&b->lock);
    g_free(b);
}

/* A file by name in a folder's descriptor, or by its own; "N" in the workers' directory is
 * descriptor N and has to be followed, a name must not be. */
typedef struct {
    char text[16 + 256];
    gboolean follow;
} Path;

static Path path_of(int fd, const char *name)
{
    Path path = { .follow = !name };

    if (name)
        g_snprintf(path.text, sizeof(path.text), "%d/%s", fd, name);
    else
        g_snprintf(path.text, sizeof(path.text), "%d", fd);
    return path;
}

static gboolean has_none(const Path *path)
{
    return (path->follow ? listxattr(path->text, NULL, 0) : llistxattr(path->text, NULL, 0)) == 0;
}

static gboolean says_no_data(const Path *path, const char *name)
{
    ssize_t got = path->follow ? getxattr(path->text, name, NULL, 0)
                               : lgetxattr(path->text, name, NULL, 0);

    return got < 0 && errno == ENODATA;
}

/* Whether the file system of path, which has no attributes, says ENODATA when it is asked for
 * one. */
static gboolean device_is_exact(FilesBare *b, guint64 dev, const Path *path)
{
    int verdict;

    g_mutex_lock(&b->lock);
    verdict = GPOINTER_TO_INT(g_hash_table_lookup(b->devices, &dev));
    g_mutex_unlock(&b->lock);
    if (verdict)
        return verdict == 1;
    verdict = says_no_data(path, "security.capability") && says_no_data(path, "security.selinux") &&
                      says_no_data(path, "system.posix_acl_access")
                  ? 1
                  : 2;
    g_mutex_lock(&b->lock);
    g_hash_table_replace(b->devices, g_memdup2(&dev, sizeof(dev)), GINT_TO_POINTER(verdict));
    g_mutex_unlock(&b->lock);
    return verdict == 1;
}

gboolean files_bare(Files *files, FilesInode *inode, const struct statx *stx, int fd,
                    const char *name)
{
    gint64 ctime = stx->stx_ctime.tv_sec * G_GINT64_CONSTANT(1000000000) + stx->stx_ctime.tv_nsec;
    Path path;

    if (!files->bare || inode->hollow || !(S_ISREG(inode->type) || S_ISDIR(inode->type)))
        return FALSE;
    if (inode->bare && inode->bare == ctime)
        return TRUE;
    if (fd < 0)
        return FALSE;
    path = path_of(fd, name);
    if (!has_none(&path) || !device_is_exact(files->bare, inode->dev, &path))
        return FALSE;
    if (g_get_real_time() * 1000 - ctime > TICK_NS)
        inode->bare = ctime;
    return TRUE;
}
