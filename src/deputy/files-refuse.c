/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files-refuse.c - the home's file systems that no job enters
 *
 * The guest has a /proc, /sys and /dev of its own. Home's must stay out of reach: /proc/self/mem is
 * the deputy's memory, /dev has terminals and disks. They are told by their type wherever they are
 * mounted, not by their place; only devtmpfs looks like any tmpfs and is told by being /dev's
 * device. It is asked each time a mount is entered and never remembered, because device numbers and
 * mount ids are used again for other mounts. */
#include "deputy/files-impl.h"

#include <linux/magic.h>
#include <sys/statfs.h>

static const guint32 refused_types[] = {
    AAFS_MAGIC,       ANON_INODE_FS_MAGIC,   BDEVFS_MAGIC,       BINDERFS_SUPER_MAGIC,
    BINFMTFS_MAGIC,   BPF_FS_MAGIC,          CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
    DAXFS_MAGIC,      DEBUGFS_MAGIC,         DEVMEM_MAGIC,       DEVPTS_SUPER_MAGIC,
    DMA_BUF_MAGIC,    EFIVARFS_MAGIC,        FUTEXFS_SUPER_MAGIC, HUGETLBFS_MAGIC,
    MTD_INODE_FS_MAGIC, NSFS_MAGIC,          OPENPROM_SUPER_MAGIC, PIPEFS_MAGIC,
    PROC_SUPER_MAGIC, PSTOREFS_MAGIC,        RDTGROUP_SUPER_MAGIC, SECRETMEM_MAGIC,
    SECURITYFS_MAGIC, SELINUX_MAGIC,         SMACK_MAGIC,        SOCKFS_MAGIC,
    SYSFS_MAGIC,      TRACEFS_MAGIC,         USBDEVICE_SUPER_MAGIC, XENFS_SUPER_MAGIC,
    0x50494446 /* pidfs */, 0x19800202 /* mqueue */, 0x62656570 /* configfs */,
    0x65735543 /* fusectl */, 0x67596969 /* rpc_pipefs */, 0x6e667364 /* nfsd */,
};

guint64 files_dev_device(int root_fd)
{
    struct stat dev, root, slash;

    if (stat("/dev", &dev) < 0 || fstat(root_fd, &root) < 0 || stat("/", &slash) < 0)
        return 0;
    return dev.st_dev != root.st_dev && dev.st_dev != slash.st_dev ? dev.st_dev : 0;
}

gboolean files_refused(guint64 dev_device, int fd)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0 || (dev_device && st.st_dev == dev_device))
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(refused_types); i++)
        if ((guint32)fs.f_type == refused_types[i])
            return TRUE;
    return FALSE;
}
