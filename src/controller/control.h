/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - the control socket: who is asking, and which part answers */
#pragma once

#include "node.h"

/* Listens at RUN_DIR/control; NULL and a sentence. */
Control *control_new(Node *node, GError **error);
void control_free(Control *control);

/* A connection of this program to its own control socket, with the rights that the user has there by the system's accounts; uid
 * (uid_t)-1: of somebody without jobs or rights. The other end (for rpc_new), what the user is called (g_free) and
 * whether all jobs are theirs to command; -1 and a sentence. */
int control_connect(Control *control, uid_t uid, char **ret_user, gboolean *ret_admin, GError **error);

/* Whether the account is still called so and still has the rights that control_connect said. */
gboolean control_still(uid_t uid, const char *user, gboolean admin);

/* The name of the user whose call this is (g_free). */
char *control_user(Node *node, RpcCall *call);

/* Whether all jobs are that user's to see and command. */
gboolean control_is_admin(Node *node, RpcCall *call);

/* Passes a migration's progress {job,...} on to the connections that wait for a migration and whose user may see that job. */
void control_progress(Control *control, Json *params);
