/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.c - one job, two hosting nodes and its home, as a state and the steps that can be next */
#include "model-private.h"

#include <stdlib.h>
#include <string.h>

const char *const node_names[] = { "a", "b" };
const char *const migration_names[] = { "", "m1", "m2", "m3" };

/* The arbiter */

static guint8 number_of(const char *name, const char *const *names, guint count)
{
    for (guint i = 0; i < count; i++)
        if (g_str_equal(name, names[i]))
            return i;
    g_assert_not_reached();
}

static void arbiter_pack(State *state, const Arbiter *arbiter)
{
    guint nodes = G_N_ELEMENTS(node_names), migrations = G_N_ELEMENTS(migration_names);

    state->arbiter =
        (Packed){ .epoch = arbiter->epoch,
                  .node = number_of(arbiter->node, node_names, nodes),
                  .committed = number_of(arbiter->committed, migration_names, migrations),
                  .migration = number_of(arbiter->migration, migration_names, migrations),
                  .expected_epoch = arbiter->expected_epoch,
                  .expected_node = *arbiter->expected_node
                                       ? 1 + number_of(arbiter->expected_node, node_names, nodes)
                                       : 0,
                  .highest = arbiter->highest };
}

static Arbiter arbiter_unpack(const State *state)
{
    const Packed *packed = &state->arbiter;
    Arbiter arbiter = { .epoch = packed->epoch,
                        .expected_epoch = packed->expected_epoch,
                        .highest = packed->highest };

    g_strlcpy(arbiter.node, node_names[packed->node], ARBITER_NAME);
    g_strlcpy(arbiter.committed, migration_names[packed->committed], ARBITER_NAME);
    g_strlcpy(arbiter.migration, migration_names[packed->migration], ARBITER_NAME);
    if (packed->expected_node)
        g_strlcpy(arbiter.expected_node, node_names[packed->expected_node - 1], ARBITER_NAME);
    return arbiter;
}

ArbiterAnswer model_abort(State *state, guint migration)
{
    Arbiter arbiter = arbiter_unpack(state);
    ArbiterAnswer answer = arbiter_abort(&arbiter, migration_names[migration]);

    arbiter_pack(state, &arbiter);
    return answer;
}

ArbiterAnswer model_commit(State *state, guint migration, guint epoch, guint node)
{
    Arbiter arbiter = arbiter_unpack(state);
    ArbiterAnswer answer =
        arbiter_commit(&arbiter, migration_names[migration], epoch, node_names[node]);

    arbiter_pack(state, &arbiter);
    return answer;
}

void model_expect(State *state, guint migration, guint node)
{
    Arbiter arbiter = arbiter_unpack(state);

    arbiter_expect(&arbiter, migration_names[migration], arbiter_next_epoch(&arbiter),
                   node_names[node]);
    arbiter_pack(state, &arbiter);
}

/* States */

void model_start(State *ret_state)
{
    Arbiter arbiter;

    memset(ret_state, 0, sizeof(*ret_state));
    arbiter_init(&arbiter, 1, node_names[0]);
    arbiter_pack(ret_state, &arbiter);
    for (guint i = 0; i < NODES; i++)
        ret_state->hosts[i].up = TRUE;
    ret_state->hosts[0].copy = RUNNING;
    ret_state->hosts[0].epoch = 1;
    ret_state->home_up = ret_state->registered = TRUE;
}

gboolean model_effective(const State *state, guint node)
{
    const Host *host = &state->hosts[node];
    Arbiter arbiter;

    if (host->copy == ABSENT || state->deputy_dead)
        return FALSE;
    arbiter = arbiter_unpack(state);
    return arbiter_effective(&arbiter, host->epoch, node_names[node]);
}

const char *model_broken(const State *state)
{
    guint effective = 0;

    if (state->deputy_dead)
        return NULL;
    for (guint i = 0; i < NODES; i++) {
        if (!model_effective(state, i))
            continue;
        effective++;
        if (state->hosts[i].stale)
            return "the effective copy is older than what the deputy has seen";
        if (state->hosts[i].copy == INCOMING)
            return "the effective copy is not complete";
    }
    if (effective > 1)
        return "two effective incarnations";
    return effective == 0 ? "the effective incarnation is gone" : NULL;
}

gboolean model_good(const State *state)
{
    guint copies = 0, running = 0;

    for (guint i = 0; i < NODES; i++) {
        const Host *host = &state->hosts[i];

        if (!host->up || host->op || host->leaving || host->coming)
            return FALSE;
        copies += host->copy != ABSENT;
        running += host->copy == RUNNING && model_effective(state, i);
    }
    if (!state->home_up || !state->registered || state->phase != HOME_IDLE)
        return FALSE;
    if (state->deputy_dead)
        return copies == 0;
    return copies == 1 && running == 1 && state->arbiter.migration == 0;
}

/* Emitting */

static int compare_messages(const void *a, const void *b)
{
    const Message *x = a, *y = b;

    if (!x->kind != !y->kind)
        return !x->kind - !y->kind;
    return memcmp(x, y, sizeof(*x));
}

/* A running effective copy talks to the deputy all the time: every other whole copy is out of date
 * at once. */
static void age_others(State *state)
{
    for (guint i = 0; i < NODES; i++) {
        Host *other = &state->hosts[1 - i];

        if (state->hosts[i].copy == RUNNING && model_effective(state, i) && other->copy != ABSENT &&
            !(other->copy == INCOMING && !other->complete))
            other->stale = TRUE;
    }
}

void model_emit(Walk *walk, State *next, gboolean fault, const char *format, ...)
{
    char what[160];
    va_list args;

    if (fault && next->faults++ >= walk->config->faults)
        return;
    va_start(args, format);
    g_vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    age_others(next);
    qsort(next->messages, MESSAGES, sizeof(Message), compare_messages);
    walk->emit(next, what, fault, walk->user);
}

void model_post(State *state, Message message)
{
    for (guint i = 0; i < MESSAGES; i++) {
        if (state->messages[i].kind == M_NONE) {
            state->messages[i] = message;
            return;
        }
    }
    g_error("more than %u messages are under way", MESSAGES);
}

gboolean model_under_way(const State *state, MessageKind kind, guint migration, guint node)
{
    for (guint i = 0; i < MESSAGES; i++)
        if (state->messages[i].kind == kind && state->messages[i].migration == migration &&
            state->messages[i].node == node && !state->messages[i].dead)
            return TRUE;
    return FALSE;
}

/* Hosts */

void model_copy_gone(Host *host)
{
    host->copy = ABSENT;
    host->epoch = host->complete = host->stale = host->was_running = host->job = 0;
}

gboolean model_busy(const Host *host)
{
    return host->leaving != LEAVING_NOT || host->coming != COMING_NOT;
}

VerdictHere model_here(const State *state, guint node)
{
    const Host *host = &state->hosts[node];

    return (VerdictHere){ .node = node_names[node],
                          .guest = host->copy == ABSENT    ? GUEST_ENDED
                                   : host->copy == RUNNING ? GUEST_RUNNING
                                                           : GUEST_PAUSED,
                          .busy = model_busy(host),
                          .held = FALSE,
                          .epoch = host->epoch };
}

VerdictTruth model_truth(const Message *message)
{
    return (VerdictTruth){ .home = message->known ? VERDICT_HOME_KNOWS : VERDICT_HOME_NO_JOB,
                           .node = node_names[message->at], .epoch = message->epoch,
                           .expected_epoch = message->expected };
}

/* libvirt drops its part of a migration whose client is gone, or whose daemon was restarted. */
void model_libvirt_drops(Host *host, gboolean daemon)
{
    if (host->job == JOB_PERFORM && host->was_running)
        host->copy = RUNNING;
    host->job = JOB_NONE;
    if (daemon && host->copy == INCOMING)
        model_copy_gone(host);
}

/* The call at the source is over. */
void model_leaving_over(State *state, guint node, gboolean moved)
{
    Host *host = &state->hosts[node];

    model_post(state, (Message){ .kind = M_RAN, .migration = host->leaving_m, .yes = moved });
    state->broken[host->leaving_m] |= BROKEN | SEEN_BY_SOURCE;
    host->leaving = LEAVING_NOT;
    host->leaving_m = host->deaf = 0;
    host->fresh = FALSE;
}

/* Confirm: what libvirt does to the old guest. Nothing, if its daemon was restarted meanwhile. */
void model_libvirt_confirms(State *state, guint node, gboolean moved)
{
    Host *host = &state->hosts[node];

    if (host->job == JOB_DONE && moved) {
        model_copy_gone(host);
    } else if (host->job == JOB_DONE) {
        host->job = JOB_NONE;
        if (host->was_running)
            host->copy = RUNNING;
    }
    model_leaving_over(state, node, moved);
}

void model_coming_over(Host *host)
{
    host->coming = COMING_NOT;
    host->coming_m = host->asked = 0;
    host->fresh = FALSE;
}

/* Nothing of what came stays. */
void model_coming_undone(Host *host)
{
    if (host->coming >= COMING_COPY)
        model_copy_gone(host);
    model_coming_over(host);
}

/* Messages */

static const char *const kinds[] = { "",       "PREPARE", "PREPARED", "REFUSED", "RUN",
                                     "RAN",    "FINISH3", "FINISHED", "COMMIT",  "COMMITTED",
                                     "CANCEL", "TRUTH",   "TOLD",     "SETTLE",  "SETTLED" };

/* FALSE: there is nobody. */
static gboolean deliver(Walk *walk, State *state, const Message *message)
{
    guint m = message->migration;

    switch (message->kind) {
    case M_PREPARE:
        model_deliver_prepare(walk, state, message);
        return TRUE;
    case M_RUN:
        model_deliver_run(walk, state, message);
        return TRUE;
    case M_FINISH:
        if (!(state->broken[m] & SEEN_BY_DESTINATION))
            model_deliver_finish(walk, state, message);
        return TRUE;
    case M_FINISHED:
        if (!(state->broken[m] & SEEN_BY_SOURCE))
            model_deliver_finished(walk, state, message);
        return TRUE;
    case M_COMMITTED:
        model_deliver_committed(state, message);
        return TRUE;
    case M_CANCEL:
        model_deliver_cancel(state, message);
        return TRUE;
    case M_TOLD:
        model_deliver_told(walk, state, message);
        return TRUE;
    case M_SETTLED:
        model_deliver_settled(state, message);
        return TRUE;
    default:
        return model_deliver_home(walk, state, message);
    }
}

static void message_steps(Walk *walk, guint i)
{
    const Message message = walk->from->messages[i];
    State next = *walk->from;
    gboolean bytes = message.kind == M_FINISH ||
                     message.kind == M_FINISHED; /* on a connection: it breaks, they do not
                                                                               * get lost alone */

    if (message.kind == M_NONE ||
        (i > 0 && memcmp(&message, &walk->from->messages[i - 1], sizeof(message)) == 0))
        return;
    next.messages[i] = (Message){ 0 };
    if (!deliver(walk, &next, &message))
        model_emit(walk, &next, FALSE, "%s finds nobody at home", kinds[message.kind]);
    else
        model_emit(walk, &next, FALSE, "%s of '%s' (node %s, %s) arrives", kinds[message.kind],
             migration_names[message.migration], node_names[message.node],
             message.yes ? "yes" : "no");
    if (bytes)
        return;
    next = *walk->from;
    next.messages[i] = (Message){ 0 };
    model_emit(walk, &next, TRUE, "%s is lost", kinds[message.kind]);
    if (message.kind != M_COMMIT && message.kind != M_PREPARE && message.kind != M_CANCEL &&
        message.kind != M_TRUTH)
        return;
    next = *walk->from;
    if (deliver(walk, &next, &message))
        model_emit(walk, &next, TRUE, "%s arrives, and will once more", kinds[message.kind]);
}

void model_steps(const ModelConfig *config, const State *state, ModelEmit callback, gpointer user)
{
    Walk walk = { config, state, callback, user };
    State next = *state;

    model_home_starts(&walk);
    model_home_notices(&walk);
    model_home_registers(&walk);
    model_restart_steps(&walk);
    model_break_steps(&walk);
    model_crash_steps(&walk, HOME_ELSEWHERE == config->home ? HOME_ELSEWHERE : config->home);
    for (guint node = 0; node < NODES; node++) {
        model_coming_steps(&walk, node);
        model_leaving_steps(&walk, node);
        model_doubt_steps(&walk, node);
        model_libvirt_steps(&walk, node);
        model_libvirtd_steps(&walk, node);
        if (node != config->home)
            model_crash_steps(&walk, node);
    }
    for (guint i = 0; i < MESSAGES; i++)
        message_steps(&walk, i);
    if (config->deputy_dies && !state->deputy_dead) {
        next.deputy_dead = TRUE;
        model_emit(&walk, &next, TRUE, "the deputy dies");
    }
}
