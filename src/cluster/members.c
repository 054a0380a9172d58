/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members.c - the nodes of the cluster: who they are, where, and whether they answer
 *
 * A round is a second. In each, every member is asked unless the last question is still open; a
 * round without an answer is a miss. One that has failed is asked in each fifth round only.
 *
 * What lasts (names, addresses, serial numbers, who has left, whether a node has ever answered) is
 * in members.json; whether a node answers is found out anew after a start.
 */
#include "members.h"

#include <string.h>

#include "common/error.h"
#include "common/log.h"

enum { PERIOD_MS = 1000, MISSES = 3, SLOW_ROUNDS = 5, MEMBERS_MAX = 10000, NAME_MAX_LENGTH = 63 };

typedef enum { PENDING, ALIVE, FAILED, LEFT, STATES } State;

static const char *const state_names[] = {"pending", "alive", "failed", "left"};
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == STATES);

typedef struct {
    char *name, *address, *serial;
    guint port;
    State state;
    gint64 last_seen; /* seconds since the epoch; 0: never */
    Json *info;       /* its last answer to node.info, or NULL */
    guint misses;
    gboolean asked;    /* a question is open */
    gboolean answered; /* since the last round */
} Member;

struct Members {
    int references; /* the owner's, and one of each open question */
    gboolean stopped;
    char *file, *self, *authority;
    gboolean fixed;
    gint64 version;
    GPtrArray *all; /* of Member */
    Peers *peers;
    GSource *timer;
    guint period_ms, round;
    MembersChanged changed;
    gpointer user;
};

static void member_free(gpointer data)
{
    Member *member = data;

    g_free(member->name);
    g_free(member->address);
    g_free(member->serial);
    json_unref(member->info);
    g_free(member);
}

static void members_unref(Members *members)
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
    if (members->timer) {
        g_source_destroy(members->timer);
        g_source_unref(members->timer);
    }
    members_unref(members);
}

static Member *find(Members *members, const char *name)
{
    for (guint i = 0; name && i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (g_str_equal(member->name, name))
            return member;
    }
    return NULL;
}

static gboolean is_self(Members *members, const Member *member)
{
    return g_strcmp0(member->name, members->self) == 0;
}

static void tell(Members *members, const char *name)
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
    return json_set_bool(json, "left", member->state == LEFT);
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
    member->state = json_get_bool(json, "left", FALSE) ? LEFT : PENDING;
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
static void save(Members *members)
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
    if (find(members, members->self))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "%s does not list this node, '%s'",
                members->file, members->self);
    return FALSE;
}

/* Tells peers where this member is, or that it is none. */
static void tell_peers(Members *members, const Member *member)
{
    if (!members->peers || is_self(members, member))
        return;
    if (member->state == LEFT)
        peers_remove(members->peers, member->name);
    else
        peers_set(members->peers, member->name, member->address, member->port);
}

/* What this node has found out about a member is kept when a new document comes. */
static void inherit(Members *members, Member *member, Member *old)
{
    if (is_self(members, member)) { /* nobody knows better where this node is */
        g_free(member->address);
        member->address = g_strdup(old->address);
        member->port = old->port;
    }
    if (member->state == LEFT || old->state == LEFT)
        return;
    member->state = old->state;
    member->last_seen = old->last_seen;
    member->misses = old->misses;
    member->asked = old->asked;
    member->answered = old->answered;
    member->info = g_steal_pointer(&old->info);
}

/* Everyone of the old list who is not in the new one is gone for good. */
static void forget_missing(Members *members, GPtrArray *old)
{
    for (guint i = 0; i < old->len; i++) {
        Member *member = g_ptr_array_index(old, i);
        if (find(members, member->name))
            continue;
        if (members->peers)
            peers_remove(members->peers, member->name);
        tell(members, member->name);
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
        Member *member = g_ptr_array_index(all, i), *known = find(members, member->name);
        if (known)
            inherit(members, member, known);
    }
    old = g_steal_pointer(&members->all);
    members->all = g_steal_pointer(&all);
    members->version = version;
    members_set_authority(members, json_get_string(document, "authority", members->authority));
    save(members);
    for (guint i = 0; i < members->all->len; i++) {
        tell_peers(members, g_ptr_array_index(members->all, i));
        tell(members, ((Member *)g_ptr_array_index(members->all, i))->name);
    }
    forget_missing(members, old);
    return TRUE;
}

/* ---- Asking ---- */

typedef struct {
    Members *members;
    char *name;
} Question;

static void set_state(Members *members, Member *member, State state)
{
    gboolean first = member->last_seen == 0 && state == ALIVE;

    if (state == ALIVE)
        member->last_seen = g_get_real_time() / G_USEC_PER_SEC;
    if (member->state == state)
        return;
    member->state = state;
    if (first || state == FAILED)
        save(members);
    log_info("node '%s' %s", member->name,
             state == ALIVE ? "is alive" : "has failed: it does not answer any more");
}

static void answered(const char *node, Json *result, const GError *error, gpointer user)
{
    g_autofree Question *question = user;
    g_autofree char *name = question->name;
    Members *members = question->members;
    Member *member = members->stopped ? NULL : find(members, name);

    if (member)
        member->asked = FALSE;
    if (member && member->state != LEFT && json_is_object(result)) {
        json_unref(member->info);
        member->info = json_ref(result);
        member->misses = 0;
        member->answered = TRUE;
        set_state(members, member, ALIVE);
        tell(members, name);
    }
    members_unref(members);
}

static void ask(Members *members, Member *member)
{
    Question *question;

    if (member->asked)
        return;
    question = g_new(Question, 1);
    *question = (Question){members, g_strdup(member->name)};
    members->references++;
    member->asked = TRUE;
    peers_call(members->peers, member->name, "node.info", NULL, MISSES * members->period_ms,
               answered, question);
}

/* The end of a round for one member, and the beginning of the next. */
static void member_round(Members *members, Member *member)
{
    gboolean slow = member->state == FAILED || (member->state == PENDING && member->misses);

    member->misses = member->answered ? 0 : member->misses + 1;
    member->answered = FALSE;
    if (member->misses >= MISSES &&
        (member->state == ALIVE || (member->state == PENDING && member->last_seen))) {
        set_state(members, member, FAILED);
        tell(members, member->name);
    }
    if (!slow || members->round % SLOW_ROUNDS == 0)
        ask(members, member);
}

static gboolean next_round(gpointer user)
{
    Members *members = user;

    members->references++;
    members->round++;
    for (guint i = 0; !members->stopped && i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != LEFT && !is_self(members, member))
            member_round(members, member);
    }
    members_unref(members);
    return G_SOURCE_CONTINUE;
}

void members_start(Members *members, Peers *peers, guint period_ms)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();

    members->peers = peers;
    members->period_ms = period_ms ? period_ms : PERIOD_MS;
    for (guint i = 0; i < members->all->len; i++)
        tell_peers(members, g_ptr_array_index(members->all, i));
    members->timer = g_timeout_source_new(members->period_ms);
    g_source_set_callback(members->timer, next_round, members, NULL);
    g_source_attach(members->timer, context);
}

void members_hurry(Members *members, const char *name)
{
    Member *member = find(members, name);

    if (member && member->state != LEFT && !is_self(members, member) && members->peers)
        ask(members, member);
}

/* ---- Who is a member ---- */

void members_set_self(Members *members, const char *self, gboolean fixed)
{
    g_autofree char *old = members->self;

    members->self = g_strdup(self);
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
    g_autofree char *old = members->authority;

    members->authority = g_strdup(authority);
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
        if (member->state != LEFT && !g_str_equal(member->name, name) &&
            g_str_equal(member->address, address) && member->port == port)
            return refused(error, "node '%s' is at %s port %u already: give '%s' an address or a "
                           "port of its own", member->name, address, port, name);
    }
    return TRUE;
}

gboolean members_check(Members *members, const char *name, const char *address, guint port,
                       GError **error)
{
    Member *member = find(members, name);

    if (!check_name(name, error))
        return FALSE;
    if (member && member->state != LEFT && (member->last_seen || is_self(members, member)))
        return refused(error, "there is a node '%s' in the cluster: give this one another name "
                       "with --name, or take that one out first", name);
    return check_address(members, name, address, port, error);
}

void members_add(Members *members, const char *name, const char *address, guint port,
                 const char *serial)
{
    Member *member = find(members, name);

    if (member)
        g_ptr_array_remove(members->all, member);
    member = g_new0(Member, 1);
    member->name = g_strdup(name);
    member->address = g_strdup(address);
    member->port = port;
    member->serial = g_strdup(serial);
    g_ptr_array_add(members->all, member);
    members->version++;
    save(members);
    tell_peers(members, member);
    tell(members, name);
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
    Member *member = find(members, name);

    if (!member || member->state == LEFT)
        return;
    member->state = LEFT;
    g_clear_pointer(&member->info, json_unref);
    members->version++;
    save(members);
    tell_peers(members, member);
    tell(members, name);
}

gboolean members_move(Members *members, const char *name, const char *address, guint port,
                      GError **error)
{
    Member *member = find(members, name);

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
    save(members);
    tell_peers(members, member);
    tell(members, name);
    return TRUE;
}

const char *members_serial(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member ? member->serial : "";
}

void members_set_serial(Members *members, const char *name, const char *serial)
{
    Member *member = find(members, name);

    if (!member)
        return;
    g_free(member->serial);
    member->serial = g_strdup(serial);
    members->version++;
    save(members);
}

/* ---- Looking up ---- */

gboolean members_has(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member && member->state != LEFT;
}

gboolean members_has_left(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member && member->state == LEFT;
}

gboolean members_is_alive(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member && (member->state == ALIVE || is_self(members, member));
}

const char *members_address(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member ? member->address : NULL;
}

guint members_port(Members *members, const char *name)
{
    Member *member = find(members, name);

    return member ? member->port : 0;
}

/* What is known of a member by everyone who asks, set on json. */
static Json *set_known(Members *members, const Member *member, Json *json)
{
    State state = is_self(members, member) && member->state != LEFT ? ALIVE : member->state;

    json_set_string(json, "name", member->name);
    json_set_string(json, "address", member->address);
    json_set_int(json, "port", member->port);
    json_set_string(json, "state", state_names[state]);
    return json_set_int(json, "last_seen", member->last_seen);
}

Json *members_row(Members *members, const char *name)
{
    Member *member = find(members, name);

    if (!member || is_self(members, member))
        return NULL;
    return set_known(members, member, member->info ? json_copy(member->info) : json_object());
}

Json *members_rows(Members *members)
{
    Json *rows = json_array();

    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state != LEFT && !is_self(members, member))
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
            if (is_self(members, member) != (pass == 0))
                continue;
            row = set_known(members, member, json_object());
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
        if (member->state != LEFT && !is_self(members, member))
            each(member->name, user);
    }
}
