/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members.h - the nodes of the cluster: who they are, where, and whether they answer
 *
 * A node is alive if it answers `node.info`; who is asked when is in members-watch.c. Who is a
 * member comes from the authority's node, as a document with a version: {version, authority,
 * members: [{name, address, port, serial, sponsor?, left}]}; the rest each node finds out by itself.
 */
#pragma once

#include "common/json.h"
#include "gossip.h"
#include "peer.h"

typedef struct Members Members;

/* Something about node has changed: membership, state or its answer to node.info. */
typedef void (*MembersChanged)(const char *node, gpointer user);

/* Keeps itself in FILE. Nobody is asked before members_start. */
Members *members_new(const char *file, MembersChanged changed, gpointer user);
void members_free(Members *members);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Members, members_free)

/* Whether FILE is there; reads it, writes it. Saving happens by itself on each change that
 * lasts. */
gboolean members_exist(Members *members);
gboolean members_load(Members *members, GError **error);
gboolean members_save(Members *members, GError **error);

/* Begins to ask all but this node, by peers, which it tells who there is; gossip (may be NULL) is
 * told whom it may meet. period_ms 0: a second. */
void members_start(Members *members, Peers *peers, Gossip *gossip, guint period_ms);

/* Gossip can be relied upon from now on, or not any more. */
void members_gossip(Members *members, gboolean ready);

/* Gossip has news of the node at this address. */
void members_heard(Members *members, const char *name, const char *address, GossipNews news);

/* How many of the others gossip says are alive. */
guint members_heard_alive(Members *members);

/* Who this node is (must be a member), whether its address was given by hand, who the authority
 * is. */
void members_set_self(Members *members, const char *self, gboolean fixed);
const char *members_self(Members *members);
gboolean members_is_fixed(Members *members);
void members_set_authority(Members *members, const char *authority);
const char *members_authority(Members *members);

/* Whether a newcomer may have this name and be at this address; a sentence if not. */
gboolean members_check(Members *members, const char *name, const char *address, guint port,
                       GError **error);

/* Enters a node with its certificate's serial number, replaces one that left or never came. */
void members_add(Members *members, const char *name, const char *address, guint port,
                 const char *serial);

/* Remembers the node whose administrator had this one let in; the names of those that one had let in and that are members
 * (new reference). */
void members_set_sponsor(Members *members, const char *name, const char *sponsor);
Json *members_sponsored(Members *members, const char *sponsor);

/* There is nobody any more, this node included; nothing is written. */
void members_forget(Members *members);

/* Marks node as one that has left. */
void members_remove(Members *members, const char *name);

/* Node is elsewhere now; refused when another member is there. */
gboolean members_move(Members *members, const char *name, const char *address, guint port,
                      GError **error);

/* The serial numbers of the certificates that node was given, the newest first, separated by blanks ("" if not known); a
 * new one is added. FALSE when there are too many to remember. */
const char *members_serials(Members *members, const char *name);
gboolean members_add_serial(Members *members, const char *name, const char *serial);

/* The node that was given this certificate, or NULL. */
const char *members_of_serial(Members *members, const char *serial);

/* Marks node as one that has left, on the strength of a revocation list: the document that says so too is not here
 * yet. FALSE if it is marked already. */
gboolean members_out(Members *members, const char *name);

gboolean members_has(Members *members, const char *name); /* and it has not left */
gboolean members_has_left(Members *members, const char *name);
gboolean members_is_alive(Members *members, const char *name);
const char *members_address(Members *members, const char *name);
guint members_port(Members *members, const char *name);

/* The document for others (new reference), and taking over one: FALSE with an error, and
 * nothing changed, if it cannot be one; TRUE and nothing changed if it is older than what is
 * known. */
Json *members_document(Members *members);
gboolean members_replace(Members *members, Json *document, GError **error);

/* The last answer to node.info with name, address, port, state and last_seen set; of all but
 * this node and those that left. New references; NULL for an unknown node. */
Json *members_row(Members *members, const char *name);
Json *members_rows(Members *members);

/* {name, address, port, state, last_seen, sponsor?, authority, self} of all, this node first (new
 * reference). */
Json *members_list(Members *members);

/* A node says that it has got through to us or has been got through to: not a proof that it
 * answers, but a reason to ask it now. */
void members_hurry(Members *members, const char *name);

/* Calls back with the name of each member but this one. */
void members_each(Members *members, void (*each)(const char *name, gpointer user), gpointer user);
