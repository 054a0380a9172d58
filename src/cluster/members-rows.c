/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members-rows.c - what is known of the members, as rows for who asks */
#include "members-private.h"

static const char *const state_names[] = {"pending", "alive", "failed", "left"};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == MEMBER_STATES);

/* What is known of a member by everyone who asks, set on json. */
static Json *set_known(Members *members, const Member *member, Json *json)
{
    MemberState state = member->state;

    if (members_is_self(members, member) && state != MEMBER_LEFT)
        state = MEMBER_ALIVE;
    json_set_string(json, "name", member->name);
    json_set_string(json, "address", member->address);
    json_set_int(json, "port", member->port);
    json_set_string(json, "state", state_names[state]);
    return json_set_int(json, "last_seen", member->last_seen);
}

Json *members_row(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    if (!member || members_is_self(members, member))
        return NULL;
    return set_known(members, member, member->info ? json_copy(member->info) : json_object());
}

Json *members_rows(Members *members)
{
    Json *rows = json_array();

    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != MEMBER_LEFT && !members_is_self(members, member))
            json_append(rows, members_row(members, member->name));
    }
    return rows;
}

Json *members_list(Members *members)
{
    Json *list = json_array();

    for (int pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < members->all->len; i++) {
            Member *member = g_ptr_array_index(members->all, i);
            Json *row;
            if (members_is_self(members, member) != (pass == 0))
                continue;
            row = set_known(members, member, json_object());
            if (member->sponsor)
                json_set_string(row, "sponsor", member->sponsor);
            json_set_bool(row, "authority", g_strcmp0(member->name, members->authority) == 0);
            json_append(list, json_set_bool(row, "self", pass == 0));
        }
    }
    return list;
}
