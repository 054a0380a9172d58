/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-control.c - what becomes of each control file: the call that is made for it, and the answer that its reader gets */
#include "common/error.h"
#include "deputy/control.h"

#include <errno.h>
#include <string.h>

#define JOB "{\"home\":\"node1\",\"node\":\"%s\",\"state\":\"%s\",\"migrations\":3,\"locked\":%s,\"stay\":%s}"

/* What the controller would say, and what was asked of it. */
typedef struct {
    const char *reply;      /* JSON; NULL: the error */
    SjErrorCode error;
    char *method, *params;
    guint calls, answers;
    int answer_error;
    char *answer_text;
    guint64 answer_id;
    gboolean keep;          /* no answer yet: */
    struct {
        ControlDone done;
        gpointer user;
    } kept[100];
    guint kept_count;
} World;

static void finish(World *world, ControlDone done, gpointer done_user)
{
    g_autoptr(Json) result = world->reply ? json_parse(world->reply, -1, NULL) : NULL;
    g_autoptr(GError) error = world->reply ? NULL : g_error_new(SJ_ERROR, world->error, "no");

    done(result, error, done_user);
}

static void call(const char *method, Json *params, guint timeout_ms, ControlDone done, gpointer done_user, gpointer user)
{
    World *world = user;

    world->calls++;
    g_free(world->method);
    g_free(world->params);
    world->method = g_strdup(method);
    world->params = json_print(params);
    json_unref(params);
    if (!world->keep) {
        finish(world, done, done_user);
        return;
    }
    g_assert_cmpuint(world->kept_count, <, G_N_ELEMENTS(world->kept));
    world->kept[world->kept_count].done = done;
    world->kept[world->kept_count++].user = done_user;
}

static void answer(const WireMessage *message, gpointer user)
{
    World *world = user;

    g_assert_cmpint(message->type, ==, WIRE_ANSWER);
    world->answers++;
    world->answer_id = message->answer.id;
    world->answer_error = (int) message->answer.error;
    g_free(world->answer_text);
    world->answer_text = g_strdup(message->answer.text);
}

static World world;

static void ask(Control *control, gboolean order, const char *file, const char *text)
{
    static guint64 id;
    WireMessage message = { .type = WIRE_ASK, .ask = { ++id, order, file, text } };
    guint before = world.answers;

    g_assert_true(control_ask(control, &message));
    g_assert_cmpuint(world.answers, ==, before + 1);
    g_assert_cmpuint(world.answer_id, ==, id);
}

static Control *fresh(void)
{
    memset(&world, 0, sizeof world);
    return control_new("the-id", answer, call, &world);
}

static void end(Control *control)
{
    control_free(control);
    g_free(world.method);
    g_free(world.params);
    g_free(world.answer_text);
}

static void test_read(void)
{
    static const struct {
        const char *file, *node, *state, *locked, *stay, *text;
    } rows[] = {
        { "where", "node1", "running", "false", "[]", "home\n" },
        { "where", "node2", "migrating", "false", "[]", "node2\n" },
        { "pms/where", "node2", "running", "false", "[]", "node2\n" },
        { "pms/where", "node2", "migrating", "false", "[]", "migrating\n" },
        { "nmigs", "node2", "running", "false", "[]", "3\n" },
        { "home", "node2", "running", "false", "[]", "node1\n" },
        { "lock", "node2", "running", "true", "[]", "1\n" },
        { "lock", "node2", "running", "false", "[]", "0\n" },
        { "cantmove", "node2", "running", "false", "[]", "" },
        { "pms/stay", "node2", "running", "true", "[{\"code\":\"locked\",\"text\":\"so it is\"},{\"code\":\"b\",\"text\":\"c\"}]",
          "locked: so it is\nb: c\n" },
    };
    Control *control = fresh();

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *job = g_strdup_printf(JOB, rows[i].node, rows[i].state, rows[i].locked, rows[i].stay);

        world.reply = job;
        ask(control, FALSE, rows[i].file, "");
        g_assert_cmpstr(world.method, ==, "job.show");
        g_assert_cmpstr(world.params, ==, "{\"job\":\"the-id\"}");
        g_assert_cmpint(world.answer_error, ==, 0);
        g_assert_cmpstr(world.answer_text, ==, rows[i].text);
    }
    end(control);
}

static void test_write(void)
{
    static const struct {
        const char *file, *text, *method, *params;
    } rows[] = {
        { "goto", "node2", "job.migrate", "{\"job\":\"the-id\",\"node\":\"node2\"}" },
        { "pms/where", "2", "job.migrate", "{\"job\":\"the-id\",\"node\":\"2\"}" },
        { "goto", "home", "job.migrate", "{\"job\":\"the-id\",\"node\":\"home\"}" },
        { "goto", "0", "job.migrate", "{\"job\":\"the-id\",\"node\":\"home\"}" },
        { "pms/where", "0.0.0.0", "job.migrate", "{\"job\":\"the-id\",\"node\":\"home\"}" },
        { "lock", "1", "job.lock", "{\"job\":\"the-id\",\"locked\":true}" },
        { "lock", "0", "job.lock", "{\"job\":\"the-id\",\"locked\":false}" },
    };
    Control *control = fresh();

    world.reply = "{}";
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        ask(control, TRUE, rows[i].file, rows[i].text);
        g_assert_cmpstr(world.method, ==, rows[i].method);
        g_assert_cmpstr(world.params, ==, rows[i].params);
        g_assert_cmpint(world.answer_error, ==, 0);
        g_assert_cmpstr(world.answer_text, ==, "");
    }
    end(control);
}

static void test_errors(void)
{
    static const struct {
        SjErrorCode code;
        int error;
    } rows[] = {
        { SJ_ERROR_NOT_FOUND, EINVAL }, { SJ_ERROR_DENIED, EPERM }, { SJ_ERROR_LOCKED, EBUSY }, { SJ_ERROR_BUSY, EAGAIN },
        { SJ_ERROR_DOWN, EHOSTDOWN },   { SJ_ERROR_GONE, EIO },     { SJ_ERROR_FAILED, EIO },
    };
    Control *control = fresh();

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        world.error = rows[i].code;
        ask(control, TRUE, "goto", "node2");
        g_assert_cmpint(world.answer_error, ==, rows[i].error);
    }
    end(control);
}

/* What makes no sense is answered without a call. */
static void test_senseless(void)
{
    static const struct {
        gboolean order;
        const char *file, *text;
    } rows[] = {
        { FALSE, "nothing", "" }, { TRUE, "nothing", "1" }, { TRUE, "nmigs", "1" }, { TRUE, "pms/stay", "1" },
        { FALSE, "goto", "" },    { TRUE, "lock", "2" },    { TRUE, "lock", "" },   { FALSE, "", "" },
    };
    Control *control = fresh();

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        ask(control, rows[i].order, rows[i].file, rows[i].text);
        g_assert_cmpint(world.answer_error, ==, EINVAL);
    }
    g_assert_cmpuint(world.calls, ==, 0);
    end(control);
}

/* An order is answered when it has been carried out, and only so many wait at once. */
static void test_many(void)
{
    Control *control = fresh();
    WireMessage message = { .type = WIRE_ASK, .ask = { 1, TRUE, "goto", "node2" } };
    guint taken = 0;

    world.keep = TRUE;
    while (taken < 1000 && control_ask(control, &message))
        taken++;
    g_assert_cmpuint(taken, ==, 64);
    g_assert_cmpuint(world.answers, ==, 0);
    world.reply = "{}";
    while (world.kept_count) {
        world.kept_count--;
        finish(&world, world.kept[world.kept_count].done, world.kept[world.kept_count].user);
        g_assert_cmpint(world.answer_error, ==, 0);
    }
    g_assert_cmpuint(world.answers, ==, 65); /* the one too many, too */
    end(control);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/control/read", test_read);
    g_test_add_func("/control/write", test_write);
    g_test_add_func("/control/errors", test_errors);
    g_test_add_func("/control/senseless", test_senseless);
    g_test_add_func("/control/many", test_many);
    return g_test_run();
}
