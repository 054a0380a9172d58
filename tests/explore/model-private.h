/* SPDX-License-Identifier: GPL-2.0-or-later */
/* model-private.h - what the parts of the model share */
#pragma once

#include "controller/verdict.h"
#include "model.h"

enum { SEEN_BY_SOURCE = 1, SEEN_BY_DESTINATION = 2, BROKEN = 4 };

typedef struct {
    const ModelConfig *config;
    const State *from;
    ModelEmit emit;
    gpointer user;
} Walk;

extern const char *const node_names[2];
extern const char *const migration_names[4];

/* model.c: hands a state over as one that can follow */
void model_emit(Walk *walk, State *next, gboolean fault, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
void model_post(State *state, Message message);
gboolean model_under_way(const State *state, MessageKind kind, guint migration, guint node);
gboolean model_effective(const State *state, guint node);

ArbiterAnswer model_abort(State *state, guint migration);
ArbiterAnswer model_commit(State *state, guint migration, guint epoch, guint node);
void model_expect(State *state, guint migration, guint node);

void model_copy_gone(Host *host);
gboolean model_busy(const Host *host);
VerdictHere model_here(const State *state, guint node);
VerdictTruth model_truth(const Message *message);
void model_libvirt_drops(Host *host, gboolean daemon);
void model_libvirt_confirms(State *state, guint node, gboolean moved);
void model_leaving_over(State *state, guint node, gboolean moved);
void model_coming_over(Host *host);
void model_coming_undone(Host *host);

/* model-home.c: steps of home, and messages to it (FALSE: it is not there) */
void model_home_starts(Walk *walk);
void model_home_notices(Walk *walk);
void model_home_registers(Walk *walk);
gboolean model_deliver_home(Walk *walk, State *state, const Message *message);
void model_home_idle(State *state);

/* model-nodes.c: steps of the nodes, and messages to them */
void model_deliver_prepare(Walk *walk, State *state, const Message *message);
void model_deliver_finish(Walk *walk, State *state, const Message *message);
void model_deliver_committed(State *state, const Message *message);
void model_deliver_cancel(State *state, const Message *message);
void model_coming_steps(Walk *walk, guint node);
void model_deliver_run(Walk *walk, State *state, const Message *message);
void model_deliver_finished(Walk *walk, State *state, const Message *message);
void model_deliver_settled(State *state, const Message *message);
void model_leaving_steps(Walk *walk, guint node);
void model_deliver_told(Walk *walk, State *state, const Message *message);
void model_doubt_steps(Walk *walk, guint node);
void model_do_operation(State *state, guint node);
void model_libvirt_steps(Walk *walk, guint node);

/* model-faults.c: faults, and what comes back after them */
void model_restart_steps(Walk *walk);
void model_break_steps(Walk *walk);
void model_crash_steps(Walk *walk, guint node);
void model_libvirtd_steps(Walk *walk, guint node);
