/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deputies.c - what controller and deputies say to one another: create, register, end, truth */
#include "deputies.h"

#include "balancer.h"
#include "check.h"
#include "common/error.h"
#include "common/log.h"
#include "events.h"
#include "groups.h"
#include "hosted.h"
#include "spare.h"

#include <unistd.h>

static Job *job_of(Node *node, Rpc *rpc)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value))
        if (((Job *)value)->deputy == rpc)
            return value;
    return NULL;
}

static void set_state(Job *job, const char *state)
{
    g_free(job->state);
    job->state = g_strdup(state);
}

/* With --linger another process stands for the job when the program has ended. */
static void take_state(Job *job, Json *params)
{
    set_state(job, json_get_string(params, "state", "running"));
    job->pid = json_get_int(params, "pid", job->pid);
}

/* Create */

typedef struct {
    Node *node;
    char *id;
    char *own_id;               /* that the deputy made up; NULL: the same */
    RpcCall *call;
    GivenGuest spare;           /* the guest that was waiting; without id: none was */
    gboolean best;              /* the place was the balancer's choice */
} Creation;

static Json *creation_result(Node *node, Job *job)
{
    Json *result = json_set_int(json_object(), "epoch", job->epoch);
    const char *accel = json_get_string(job->description, "accel", "tcg");

    json_set_string(result, "id", job->id);
    json_set_string(result, "node", job->node);
    json_set_string(result, "accel", accel);
    if (g_str_equal(accel, "tcg") && !g_str_equal(node->conf->accel, "tcg")) {
        g_autofree char *notice = g_strdup_printf("%s: the job runs under TCG, some ten times slower", node->accel_why);

        json_set_string(result, "notice", notice);
    }
    return result;
}

/* What a restarted controller could not know. */
static void remember(Node *node, Job *job)
{
    g_autofree char *claim = claim_text(node->claim, job->id, job->uid);

    rpc_notify(job->deputy, "deputy.remember", json_set_string(json_copy(job->description), "claim", claim));
}

static void creation_end(Creation *creation, const GError *error)
{
    Job *job = job_find(creation->node, creation->id);

    if (error && job) {
        rpc_fail(creation->call, error);
        g_clear_pointer(&job->deputy, rpc_unref);
        job_ended(creation->node, job, 1 << 8);
    } else if (error || !job) {
        rpc_fail_new(creation->call, SJ_ERROR_GONE, "The job ended before its guest was there");
    } else {
        job->created = TRUE;
        events_job(creation->node, job, "started", NULL, "job %.8s started on %s: %s", job->id, job->node, job->command);
        rpc_reply(creation->call, creation_result(creation->node, job));
        remember(creation->node, job);
    }
    given_guest_clear(&creation->spare);
    g_free(creation->id);
    g_free(creation->own_id);
    g_free(creation);
}

static void created_here(const GError *error, gpointer user)
{
    Creation *creation = user;
    Hosted *hosted = hosted_find(creation->node, creation->id);

    if (error || !hosted) {
        creation_end(creation, error);
        return;
    }
    if (job_find(creation->node, creation->id))
        hosted_link(hosted);
    creation_end(creation, NULL);
}

/* libvirt knows now that the spare is the job's: from here on it is a guest like any other. If something went wrong with it
 * the job gets a new guest, and the id it came with. */
static void spare_described(GObject *source, GAsyncResult *result, gpointer user)
{
    Creation *creation = user;
    Node *node = creation->node;
    Job *job = job_find(node, creation->id);
    Hosted *hosted = hosted_find(node, creation->id);
    g_autoptr(GError) error = NULL;
    gboolean described = guest_finish(result, &error);

    if (hosted)
        hosted->starting = FALSE;
    if (described && job && hosted) {
        hosted_link_by(hosted, creation->spare.channel);
        creation->spare.channel = -1;
        creation_end(creation, NULL);
        return;
    }
    hosted_remove(node, creation->id);
    guest_destroy(node->hv, creation->id, NULL, NULL);
    if (!job) {
        creation_end(creation, NULL);
        return;
    }
    log_warning("job %s: the guest that was started ahead is of no use: %s", job->id, error ? error->message : "it ended");
    g_free(creation->id);
    creation->id = g_steal_pointer(&creation->own_id);
    job_rename(node, job, creation->id);
    given_guest_clear(&creation->spare);
    hosted_start(node, job->description, job->epoch, created_here, creation);
}

static void start_here(Creation *creation, Job *job)
{
    Node *node = creation->node;
    g_autofree char *text = NULL;
    Hosted *hosted;

    if (!spare_take(node, job->description, &creation->spare)) {
        hosted_start(node, job->description, job->epoch, created_here, creation);
        return;
    }
    log_info("job %s: gets the guest that was started ahead, and its id %s", job->id, creation->spare.id);
    creation->own_id = g_steal_pointer(&creation->id);
    creation->id = g_strdup(creation->spare.id);
    job_rename(node, job, creation->id);
    job->epoch = creation->spare.epoch;
    hosted = hosted_new(node, job->id, job->epoch, job->description, creation->spare.channel_path);
    hosted->state = GUEST_RUNNING;
    hosted->starting = TRUE;
    text = json_print(job->description);
    guest_set_description(node->hv, job->id, job->epoch, text, spare_described, creation);
}

/* One that the best node has refused (it was blocked or filled meanwhile) starts at home. */
static void created_there(const char *host, Json *result, const GError *error, gpointer user)
{
    Creation *creation = user;
    Job *job = job_find(creation->node, creation->id);

    if (!creation->best || !job || !g_error_matches(error, SJ_ERROR, SJ_ERROR_FAILED)) {
        creation_end(creation, error);
        return;
    }
    log_info("job %s: %s; it starts at home", job->id, error->message);
    g_free(job->node);
    job->node = g_strdup(node_name(creation->node));
    start_here(creation, job);
}

/* The node a new job starts at: "on", or, if that is asked for or the node balances and nothing is said, where its group is,
 * else the best one. NULL and the reason where that cannot be. */
static const char *place(Node *node, Job *job, gboolean *ret_best, GError **error)
{
    const char *on = json_get_string(job->description, "on", conf_balances(node->conf) ? "best" : "home");
    const char *with = g_str_equal(on, "best") ? group_node(node, job) : NULL;
    const char *best = with ? with : g_str_equal(on, "best") ? balancer_place(node, job->description) : NULL;
    g_autoptr(Json) reasons = NULL;

    *ret_best = best != NULL;
    if (best)
        return best;
    if (g_str_equal(on, "home") || g_str_equal(on, "best") || g_str_equal(on, "") || g_str_equal(on, node_name(node)))
        return node_name(node);
    reasons = check_from_home(node, job, on);
    if (!json_length(reasons))
        return on;
    g_autofree char *sentence = check_sentence(reasons);
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "The job cannot start on %s: %s", on, sentence);
    return NULL;
}

static void deputy_create(Node *node, Rpc *rpc, RpcCall *call, Json *params)
{
    g_autoptr(GError) error = NULL;
    const Image *image = node_image(node, json_get_string(params, "arch", "x86_64"), &error);
    Job *job = NULL;
    Creation *creation;
    const char *where = NULL;
    gboolean best = FALSE;

    if (image && !hypervisor_is_ready(node->hv))
        g_set_error(&error, SJ_ERROR, SJ_ERROR_TIMEOUT, "libvirtd is not ready yet on %s; see \"sojourn doctor\"",
                    node_name(node));
    if (!error)
        job = job_new(node, params, rpc, &error);
    if (job) {
        node_describe(node, job->description, image);
        json_set_bool(job->description, "root", job->uid == 0);
        json_set_int(job->description, "started", g_get_real_time() / G_USEC_PER_SEC);
        where = place(node, job, &best, &error);
    }
    if (error) {
        rpc_fail(call, error);
        if (job) {
            g_clear_pointer(&job->deputy, rpc_unref);
            job_ended(node, job, 1 << 8);
        }
        return;
    }
    log_info("job %s: %s of user %s, pid %" G_GINT64_FORMAT ", starts on %s", job->id, job->command, job->user, job->pid,
             where);
    creation = g_new0(Creation, 1);
    *creation = (Creation){.node = node, .id = g_strdup(job->id), .call = call, .best = best, .spare.channel = -1};
    g_free(job->node);
    job->node = g_strdup(where);
    if (g_str_equal(where, node_name(node)))
        start_here(creation, job);
    else
        cluster_call(node->cluster, where, "job.start",
                     json_set_int(json_set(json_object(), "description", json_ref(job->description)), "epoch", job->epoch),
                     30000, created_there, creation);
}

/* Register: after the controller was restarted */

static void moves_register(Job *job, Json *params)
{
    Json *move = json_get(params, "last_migration");

    if (json_is_object(move))
        job_moved(job, json_get_string(move, "from", ""), json_get_string(move, "to", ""), move);
    job->migrations = json_get_int(params, "migrations", job->migrations);
}

/* A migration that this controller's predecessor had under way: nobody runs it any more (verdict_abandon). */
typedef struct {
    Node *node;
    char *migration, *to;
} Leftover;

/* Given up for certain: the destination need not wait for it. */
static void leftover_aborted(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Leftover *leftover = user;

    if (fd >= 0)
        close(fd);
    if (!error)
        cluster_call(leftover->node->cluster, leftover->to, "migration.cancel",
                     json_set_string(json_object(), "migration", leftover->migration), 10000, NULL, NULL);
    g_free(leftover->migration);
    g_free(leftover->to);
    g_free(leftover);
}

static void leftover_told(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    const char *migration = json_get_string(result, "migration", "");
    Leftover *leftover;

    if (fd >= 0)
        close(fd);
    if (!verdict_abandon(*migration != 0, FALSE))
        return;
    leftover = g_new(Leftover, 1);
    *leftover = (Leftover){user, g_strdup(migration), g_strdup(json_get_string(result, "expected_node", ""))};
    rpc_call(rpc, "deputy.abort", json_set_string(json_object(), "migration", migration), -1, 5000, leftover_aborted, leftover);
}

static void deputy_register(Node *node, Rpc *rpc, RpcCall *call, Json *params)
{
    g_autoptr(GError) error = NULL;
    Hosted *hosted = hosted_find(node, json_get_string(params, "id", ""));
    Job *job = job_find(node, json_get_string(params, "id", ""));
    uid_t uid = -1;
    gid_t gid;
    pid_t pid;

    rpc_peer(rpc, &uid, &gid, &pid);
    if (!claim_holds(node->claim, json_get_string(params, "id", ""), uid, json_get_string(params, "claim", ""))) {
        log_warning("user %u says that a job is theirs, and cannot show it: refused", (guint)uid);
        rpc_fail_new(call, SJ_ERROR_DENIED, "That job was not created here by you");
        return;
    }
    json_remove(params, "claim"); /* nobody else is told */
    if (job && job->uid == uid) { /* its old connection has not been seen to end yet */
        g_hash_table_steal(node->jobs, job->id);
        job_free(job);
        job = NULL;
    }
    if (hosted) { /* adopted already: job_new must not take it for another job's */
        g_hash_table_steal(node->hosted, hosted->id);
        job = job_new(node, params, rpc, &error);
        g_hash_table_insert(node->hosted, hosted->id, hosted);
    } else {
        job = job_new(node, params, rpc, &error);
    }
    if (!job) {
        rpc_fail(call, error);
        return;
    }
    job->created = TRUE;
    job->epoch = json_get_int(params, "epoch", 1);
    job->locked = json_get_bool(params, "locked", job->locked);
    job->by_hand = json_get_bool(params, "by_hand", FALSE);
    g_free(job->node);
    job->node = g_strdup(json_get_string(params, "node", node_name(node)));
    set_state(job, json_get_string(params, "state", "running"));
    moves_register(job, params);
    log_info("job %s: its deputy is back (epoch %" G_GUINT64_FORMAT " on %s)", job->id, job->epoch, job->node);
    rpc_reply(call, json_set_int(json_object(), "epoch", job->epoch));
    rpc_call(rpc, "deputy.truth", NULL, -1, 5000, leftover_told, node);
    if (hosted) {
        hosted->given = FALSE;
        hosted_doubt(hosted);
    }
}

/* End */

static void deputy_end(Node *node, Rpc *rpc, RpcCall *call, Json *params)
{
    Job *job = job_of(node, rpc);

    rpc_reply(call, NULL);
    if (!job)
        return;
    job_destroy_guest(node, job);
    job_ended(node, job, json_get_int(params, "status", 0));
}

void deputies_closed(Node *node, Rpc *rpc)
{
    Job *job = job_of(node, rpc);

    if (!job)
        return;
    log_info("job %s: its deputy is gone", job->id);
    job_destroy_guest(node, job);
    job_ended(node, job, 9);
}

gboolean deputies_called(Node *node, Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd)
{
    Job *job;

    if (!g_str_has_prefix(method, "deputy."))
        return FALSE;
    if (fd >= 0)
        close(fd);
    if (g_str_equal(method, "deputy.create")) {
        deputy_create(node, rpc, call, params);
    } else if (g_str_equal(method, "deputy.register")) {
        deputy_register(node, rpc, call, params);
    } else if (g_str_equal(method, "deputy.end")) {
        deputy_end(node, rpc, call, params);
    } else if (g_str_equal(method, "deputy.relink")) {
        job = job_of(node, rpc);
        if (job)
            hosted_link_again(node, job->id);
        rpc_reply(call, NULL);
    } else if (g_str_equal(method, "deputy.state")) {
        job = job_of(node, rpc);
        if (job)
            take_state(job, params);
        rpc_reply(call, NULL);
    } else if (g_str_equal(method, "deputy.fetched")) {
        job = job_of(node, rpc);
        if (job)
            job_fetched(job, json_get_int(params, "bytes", -1));
        rpc_reply(call, NULL);
    } else {
        rpc_fail_new(call, SJ_ERROR_PROTOCOL, "There is no method %s", method);
    }
    return TRUE;
}

/* Truth */

typedef struct {
    Node *node;
    char *id;
    RpcCall *call;
} Truth;

static void truth_told(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Truth *truth = user;
    Json *answer;

    if (fd >= 0)
        close(fd);
    if (error) {
        rpc_fail(truth->call, error);
    } else {
        answer = json_set_bool(json_object(), "known", TRUE);
        json_set_int(answer, "epoch", json_get_int(result, "epoch", 0));
        json_set_string(answer, "node", json_get_string(result, "node", ""));
        json_set_int(answer, "expected_epoch", json_get_int(result, "expected_epoch", 0));
        rpc_reply(truth->call, answer);
    }
    g_free(truth->id);
    g_free(truth);
}

static void truth_ask(Truth *truth)
{
    Job *job = job_find(truth->node, truth->id);

    if (job && job->deputy) {
        rpc_call(job->deputy, "deputy.truth", NULL, -1, 5000, truth_told, truth);
        return;
    }
    rpc_reply(truth->call, json_set_bool(json_object(), "known", FALSE));
    g_free(truth->id);
    g_free(truth);
}

static void truth_settled(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    if (fd >= 0)
        close(fd);
    truth_ask(user); /* aborted or committed: deputy.truth says which */
}

/* Not what this controller remembers: its predecessor may have begun it. */
static void truth_expected(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    const char *migration = json_get_string(result, "migration", "");

    if (fd >= 0)
        close(fd);
    if (!error && *migration)
        rpc_call(rpc, "deputy.abort", json_set_string(json_object(), "migration", migration), -1, 5000, truth_settled,
                 user);
    else
        truth_ask(user);
}

void deputies_truth(Node *node, Json *params, RpcCall *call)
{
    const char *id = json_get_string(params, "job", "");
    Job *job = job_find(node, id);
    Truth *truth;

    if (!job && node_is_young(node) && !job_is_over(node, id)) {
        rpc_fail_new(call, SJ_ERROR_BUSY, "%s has just been started and waits for its deputies", node_name(node));
        return;
    }
    if (job && !job->created) { /* its deputy knows of no incarnation yet */
        rpc_fail_new(call, SJ_ERROR_BUSY, "Job %.8s is being started", id);
        return;
    }
    truth = g_new0(Truth, 1);
    *truth = (Truth){node, g_strdup(id), call};
    if (job && job->deputy && json_get_bool(params, "settle", FALSE))
        rpc_call(job->deputy, "deputy.truth", NULL, -1, 5000, truth_expected, truth);
    else
        truth_ask(truth);
}
