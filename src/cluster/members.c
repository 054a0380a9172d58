/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members.c - the nodes of the cluster: who they are and where
 *
 * What lasts (names, addresses, serial numbers, who has left, whether a node has ever answered) is
 * in members.json; whether a node answers is found out anew after a start.
 */
#include "members-private.h"

#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"

enum { MEMBERS_MAX = 10000, NAME_MAX_LENGTH = 63, SERIALS_LENGTH_MAX = 2000 };

static const char *const state_names[] = {"pending", "alive", "failed", "left"};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == MEMBER_STATES);

static void member_free(gpointer data)
{
    Member *member = data;

    g_free(member->name);
    g_free(member->address);
    g_free(member->serial);
    g_free(member->sponsor);
    json_unref(member->info);
    g_free(member);
}

void members_unref(Members *members)
{
    if (--members->references > 0)
        return;
    g_free(members->file);
    g_free(members->self);
    g_free(members->authority);
    g_ptr_array_unref(members->all);
    g_free(members);
}

Members *members_new(const char *file, MembersChanged changed, gpointer user)
{
    Members *members = g_new0(Members, 1);

    members->references = 1;
    members->file = g_strdup(file);
    members->all = g_ptr_array_new_with_free_func(member_free);
    members->changed = changed;
    members->user = user;
    return members;
}

void members_free(Members *members)
{
    if (!members)
        return;
    members->stopped = TRUE;
    source_clear(&members->timer);
    members_unref(members);
}

Member *members_find(Members *members, const char *name)
{
    for (guint i = 0; name && i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (g_str_equal(member->name, name))
            return member;
    }
    return NULL;
}

gboolean members_is_self(Members *members, const Member *member)
{
    return g_strcmp0(member->name, members->self) == 0;
}

void members_tell(Members *members, const char *name)
{
    if (members->changed && !members->stopped)
        members->changed(name, members->user);
}

/* ---- Reading and writing ---- */

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

    if (!*name || strlen(name) > NAME_MAX_LENGTH || !*address || port <= 0 || port > 65535)
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

/* After a change that lasts; that it could not be written is no reason not to go on. */
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

/* Tells peers where this member is, or that it is none. */
void members_tell_peers(Members *members, const Member *member)
{
    if (!members->peers || members_is_self(members, member))
        return;
    if (member->state == MEMBER_LEFT)
        peers_remove(members->peers, member->name);
    else
        peers_set(members->peers, member->name, member->address, member->port);
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

/* ---- Who is a member ---- */

void members_set_self(Members *members, const char *self, gboolean fixed)
{
    char *copy = g_strdup(self);

    g_free(members->self);
    members->self = copy;
    members->fixed = fixed;
}

const char *members_self(Members *members)
{
    return members->self;
}

gboolean members_is_fixed(Members *members)
{
    return members->fixed;
}

void members_set_authority(Members *members, const char *authority)
{
    char *copy = g_strdup(authority);

    g_free(members->authority);
    members->authority = copy;
}

const char *members_authority(Members *members)
{
    return members->authority;
}

static gboolean refused(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean refused(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(SJ_ERROR, SJ_ERROR_DENIED, format, args);
    va_end(args);
    return FALSE;
}

static gboolean check_name(const char *name, GError **error)
{
    static const char *const words[] = {"home", "best", "all", "off", "self"};

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(name, words[i]))
            return refused(error, "'%s' is a word of the commands and cannot name a node", name);
    if (!g_ascii_isalnum(*name) || strlen(name) > NAME_MAX_LENGTH ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") !=
            strlen(name))
        return refused(error, "'%s' cannot name a node: use letters, digits, '-', '.' and '_'",
                       name);
    return TRUE;
}

static gboolean check_address(Members *members, const char *name, const char *address, guint port,
                              GError **error)
{
    if (!*address || strlen(address) > 255 || g_str_equal(address, "0.0.0.0") ||
        g_str_equal(address, "::") || port == 0 || port > 65535)
        return refused(error, "node '%s' cannot be reached at '%s' port %u: give it the address "
                       "that others know it by, with --address", name, address, port);
    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != MEMBER_LEFT && !g_str_equal(member->name, name) &&
            g_str_equal(member->address, address) && member->port == port)
            return refused(error, "node '%s' is at %s port %u already: give '%s' an address or a "
                           "port of its own", member->name, address, port, name);
    }
    return TRUE;
}

gboolean members_check(Members *members, const char *name, const char *address, guint port,
                       GError **error)
{
    Member *member = members_find(members, name);

    if (!check_name(name, error))
        return FALSE;
    if (member && member->state != MEMBER_LEFT &&
        (member->last_seen || members_is_self(members, member)))
        return refused(error, "there is a node '%s' in the cluster: give this one another name "
                       "with --name, or take that one out first", name);
    return check_address(members, name, address, port, error);
}

void members_add(Members *members, const char *name, const char *address, guint port,
                 const char *serial)
{
    Member *member = members_find(members, name);

    if (member)
        g_ptr_array_remove(members->all, member);
    member = g_new0(Member, 1);
    member->name = g_strdup(name);
    member->address = g_strdup(address);
    member->port = port;
    member->serial = g_strdup(serial);
    g_ptr_array_add(members->all, member);
    members->version++;
    members_keep(members);
    members_tell_peers(members, member);
    members_tell(members, name);
}

void members_set_sponsor(Members *members, const char *name, const char *sponsor)
{
    Member *member = members_find(members, name);

    if (!member)
        return;
    g_free(member->sponsor);
    member->sponsor = g_strdup(sponsor);
    members_keep(members);
}

Json *members_sponsored(Members *members, const char *sponsor)
{
    Json *names = json_array();

    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != MEMBER_LEFT && g_strcmp0(member->sponsor, sponsor) == 0)
            json_append(names, json_string(member->name));
    }
    return names;
}

void members_forget(Members *members)
{
    g_ptr_array_set_size(members->all, 0);
    members->version = 0;
    members_set_self(members, NULL, FALSE);
    members_set_authority(members, NULL);
}

void members_remove(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    if (!member || member->state == MEMBER_LEFT)
        return;
    members->version++;
    members_out(members, name);
}

gboolean members_move(Members *members, const char *name, const char *address, guint port,
                      GError **error)
{
    Member *member = members_find(members, name);

    if (!member)
        return refused(error, "there is no node '%s' in the cluster", name);
    if (g_str_equal(member->address, address) && member->port == port)
        return TRUE;
    if (!check_address(members, name, address, port, error))
        return FALSE;
    g_free(member->address);
    member->address = g_strdup(address);
    member->port = port;
    if (g_strcmp0(members->self, members->authority) == 0)
        members->version++;
    members_keep(members);
    members_tell_peers(members, member);
    members_tell(members, name);
    return TRUE;
}

const char *members_serials(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member ? member->serial : "";
}

gboolean members_add_serial(Members *members, const char *name, const char *serial)
{
    Member *member = members_find(members, name);
    char *old = member ? member->serial : NULL;

    if (!member || strlen(old) > SERIALS_LENGTH_MAX)
        return FALSE;
    member->serial = g_strjoin(*old ? " " : "", serial, old, NULL);
    g_free(old);
    members->version++;
    members_keep(members);
    return TRUE;
}

const char *members_of_serial(Members *members, const char *serial)
{
    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        g_auto(GStrv) serials = g_strsplit(member->serial, " ", -1);
        if (g_strv_contains((const char *const *)serials, serial))
            return member->name;
    }
    return NULL;
}

gboolean members_out(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    if (!member || member->state == MEMBER_LEFT || members_is_self(members, member))
        return FALSE;
    member->state = MEMBER_LEFT;
    g_clear_pointer(&member->info, json_unref);
    members_keep(members);
    members_tell_peers(members, member);
    members_tell(members, name);
    return TRUE;
}

/* ---- Looking up ---- */

gboolean members_has(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member && member->state != MEMBER_LEFT;
}

gboolean members_has_left(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member && member->state == MEMBER_LEFT;
}

gboolean members_is_alive(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member && (member->state == MEMBER_ALIVE || members_is_self(members, member));
}

const char *members_address(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member ? member->address : NULL;
}

guint members_port(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    return member ? member->port : 0;
}

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

void members_each(Members *members, void (*each)(const char *name, gpointer user), gpointer user)
{
    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != MEMBER_LEFT && !members_is_self(members, member))
            each(member->name, user);
    }
}
