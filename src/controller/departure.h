/* SPDX-License-Identifier: GPL-2.0-or-later */
/* departure.h - the source's part of a migration: libvirt's call, its two connections to the destination, its doubts */
#pragma once

#include "node.h"

/* migration.run from a home: {migration,job,epoch,to,token}; answers call when libvirt's call has returned. */
void departure_run(Node *node, const char *home, Json *params, RpcCall *call);

/* migration.room from a home: {to}; answers call with {full}: whether as many guests are leaving as this node lets leave at a
 * time, at all or for that node. */
void departure_room(Node *node, const char *home, Json *params, RpcCall *call);

/* Has libvirt give up the migration of this job from here, if one is under way (TRUE). */
gboolean departure_cancel(Node *node, const char *job);
