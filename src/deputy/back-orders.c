/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back-orders.c - the back and its controller: the deputy.* methods of docs/design.md
 *
 * The back says which incarnation is real (arbiter.c) and connects the link to that one only. A
 * COMMIT closes the old connection and opens the new one before it is answered, so at no time are
 * two incarnations listened to.
 *
 * The controller may be restarted at any time; the back connects again, ever more slowly, and
 * registers the job. What the controller would forget (locked, the last migration) it gives the
 * back to keep (deputy.remember).
 */
#include "back-private.h"

#include "common/conf.h"
#include "common/error.h"
#include "common/log.h"
#include "node-start.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RETRY_FIRST_MS 100
#define RETRY_SLOWEST_MS 5000
#define DEPART_PATIENCE_MS 700
#define ATTEMPT_MS 50           /* a new controller that waits for its libvirtd says "timeout" */
#define ATTEMPTS (30000 / ATTEMPT_MS)

static const char *const state_names[] = { "starting", "running", "stopped", "ended" };
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == BACK_STATES);

const char *back_state_name(BackState state)
{
    return state_names[state];
}

/* What the job is, for deputy.create and deputy.register. */
static Json *description(const Back *back)
{
    const RunOptions *options = back->setup->options;
    Json *job = json_object();

    json_set_string(job, "id", back->id);
    json_set_string(job, "name", options->name);
    json_set(job, "command", json_from_strv((const char *const *) options->command));
    json_set_int(job, "pid", back->front);
    json_set_int(job, "memory_bytes", (gint64) options->memory_bytes);
    json_set_int(job, "cpus", options->cpus);
    json_set_string(job, "arch", options->arch ?: sizeof(void *) == 4 ? "i686" : "x86_64");
    json_set_string(job, "on", options->on);
    if (options->group)
        json_set_string(job, "group", options->group);
    if (options->hint)
        json_set_string(job, "hint", options->hint);
    if (options->decay)
        json_set_string(job, "decay", options->decay);
    json_set_bool(job, "lock", options->lock);
    json_set(job, "only", json_from_strv((const char *const *) options->only));
    json_set(job, "avoid", json_from_strv((const char *const *) options->avoid));
    json_set_bool(job, "trust_nodes", options->trust_nodes);
    json_set_string(job, "orphan", options->orphan);
    json_set_bool(job, "timings", options->timings);
    json_set_bool(job, "cold", options->cold);
    return job;
}

static void place(Back *back, guint64 epoch, const char *node)
{
    if (!back->placed)
        back->placed = arbiter_init(&back->arbiter, epoch, node);
}

/* Orders. Each answers its call; fd is -1 or to be closed here. */

static void open_link(Back *back, int fd, guint64 epoch)
{
    back_mark(back, PAIR_LINKED);
    back_connect_link(back, fd, epoch);
}

static void order_link(Back *back, RpcCall *call, Json *params, int fd)
{
    guint64 epoch = (guint64) json_get_int(params, "epoch", 0);
    const char *node = json_get_string(params, "node", "");

    if (fd < 0) {
        rpc_fail_new(call, SJ_ERROR_PROTOCOL, "deputy.link came without a descriptor");
        return;
    }
    place(back, epoch, node);
    if (!arbiter_effective(&back->arbiter, epoch, node)) {
        close(fd);
        rpc_fail_new(call, SJ_ERROR_DENIED,
                     "epoch %" G_GUINT64_FORMAT " at %s is not the job's effective one", epoch,
                     node);
        return;
    }
    open_link(back, fd, epoch);
    rpc_reply(call, NULL);
}

/* What the guest gives back before its memory is copied: begun when a migration is expected, while the destination
 * prepares itself; waited for with deputy.depart, but not for long, for the guest may be busy. */

void back_departed(Back *back)
{
    back->departing = FALSE;
    if (back->depart_patience)
        g_source_remove(back->depart_patience);
    back->depart_patience = 0;
    if (back->depart_call)
        rpc_reply(g_steal_pointer(&back->depart_call), NULL);
}

static gboolean depart_late(gpointer user)
{
    Back *back = user;

    back->depart_patience = 0;
    log_debug("the guest does not give back in time what need not travel");
    back_departed(back);
    return G_SOURCE_REMOVE;
}

static void depart_begin(Back *back)
{
    if (back->departing || !port_is_open(back->port) || back->patience_s || back->state == BACK_STARTING)
        return;
    back->departing = TRUE;
    back->depart_patience = g_timeout_add(DEPART_PATIENCE_MS, depart_late, back);
    back_message_to_guest(back, LINK_CONTROL, &(WireMessage) { .type = WIRE_DEPART });
}

static void order_depart(Back *back, RpcCall *call, Json *params, int fd)
{
    if (fd >= 0)
        close(fd);
    if (back->depart_call)
        rpc_reply(g_steal_pointer(&back->depart_call), NULL);
    if (back->departing)
        back->depart_call = call;
    else
        rpc_reply(call, NULL);
}

/* Without an epoch in the question it gets the one that must be used. */
static void order_expect(Back *back, RpcCall *call, Json *params, int fd)
{
    guint64 epoch =
        (guint64) json_get_int(params, "epoch", (gint64) arbiter_next_epoch(&back->arbiter));
    ArbiterAnswer answer = arbiter_expect(&back->arbiter, json_get_string(params, "migration", ""),
                                          epoch, json_get_string(params, "node", ""));

    if (fd >= 0)
        close(fd);
    if (answer == ARBITER_OK || answer == ARBITER_ALREADY) {
        depart_begin(back);
        rpc_reply(call, json_set_int(json_object(), "epoch", (gint64) epoch));
    } else {
        rpc_fail_new(
            call, SJ_ERROR_BUSY,
            "the deputy does not expect this migration: another is under way, or its epoch "
            "is not %" G_GUINT64_FORMAT,
            arbiter_next_epoch(&back->arbiter));
    }
}

static void order_commit(Back *back, RpcCall *call, Json *params, int fd)
{
    guint64 epoch = (guint64) json_get_int(params, "epoch", 0);
    ArbiterAnswer answer = arbiter_commit(&back->arbiter, json_get_string(params, "migration", ""),
                                          epoch, json_get_string(params, "node", ""));

    if (answer != ARBITER_OK && answer != ARBITER_ALREADY) {
        if (fd >= 0)
            close(fd);
        rpc_fail_new(call, SJ_ERROR_DENIED,
                     "the deputy does not take this migration's commit: it was given up");
        return;
    }
    if (answer == ARBITER_OK) {
        port_close(back->port);
        back->migrations++;
        back_fetched_begin(back);
    }
    if (fd >= 0 && !port_is_open(back->port))
        back_connect_link(back, fd, epoch);
    else if (fd >= 0)
        close(fd);
    rpc_reply(call, NULL);
}

static Json *effective(const Back *back)
{
    Json *truth = json_object();

    json_set_int(truth, "epoch", (gint64) back->arbiter.epoch);
    return json_set_string(truth, "node", back->arbiter.node);
}

static void order_abort(Back *back, RpcCall *call, Json *params, int fd)
{
    if (fd >= 0)
        close(fd);
    if (arbiter_abort(&back->arbiter, json_get_string(params, "migration", "")) ==
        ARBITER_COMMITTED)
        rpc_fail_new(call, SJ_ERROR_COMMITTED, "this migration was committed: the job is at %s",
                     back->arbiter.node);
    else
        rpc_reply(call, effective(back));
}

static void order_truth(Back *back, RpcCall *call, Json *params, int fd)
{
    Json *truth = effective(back);

    if (fd >= 0)
        close(fd);
    if (back->arbiter.migration[0]) {
        json_set_string(truth, "migration", back->arbiter.migration);
        json_set_int(truth, "expected_epoch", (gint64) back->arbiter.expected_epoch);
        json_set_string(truth, "expected_node", back->arbiter.expected_node);
    }
    json_set_string(truth, "state", back_state_name(back->state));
    rpc_reply(call, truth);
}

static void order_signal(Back *back, RpcCall *call, Json *params, int fd)
{
    gint64 sig = json_get_int(params, "signal", 0);

    if (fd >= 0)
        close(fd);
    if (sig >= 1 && sig <= 64 && back->left) {
        back_message_to_guest(back, LINK_CONTROL, &(WireMessage){ .type = WIRE_SIGNAL, .signal = { .sig = (gint32) sig } });
        rpc_reply(call, NULL);
    } else if (sig < 1 || sig > 64 ||
        syscall(SYS_pidfd_send_signal, back->front_pidfd, (int) sig, NULL, 0) < 0)
        rpc_fail_new(call, SJ_ERROR_FAILED, "the job's front cannot be sent signal %d", (int) sig);
    else
        rpc_reply(call, NULL);
}

static void order_lost(Back *back, RpcCall *call, Json *params, int fd)
{
    if (fd >= 0)
        close(fd);
    rpc_reply(call, NULL);
    back_fail(back, 128 + 9, "%s",
              json_get_string(params, "text", "the guest is gone: the job is lost"));
}

static void remember_one(const char *key, Json *value, gpointer user)
{
    json_set(user, key, json_ref(value));
}

static void order_remember(Back *back, RpcCall *call, Json *params, int fd)
{
    if (fd >= 0)
        close(fd);
    json_each(params, remember_one, back->remembered);
    rpc_reply(call, NULL);
}

static const struct {
    const char *method;
    void (*order)(Back *back, RpcCall *call, Json *params, int fd);
} orders[] = {
    { "deputy.abort", order_abort },   { "deputy.commit", order_commit },
    { "deputy.depart", order_depart }, { "deputy.expect", order_expect },
    { "deputy.link", order_link },     { "deputy.lost", order_lost },
    { "deputy.remember", order_remember }, { "deputy.signal", order_signal },
    { "deputy.truth", order_truth },
};

static void on_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd,
                      gpointer user)
{
    for (gsize i = 0; i < G_N_ELEMENTS(orders); i++)
        if (g_str_equal(orders[i].method, method)) {
            orders[i].order(user, call, params, fd);
            return;
        }
    if (fd >= 0)
        close(fd);
    rpc_fail_new(call, SJ_ERROR_PROTOCOL, "a deputy does not know %s", method);
}

/* The job's control files */

typedef struct {
    ControlDone done;
    gpointer user;
} ControlWait;

static void control_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    ControlWait *wait = user;

    if (fd >= 0)
        close(fd);
    wait->done(result, error, wait->user);
    g_free(wait);
}

static void control_call(const char *method, Json *params, guint timeout_ms, ControlDone done, gpointer done_user,
                         gpointer user)
{
    Back *back = user;
    ControlWait *wait;

    if (!back->rpc) {
        g_autoptr(GError) error = g_error_new(SJ_ERROR, SJ_ERROR_BUSY, "the controller is away");
        json_unref(params);
        done(NULL, error, done_user);
        return;
    }
    wait = g_new0(ControlWait, 1);
    *wait = (ControlWait){ done, done_user };
    rpc_call(back->rpc, method, params, -1, timeout_ms, control_answered, wait);
}

static void control_answer(const WireMessage *message, gpointer user)
{
    Back *back = user;

    if (!back->ending)
        back_message_to_guest(back, LINK_CONTROL, message);
}

void back_control_open(Back *back)
{
    back->control = control_new(back->id, control_answer, control_call, back);
}

/* The connection */

static gboolean connect_again(gpointer user);

static void try_later(Back *back)
{
    back->retry_ms = CLAMP(back->retry_ms * 2, RETRY_FIRST_MS, RETRY_SLOWEST_MS);
    g_timeout_add(back->retry_ms, connect_again, back);
}

static void on_closed(Rpc *rpc, gpointer user)
{
    Back *back = user;

    g_clear_pointer(&back->rpc, rpc_unref);
    if (back->ending)
        back_leave(back);
    else if (!back->created)
        back_fail(back, 1,
                  "the controller went away before the job was started: try again, or see its log");
    else
        try_later(back);
}

static gboolean open_connection(Back *back, GError **error)
{
    static const RpcEvents events = { .called = on_called, .closed = on_closed };
    int fd = rpc_connect(back->socket, error);

    if (fd < 0)
        return FALSE;
    back->rpc = rpc_new(fd, &events, back);
    return TRUE;
}

static void on_registered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Back *back = user;

    if (fd >= 0)
        close(fd);
    if (error && rpc_is_open(rpc))
        back_fail(back, 128 + 9, "the controller does not take the job over: %s", error->message);
    else if (!error)
        back->retry_ms = 0;
}

static gboolean connect_again(gpointer user)
{
    Back *back = user;

    if (back->rpc)
        return G_SOURCE_REMOVE;
    if (!open_connection(back, NULL)) {
        try_later(back);
        return G_SOURCE_REMOVE;
    }
    Json *job = description(back);
    json_each(back->remembered, remember_one, job);
    json_set_int(job, "epoch", (gint64) back->arbiter.epoch);
    json_set_string(job, "node", back->arbiter.node);
    json_set_int(job, "migrations", back->migrations);
    json_set_string(job, "state", back_state_name(back->state));
    rpc_call(back->rpc, "deputy.register", job, -1, 0, on_registered, back);
    if (back->ending)
        back_tell_end(back);
    return G_SOURCE_REMOVE;
}

gboolean back_connect(Back *back, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random();

    back->id = g_strdup(uuid);
    back->remembered = json_set_bool(json_object(), "locked", back->setup->options->lock);
    back->socket = node_start(error);
    if (!back->socket || !open_connection(back, error))
        return FALSE;
    back_mark(back, PAIR_CONNECTED);
    return TRUE;
}

static gboolean create_again(gpointer user)
{
    Back *back = user;

    if (back->rpc && !back->ending)
        back_create(back);
    return G_SOURCE_REMOVE;
}

static void on_created(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Back *back = user;
    guint8 head[] = { PAIR_NOTICE };
    const char *notice;

    if (fd >= 0)
        close(fd);
    if (g_error_matches(error, SJ_ERROR, SJ_ERROR_TIMEOUT) && rpc_is_open(rpc) &&
        back->attempts++ < ATTEMPTS) {
        g_timeout_add(ATTEMPT_MS, create_again, back);
        return;
    }
    if (error) {
        if (rpc_is_open(rpc))
            back_fail(back, sj_error_exit(error), "%s", error->message);
        return;
    }
    back->created = TRUE;
    back_mark(back, PAIR_CREATED);
    if (json_has(result, "id")) { /* a guest was waiting, and the job has its id */
        g_free(back->id);
        back->id = g_strdup(json_get_string(result, "id", ""));
    }
    place(back, (guint64) json_get_int(result, "epoch", 1), json_get_string(result, "node", ""));
    if ((notice = json_get_string(result, "notice", NULL)))
        back_to_front(back, head, sizeof head, notice, strlen(notice));
    head[0] = PAIR_JOB;
    back_to_front(back, head, sizeof head, back->id, strlen(back->id));
}

void back_create(Back *back)
{
    rpc_call(back->rpc, "deputy.create", description(back), -1, 0, on_created, back);
}
