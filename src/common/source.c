/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - GLib's event sources, as everything here holds them: one reference, in a field that is NULL without */
#include "source.h"

GSource *source_add(GSource *source, GMainContext *context, GSourceFunc function, gpointer user)
{
    g_source_set_callback(source, function, user, NULL);
    g_source_attach(source, context);
    return source;
}

void source_clear(GSource **source)
{
    if (!*source)
        return;
    g_source_destroy(*source);
    g_clear_pointer(source, g_source_unref);
}
