/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - the control socket: who is asking, and which part answers */
#pragma once

#include "node.h"

/* Listens at RUN_DIR/control; NULL and a sentence. */
Control *control_new(Node *node, GError **error);
void control_free(Control *control);

/* Passes a migration's progress {job,...} on to the connections that wait for that job. */
void control_progress(Control *control, Json *params);
