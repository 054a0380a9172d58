/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members-file.c - the list of members as a document, on disk and from the authority
 *
 * What lasts (names, addresses, serial numbers, who has left, whether a node has ever answered) is
 * in members.json; whether a node answers is found out anew after a start.
 */
#include "members-private.h"

#include <string.h>

#include "common/error.h"
#include "common/log.h"

enum { MEMBERS_MAX = 10000 };

static Json *member_json(const Member *member)
{
    Json *json = json_set_string(json_object(), "name", member->name);

    json_set_string(json, "address", member->address);
    json_set_int(json, "port", member->port);
    json_set_string(json, "serial", member->serial);
    if (member->sponsor)
        json_set_string(json, "sponsor", member->sponsor);
    return json_set_bool(json, "left", member->state == MEMBER_LEFT);
}

/* A member from one of the document's; NULL if it cannot be one. */
static Member *member_parse(Json *json)
{
    const char *name = json_get_string(json, "name", "");
    const char *address = json_get_string(json, "address", "");
    gint64 port = json_get_int(json, "port", 0);
    Member *member;

    if (!*name || strlen(name) > MEMBER_NAME_MAX || !*address || port <= 0 || port > 65535)
        return NULL;
    member = g_new0(Member, 1);
    member->name = g_strdup(name);
    member->address = g_strdup(address);
    member->port = port;
    member->serial = g_strdup(json_get_string(json, "serial", ""));
    member->sponsor = g_strdup(json_get_string(json, "sponsor", NULL));
    member->state = json_get_bool(json, "left", FALSE) ? MEMBER_LEFT : MEMBER_PENDING;
    member->last_seen = json_get_int(json, "last_seen", 0);
    return member;
}

/* All members of a document; NULL with an error if one cannot be. */
static GPtrArray *members_parse(Json *array, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(member_free);

    for (guint i = 0; i < json_length(array) && i <= MEMBERS_MAX; i++) {
        Json *json = json_at(array, i);
        Member *member = json_is_object(json) ? member_parse(json) : NULL;
        if (!member || i == MEMBERS_MAX) {
            g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL,
                        "the list of members is not one: entry %u", i);
            return NULL;
        }
        g_ptr_array_add(all, member);
    }
    return g_steal_pointer(&all);
}

Json *members_document(Members *members)
{
    Json *document = json_set_int(json_object(), "version", members->version);
    Json *array = json_array();

    json_set_string(document, "authority", members->authority);
    for (guint i = 0; i < members->all->len; i++)
        json_append(array, member_json(g_ptr_array_index(members->all, i)));
    return json_set(document, "members", array);
}

gboolean members_exist(Members *members)
{
    return g_file_test(members->file, G_FILE_TEST_EXISTS);
}

gboolean members_save(Members *members, GError **error)
{
    g_autoptr(Json) document = members_document(members);
    Json *array = json_get(document, "members");

    json_set_string(document, "self", members->self);
    json_set_bool(document, "fixed", members->fixed);
    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        json_set_int(json_at(array, i), "last_seen", member->last_seen);
    }
    return json_save(document, members->file, 0600, error);
}

/* That it could not be written is no reason not to go on. */
void members_keep(Members *members)
{
    g_autoptr(GError) error = NULL;

    if (members->stopped || members_save(members, &error))
        return;
    log_warning("the list of members is not on disk: %s", error->message);
}

gboolean members_load(Members *members, GError **error)
{
    g_autoptr(Json) document = json_load(members->file, error);
    GPtrArray *all = document ? members_parse(json_get(document, "members"), error) : NULL;

    if (!all)
        return FALSE;
    g_ptr_array_unref(members->all);
    members->all = all;
    members->version = json_get_int(document, "version", 0);
    members_set_authority(members, json_get_string(document, "authority", ""));
    members_set_self(members, json_get_string(document, "self", ""),
                     json_get_bool(document, "fixed", FALSE));
    if (members_find(members, members->self))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "%s does not list this node, '%s'",
                members->file, members->self);
    return FALSE;
}

/* What this node has found out about a member is kept when a new document comes. */
static void inherit(Members *members, Member *member, Member *old)
{
    if (members_is_self(members, member)) { /* nobody knows better where this node is */
        g_free(member->address);
        member->address = g_strdup(old->address);
        member->port = old->port;
    }
    if (member->state == MEMBER_LEFT || old->state == MEMBER_LEFT)
        return;
    member->state = old->state;
    member->last_seen = old->last_seen;
    member->misses = old->misses;
    member->asked = old->asked;
    member->expected = old->expected;
    member->answered = old->answered;
    if (g_str_equal(member->address, old->address))
        member->news = old->news;
    member->info = g_steal_pointer(&old->info);
}

/* Everyone of the old list who is not in the new one is gone for good. */
static void forget_missing(Members *members, GPtrArray *old)
{
    for (guint i = 0; i < old->len; i++) {
        Member *member = g_ptr_array_index(old, i);
        if (members_find(members, member->name))
            continue;
        if (members->peers)
            peers_remove(members->peers, member->name);
        members_tell(members, member->name);
    }
}

gboolean members_replace(Members *members, Json *document, GError **error)
{
    gint64 version = json_get_int(document, "version", 0);
    g_autoptr(GPtrArray) all = members_parse(json_get(document, "members"), error);
    g_autoptr(GPtrArray) old = NULL;

    if (!all)
        return FALSE;
    if (version <= members->version)
        return TRUE;
    for (guint i = 0; i < all->len; i++) {
        Member *member = g_ptr_array_index(all, i), *known = members_find(members, member->name);
        if (known)
            inherit(members, member, known);
    }
    old = g_steal_pointer(&members->all);
    members->all = g_steal_pointer(&all);
    members->version = version;
    members_set_authority(members, json_get_string(document, "authority", members->authority));
    members_keep(members);
    for (guint i = 0; i < members->all->len; i++) {
        members_tell_peers(members, g_ptr_array_index(members->all, i));
        members_tell(members, ((Member *)g_ptr_array_index(members->all, i))->name);
    }
    forget_missing(members, old);
    return TRUE;
}
