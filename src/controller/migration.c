/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migration.c - the home's part of a migration (see migration.h for the theory) */
#include "migration.h"

#include "check.h"
#include "common/error.h"
#include "common/fault.h"
#include "common/log.h"
#include "control.h"
#include "events.h"
#include "hosted.h"
#include "load.h"

#include <string.h>
#include <unistd.h>

#define PREPARE_MS 30000
#define FULL_MS 250     /* the destination has its hands full: ask again */
#define DEPART_MS 5000
#define RUN_MS (24 * 3600 * 1000u)

typedef struct {
    Node *node;
    char *job, *id, *from, *to;   /* id: of the migration */
    char *token;                  /* of the destination */
    guint64 epoch;
    MigrationDone done;
    gpointer user;
    GError *error;
    Json *stats, *balance;
    Json *forecast;               /* what it was expected to take; NULL: nobody knew */
    gint64 started_us;
    gint64 resumed_us;       /* when the guest went on, if that was before the COMMIT; 0: not known */
} Migration;

static Job *migration_job(Migration *m)
{
    Job *job = job_find(m->node, m->job);

    return job && g_strcmp0(job->migration, m->id) == 0 ? job : NULL;
}

static Json *migration_params(Migration *m)
{
    Json *params = json_set_string(json_object(), "migration", m->id);

    json_set_string(params, "job", m->job);
    return json_set_int(params, "epoch", m->epoch);
}

static void migration_free(Migration *m)
{
    g_free(m->job);
    g_free(m->id);
    g_free(m->from);
    g_free(m->to);
    g_free(m->token);
    g_clear_error(&m->error);
    json_unref(m->stats);
    json_unref(m->balance);
    json_unref(m->forecast);
    g_free(m);
}

static void next_in_line(Node *node);

/* Not a person's order: to be refused is nothing unusual. */
static gboolean is_balancers(Json *balance)
{
    return balance && !g_str_equal(json_get_string(balance, "reason", ""), "order");
}

static void migration_end(Migration *m)
{
    Node *node = m->node;
    Job *job = migration_job(m);

    if (job) {
        g_clear_pointer(&job->migration, g_free);
        job->expected_epoch = 0;
        if (job->pending_fd >= 0)
            close(job->pending_fd);
        job->pending_fd = -1;
    }
    if (m->error && m->error->code == SJ_ERROR_CUT) /* to who ordered the migration it is certain now */
        m->error->code = SJ_ERROR_GONE;
    if (m->error && m->epoch && job)
        g_prefix_error(&m->error, "Job %.8s stays on %s: ", m->job, m->from);
    if (m->error)
        tally_failed(&node->tally, m->epoch != 0);
    if (m->error && is_balancers(m->balance))
        log_debug("job %s: is not taken from %s to %s: %s", m->job, m->from, m->to, m->error->message);
    else if (m->error)
        log_warning("job %s: migration from %s to %s: %s", m->job, m->from, m->to, m->error->message);
    else
        log_info("job %s: moved from %s to %s in %" G_GINT64_FORMAT " ms, stopped for %" G_GINT64_FORMAT " ms", m->job, m->from,
                 m->to, json_get_int(m->stats, "total_ms", 0), json_get_int(m->stats, "downtime_ms", -1));
    m->done(m->error ? NULL : m->stats, m->error, m->user);
    g_queue_remove(&node->migrating, m);
    migration_free(m);
    next_in_line(node);
}

/* The job is at the destination, whatever was heard meanwhile. */
static void migration_succeeded(Migration *m)
{
    Job *job = migration_job(m);
    gint64 total_ms = (g_get_monotonic_time() - m->started_us) / 1000;

    g_clear_error(&m->error);
    if (!m->stats)
        m->stats = json_set_int(json_object(), "downtime_ms", -1);
    json_set_int(m->stats, "libvirt_ms", json_get_int(m->stats, "total_ms", 0));
    json_set_int(m->stats, "total_ms", total_ms);
    json_set_string(m->stats, "from", m->from);
    json_set_string(m->stats, "to", m->to);
    tally_moved(&m->node->tally, total_ms, json_get_int(m->stats, "downtime_ms", -1), json_get_int(m->stats, "bytes", 0));
    if (m->forecast)
        json_set(m->stats, "expected", json_ref(m->forecast));
    if (job) {
        forecast_learn(&m->node->forecast, job->rss_bytes ? job->rss_bytes : LOAD_FRESH_BYTES, total_ms,
                       json_get_int(m->stats, "downtime_ms", -1));
        job_moved(job, m->from, m->to, m->stats);
        job_by_hand(job, m->balance == NULL);
        events_job(m->node, job, "moved", json_copy(m->stats), "job %.8s moved from %s to %s in %" G_GINT64_FORMAT " ms%s",
                   job->id, m->from, m->to, total_ms, is_balancers(m->balance) ? ", the balancer's choice" : "");
    }
    migration_end(m);
}

static void migration_give_up(Migration *m, const GError *error);

static void abort_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Migration *m = user;

    if (fd >= 0)
        close(fd);
    if (g_error_matches(error, SJ_ERROR, SJ_ERROR_COMMITTED)) {
        migration_succeeded(m);
        return;
    }
    if (g_error_matches(error, SJ_ERROR, SJ_ERROR_TIMEOUT)) { /* a COMMIT may be before it in the deputy's queue */
        migration_give_up(m, NULL);
        return;
    }
    cluster_call(m->node->cluster, m->to, "migration.cancel", migration_params(m), 10000, NULL, NULL);
    migration_end(m);
}

/* It failed, or seems to have: the deputy's answer to ABORT is what counts. */
static void migration_give_up(Migration *m, const GError *error)
{
    Job *job = migration_job(m);

    if (!m->error)
        m->error = error && job ? g_error_copy(error) : g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The job ended meanwhile");
    if (job && job->deputy)
        rpc_call(job->deputy, "deputy.abort", json_set_string(json_object(), "migration", m->id), -1, 10000,
                 abort_answered, m);
    else
        abort_answered(NULL, NULL, -1, NULL, m);
}

/* A guest that went on before its COMMIT stood still for less than the source can know. By home's clock; what the messages
 * took on their way cancels out but for a difference. */
static void reckon_downtime(const Migration *m, Json *stats)
{
    gint64 since_stop_us = json_get_int(stats, "since_stop_us", -1);
    gint64 still_us = m->resumed_us - (g_get_monotonic_time() - since_stop_us);

    if (m->resumed_us && since_stop_us >= 0 && still_us >= 0 && still_us / 1000 < json_get_int(stats, "downtime_ms", G_MAXINT64))
        json_set_int(stats, "downtime_ms", (still_us + 500) / 1000);
    json_remove(stats, "since_stop_us");
}

static void run_answered(const char *source, Json *result, const GError *error, gpointer user)
{
    Migration *m = user;
    Job *job = migration_job(m);

    fault("home.over");
    if (error || !job) {
        migration_give_up(m, error);
        return;
    }
    m->stats = json_copy(result);
    reckon_downtime(m, m->stats);
    if (job->epoch == m->epoch)
        migration_succeeded(m);
    else /* libvirt says yes and the deputy was never asked: it cannot be */
        migration_give_up(m, &(GError){SJ_ERROR, SJ_ERROR_PROTOCOL,
                                       (char *)"The source says that the guest has left, but nobody asked for it"});
}

/* The guest has given back what need not travel, or has not in time. */
static void departed(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Migration *m = user;
    Json *params = json_set_string(migration_params(m), "to", m->to);

    if (fd >= 0)
        close(fd);
    if (!migration_job(m)) {
        json_unref(params);
        migration_give_up(m, NULL);
        return;
    }
    json_set_string(params, "token", m->token);
    json_set_int(params, "spent_ms", (g_get_monotonic_time() - m->started_us) / 1000);
    cluster_call(m->node->cluster, m->from, "migration.run", params, RUN_MS, run_answered, m);
}

static void prepare_answered(const char *destination, Json *result, const GError *error, gpointer user)
{
    Migration *m = user;
    Job *job = migration_job(m);

    if (error || !job) {
        migration_give_up(m, error);
        return;
    }
    fault("home.prepared");
    m->token = g_strdup(json_get_string(result, "token", ""));
    if (job->deputy && !job->suspended)
        rpc_call(job->deputy, "deputy.depart", NULL, -1, DEPART_MS, departed, m);
    else
        departed(NULL, NULL, -1, NULL, m);
}

static void expect_answered(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Migration *m = user;
    Job *job = migration_job(m);
    Json *params;

    if (fd >= 0)
        close(fd);
    if (error || !job) {
        migration_give_up(m, error);
        return;
    }
    m->epoch = json_get_int(result, "epoch", 0);
    job->expected_epoch = m->epoch;
    fault("home.expected");
    params = json_set(migration_params(m), "description", json_ref(job->description));
    if (m->balance)
        json_set(params, "balance", json_ref(m->balance));
    cluster_call(m->node->cluster, m->to, "migration.prepare", json_set_string(params, "from", m->from), PREPARE_MS,
                 prepare_answered, m);
}

static gboolean check_again(gpointer user);

/* Who waits for it hears what to expect. */
static void migration_foretell(Migration *m, Job *job)
{
    Json *params = json_set_string(json_object(), "job", m->job);

    m->forecast = job_forecast(m->node, job);
    if (!m->forecast) {
        json_unref(params);
        return;
    }
    json_set_string(params, "phase", "expected");
    json_set_string(params, "name", job->name);
    migration_progress(m->node, json_set(params, "expected", json_ref(m->forecast)));
    json_unref(params);
}

/* Where the job is there is room for it, too. */
static void room_answered(const char *source, Json *result, const GError *error, gpointer user)
{
    Migration *m = user;
    Job *job = migration_job(m);
    Json *params;

    if (error && !m->error) {
        m->error = g_error_copy(error);
        g_prefix_error(&m->error, "Job %.8s stays on %s: ", m->job, m->from);
    }
    if (m->error || !job || !job->deputy) {
        if (!m->error)
            m->error = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The job ended meanwhile");
        migration_end(m);
        return;
    }
    if (json_get_bool(result, "full", FALSE)) {
        g_timeout_add(FULL_MS, check_again, m);
        return;
    }
    fault("home.checked");
    migration_foretell(m, job);
    params = json_set_string(json_object(), "migration", m->id);
    rpc_call(job->deputy, "deputy.expect", json_set_string(params, "node", m->to), -1, 10000, expect_answered, m);
}

static void check_answered(const char *destination, Json *result, const GError *error, gpointer user)
{
    Migration *m = user;
    Json *reasons = json_get(result, "reasons");

    if (!error && json_length(reasons)) {
        g_autofree char *sentence = check_sentence(reasons);

        m->error = g_error_new(SJ_ERROR, check_error(reasons), "The job cannot go to %s: %s", m->to, sentence);
    }
    if (error || m->error || json_get_bool(result, "full", FALSE))
        room_answered(destination, result, error, m);
    else
        cluster_call(m->node->cluster, m->from, "migration.room", json_set_string(json_object(), "to", m->to), 10000, room_answered, m);
}

static gboolean migration_refused(gpointer user)
{
    migration_end(user);
    return G_SOURCE_REMOVE;
}

static void check_ask(Migration *m)
{
    Job *job = migration_job(m);
    Json *params;

    if (!job) {
        m->error = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The job ended meanwhile");
        g_idle_add(migration_refused, m);
        return;
    }
    m->started_us = g_get_monotonic_time();
    params = json_set(json_object(), "description", json_ref(job->description));
    json_set_string(params, "from", m->from);
    if (m->balance)
        json_set(params, "balance", json_ref(m->balance));
    cluster_call(m->node->cluster, m->to, "migration.check", params, 10000, check_answered, m);
}

static gboolean check_again(gpointer user)
{
    check_ask(user);
    return G_SOURCE_REMOVE;
}

/* Turns: by this node's own measure; source and destination say themselves when they are busy with jobs of other homes. */

static gboolean has_room(const Migration *m)
{
    guint most = m->node->conf->migrations, out = 0, in = 0, both = 0;

    for (GList *i = m->node->migrating.head; i; i = i->next) {
        const Migration *other = i->data;

        out += g_str_equal(other->from, m->from);
        in += g_str_equal(other->to, m->to);
        both += g_str_equal(other->from, m->from) && g_str_equal(other->to, m->to);
    }
    return out < most && in < most && both < node_link_migrations(m->node);
}

static void migration_begin(Migration *m)
{
    g_queue_push_tail(&m->node->migrating, m);
    check_ask(m);
}

static void next_in_line(Node *node)
{
    GList *next;

    for (GList *i = node->waiting.head; i; i = next) {
        Migration *m = i->data;

        next = i->next;
        if (!has_room(m))
            continue;
        g_queue_delete_link(&node->waiting, i);
        migration_begin(m);
    }
}

void migration_start(Node *node, Job *job, const char *to, Json *balance, MigrationDone done, gpointer user)
{
    Migration *m = g_new0(Migration, 1);
    const char *target = g_str_equal(to, "home") ? node_name(node) : to;
    g_autoptr(Json) reasons = check_from_home(node, job, target);

    m->node = node;
    m->balance = balance ? json_ref(balance) : NULL;
    m->job = g_strdup(job->id);
    m->id = g_uuid_string_random();
    m->from = g_strdup(job->node);
    m->to = g_strdup(target);
    m->done = done;
    m->user = user;
    if (json_length(reasons)) {
        g_autofree char *sentence = check_sentence(reasons);

        m->error = g_error_new(SJ_ERROR, check_error(reasons), "Job %.8s cannot go to %s: %s", job->id, target, sentence);
        g_idle_add(migration_refused, m);
        return;
    }
    if (!has_room(m) && is_balancers(balance)) {
        m->error = g_error_new(SJ_ERROR, SJ_ERROR_BUSY, "Other jobs are on their way from %s or to %s", m->from, m->to);
        g_idle_add(migration_refused, m);
        return;
    }
    job->migration = g_strdup(m->id);
    if (has_room(m))
        migration_begin(m);
    else
        g_queue_push_tail(&node->waiting, m);
}

void migration_answer(Json *stats, const GError *error, gpointer user)
{
    if (error)
        rpc_fail(user, error);
    else
        rpc_reply(user, json_copy(stats));
}

void migration_ordered(Node *node, const char *from, Json *params, RpcCall *call)
{
    const char *id = json_get_string(params, "job", "");
    Job *job = job_find(node, id);

    if (!job || !job->deputy || g_strcmp0(job->node, from) != 0 ||
        job->epoch != (guint64)json_get_int(params, "epoch", 0)) {
        rpc_fail_new(call, SJ_ERROR_NOT_FOUND, "%s does not host a job %s of %s", from, id, node_name(node));
        return;
    }
    migration_start(node, job, json_get_string(params, "to", ""), json_get(params, "balance"), migration_answer, call);
}

void migration_resumed(Node *node, const char *id, gint64 resumed_us)
{
    for (GList *i = node->migrating.head; i; i = i->next) {
        Migration *m = i->data;

        if (g_str_equal(m->id, id) && !m->resumed_us)
            m->resumed_us = resumed_us;
    }
}

void migration_progress(Node *node, Json *params)
{
    control_progress(node->control, params);
}
