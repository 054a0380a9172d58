/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model-nodes.c - the hosting nodes in the model: controllers, gates, libvirt's domains */
#include "model-private.h"

/* The destination */

void model_deliver_prepare(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    gboolean free = host->up && !model_busy(host) && host->copy == ABSENT;

    if (host->op && !(walk->config->without & RULE_OPERATION))
        free = FALSE;
    if (free) {
        host->coming = COMING_RESERVED;
        host->coming_m = message->migration;
        host->fresh = FALSE;
        host->epoch = message->epoch;
    }
    model_post(state,
         (Message){ .kind = free ? M_PREPARED : M_REFUSED, .migration = message->migration });
}

void model_deliver_finish(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    Message answer = { .kind = M_FINISHED,
                       .migration = message->migration,
                       .node = 1 - message->node };

    if (!host->up || host->coming != COMING_COPY || host->coming_m != message->migration)
        return;
    if (!message->yes || host->copy != INCOMING || !host->complete) {
        model_coming_undone(host);
        model_post(state, answer);
        return;
    }
    host->copy = walk->config->ahead ? RUNNING : PAUSED;
    host->coming = COMING_DECIDE;
    if (walk->config->without & RULE_COMMIT) {
        host->copy = RUNNING;
        model_post(state, (Message){ .kind = M_COMMIT,
                               .migration = message->migration,
                               .node = message->node,
                               .epoch = host->epoch });
        answer.yes = TRUE;
        model_post(state, answer);
        model_coming_over(host);
    }
}

void model_deliver_committed(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (!host->up || host->coming != COMING_DECIDE || host->coming_m != message->migration)
        return;
    switch (verdict_destination(message->yes ? VERDICT_COMMIT_TAKEN : VERDICT_COMMIT_REFUSED)) {
    case VERDICT_RESUME:
        host->coming = COMING_RESUME;
        break;
    case VERDICT_DESTROY:
        model_coming_undone(host);
        model_post(state, (Message){ .kind = M_FINISHED,
                               .migration = message->migration,
                               .node = 1 - message->node });
        break;
    default:
        g_assert_not_reached();
    }
}

void model_deliver_cancel(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (host->up && host->coming && host->coming_m == message->migration &&
        host->coming != COMING_RESUME) {
        state->broken[message->migration] |= BROKEN | SEEN_BY_DESTINATION;
        model_coming_undone(host);
    }
}

void model_coming_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    guint m = now->coming_m;
    State next = *walk->from;
    Host *host = &next.hosts[node];

    if (!now->up)
        return;
    if (now->coming == COMING_RESERVED && !walk->from->hosts[1 - node].leaving) {
        gboolean used =
            model_under_way(&next, M_RUN, m, 1 - node) || walk->from->phase != HOME_IDLE;

        model_coming_undone(host);
        model_emit(walk, &next, used, "%s drops a reservation that is not used", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_COPY && (walk->from->broken[m] & BROKEN) &&
        !(walk->from->broken[m] & SEEN_BY_DESTINATION)) {
        next.broken[m] |= SEEN_BY_DESTINATION;
        model_coming_undone(host);
        model_emit(walk, &next, FALSE, "%s sees the gate's connection break", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_DECIDE && !now->asked) {
        host->asked = TRUE;
        model_post(&next,
             (Message){ .kind = M_COMMIT, .migration = m, .node = node, .epoch = now->epoch });
        model_emit(walk, &next, FALSE, "%s asks for the commit of %s", node_names[node],
             migration_names[m]);
        next = *walk->from;
    }
    if (now->coming == COMING_DECIDE && now->asked) {
        gboolean waiting = model_under_way(&next, M_COMMIT, m, node) ||
                           model_under_way(&next, M_COMMITTED, m, node);

        host->asked = FALSE;
        model_emit(walk, &next, waiting, "%s has no answer to its commit", node_names[node]);
        next = *walk->from;
    }
    if (now->coming == COMING_RESUME) {
        host->copy = RUNNING;
        model_coming_over(host);
        model_post(&next,
                   (Message){ .kind = M_FINISHED, .migration = m, .node = 1 - node, .yes = TRUE });
        model_emit(walk, &next, FALSE, "%s resumes the guest and answers FINISH3",
                   node_names[node]);
    }
}

/* The source */

void model_deliver_run(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    gboolean ready = host->up && !model_busy(host) &&
                     (host->copy == RUNNING || host->copy == PAUSED) && host->job == JOB_NONE;

    if (host->op && !(walk->config->without & RULE_OPERATION))
        ready = FALSE;
    if (!ready) {
        model_post(state, (Message){ .kind = M_RAN, .migration = message->migration });
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
        model_libvirt_confirms(state, node, FALSE);
    else
        state->hosts[node].leaving = LEAVING_SETTLE;
}

void model_deliver_finished(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];

    if (!host->up || host->leaving_m != message->migration || host->deaf)
        return;
    if (host->leaving == LEAVING_CANCEL)
        model_leaving_over(state, message->node, FALSE);
    else if (host->leaving == LEAVING_FINISH && message->yes)
        model_libvirt_confirms(state, message->node, TRUE);
    else if (host->leaving == LEAVING_FINISH)
        finish_failed(walk, state, message->node);
}

void model_deliver_settled(State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    VerdictHere here = model_here(state, message->node);
    VerdictTruth truth = model_truth(message);

    if (!host->up || host->leaving != LEAVING_SETTLE || host->leaving_m != message->migration)
        return;
    switch (verdict_source(&here, &truth)) {
    case VERDICT_RESUME:
        model_libvirt_confirms(state, message->node, FALSE);
        break;
    case VERDICT_DESTROY:
        model_libvirt_confirms(state, message->node, TRUE);
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

    if (destination->up && destination->coming == COMING_RESERVED && destination->coming_m == m &&
        !next.broken[m] && destination->copy == ABSENT) {
        destination->coming = COMING_COPY;
        destination->copy = INCOMING;
        source->leaving = LEAVING_PERFORM;
        source->job = JOB_PERFORM;
        source->was_running = source->copy == RUNNING;
        model_emit(walk, &next, FALSE, "PREPARE3 of %s", migration_names[m]);
    } else {
        model_leaving_over(&next, node, FALSE);
        model_emit(walk, &next, FALSE, "PREPARE3 of %s fails", migration_names[m]);
    }
}

/* Perform fails: libvirt resumes the guest by itself, and its client cancels at the destination. */
static void perform_failed(State *next, guint node)
{
    Host *source = &next->hosts[node];
    guint m = source->leaving_m;

    model_libvirt_drops(source, FALSE);
    if (source->deaf) {
        model_leaving_over(next, node, FALSE);
        return;
    }
    source->leaving = LEAVING_CANCEL;
    model_post(next, (Message){ .kind = M_FINISH, .migration = m, .node = 1 - node });
}

static void step_perform(Walk *walk, guint node)
{
    State next = *walk->from;
    Host *source = &next.hosts[node], *destination = &next.hosts[1 - node];
    guint m = source->leaving_m;
    gboolean there = destination->copy == INCOMING && destination->coming_m == m;

    if (source->copy == RUNNING && there) {
        source->copy = PAUSED;
        model_emit(walk, &next, FALSE, "the guest stops on %s", node_names[node]);
    } else if (there) {
        destination->complete = TRUE;
        destination->stale = source->stale;
        model_emit(walk, &next, FALSE, "the copy of %s is complete", migration_names[m]);
        source->job = JOB_DONE;
        if (source->deaf) {
            model_libvirt_confirms(&next, node,
                             FALSE); /* its gate is gone: FINISH3 can not be passed on */
        } else {
            source->leaving = LEAVING_FINISH;
            model_post(&next,
                 (Message){ .kind = M_FINISH, .migration = m, .node = 1 - node, .yes = TRUE });
        }
        model_emit(walk, &next, FALSE, "libvirt's client sends FINISH3 of %s", migration_names[m]);
    }
    next = *walk->from;
    perform_failed(&next, node);
    model_emit(walk, &next, there, "Perform of %s fails", migration_names[m]);
}

void model_leaving_steps(Walk *walk, guint node)
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
        model_emit(walk, &next, FALSE, "%s hears that Perform failed", node_names[node]);
        next = *walk->from;
    }
    if ((walk->from->broken[m] & BROKEN) && !(walk->from->broken[m] & SEEN_BY_SOURCE)) {
        next.broken[m] |= SEEN_BY_SOURCE;
        host->deaf = TRUE;
        if (now->leaving == LEAVING_FINISH)
            finish_failed(walk, &next, node);
        else if (now->leaving == LEAVING_CANCEL)
            model_leaving_over(&next, node, FALSE);
        model_emit(walk, &next, FALSE, "%s sees the gate's connection break", node_names[node]);
        next = *walk->from;
    }
    if (now->leaving == LEAVING_SETTLE && !model_under_way(&next, M_SETTLE, m, node) &&
        !model_under_way(&next, M_SETTLED, m, node)) {
        model_post(&next, (Message){ .kind = M_SETTLE, .migration = m, .node = node });
        model_emit(walk, &next, FALSE, "%s asks home to settle", node_names[node]);
    }
}

/* Doubt about a guest */

void model_deliver_told(Walk *walk, State *state, const Message *message)
{
    Host *host = &state->hosts[message->node];
    VerdictHere here = model_here(state, message->node);
    VerdictTruth truth = model_truth(message);

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
        model_post(state, (Message){ .kind = M_TRUTH, .node = message->node, .yes = TRUE });
        break;
    default:
        break;
    }
}

void model_doubt_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];
    gboolean well =
        now->copy == ABSENT || (now->copy == RUNNING && model_effective(walk->from, node));

    if (!now->up)
        return;
    if (!now->asking && !now->op && !model_busy(now) && !well) {
        host->asking = host->fresh = TRUE;
        model_post(&next, (Message){ .kind = M_TRUTH, .node = node });
        model_emit(walk, &next, FALSE, "%s asks what is true", node_names[node]);
    } else if (now->asking && !model_under_way(&next, M_TRUTH, 0, node) &&
               !model_under_way(&next, M_TOLD, 0, node)) {
        host->asking = FALSE;
        model_emit(walk, &next, FALSE, "%s has no answer", node_names[node]);
    }
}

void model_do_operation(State *state, guint node)
{
    Host *host = &state->hosts[node];

    if (host->op == OP_RESUME && host->copy == PAUSED && host->job == JOB_NONE)
        host->copy = RUNNING;
    if (host->op == OP_DESTROY) {
        model_copy_gone(host);
        if (host->coming >= COMING_COPY) {
            state->broken[host->coming_m] |= BROKEN | SEEN_BY_DESTINATION;
            model_coming_over(host);
        }
    }
    host->op = OP_NONE;
}

void model_libvirt_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];

    /* A resume waits while libvirt has a migration of the guest. */
    if (now->op && !(now->op == OP_RESUME && now->job != JOB_NONE)) {
        model_do_operation(&next, node);
        model_emit(walk, &next, FALSE, "%s: libvirt %s the guest", node_names[node],
             now->op == OP_RESUME ? "resumes" : "destroys");
        next = *walk->from;
    }
    /* Whoever prepared it is gone. */
    if (now->copy == INCOMING && now->coming != COMING_COPY) {
        model_copy_gone(host);
        model_emit(walk, &next, FALSE, "%s: libvirt destroys the incoming guest", node_names[node]);
    }
}
