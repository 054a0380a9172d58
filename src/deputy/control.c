/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - the job's control files: what its processes ask and order through /proc/PID
 *
 * The guest's kernel and agent only carry the name of the file and a text. Here they become the calls that `sojourn show',
 * `migrate' and `lock' make, on the deputy's own connection to its controller, which therefore sees the job's user ask
 * and decides as it would for a command. An order is answered when it has been carried out: the
 * migration moves the very process that waits for it.
 *
 * The job is one guest: whichever process's file is used, all of it is meant.
 */
#include "control.h"

#include "common/error.h"
#include "common/job-text.h"

#include <errno.h>
#include <string.h>

#define ASKS_MAX 64         /* the guest's kernel has at most 32 */
#define SHOW_MS 10000
#define MIGRATE_MS 0        /* as long as it takes */

struct Control {
    char *id;
    ControlAnswer answer;
    ControlCall call;
    gpointer user;
    guint asks;             /* under way */
};

typedef char *(*Show)(Json *job);

typedef struct {
    Control *control;
    guint64 id;
    Show show;              /* of a file that is read */
} Ask;

static void answer(Ask *ask, int error, const char *text)
{
    Control *control = ask->control;
    g_autofree char *cut = g_strndup(text, WIRE_ANSWER_MAX);

    control->asks--;
    control->answer(&(WireMessage) {
        .type = WIRE_ANSWER, .answer = { ask->id, (guint32) error, cut } }, control->user);
    g_free(ask);
}

/* Reading */

static char *show_where(Json *job)
{
    const char *node = json_get_string(job, "node", "");
    gboolean home = g_str_equal(node, json_get_string(job, "home", ""));

    return g_strdup_printf("%s\n", home ? "home" : node);
}

static char *show_where_now(Json *job)
{
    if (g_str_equal(json_get_string(job, "state", ""), "migrating"))
        return g_strdup("migrating\n");
    return show_where(job);
}

static char *show_home(Json *job)
{
    return g_strdup_printf("%s\n", json_get_string(job, "home", ""));
}

static void shown(Json *job, const GError *error, gpointer user)
{
    Ask *ask = user;
    g_autofree char *text = error ? NULL : ask->show(job);

    answer(ask, error ? sj_error_errno(error) : 0, text ?: "");
}

static void ask_show(Ask *ask, Show show)
{
    Control *control = ask->control;

    ask->show = show;
    control->call("job.show", json_set_string(json_object(), "job", control->id), SHOW_MS, shown, ask, control->user);
}

/* Writing */

static void done(Json *result, const GError *error, gpointer user)
{
    answer(user, error ? sj_error_errno(error) : 0, "");
}

static void order_go(Ask *ask, const char *text)
{
    Control *control = ask->control;
    /* openMosix says 0, LinuxPMI 0.0.0.0 */
    gboolean home = g_str_equal(text, "0") || g_str_equal(text, "0.0.0.0");
    Json *params = json_set_string(json_object(), "job", control->id);

    json_set_string(params, "node", home ? "home" : text);
    control->call("job.migrate", params, MIGRATE_MS, done, ask, control->user);
}

static void order_lock(Ask *ask, const char *text)
{
    Control *control = ask->control;
    Json *params = json_set_string(json_object(), "job", control->id);

    if (!g_str_equal(text, "0") && !g_str_equal(text, "1")) {
        json_unref(params);
        answer(ask, EINVAL, "");
        return;
    }
    json_set_bool(params, "locked", *text == '1');
    control->call("job.lock", params, SHOW_MS, done, ask, control->user);
}

static const struct {
    const char *file;
    Show show;
    void (*order)(Ask *ask, const char *text);
} files[] = {
    { "pms/where", show_where_now, order_go },
    { "pms/stay", job_text_stay, NULL },
    { "where", show_where, NULL },
    { "goto", NULL, order_go },
    { "nmigs", job_text_migrations, NULL },
    { "lock", job_text_lock, order_lock },
    { "cantmove", job_text_stay, NULL },
    { "home", show_home, NULL },
};

gboolean control_ask(Control *control, const WireMessage *message)
{
    Ask *ask = g_new0(Ask, 1);

    *ask = (Ask){ control, message->ask.id, NULL };
    control->asks++;
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        if (!g_str_equal(files[i].file, message->ask.file))
            continue;
        if (message->ask.order && files[i].order)
            files[i].order(ask, message->ask.text);
        else if (!message->ask.order && files[i].show)
            ask_show(ask, files[i].show);
        else
            break;
        return control->asks <= ASKS_MAX;
    }
    answer(ask, EINVAL, "");
    return control->asks <= ASKS_MAX;
}

Control *control_new(const char *id, ControlAnswer answer_to, ControlCall call, gpointer user)
{
    Control *control = g_new0(Control, 1);

    *control = (Control){ g_strdup(id), answer_to, call, user, 0 };
    return control;
}

void control_free(Control *control)
{
    g_return_if_fail(control->asks == 0);
    g_free(control->id);
    g_free(control);
}
