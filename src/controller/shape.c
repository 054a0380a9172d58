/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shape.c - what makes two guests alike before a program runs in them */
#include "shape.h"

#define MEMORY ((guint64)512 << 20) /* what "sojourn run" asks for when nothing is said */

static const char *const words[] = {"arch", "accel", "machine", "cpu_model", "qemu", "image"};
static const char *const numbers[] = {"memory_bytes", "cpus"};

gboolean shape_same(Json *a, Json *b)
{
    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (!g_str_equal(json_get_string(a, words[i], ""), json_get_string(b, words[i], "")))
            return FALSE;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (json_get_int(a, numbers[i], 0) != json_get_int(b, numbers[i], 0))
            return FALSE;
    return TRUE;
}

Json *shape_usual(Node *node)
{
    const Image *image = node_image(node, "x86_64", NULL);
    Json *shape;

    if (!image)
        return NULL;
    shape = json_set_string(json_object(), "arch", "x86_64");
    json_set_int(shape, "memory_bytes", MEMORY);
    json_set_int(shape, "cpus", 1);
    node_describe(node, shape, image);
    return shape;
}
