/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gathering.h - where the members of a group should be that was torn apart: pure
 *
 * A group is torn when a member could not follow the others (its destination had not the memory, a node failed meanwhile). Its
 * home, who knows all members, says at which of the nodes that have some they should be together; the hosts of the others
 * decide, as about any move, whether and when theirs leave for it (balance.h).
 *
 * The place is the one of most members to which all that are elsewhere can go, so few have to move, and each that arrives makes
 * the choice firmer: it never turns back half way. A member that is *fixed* (locked, or put where it is by a person) goes
 * nowhere, nor do those beside it; it counts all the same.
 */
#pragma once

#include "balance.h"

typedef struct {
    guint node;         /* the index of the place where it is */
    double demand;
    guint64 bytes;
    gboolean fixed;
} GatheringMember;

/* Whether those at a node stay there, for one of them is fixed. */
gboolean gathering_is_held(const GatheringMember *members, guint n_members, guint node);

/* The index of the node where the members should gather, among nodes, which are as they are now; may is asked about members by
 * their index (NULL: all may go anywhere). -1: they are together as far as can be. */
int gathering_place(const BalanceRules *rules, const GatheringMember *members, guint n_members, const BalanceNode *nodes,
                    guint n_nodes, BalanceMay may, gpointer user);
