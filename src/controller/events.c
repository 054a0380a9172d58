/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - what has happened at this node lately (see events.h) */
#include "events.h"

typedef struct {
    char *user;   /* whose job it is; NULL: for everybody */
    Json *json;
} Event;

typedef struct {
    RpcCall *call;
    char *user;
} Follower;

static void event_free(Event *event)
{
    g_free(event->user);
    json_unref(event->json);
    g_free(event);
}

static gboolean is_for(const Event *event, const char *user)
{
    return !user || !event->user || g_str_equal(user, event->user);
}

static void follower_end(Node *node, Follower *follower)
{
    g_queue_remove(&node->followers, follower);
    rpc_reply(follower->call, NULL);
    g_free(follower->user);
    g_free(follower);
}

static void tell(Node *node, const Event *event)
{
    GList *next;

    for (GList *i = node->followers.head; i; i = next) {
        Follower *follower = i->data;

        next = i->next;
        if (rpc_call_gone(follower->call))
            follower_end(node, follower);
        else if (is_for(event, follower->user))
            rpc_notify(rpc_call_connection(follower->call), "event", json_copy(event->json));
    }
}

/* json is taken over. */
static void note(Node *node, const char *user, const char *kind, Json *json, const char *text)
{
    Event *event = g_new(Event, 1);

    json_set_int(json, "at_ms", g_get_real_time() / 1000);
    json_set_string(json, "kind", kind);
    *event = (Event){g_strdup(user), json_set_string(json, "text", text)};
    g_queue_push_tail(&node->events, event);
    if (g_queue_get_length(&node->events) > EVENTS_MAX)
        event_free(g_queue_pop_head(&node->events));
    tell(node, event);
}

void events_job(Node *node, const Job *job, const char *kind, Json *details, const char *format, ...)
{
    Json *json = details ? details : json_object();
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    tally_job(&node->tally, kind);
    json_set_string(json, "job", job->id);
    note(node, job->user, kind, json_set_string(json, "name", job->name), text);
}

void events_node(Node *node, const char *name, const char *kind, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    note(node, NULL, kind, json_set_string(json_object(), "node", name), text);
}

void events_member(Node *node, const char *name)
{
    g_autoptr(Json) row = name ? cluster_row(node->cluster, name) : NULL;
    const char *state = json_get_string(row, "state", "left"), *before;

    if (!name)
        return;
    before = g_hash_table_lookup(node->states, name);
    if (before ? g_str_equal(before, state) : g_str_equal(state, "pending"))
        return;
    g_hash_table_insert(node->states, g_strdup(name), g_strdup(state));
    events_node(node, name, "node", "node %s is %s", name, state);
}

void events_ask(Node *node, Json *params, const char *user, RpcCall *call)
{
    gboolean follow = json_get_bool(params, "follow", FALSE);
    Json *past = json_array();

    for (GList *i = node->events.head; i; i = i->next) {
        const Event *event = i->data;

        if (is_for(event, user) && follow)
            rpc_notify(rpc_call_connection(call), "event", json_copy(event->json));
        else if (is_for(event, user))
            json_append(past, json_copy(event->json));
    }
    if (follow) {
        Follower *follower = g_new(Follower, 1);

        *follower = (Follower){call, g_strdup(user)};
        g_queue_push_tail(&node->followers, follower);
        json_unref(past);
    } else {
        rpc_reply(call, past);
    }
}
