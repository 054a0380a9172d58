/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model-home.c - home's controller in the model: it starts migrations, asks the deputy, answers */
#include "model-private.h"

void model_home_idle(State *state)
{
    state->phase = HOME_IDLE;
    state->migration = state->from = state->to = 0;
}

/* It failed, or seems to have. */
static void home_gives_up(Walk *walk, State *state)
{
    ArbiterAnswer answer = ARBITER_OK;

    if (!(walk->config->without & RULE_CANCEL) && !state->deputy_dead)
        answer = model_abort(state, state->migration);
    if (answer != ARBITER_COMMITTED)
        model_post(state,
             (Message){ .kind = M_CANCEL, .migration = state->migration, .node = state->to });
    model_home_idle(state);
}

void model_home_starts(Walk *walk)
{
    State next = *walk->from;
    guint from = next.arbiter.node;

    if (next.phase != HOME_IDLE || !next.registered || next.started >= walk->config->migrations ||
        next.deputy_dead || next.arbiter.migration)
        return;
    next.started++;
    next.migration = next.started;
    next.from = from;
    next.to = 1 - from;
    next.phase = HOME_PREPARE;
    model_expect(&next, next.migration, next.to);
    model_post(&next, (Message){ .kind = M_PREPARE, .migration = next.migration, .node = next.to,
                           .epoch = next.arbiter.expected_epoch });
    model_emit(walk, &next, FALSE, "home starts %s from %s", migration_names[next.migration],
         node_names[from]);
}

/* A call of home's whose other end is gone. */
void model_home_notices(Walk *walk)
{
    State next = *walk->from;
    guint m = next.migration;
    gboolean waiting = FALSE;

    if (next.phase == HOME_IDLE)
        return;
    if (next.phase == HOME_PREPARE)
        waiting = model_under_way(&next, M_PREPARE, m, next.to) ||
                  model_under_way(&next, M_PREPARED, m, 0) ||
                  model_under_way(&next, M_REFUSED, m, 0);
    else
        waiting = model_under_way(&next, M_RUN, m, next.from) ||
                  model_under_way(&next, M_RAN, m, 0) ||
                  (next.hosts[next.from].leaving && next.hosts[next.from].leaving_m == m);
    home_gives_up(walk, &next);
    model_emit(walk, &next, waiting, "home %s on %s",
         waiting ? "loses its call and gives up" : "gives up", migration_names[m]);
}

void model_home_registers(Walk *walk)
{
    State next = *walk->from;

    if (!next.home_up || next.registered)
        return;
    next.registered = TRUE;
    if (!next.deputy_dead && verdict_abandon(next.arbiter.migration != 0, FALSE))
        model_abort(&next, next.arbiter.migration);
    model_emit(walk, &next, FALSE, "the deputy registers with home's new controller");
}

static Message home_tells(Walk *walk, State *state, const Message *question)
{
    gboolean settle = question->kind == M_SETTLE || question->yes,
             keep = walk->config->without & RULE_SETTLE;
    Message told = { .kind = question->kind == M_SETTLE ? M_SETTLED : M_TOLD,
                     .node = question->node,
                     .migration = question->migration,
                     .known = !state->deputy_dead };

    if (state->deputy_dead)
        return told;
    if (settle && state->arbiter.migration && !keep)
        model_abort(state, state->arbiter.migration);
    told.epoch = state->arbiter.epoch;
    told.at = state->arbiter.node;
    told.expected = settle && keep ? 0 : state->arbiter.expected_epoch;
    return told;
}

/* Messages to home. FALSE: home is not there, the caller notices. */
gboolean model_deliver_home(Walk *walk, State *state, const Message *message)
{
    gboolean mine = state->migration == message->migration && state->phase != HOME_IDLE;
    Message answer;

    if (!state->home_up || !state->registered)
        return FALSE;
    switch (message->kind) {
    case M_PREPARED:
        if (mine && state->phase == HOME_PREPARE) {
            state->phase = HOME_RUN;
            model_post(state,
                 (Message){ .kind = M_RUN, .migration = message->migration, .node = state->from });
        }
        break;
    case M_REFUSED:
        if (mine && state->phase == HOME_PREPARE)
            home_gives_up(walk, state);
        break;
    case M_RAN:
        if (mine && state->phase == HOME_RUN) {
            if (message->yes && state->arbiter.committed == message->migration)
                model_home_idle(state);
            else
                home_gives_up(walk, state);
        }
        break;
    case M_COMMIT:
        answer = (Message){ .kind = M_COMMITTED,
                            .migration = message->migration,
                            .node = message->node };
        answer.yes = !state->deputy_dead && model_commit(state, message->migration, message->epoch,
                                                          message->node) != ARBITER_REFUSED;
        if (!message->dead)
            model_post(state, answer);
        break;
    case M_TRUTH:
    case M_SETTLE:
        answer = home_tells(walk, state, message);
        if (!message->dead)
            model_post(state, answer);
        break;
    default:
        g_assert_not_reached();
    }
    return TRUE;
}
