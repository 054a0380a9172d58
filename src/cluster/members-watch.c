/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members-watch.c - whether the nodes of the cluster answer
 *
 * A round is a second. In each, every member is asked unless the last question is still open; a
 * round without an answer is a miss. One that has failed is asked in each fifth round only.
 */
#include "common/log.h"
#include "members-private.h"

enum { PERIOD_MS = 1000, MISSES = 3, SLOW_ROUNDS = 5 };

typedef struct {
    Members *members;
    char *name;
} Question;

static void set_state(Members *members, Member *member, MemberState state)
{
    gboolean first = member->last_seen == 0 && state == MEMBER_ALIVE;

    if (state == MEMBER_ALIVE)
        member->last_seen = g_get_real_time() / G_USEC_PER_SEC;
    if (member->state == state)
        return;
    member->state = state;
    if (first || state == MEMBER_FAILED)
        members_keep(members);
    log_info("node '%s' %s", member->name,
             state == MEMBER_ALIVE ? "is alive" : "has failed: it does not answer any more");
}

static void answered(const char *node, Json *result, const GError *error, gpointer user)
{
    g_autofree Question *question = user;
    g_autofree char *name = question->name;
    Members *members = question->members;
    Member *member = members->stopped ? NULL : members_find(members, name);

    if (member)
        member->asked = FALSE;
    if (member && member->state != MEMBER_LEFT && json_is_object(result)) {
        json_unref(member->info);
        member->info = json_ref(result);
        member->misses = 0;
        member->answered = TRUE;
        set_state(members, member, MEMBER_ALIVE);
        members_tell(members, name);
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
    gboolean slow = member->state == MEMBER_FAILED ||
                    (member->state == MEMBER_PENDING && member->misses);

    member->misses = member->answered ? 0 : member->misses + 1;
    member->answered = FALSE;
    if (member->misses >= MISSES &&
        (member->state == MEMBER_ALIVE || (member->state == MEMBER_PENDING && member->last_seen))) {
        set_state(members, member, MEMBER_FAILED);
        members_tell(members, member->name);
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
        if (member->state != MEMBER_LEFT && !members_is_self(members, member))
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
        members_tell_peers(members, g_ptr_array_index(members->all, i));
    members->timer = g_timeout_source_new(members->period_ms);
    g_source_set_callback(members->timer, next_round, members, NULL);
    g_source_attach(members->timer, context);
}

void members_hurry(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    if (member && member->state != MEMBER_LEFT && !members_is_self(members, member) &&
        members->peers)
        ask(members, member);
}
