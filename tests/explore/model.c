/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model.c - one job, two hosting nodes and its home, as a state and the steps that can be next */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "controller/verdict.h"

enum { SEEN_BY_SOURCE = 1, SEEN_BY_DESTINATION = 2, BROKEN = 4 };

static const char *const node_names[] = { "a", "b" };
static const char *const migration_names[] = { "", "m1", "m2", "m3" };

typedef struct {
    const ModelConfig *config;
    const State *from;
    ModelEmit emit;
    gpointer user;
} Walk;

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

    state->arbiter = (Packed){ .epoch = arbiter->epoch,
                               .node = number_of(arbiter->node, node_names, nodes),
                               .committed = number_of(arbiter->committed, migration_names, migrations),
                               .migration = number_of(arbiter->migration, migration_names, migrations),
                               .expected_epoch = arbiter->expected_epoch,
                               .expected_node = *arbiter->expected_node
                                                ? 1 + number_of(arbiter->expected_node, node_names, nodes) : 0,
                               .highest = arbiter->highest };
}

static Arbiter arbiter_unpack(const State *state)
{
    const Packed *packed = &state->arbiter;
    Arbiter arbiter = { .epoch = packed->epoch, .expected_epoch = packed->expected_epoch, .highest = packed->highest };

    g_strlcpy(arbiter.node, node_names[packed->node], ARBITER_NAME);
    g_strlcpy(arbiter.committed, migration_names[packed->committed], ARBITER_NAME);
    g_strlcpy(arbiter.migration, migration_names[packed->migration], ARBITER_NAME);
    if (packed->expected_node)
        g_strlcpy(arbiter.expected_node, node_names[packed->expected_node - 1], ARBITER_NAME);
    return arbiter;
}

static ArbiterAnswer deputy_abort(State *state, guint migration)
{
    Arbiter arbiter = arbiter_unpack(state);
    ArbiterAnswer answer = arbiter_abort(&arbiter, migration_names[migration]);

    arbiter_pack(state, &arbiter);
    return answer;
}

static ArbiterAnswer deputy_commit(State *state, guint migration, guint epoch, guint node)
{
    Arbiter arbiter = arbiter_unpack(state);
    ArbiterAnswer answer = arbiter_commit(&arbiter, migration_names[migration], epoch, node_names[node]);

    arbiter_pack(state, &arbiter);
    return answer;
}

static void deputy_expect(State *state, guint migration, guint node)
{
    Arbiter arbiter = arbiter_unpack(state);

    arbiter_expect(&arbiter, migration_names[migration], arbiter_next_epoch(&arbiter), node_names[node]);
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

static gboolean is_effective(const State *state, guint node)
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
        if (!is_effective(state, i))
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
        running += host->copy == RUNNING && is_effective(state, i);
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

/* A running effective copy talks to the deputy all the time: every other whole copy is out of date at once. */
static void age_others(State *state)
{
    for (guint i = 0; i < NODES; i++) {
        Host *other = &state->hosts[1 - i];

        if (state->hosts[i].copy == RUNNING && is_effective(state, i) && other->copy != ABSENT &&
            !(other->copy == INCOMING && !other->complete))
            other->stale = TRUE;
    }
}

static void emit(Walk *walk, State *next, gboolean fault, const char *format, ...) G_GNUC_PRINTF(4, 5);

static void emit(Walk *walk, State *next, gboolean fault, const char *format, ...)
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

static void post(State *state, Message message)
{
    for (guint i = 0; i < MESSAGES; i++) {
        if (state->messages[i].kind == M_NONE) {
            state->messages[i] = message;
            return;
        }
    }
    g_error("more than %u messages are under way", MESSAGES);
}

static gboolean under_way(const State *state, MessageKind kind, guint migration, guint node)
{
    for (guint i = 0; i < MESSAGES; i++)
        if (state->messages[i].kind == kind && state->messages[i].migration == migration &&
            state->messages[i].node == node && !state->messages[i].dead)
            return TRUE;
    return FALSE;
}

/* Hosts */

static void copy_gone(Host *host)
{
    host->copy = ABSENT;
    host->epoch = host->complete = host->stale = host->was_running = host->job = 0;
}

static gboolean is_busy(const Host *host)
{
    return host->leaving != LEAVING_NOT || host->coming != COMING_NOT;
}

static guint expected_epoch(const State *state)
{
    return state->arbiter.expected_epoch;
}

static VerdictHere here_of(const State *state, guint node)
{
    const Host *host = &state->hosts[node];

    return (VerdictHere){ .node = node_names[node],
                          .guest = host->copy == ABSENT ? GUEST_ENDED : host->copy == RUNNING ? GUEST_RUNNING : GUEST_PAUSED,
                          .busy = is_busy(host), .held = FALSE, .epoch = host->epoch };
}

static VerdictTruth truth_of(const Message *message)
{
    return (VerdictTruth){ .home = message->known ? VERDICT_HOME_KNOWS : VERDICT_HOME_NO_JOB,
                           .node = node_names[message->at], .epoch = message->epoch,
                           .expected_epoch = message->expected };
}

/* libvirt drops its part of a migration whose client is gone, or whose daemon was restarted. */
static void libvirt_drops(Host *host, gboolean daemon)
{
    if (host->job == JOB_PERFORM && host->was_running)
        host->copy = RUNNING;
    host->job = JOB_NONE;
    if (daemon && host->copy == INCOMING)
        copy_gone(host);
}

/* The call at the source is over. */
static void leaving_over(State *state, guint node, gboolean moved)
{
    Host *host = &state->hosts[node];

    post(state, (Message){ .kind = M_RAN, .migration = host->leaving_m, .yes = moved });
    state->broken[host->leaving_m] |= BROKEN | SEEN_BY_SOURCE;
    host->leaving = LEAVING_NOT;
    host->leaving_m = host->deaf = 0;
    host->fresh = FALSE;
}

/* Confirm: what libvirt does to the old guest. Nothing, if its daemon was restarted meanwhile. */
static void libvirt_confirms(State *state, guint node, gboolean moved)
{
    Host *host = &state->hosts[node];

    if (host->job == JOB_DONE && moved) {
        copy_gone(host);
    } else if (host->job == JOB_DONE) {
        host->job = JOB_NONE;
        if (host->was_running)
            host->copy = RUNNING;
    }
    leaving_over(state, node, moved);
}

static void coming_over(Host *host)
{
    host->coming = COMING_NOT;
    host->coming_m = host->asked = 0;
    host->fresh = FALSE;
}

/* Nothing of what came stays. */
static void coming_undone(Host *host)
{
    if (host->coming >= COMING_COPY)
        copy_gone(host);
    coming_over(host);
}

/* Home */

static void home_idle(State *state)
{
    state->phase = HOME_IDLE;
    state->migration = state->from = state->to = 0;
}

/* It failed, or seems to have. */
static void home_gives_up(Walk *walk, State *state)
{
    ArbiterAnswer answer = ARBITER_OK;

    if (!(walk->config->without & RULE_CANCEL) && !state->deputy_dead)
        answer = deputy_abort(state, state->migration);
    if (answer != ARBITER_COMMITTED)
        post(state, (Message){ .kind = M_CANCEL, .migration = state->migration, .node = state->to });
    home_idle(state);
}

static void home_starts(Walk *walk)
{
    State next = *walk->from;
    guint from = next.arbiter.node;

    if (next.phase != HOME_IDLE || !next.registered || next.started >= walk->config->migrations || next.deputy_dead ||
        next.arbiter.migration)
        return;
    next.started++;
    next.migration = next.started;
    next.from = from;
    next.to = 1 - from;
    next.phase = HOME_PREPARE;
    deputy_expect(&next, next.migration, next.to);
    post(&next, (Message){ .kind = M_PREPARE, .migration = next.migration, .node = next.to,
                           .epoch = expected_epoch(&next) });
    emit(walk, &next, FALSE, "home starts %s from %s", migration_names[next.migration], node_names[from]);
}

/* A call of home's whose other end is gone. */
static void home_notices(Walk *walk)
{
    State next = *walk->from;
    guint m = next.migration;
    gboolean waiting = FALSE;

    if (next.phase == HOME_IDLE)
        return;
    if (next.phase == HOME_PREPARE)
        waiting = under_way(&next, M_PREPARE, m, next.to) || under_way(&next, M_PREPARED, m, 0) ||
                  under_way(&next, M_REFUSED, m, 0);
    else
        waiting = under_way(&next, M_RUN, m, next.from) || under_way(&next, M_RAN, m, 0) ||
                  (next.hosts[next.from].leaving && next.hosts[next.from].leaving_m == m);
    home_gives_up(walk, &next);
    emit(walk, &next, waiting, "home %s on %s", waiting ? "loses its call and gives up" : "gives up", migration_names[m]);
}

static void home_registers(Walk *walk)
{
    State next = *walk->from;

    if (!next.home_up || next.registered)
        return;
    next.registered = TRUE;
    if (!next.deputy_dead && verdict_abandon(next.arbiter.migration != 0, FALSE))
        deputy_abort(&next, next.arbiter.migration);
    emit(walk, &next, FALSE, "the deputy registers with home's new controller");
}

static Message home_tells(Walk *walk, State *state, const Message *question)
{
    gboolean settle = question->kind == M_SETTLE || question->yes, keep = walk->config->without & RULE_SETTLE;
    Message told = { .kind = question->kind == M_SETTLE ? M_SETTLED : M_TOLD, .node = question->node,
                     .migration = question->migration, .known = !state->deputy_dead };

    if (state->deputy_dead)
        return told;
    if (settle && state->arbiter.migration && !keep)
        deputy_abort(state, state->arbiter.migration);
    told.epoch = state->arbiter.epoch;
    told.at = state->arbiter.node;
    told.expected = settle && keep ? 0 : expected_epoch(state);
    return told;
}

/* Messages to home. FALSE: home is not there, the caller notices. */
static gboolean deliver_home(Walk *walk, State *state, const Message *message)
{
    gboolean mine = state->migration == message->migration && state->phase != HOME_IDLE;
    Message answer;

    if (!state->home_up || !state->registered)
        return FALSE;
    switch (message->kind) {
    case M_PREPARED:
        if (mine && state->phase == HOME_PREPARE) {
            state->phase = HOME_RUN;
            post(state, (Message){ .kind = M_RUN, .migration = message->migration, .node = state->from });
        }
        break;
    case M_REFUSED:
        if (mine && state->phase == HOME_PREPARE)
            home_gives_up(walk, state);
        break;
    case M_RAN:
        if (mine && state->phase == HOME_RUN) {
            if (message->yes && state->arbiter.committed == message->migration)
                home_idle(state);
            else
                home_gives_up(walk, state);
        }
        break;
    case M_COMMIT:
        answer = (Message){ .kind = M_COMMITTED, .migration = message->migration, .node = message->node };
        answer.yes = !state->deputy_dead &&
                     deputy_commit(state, message->migration, message->epoch, message->node) != ARBITER_REFUSED;
        if (!message->dead)
            post(state, answer);
        break;
    case M_TRUTH:
    case M_SETTLE:
        answer = home_tells(walk, state, message);
        if (!message->dead)
            post(state, answer);
        break;
    default:
        g_assert_not_reached();
    }
    return TRUE;
}

/* The destination */

static void deliver_prepare(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    gboolean free = host->up && !is_busy(host) && host->copy == ABSENT;

    if (host->op && !(walk->config->without & RULE_OPERATION))
        free = FALSE;
    if (free) {
        host->coming = COMING_RESERVED;
        host->coming_m = message->migration;
        host->fresh = FALSE;
        host->epoch = message->epoch;
    }
    post(state, (Message){ .kind = free ? M_PREPARED : M_REFUSED, .migration = message->migration });
}

static void deliver_finish(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    Message answer = { .kind = M_FINISHED, .migration = message->migration, .node = 1 - message->node };

    if (!host->up || host->coming != COMING_COPY || host->coming_m != message->migration)
        return;
    if (!message->yes || host->copy != INCOMING || !host->complete) {
        coming_undone(host);
        post(state, answer);
        return;
    }
    host->copy = PAUSED;
    host->coming = COMING_DECIDE;
    if (walk->config->without & RULE_COMMIT) {
        host->copy = RUNNING;
        post(state, (Message){ .kind = M_COMMIT, .migration = message->migration, .node = message->node,
                               .epoch = host->epoch });
        answer.yes = TRUE;
        post(state, answer);
        coming_over(host);
    }
}

static void deliver_committed(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (!host->up || host->coming != COMING_DECIDE || host->coming_m != message->migration)
        return;
    switch (verdict_destination(message->yes ? VERDICT_COMMIT_TAKEN : VERDICT_COMMIT_REFUSED)) {
    case VERDICT_RESUME:
        host->coming = COMING_RESUME;
        break;
    case VERDICT_DESTROY:
        coming_undone(host);
        post(state, (Message){ .kind = M_FINISHED, .migration = message->migration, .node = 1 - message->node });
        break;
    default:
        g_assert_not_reached();
    }
}

static void deliver_cancel(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (host->up && host->coming && host->coming_m == message->migration && host->coming != COMING_RESUME) {
        state->broken[message->migration] |= BROKEN | SEEN_BY_DESTINATION;
        coming_undone(host);
    }
}

static void coming_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    guint m = now->coming_m;
    State next = *walk->from;
    Host *host = &next.hosts[node];

    if (!now->up)
        return;
    if (now->coming == COMING_RESERVED && !walk->from->hosts[1 - node].leaving) {
        gboolean used = under_way(&next, M_RUN, m, 1 - node) || walk->from->phase != HOME_IDLE;

        coming_undone(host);
        emit(walk, &next, used, "%s drops a reservation that is not used", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_COPY && (walk->from->broken[m] & BROKEN) && !(walk->from->broken[m] & SEEN_BY_DESTINATION)) {
        next.broken[m] |= SEEN_BY_DESTINATION;
        coming_undone(host);
        emit(walk, &next, FALSE, "%s sees the gate's connection break", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_DECIDE && !now->asked) {
        host->asked = TRUE;
        post(&next, (Message){ .kind = M_COMMIT, .migration = m, .node = node, .epoch = now->epoch });
        emit(walk, &next, FALSE, "%s asks for the commit of %s", node_names[node], migration_names[m]);
        next = *walk->from;
    }
    if (now->coming == COMING_DECIDE && now->asked) {
        gboolean waiting = under_way(&next, M_COMMIT, m, node) || under_way(&next, M_COMMITTED, m, node);

        host->asked = FALSE;
        emit(walk, &next, waiting, "%s has no answer to its commit", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_RESUME) {
        host->copy = RUNNING;
        coming_over(host);
        post(&next, (Message){ .kind = M_FINISHED, .migration = m, .node = 1 - node, .yes = TRUE });
        emit(walk, &next, FALSE, "%s resumes the guest and answers FINISH3", node_names[node]);
    }
}

/* The source */

static void deliver_run(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    gboolean ready = host->up && !is_busy(host) && (host->copy == RUNNING || host->copy == PAUSED) && host->job == JOB_NONE;

    if (host->op && !(walk->config->without & RULE_OPERATION))
        ready = FALSE;
    if (!ready) {
        post(state, (Message){ .kind = M_RAN, .migration = message->migration });
        return;
    }
    host->leaving = LEAVING_PREPARE;
    host->leaving_m = message->migration;
    host->fresh = FALSE;
}

/* FINISH3 is not answered with success. */
static void finish_failed(Walk *walk, State *state, guint node)
{
    if (walk->config->without & RULE_HOLD)
        libvirt_confirms(state, node, FALSE);
    else
        state->hosts[node].leaving = LEAVING_SETTLE;
}

static void deliver_finished(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (!host->up || host->leaving_m != message->migration || host->deaf)
        return;
    if (host->leaving == LEAVING_CANCEL)
        leaving_over(state, message->node, FALSE);
    else if (host->leaving == LEAVING_FINISH && message->yes)
        libvirt_confirms(state, message->node, TRUE);
    else if (host->leaving == LEAVING_FINISH)
        finish_failed(walk, state, message->node);
}

static void deliver_settled(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    VerdictHere here = here_of(state, message->node);
    VerdictTruth truth = truth_of(message);

    if (!host->up || host->leaving != LEAVING_SETTLE || host->leaving_m != message->migration)
        return;
    switch (verdict_source(&here, &truth)) {
    case VERDICT_RESUME:
        libvirt_confirms(state, message->node, FALSE);
        break;
    case VERDICT_DESTROY:
        libvirt_confirms(state, message->node, TRUE);
        break;
    default:
        break;
    }
}

/* PREPARE3 through both gates, as one step: it does not matter where in it something breaks. */
static void step_prepare3(Walk *walk, guint node)
{
    State next = *walk->from;
    Host *source = &next.hosts[node], *destination = &next.hosts[1 - node];
    guint m = source->leaving_m;

    if (destination->up && destination->coming == COMING_RESERVED && destination->coming_m == m && !next.broken[m] &&
        destination->copy == ABSENT) {
        destination->coming = COMING_COPY;
        destination->copy = INCOMING;
        source->leaving = LEAVING_PERFORM;
        source->job = JOB_PERFORM;
        source->was_running = source->copy == RUNNING;
        emit(walk, &next, FALSE, "PREPARE3 of %s", migration_names[m]);
    } else {
        leaving_over(&next, node, FALSE);
        emit(walk, &next, FALSE, "PREPARE3 of %s fails", migration_names[m]);
    }
}

/* Perform fails: libvirt resumes the guest by itself, and its client cancels at the destination. */
static void perform_failed(State *next, guint node)
{
    Host *source = &next->hosts[node];
    guint m = source->leaving_m;

    libvirt_drops(source, FALSE);
    if (source->deaf) {
        leaving_over(next, node, FALSE);
        return;
    }
    source->leaving = LEAVING_CANCEL;
    post(next, (Message){ .kind = M_FINISH, .migration = m, .node = 1 - node });
}

static void step_perform(Walk *walk, guint node)
{
    State next = *walk->from;
    Host *source = &next.hosts[node], *destination = &next.hosts[1 - node];
    guint m = source->leaving_m;
    gboolean there = destination->copy == INCOMING && destination->coming_m == m;

    if (source->copy == RUNNING && there) {
        source->copy = PAUSED;
        emit(walk, &next, FALSE, "the guest stops on %s", node_names[node]);
    } else if (there) {
        destination->complete = TRUE;
        destination->stale = source->stale;
        emit(walk, &next, FALSE, "the copy of %s is complete", migration_names[m]);
        source->job = JOB_DONE;
        if (source->deaf) {
            libvirt_confirms(&next, node, FALSE);  /* its gate is gone: FINISH3 can not be passed on */
        } else {
            source->leaving = LEAVING_FINISH;
            post(&next, (Message){ .kind = M_FINISH, .migration = m, .node = 1 - node, .yes = TRUE });
        }
        emit(walk, &next, FALSE, "libvirt's client sends FINISH3 of %s", migration_names[m]);
    }
    next = *walk->from;
    perform_failed(&next, node);
    emit(walk, &next, there, "Perform of %s fails", migration_names[m]);
}

static void leaving_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];
    guint m = now->leaving_m;

    if (!now->up || !now->leaving)
        return;
    if (now->leaving == LEAVING_PREPARE)
        step_prepare3(walk, node);
    if (now->leaving == LEAVING_PERFORM && now->job == JOB_PERFORM)
        step_perform(walk, node);
    if (now->leaving == LEAVING_PERFORM && now->job == JOB_NONE) {
        perform_failed(&next, node);
        emit(walk, &next, FALSE, "%s hears that Perform failed", node_names[node]);
        next = *walk->from;
    }
    if ((walk->from->broken[m] & BROKEN) && !(walk->from->broken[m] & SEEN_BY_SOURCE)) {
        next.broken[m] |= SEEN_BY_SOURCE;
        host->deaf = TRUE;
        if (now->leaving == LEAVING_FINISH)
            finish_failed(walk, &next, node);
        else if (now->leaving == LEAVING_CANCEL)
            leaving_over(&next, node, FALSE);
        emit(walk, &next, FALSE, "%s sees the gate's connection break", node_names[node]);
        next = *walk->from;
    }
    if (now->leaving == LEAVING_SETTLE && !under_way(&next, M_SETTLE, m, node) && !under_way(&next, M_SETTLED, m, node)) {
        post(&next, (Message){ .kind = M_SETTLE, .migration = m, .node = node });
        emit(walk, &next, FALSE, "%s asks home to settle", node_names[node]);
    }
}

/* Doubt about a guest */

static void deliver_told(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    VerdictHere here = here_of(state, message->node);
    VerdictTruth truth = truth_of(message);

    if (!host->up || !host->asking)
        return;
    host->asking = FALSE;
    if (!host->fresh && !(walk->config->without & RULE_FRESH))
        return;
    switch (verdict_host(&here, &truth)) {
    case VERDICT_RESUME:
        host->op = OP_RESUME;
        break;
    case VERDICT_DESTROY:
        host->op = OP_DESTROY;
        break;
    case VERDICT_SETTLE:
        host->asking = TRUE;
        post(state, (Message){ .kind = M_TRUTH, .node = message->node, .yes = TRUE });
        break;
    default:
        break;
    }
}

static void doubt_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];
    gboolean well = now->copy == ABSENT || (now->copy == RUNNING && is_effective(walk->from, node));

    if (!now->up)
        return;
    if (!now->asking && !now->op && !is_busy(now) && !well) {
        host->asking = host->fresh = TRUE;
        post(&next, (Message){ .kind = M_TRUTH, .node = node });
        emit(walk, &next, FALSE, "%s asks what is true", node_names[node]);
    } else if (now->asking && !under_way(&next, M_TRUTH, 0, node) && !under_way(&next, M_TOLD, 0, node)) {
        host->asking = FALSE;
        emit(walk, &next, FALSE, "%s has no answer", node_names[node]);
    }
}

static void do_operation(State *state, guint node)
{
    Host *host = &state->hosts[node];

    if (host->op == OP_RESUME && host->copy == PAUSED && host->job == JOB_NONE)
        host->copy = RUNNING;
    if (host->op == OP_DESTROY) {
        copy_gone(host);
        if (host->coming >= COMING_COPY) {
            state->broken[host->coming_m] |= BROKEN | SEEN_BY_DESTINATION;
            coming_over(host);
        }
    }
    host->op = OP_NONE;
}

static void libvirt_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];

    /* A resume waits while libvirt has a migration of the guest. */
    if (now->op && !(now->op == OP_RESUME && now->job != JOB_NONE)) {
        do_operation(&next, node);
        emit(walk, &next, FALSE, "%s: libvirt %s the guest", node_names[node],
             now->op == OP_RESUME ? "resumes" : "destroys");
        next = *walk->from;
    }
    /* Whoever prepared it is gone. */
    if (now->copy == INCOMING && now->coming != COMING_COPY) {
        copy_gone(host);
        emit(walk, &next, FALSE, "%s: libvirt destroys the incoming guest", node_names[node]);
    }
}

/* Faults */

/* Calls and answers go over connections, which end with the program: what was on its way to it is lost, and the answers to
 * what it had asked will be. */
static void connections_end(State *state, guint node)
{
    for (guint i = 0; i < MESSAGES; i++) {
        Message *message = &state->messages[i];
        gboolean to_home = message->kind == M_PREPARED || message->kind == M_REFUSED || message->kind == M_RAN;
        gboolean asks_home = message->kind == M_COMMIT || message->kind == M_TRUTH || message->kind == M_SETTLE;

        if (node == HOME_ELSEWHERE ? to_home || asks_home : !to_home && !asks_home && message->node == node)
            *message = (Message){ 0 };
        else if (asks_home && message->node == node)
            message->dead = TRUE;
    }
}

static void crash_home(State *state)
{
    connections_end(state, HOME_ELSEWHERE);
    state->home_up = state->registered = FALSE;
    home_idle(state);
}

static void crash_host(State *state, guint node)
{
    Host *host = &state->hosts[node];

    for (guint m = 1; m < G_N_ELEMENTS(state->broken); m++)
        if ((host->leaving && host->leaving_m == m) || (host->coming && host->coming_m == m))
            state->broken[m] |= BROKEN;
    if (host->leaving)
        libvirt_drops(host, FALSE);
    connections_end(state, node);
    host->up = host->leaving = host->leaving_m = host->deaf = 0;
    host->coming = host->coming_m = host->asked = host->asking = host->fresh = 0;
    if (host->copy == ABSENT)
        host->epoch = 0;
}

/* A program that holds a node's controller, and home's if they are one. What it had ordered is done, or never will be. */
static void crash_steps(Walk *walk, guint node)
{
    State next = *walk->from;
    gboolean home = node == walk->config->home;

    if (node == HOME_ELSEWHERE) {
        if (next.home_up) {
            crash_home(&next);
            emit(walk, &next, TRUE, "home's controller crashes");
        }
        return;
    }
    if (!next.hosts[node].up)
        return;
    for (int done = 0; done < (next.hosts[node].op ? 2 : 1); done++) {
        next = *walk->from;
        if (done)
            do_operation(&next, node);
        next.hosts[node].op = OP_NONE;
        crash_host(&next, node);
        if (home)
            crash_home(&next);
        emit(walk, &next, TRUE, "%s's controller crashes%s", node_names[node], home ? ", home's with it" : "");
    }
}

static void restart_steps(Walk *walk)
{
    State next = *walk->from;

    for (guint node = 0; node < NODES; node++) {
        if (walk->from->hosts[node].up)
            continue;
        next = *walk->from;
        next.hosts[node].up = TRUE;
        if (walk->config->home == node)
            next.home_up = TRUE;
        emit(walk, &next, FALSE, "%s's controller starts again", node_names[node]);
    }
    if (!walk->from->home_up && walk->config->home == HOME_ELSEWHERE) {
        next = *walk->from;
        next.home_up = TRUE;
        emit(walk, &next, FALSE, "home's controller starts again");
    }
}

static void libvirtd_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];

    if (now->job == JOB_NONE && now->copy != INCOMING)
        return;
    libvirt_drops(host, TRUE);
    if (now->coming == COMING_COPY) {
        next.broken[now->coming_m] |= BROKEN | SEEN_BY_DESTINATION;
        coming_over(host);
    }
    emit(walk, &next, TRUE, "%s's libvirtd crashes", node_names[node]);
}

static void break_steps(Walk *walk)
{
    for (guint m = 1; m <= walk->from->started; m++) {
        State next = *walk->from;

        if (next.broken[m])
            continue;
        for (guint node = 0; node < NODES; node++) {
            if (next.hosts[node].leaving >= LEAVING_PERFORM && next.hosts[node].leaving_m == m) {
                next.broken[m] = BROKEN;
                emit(walk, &next, TRUE, "the gates' connection of %s breaks", migration_names[m]);
                break;
            }
        }
    }
}

/* Messages */

static const char *const kinds[] = { "", "PREPARE", "PREPARED", "REFUSED", "RUN", "RAN", "FINISH3", "FINISHED", "COMMIT",
                                     "COMMITTED", "CANCEL", "TRUTH", "TOLD", "SETTLE", "SETTLED" };

/* FALSE: there is nobody. */
static gboolean deliver(Walk *walk, State *state, const Message *message)
{
    guint m = message->migration;

    switch (message->kind) {
    case M_PREPARE:
        deliver_prepare(walk, state, message);
        return TRUE;
    case M_RUN:
        deliver_run(walk, state, message);
        return TRUE;
    case M_FINISH:
        if (!(state->broken[m] & SEEN_BY_DESTINATION))
            deliver_finish(walk, state, message);
        return TRUE;
    case M_FINISHED:
        if (!(state->broken[m] & SEEN_BY_SOURCE))
            deliver_finished(walk, state, message);
        return TRUE;
    case M_COMMITTED:
        deliver_committed(state, message);
        return TRUE;
    case M_CANCEL:
        deliver_cancel(state, message);
        return TRUE;
    case M_TOLD:
        deliver_told(walk, state, message);
        return TRUE;
    case M_SETTLED:
        deliver_settled(state, message);
        return TRUE;
    default:
        return deliver_home(walk, state, message);
    }
}

static void message_steps(Walk *walk, guint i)
{
    const Message message = walk->from->messages[i];
    State next = *walk->from;
    gboolean bytes = message.kind == M_FINISH || message.kind == M_FINISHED;  /* on a connection: it breaks, they do not
                                                                               * get lost alone */

    if (message.kind == M_NONE || (i > 0 && memcmp(&message, &walk->from->messages[i - 1], sizeof(message)) == 0))
        return;
    next.messages[i] = (Message){ 0 };
    if (!deliver(walk, &next, &message))
        emit(walk, &next, FALSE, "%s finds nobody at home", kinds[message.kind]);
    else
        emit(walk, &next, FALSE, "%s of '%s' (node %s, %s) arrives", kinds[message.kind],
             migration_names[message.migration], node_names[message.node], message.yes ? "yes" : "no");
    if (bytes)
        return;
    next = *walk->from;
    next.messages[i] = (Message){ 0 };
    emit(walk, &next, TRUE, "%s is lost", kinds[message.kind]);
    if (message.kind != M_COMMIT && message.kind != M_PREPARE && message.kind != M_CANCEL && message.kind != M_TRUTH)
        return;
    next = *walk->from;
    if (deliver(walk, &next, &message))
        emit(walk, &next, TRUE, "%s arrives, and will once more", kinds[message.kind]);
}

void model_steps(const ModelConfig *config, const State *state, ModelEmit callback, gpointer user)
{
    Walk walk = { config, state, callback, user };
    State next = *state;

    home_starts(&walk);
    home_notices(&walk);
    home_registers(&walk);
    restart_steps(&walk);
    break_steps(&walk);
    crash_steps(&walk, HOME_ELSEWHERE == config->home ? HOME_ELSEWHERE : config->home);
    for (guint node = 0; node < NODES; node++) {
        coming_steps(&walk, node);
        leaving_steps(&walk, node);
        doubt_steps(&walk, node);
        libvirt_steps(&walk, node);
        libvirtd_steps(&walk, node);
        if (node != config->home)
            crash_steps(&walk, node);
    }
    for (guint i = 0; i < MESSAGES; i++)
        message_steps(&walk, i);
    if (config->deputy_dies && !state->deputy_dead) {
        next.deputy_dead = TRUE;
        emit(&walk, &next, TRUE, "the deputy dies");
    }
}
