/* SPDX-License-Identifier: GPL-2.0-or-later */
/* jobs.c - the jobs that are at home here: what they are, where they run, who may command them */
#include "jobs.h"

#include "common/error.h"
#include "common/log.h"
#include "events.h"
#include "groups.h"
#include "hosted.h"
#include "load.h"

#include <pwd.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORECAST_MOVES 3 /* of its own that count */

static void move_free(Move *move)
{
    g_free(move->from);
    g_free(move->to);
    g_free(move);
}

/* A user's name, or the number where there is none (g_free). */
static char *user_name(uid_t uid)
{
    struct passwd *entry = getpwuid(uid);

    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)uid);
}

static gboolean name_is_free(Node *node, const char *name, uid_t uid)
{
    GHashTableIter i;
    gpointer value;

    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Job *job = value;

        if (job->uid == uid && g_strcmp0(job->name, name) == 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean description_check(Node *node, Json *description, uid_t uid, GError **error)
{
    const char *id = json_get_string(description, "id", ""), *name = json_get_string(description, "name", "");
    const char *arch = json_get_string(description, "arch", "x86_64");
    gint64 memory = json_get_int(description, "memory_bytes", 0), cpus = json_get_int(description, "cpus", 1);

    if (!g_uuid_string_is_valid(id))
        g_set_error(error, SJ_ERROR, SJ_ERROR_PROTOCOL, "A job's id is a UUID, not \"%s\"", id);
    else if (job_find(node, id) || hosted_find(node, id))
        g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY, "There is a job %s already", id);
    else if (*name && !name_is_free(node, name, uid))
        g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY, "You have a job named \"%s\" already; choose another --name", name);
    else if (!group_check(json_get_string(description, "group", ""), error))
        return FALSE;
    else if (!g_str_equal(arch, "x86_64") && !g_str_equal(arch, "i686"))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "There is no guest for the architecture \"%s\"; x86_64 and i686 are",
                    arch);
    else if (memory < (32 << 20) || memory > ((gint64)1 << 42))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "A guest has 32M to 4T of memory, not %" G_GINT64_FORMAT " bytes",
                    memory);
    else if (cpus < 1 || cpus > 64)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "A guest has 1 to 64 CPUs, not %" G_GINT64_FORMAT, cpus);
    else
        return TRUE;
    return FALSE;
}

Job *job_new(Node *node, Json *description, Rpc *deputy, GError **error)
{
    uid_t uid = geteuid();
    gid_t gid;
    pid_t pid;
    Job *job;
    g_auto(GStrv) words = json_to_strv(json_get(description, "command"));

    rpc_peer(deputy, &uid, &gid, &pid);
    if (!description_check(node, description, uid, error))
        return NULL;
    job = g_new0(Job, 1);
    job->id = g_strdup(json_get_string(description, "id", ""));
    job->name = g_strdup(json_get_string(description, "name", ""));
    job->uid = uid;
    job->user = user_name(uid);
    job->command = g_strjoinv(" ", words);
    job->pid = json_get_int(description, "pid", pid);
    job->description = json_ref(description);
    job->deputy = rpc_ref(deputy);
    job->epoch = 1;
    job->node = g_strdup(node_name(node));
    job->state = g_strdup("starting");
    job->status = -1;
    job->locked = json_get_bool(description, "lock", FALSE);
    job->moves = g_ptr_array_new_with_free_func((GDestroyNotify)move_free);
    job->waiters = g_ptr_array_new();
    job->started = g_get_real_time() / G_USEC_PER_SEC;
    job->pending_fd = -1;
    json_set_string(description, "group", group_plain(json_get_string(description, "group", "")));
    json_set_string(description, "user", job->user);
    json_set_int(description, "uid", uid);
    json_set_string(description, "home", node_name(node));
    g_hash_table_insert(node->jobs, job->id, job);
    return job;
}

void job_rename(Node *node, Job *job, const char *id)
{
    g_hash_table_steal(node->jobs, job->id);
    g_free(job->id);
    job->id = g_strdup(id);
    json_set_string(job->description, "id", id);
    g_hash_table_insert(node->jobs, job->id, job);
}

void job_free(Job *job)
{
    g_free(job->id);
    g_free(job->name);
    g_free(job->user);
    g_free(job->command);
    g_free(job->node);
    g_free(job->state);
    g_free(job->migration);
    json_unref(job->description);
    if (job->deputy)
        rpc_unref(job->deputy);
    if (job->pending_fd >= 0)
        close(job->pending_fd);
    g_ptr_array_unref(job->moves);
    g_ptr_array_unref(job->waiters);
    g_free(job);
}

void job_ended(Node *node, Job *job, int status)
{
    log_info("job %s: ended with wait status %d", job->id, status);
    events_job(node, job, "ended", NULL, "job %.8s ended %s %d", job->id, WIFSIGNALED(status) ? "by signal" : "with status",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    g_hash_table_steal(node->jobs, job->id);
    job->status = status;
    g_free(job->state);
    job->state = g_strdup("ended");
    for (guint i = 0; i < job->waiters->len; i++)
        rpc_reply(job->waiters->pdata[i], json_set_int(json_object(), "status", status));
    g_ptr_array_set_size(job->waiters, 0);
    g_clear_pointer(&job->deputy, rpc_unref);
    g_queue_push_head(&node->ended, job);
    if (g_queue_get_length(&node->ended) > JOBS_ENDED_MAX)
        job_free(g_queue_pop_tail(&node->ended));
}

Job *job_find(Node *node, const char *id)
{
    return id ? g_hash_table_lookup(node->jobs, id) : NULL;
}

gboolean job_is_over(Node *node, const char *id)
{
    for (GList *l = node->ended.head; l; l = l->next)
        if (g_str_equal(((Job *)l->data)->id, id))
            return TRUE;
    return FALSE;
}

static gboolean job_is(const Job *job, const char *text)
{
    guint64 pid;

    return g_str_equal(job->id, text) || (*job->name && g_str_equal(job->name, text)) ||
           (strlen(text) >= 4 && g_str_has_prefix(job->id, text)) ||
           (g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT, &pid, NULL) && job->pid == (gint64)pid);
}

Job *job_resolve(Node *node, const char *text, const char *user, gboolean ended, GError **error)
{
    GHashTableIter i;
    gpointer value;
    Job *found = NULL;
    gboolean foreign = FALSE;

    g_hash_table_iter_init(&i, node->jobs);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Job *job = value;

        if (!job_is(job, text))
            continue;
        if (user && !g_str_equal(user, job->user)) {
            foreign = TRUE;
            continue;
        }
        if (found && !g_str_equal(text, job->id)) {
            g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "\"%s\" fits more than one job; give more of the id", text);
            return NULL;
        }
        found = job;
    }
    for (GList *l = node->ended.head; ended && !found && l; l = l->next) {
        Job *job = l->data;

        if (job_is(job, text) && (!user || g_str_equal(user, job->user)))
            found = job;
    }
    if (!found)
        g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND, "There is no job \"%s\"%s; \"sojourn list\" shows yours%s", text,
                    foreign ? " of yours" : "",
                    node_is_young(node) ? " (the controller has just been started: jobs from before are back in a moment)" : "");
    return found;
}

void job_by_hand(Job *job, gboolean by_hand)
{
    if (job->by_hand != by_hand && job->deputy)
        rpc_notify(job->deputy, "deputy.remember", json_set_bool(json_object(), "by_hand", by_hand));
    job->by_hand = by_hand;
}

static void usage_told(Node *node, const char *host, Json *guest)
{
    Job *job = job_find(node, json_get_string(guest, "id", ""));

    if (!job || g_strcmp0(job->node, host) != 0)
        return;
    job->cpu_seconds = MAX(job->cpu_seconds, json_get_int(guest, "cpu_ns", 0) / 1e9);
    job->rss_bytes = MAX(json_get_int(guest, "rss_bytes", 0), 0);
}

void jobs_usage(Node *node)
{
    g_autoptr(Json) rows = node_rows(node);

    for (guint i = 0; i < json_length(rows); i++) {
        const char *host = json_get_string(json_at(rows, i), "name", "");
        Json *guests = json_get(json_at(rows, i), "guests");

        for (guint k = 0; k < json_length(guests); k++)
            usage_told(node, host, json_at(guests, k));
    }
}

/* How long it stood still on average in its last few moves; -1: it has not moved, or nobody knows. */
static double job_stood_still_ms(const Job *job)
{
    double sum = 0;
    guint known = 0;

    for (guint i = job->moves->len; i > 0 && known < FORECAST_MOVES; i--) {
        const Move *move = job->moves->pdata[i - 1];

        if (move->downtime_ms < 0)
            continue;
        sum += move->downtime_ms;
        known++;
    }
    return known ? sum / known : -1;
}

Json *job_forecast(Node *node, Job *job)
{
    jobs_usage(node);
    return forecast_of(&node->forecast, job->rss_bytes ? job->rss_bytes : LOAD_FRESH_BYTES, job_stood_still_ms(job));
}

const char *job_state(const Job *job)
{
    return job->migration ? "migrating" : job->silent_since_us ? "unreachable" : job->suspended ? "suspended" : job->state;
}

Json *job_row(Node *node, Job *job)
{
    Json *row = json_object();

    json_set_string(row, "id", job->id);
    json_set_string(row, "name", job->name);
    json_set_string(row, "user", job->user);
    json_set_int(row, "pid", job->pid);
    json_set_string(row, "command", job->command);
    json_set_string(row, "home", node_name(node));
    json_set_string(row, "node", job->node);
    json_set_string(row, "state", job_state(job));
    json_set_int(row, "migrations", job->migrations);
    json_set_bool(row, "locked", job->locked);
    json_set_string(row, "group", json_get_string(job->description, "group", ""));
    json_set_int(row, "memory_bytes", json_get_int(job->description, "memory_bytes", 0));
    json_set_double(row, "cpu_seconds", ((gint64)(job->cpu_seconds * 1000)) / 1000.0);
    return row;
}

Json *move_json(const Move *move)
{
    Json *json = json_object();

    json_set_string(json, "from", move->from);
    json_set_string(json, "to", move->to);
    json_set_int(json, "total_ms", move->total_ms);
    json_set_int(json, "downtime_ms", move->downtime_ms);
    json_set_int(json, "bytes", move->bytes);
    if (move->fetched >= 0)
        json_set_int(json, "fetched_bytes", move->fetched);
    json_set_int(json, "at", move->at);
    return json;
}

Json *job_details(Node *node, Job *job)
{
    static const char *const lists[] = {"only", "avoid"};
    Json *row, *history = json_array();
    guint moves = job->moves->len;

    jobs_usage(node);
    row = job_row(node, job);
    json_set_int(row, "epoch", job->epoch);
    json_set_string(row, "arch", json_get_string(job->description, "arch", "x86_64"));
    json_set_string(row, "accel", json_get_string(job->description, "accel", "tcg"));
    json_set_int(row, "cpus", json_get_int(job->description, "cpus", 1));
    json_set_int(row, "started", job->started);
    for (guint i = 0; i < G_N_ELEMENTS(lists); i++)
        if (json_get(job->description, lists[i]))
            json_set(row, lists[i], json_ref(json_get(job->description, lists[i])));
    if (job->status >= 0)
        json_set_int(row, "status", job->status);
    json_set(row, "last_migration", moves ? move_json(job->moves->pdata[moves - 1]) : NULL);
    for (guint i = 0; i < moves; i++)
        json_append(history, move_json(job->moves->pdata[i]));
    json_set(row, "history", history);
    return row;
}

static void job_remember_move(Job *job, const Move *move)
{
    if (job->deputy)
        rpc_notify(job->deputy, "deputy.remember", json_set(json_object(), "last_migration", move_json(move)));
}

void job_fetched(Job *job, gint64 bytes)
{
    Move *move = job->moves->len ? job->moves->pdata[job->moves->len - 1] : NULL;

    if (!move || bytes < 0)
        return;
    move->fetched = bytes;
    job_remember_move(job, move);
}

void job_moved(Job *job, const char *from, const char *to, Json *stats)
{
    Move *move = g_new0(Move, 1);

    move->from = g_strdup(from);
    move->to = g_strdup(to);
    move->total_ms = json_get_int(stats, "total_ms", 0);
    move->downtime_ms = json_get_int(stats, "downtime_ms", -1);
    move->bytes = json_get_int(stats, "bytes", 0);
    move->fetched = json_get_int(stats, "fetched_bytes", -1);
    move->at = g_get_real_time() / G_USEC_PER_SEC;
    job->migrations++;
    g_ptr_array_add(job->moves, move);
    job_remember_move(job, move);
    if (job->moves->len > JOB_MOVES)
        g_ptr_array_remove_index(job->moves, 0);
}

static void link_answer(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    if (fd >= 0)
        close(fd);
    if (error)
        log_warning("job %s: its deputy did not take the link: %s", (char *)user, error->message);
    g_free(user);
}

void job_link(Node *node, Job *job, guint64 epoch, const char *host, int fd)
{
    if (epoch == job->epoch && g_strcmp0(host, job->node) == 0 && job->deputy) {
        Json *params = json_set_int(json_object(), "epoch", epoch);

        rpc_call(job->deputy, "deputy.link", json_set_string(params, "node", host), fd, 10000, link_answer,
                 g_strdup(job->id));
        close(fd);
    } else if (job->migration && epoch == job->expected_epoch) {
        if (job->pending_fd >= 0)
            close(job->pending_fd);
        job->pending_fd = fd;
    } else {
        log_info("job %s: a link from %s for epoch %" G_GUINT64_FORMAT " is not wanted", job->id, host, epoch);
        close(fd);
    }
}

void job_destroy_guest(Node *node, Job *job)
{
    Hosted *hosted = hosted_find(node, job->id);
    Json *params;

    if (hosted)
        hosted_destroy(hosted);
    if (g_str_equal(job->node, node_name(node)) || !node->cluster)
        return;
    params = json_set_string(json_object(), "job", job->id);
    cluster_call(node->cluster, job->node, "job.destroy", json_set_int(params, "epoch", job->epoch), 10000, NULL, NULL);
}

void job_lost(Node *node, Job *job, const char *why)
{
    g_autofree char *text = g_strdup_printf("job %.8s is lost: %s; start it again", job->id, why);

    log_warning("job %s: %s", job->id, text);
    events_job(node, job, "lost", NULL, "%s", text);
    if (job->deputy)
        rpc_call(job->deputy, "deputy.lost", json_set_string(json_object(), "text", text), -1, 5000, NULL, NULL);
    job_ended(node, job, SIGKILL);
}
