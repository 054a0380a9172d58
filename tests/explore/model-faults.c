/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model-faults.c - what can go wrong in the model, and what comes back by itself */
#include "model-private.h"

/* Calls and answers go over connections, which end with the program: what was on its way to it is
 * lost, and the answers to what it had asked will be. */
static void connections_end(State *state, guint node)
{
    for (guint i = 0; i < MESSAGES; i++) {
        Message *message = &state->messages[i];
        gboolean to_home =
            message->kind == M_PREPARED || message->kind == M_REFUSED || message->kind == M_RAN;
        gboolean asks_home =
            message->kind == M_COMMIT || message->kind == M_TRUTH || message->kind == M_SETTLE;

        if (node == HOME_ELSEWHERE ? to_home || asks_home
                                   : !to_home && !asks_home && message->node == node)
            *message = (Message){ 0 };
        else if (asks_home && message->node == node)
            message->dead = TRUE;
    }
}

static void crash_home(State *state)
{
    connections_end(state, HOME_ELSEWHERE);
    state->home_up = state->registered = FALSE;
    model_home_idle(state);
}

static void crash_host(State *state, guint node)
{
    Host *host = &state->hosts[node];

    for (guint m = 1; m < G_N_ELEMENTS(state->broken); m++)
        if ((host->leaving && host->leaving_m == m) || (host->coming && host->coming_m == m))
            state->broken[m] |= BROKEN;
    if (host->leaving)
        model_libvirt_drops(host, FALSE);
    connections_end(state, node);
    host->up = host->leaving = host->leaving_m = host->deaf = 0;
    host->coming = host->coming_m = host->asked = host->asking = host->fresh = 0;
    if (host->copy == ABSENT)
        host->epoch = 0;
}

/* A program that holds a node's controller, and home's if they are one. What it had ordered is
 * done, or never will be. */
void model_crash_steps(Walk *walk, guint node)
{
    State next = *walk->from;
    gboolean home = node == walk->config->home;

    if (node == HOME_ELSEWHERE) {
        if (next.home_up) {
            crash_home(&next);
            model_emit(walk, &next, TRUE, "home's controller crashes");
        }
        return;
    }
    if (!next.hosts[node].up)
        return;
    for (int done = 0; done < (next.hosts[node].op ? 2 : 1); done++) {
        next = *walk->from;
        if (done)
            model_do_operation(&next, node);
        next.hosts[node].op = OP_NONE;
        crash_host(&next, node);
        if (home)
            crash_home(&next);
        model_emit(walk, &next, TRUE, "%s's controller crashes%s", node_names[node],
             home ? ", home's with it" : "");
    }
}

void model_restart_steps(Walk *walk)
{
    State next = *walk->from;

    for (guint node = 0; node < NODES; node++) {
        if (walk->from->hosts[node].up)
            continue;
        next = *walk->from;
        next.hosts[node].up = TRUE;
        if (walk->config->home == node)
            next.home_up = TRUE;
        model_emit(walk, &next, FALSE, "%s's controller starts again", node_names[node]);
    }
    if (!walk->from->home_up && walk->config->home == HOME_ELSEWHERE) {
        next = *walk->from;
        next.home_up = TRUE;
        model_emit(walk, &next, FALSE, "home's controller starts again");
    }
}

void model_libvirtd_steps(Walk *walk, guint node)
{
    const Host *now = &walk->from->hosts[node];
    State next = *walk->from;
    Host *host = &next.hosts[node];

    if (now->job == JOB_NONE && now->copy != INCOMING)
        return;
    model_libvirt_drops(host, TRUE);
    if (now->coming == COMING_COPY) {
        next.broken[now->coming_m] |= BROKEN | SEEN_BY_DESTINATION;
        model_coming_over(host);
    }
    model_emit(walk, &next, TRUE, "%s's libvirtd crashes", node_names[node]);
}

void model_break_steps(Walk *walk)
{
    for (guint m = 1; m <= walk->from->started; m++) {
        State next = *walk->from;

        if (next.broken[m])
            continue;
        for (guint node = 0; node < NODES; node++) {
            if (next.hosts[node].leaving >= LEAVING_PERFORM && next.hosts[node].leaving_m == m) {
                next.broken[m] = BROKEN;
                model_emit(walk, &next, TRUE, "the gates' connection of %s breaks",
                           migration_names[m]);
                break;
            }
        }
    }
}
