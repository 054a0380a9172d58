/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members.c - the nodes of the cluster: who they are and where (members-file.c: what lasts; members-watch.c: who answers) */
#include "members-private.h"

#include <string.h>

#include "common/error.h"
#include "common/source.h"

enum { SERIALS_LENGTH_MAX = 2000 };

void member_free(gpointer data)
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

void members_tell_peers(Members *members, const Member *member)
{
    if (!members->peers || members_is_self(members, member))
        return;
    if (member->state == MEMBER_LEFT)
        peers_remove(members->peers, member->name);
    else
        peers_set(members->peers, member->name, member->address, member->port);
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
    if (!g_ascii_isalnum(*name) || strlen(name) > MEMBER_NAME_MAX ||
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

void members_each(Members *members, void (*each)(const char *name, gpointer user), gpointer user)
{
    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != MEMBER_LEFT && !members_is_self(members, member))
            each(member->name, user);
    }
}
