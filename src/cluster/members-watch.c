/* SPDX-License-Identifier: GPL-2.0-or-later */
/* members-watch.c - whether the nodes of the cluster answer
 *
 * A round is a second. Who is asked in it:
 * - each that gossip does not vouch for, because it has not heard of it, or heard that it failed;
 * - each that owes an answer to the last question;
 * - of the rest a sample, in turn, so that the work of a round does not grow with the cluster.
 * Without gossip, and in a small cluster, that is everybody. One that has failed is asked in each
 * fifth round only; at once when gossip hears that it is back.
 *
 * Only answers count. An answer makes a node alive; rounds without one, three on a machine that is
 * not late itself (lag.h), make it failed, whatever gossip says: a node that others reach may be out
 * of our reach, and one that serf has lost may answer.
 */
#include "common/log.h"
#include "common/source.h"
#include "members-private.h"

enum { PERIOD_MS = 1000, MISSES = 3, SLOW_ROUNDS = 5, SAMPLE = 16, MEET_ROUNDS_MAX = 32 };

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

    member->expected = TRUE;
    if (member->asked)
        return;
    question = g_new(Question, 1);
    *question = (Question){members, g_strdup(member->name)};
    members->references++;
    member->asked = TRUE;
    peers_call(members->peers, member->name, "node.info", NULL, MISSES * members->period_ms,
               answered, question);
}

/* The end of a round for one member. */
static void round_ends(Members *members, Member *member, gboolean counts)
{
    guint patience = lag_patience(&members->lag, members->period_ms, MISSES);

    if (member->answered)
        member->misses = 0;
    else if (member->expected && counts)
        member->misses++;
    member->answered = member->expected = FALSE;
    if (member->misses >= patience &&
        (member->state == MEMBER_ALIVE || (member->state == MEMBER_PENDING && member->last_seen))) {
        set_state(members, member, MEMBER_FAILED);
        members_tell(members, member->name);
    }
}

/* Whether the index-th member is asked in this round. */
static gboolean is_due(Members *members, const Member *member, guint index)
{
    guint count = members->all->len, first = members->sample % count;
    gboolean in_sample = count <= SAMPLE || (index + count - first) % count < SAMPLE;
    gboolean slow = member->state == MEMBER_FAILED ||
                    (member->state == MEMBER_PENDING && member->misses);

    if (slow)
        return members->round % SLOW_ROUNDS == 0;
    return in_sample || member->misses || member->news != GOSSIP_ALIVE;
}

/* A node that answers, and that gossip has not heard of, may be one that gossip has to be told of;
 * or one that has none. */
static void introduce(Members *members, Member *member)
{
    if (!members->gossip || member->state != MEMBER_ALIVE || member->news == GOSSIP_ALIVE ||
        !gossip_is_ready(members->gossip)) {
        member->meet_in = 0;
        member->meet_pause = 1;
    } else if (member->meet_in > 0)
        member->meet_in--;
    else {
        gossip_meet(members->gossip, member->address, member->port);
        member->meet_in = member->meet_pause = MIN(member->meet_pause * 2, MEET_ROUNDS_MAX);
    }
}

static gboolean next_round(gpointer user)
{
    Members *members = user;
    gint64 now = g_get_monotonic_time();
    gboolean counts = lag_round(&members->lag, members->period_ms, (now - members->round_us) / 1000);

    members->round_us = now;
    members->references++;
    members->round++;
    members->sample += SAMPLE;
    for (guint i = 0; !members->stopped && i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        if (member->state == MEMBER_LEFT || members_is_self(members, member))
            continue;
        round_ends(members, member, counts);
        introduce(members, member);
        if (is_due(members, member, i))
            ask(members, member);
    }
    members_unref(members);
    return G_SOURCE_CONTINUE;
}

void members_start(Members *members, Peers *peers, Gossip *gossip, guint period_ms)
{
    g_autoptr(GMainContext) context = g_main_context_ref_thread_default();

    members->peers = peers;
    members->gossip = gossip;
    members->period_ms = period_ms ? period_ms : PERIOD_MS;
    members->round_us = g_get_monotonic_time();
    for (guint i = 0; i < members->all->len; i++)
        members_tell_peers(members, g_ptr_array_index(members->all, i));
    members->timer = source_add(g_timeout_source_new(members->period_ms), context, next_round, members);
}

void members_gossip(Members *members, gboolean ready)
{
    for (guint i = 0; i < members->all->len; i++)
        ((Member *)g_ptr_array_index(members->all, i))->news = GOSSIP_NOTHING;
    log_debug("gossip is %s", ready ? "there" : "not there");
}

void members_heard(Members *members, const char *name, const char *address, GossipNews news)
{
    Member *member = members_find(members, name);

    if (!member || !g_str_equal(member->address, address) || member->news == news)
        return;
    log_debug("gossip says that node '%s' %s", name,
              news == GOSSIP_ALIVE ? "is there" : news == GOSSIP_FAILED ? "has failed" : "is not there");
    member->news = news;
    if ((news == GOSSIP_ALIVE) != (member->state == MEMBER_ALIVE))
        members_hurry(members, name);
}

guint members_heard_alive(Members *members)
{
    guint count = 0;

    for (guint i = 0; i < members->all->len; i++) {
        Member *member = g_ptr_array_index(members->all, i);
        count += member->news == GOSSIP_ALIVE && member->state != MEMBER_LEFT &&
                 !members_is_self(members, member);
    }
    return count;
}

void members_hurry(Members *members, const char *name)
{
    Member *member = members_find(members, name);

    if (member && member->state != MEMBER_LEFT && !members_is_self(members, member) &&
        members->peers)
        ask(members, member);
}
