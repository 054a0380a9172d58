/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - the guest images of this node: kernel, initramfs, command line, digest */
#include "image.h"

#include "common/error.h"

#include <string.h>
#include <unistd.h>

/* The first of the alternatives (NULL-terminated) that is there. */
static char *find_file(const char *dir, const char *const *names)
{
    for (; *names; names++) {
        g_autofree char *path = g_build_filename(dir, *names, NULL);

        if (access(path, R_OK) == 0)
            return g_steal_pointer(&path);
    }
    return NULL;
}

static char *read_line(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? g_strstrip(text) : NULL;
}

Image *image_load(const char *dir, const char *arch, GError **error)
{
    static const char *const kernels[] = {"vmlinux", "bzImage", NULL};
    static const char *const initramfs[] = {"initramfs.cpio", "initramfs.cpio.gz", NULL};
    g_autoptr(Image) image = g_new0(Image, 1);
    g_autofree char *folder = g_canonicalize_filename(dir, NULL), *path = g_build_filename(folder, arch, NULL);

    image->arch = g_strdup(arch);
    image->kernel = find_file(path, kernels);
    image->initramfs = find_file(path, initramfs);
    image->cmdline = read_line(path, "cmdline");
    image->digest = read_line(path, "digest");
    if (image->kernel && image->initramfs && image->cmdline && image->digest && strlen(image->digest) >= 16)
        return g_steal_pointer(&image);
    g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND, "There is no guest image for %s in %s; build it with scripts/guest",
                arch, dir);
    return NULL;
}

void image_free(Image *image)
{
    if (!image)
        return;
    g_free(image->arch);
    g_free(image->kernel);
    g_free(image->initramfs);
    g_free(image->cmdline);
    g_free(image->digest);
    g_free(image);
}
