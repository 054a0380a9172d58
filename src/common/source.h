/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.h - GLib's event sources, as everything here holds them: one reference, in a field that is NULL without */
#pragma once

#include <glib.h>

/* Attaches `source` to `context` (NULL: the default one), to call `function` with `user`; returns it, with the reference
 * that the caller brought. That of a descriptor takes another type of function: G_SOURCE_FUNC(). */
GSource *source_add(GSource *source, GMainContext *context, GSourceFunc function, gpointer user);

/* Takes the source out of its context, drops the reference and makes the field NULL; nothing if it is that already. A
 * source may do this to itself while it is being called. */
void source_clear(GSource **source);
