/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node-start.h - a controller for who has none: the private one that `sojourn run` starts */
#pragma once

#include <glib.h>

/* The control socket of a controller that listens (g_free): $SOJOURN_SOCKET's or the service's if
 * they are there, else this user's own, which is started if need be. NULL and an error if none
 * answers within some seconds. Waits. */
char *node_start(GError **error);
