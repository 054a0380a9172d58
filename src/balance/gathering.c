/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gathering.c - where the members of a group should be that was torn apart (see gathering.h) */
#include "gathering.h"

/* What a node would be to the group. */
typedef struct {
    guint members;      /* that are there */
    guint coming;       /* that would come */
    double slowness;    /* when they have */
} Place;

gboolean gathering_is_held(const GatheringMember *members, guint n_members, guint node)
{
    for (guint i = 0; i < n_members; i++)
        if (members[i].node == node && members[i].fixed)
            return TRUE;
    return FALSE;
}

/* FALSE: not all that are elsewhere can go there. */
static gboolean look_at(const BalanceRules *rules, const GatheringMember *members, guint n_members, const BalanceNode *nodes, guint node,
                        BalanceMay may, gpointer user, Place *ret_place)
{
    Place place = {0};
    double demand = 0;
    guint64 bytes = 0;

    for (guint i = 0; i < n_members; i++) {
        if (members[i].node == node) {
            place.members++;
            continue;
        }
        if (gathering_is_held(members, n_members, members[i].node))
            continue;
        if (may && !may(i, node, user))
            return FALSE;
        place.coming++;
        demand += members[i].demand;
        bytes += members[i].bytes;
    }
    if (!place.members || (place.coming && !balance_consents(rules, &nodes[node], demand, bytes, 0, BALANCE_FOR_GROUP)))
        return FALSE;
    place.slowness = balance_slowness(&nodes[node], demand);
    *ret_place = place;
    return TRUE;
}

int gathering_place(const BalanceRules *rules, const GatheringMember *members, guint n_members, const BalanceNode *nodes,
                    guint n_nodes, BalanceMay may, gpointer user)
{
    Place best = {0};
    int found = -1;

    for (guint i = 0; i < n_nodes; i++) {
        Place place;

        if (!look_at(rules, members, n_members, nodes, i, may, user, &place) || place.members < best.members)
            continue;
        if (found >= 0 && place.members == best.members && place.slowness >= best.slowness)
            continue;
        best = place;
        found = i;
    }
    return best.coming ? found : -1;
}
