/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.h - the guest images of this node: kernel, initramfs, command line, digest */
#pragma once

#include <glib.h>

typedef struct {
    char *arch;       /* "x86_64" or "i686" */
    char *kernel, *initramfs, *cmdline;
    char *digest;     /* SHA-256 over the three, in hexadecimal */
} Image;

/* Reads DIR/ARCH; NULL and a sentence where it is not there or not whole. */
Image *image_load(const char *dir, const char *arch, GError **error);
void image_free(Image *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Image, image_free)
