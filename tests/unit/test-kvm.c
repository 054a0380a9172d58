/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-kvm.c - what is decided from what was found out about KVM; and what is remembered of a trial
 */
#include "hypervisor/kvm.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const KvmFacts good = {.wanted = "auto",
                              .present = TRUE,
                              .opened = TRUE,
                              .api_version = KVM_API_VERSION,
                              .image = TRUE};

static void expect(const KvmFacts *facts, gboolean kvm, gboolean final, const char *word)
{
    KvmVerdict verdict = kvm_decide(facts);

    g_assert_cmpint(verdict.kvm, ==, kvm);
    g_assert_cmpint(verdict.final, ==, final);
    g_assert_nonnull(strstr(verdict.why, word));
    kvm_verdict_clear(&verdict);
    g_assert_null(verdict.why);
}

static void test_obstacles(void)
{
    KvmFacts facts = good;

    facts.missing = "KVM_CAP_IRQCHIP";
    expect(&facts, FALSE, TRUE, "KVM_CAP_IRQCHIP");
    facts.api_version = 11;
    expect(&facts, FALSE, TRUE, "version 11");
    facts.opened = FALSE;
    facts.open_errno = EACCES;
    expect(&facts, FALSE, TRUE, "group kvm");
    facts.open_errno = ENODEV;
    expect(&facts, FALSE, TRUE, g_strerror(ENODEV));
    facts.present = FALSE;
    expect(&facts, FALSE, TRUE, "no /dev/kvm");
}

static void test_trial(void)
{
    KvmFacts facts = good;

    expect(&facts, FALSE, FALSE, "being tried");
    facts.trial = KVM_TRIAL_PASSED;
    expect(&facts, TRUE, TRUE, "boots");
    facts.trial = KVM_TRIAL_FAILED;
    expect(&facts, FALSE, TRUE, "does not boot");
    facts.trial = KVM_TRIAL_TIMEOUT;
    expect(&facts, FALSE, TRUE, "did not boot");
    facts.image = FALSE;
    expect(&facts, FALSE, FALSE, "image");
}

/* The configuration can rule KVM out, and spare the trial, but it cannot make a device appear. */
static void test_wanted(void)
{
    KvmFacts facts = good;

    facts.wanted = "tcg";
    facts.trial = KVM_TRIAL_PASSED;
    expect(&facts, FALSE, TRUE, "asked for");
    facts.wanted = "kvm";
    facts.trial = KVM_TRIAL_NONE;
    expect(&facts, TRUE, TRUE, "asked for");
    facts.present = FALSE;
    expect(&facts, FALSE, TRUE, "no /dev/kvm");
}

static void test_ruled_out(void)
{
    Conf conf = {.accel = (char *)"tcg"};
    KvmFacts facts;

    g_assert_true(kvm_ruled_out(&conf));
    conf.accel = (char *)"kvm";
    kvm_facts(&conf, &facts);
    g_assert_cmpint(kvm_ruled_out(&conf), ==, !facts.opened || facts.api_version != KVM_API_VERSION || facts.missing);
}

/* A QEMU that is a script: says what it is told to, and counts how often it was asked. */
typedef struct {
    char *dir, *qemu, *image;
    Conf conf;
    GMainLoop *loop;
    char *accel, *why;
} World;

static void world_set_up(World *world, gconstpointer words)
{
    world->dir = g_dir_make_tmp("sojourn-kvm-XXXXXX", NULL);
    world->qemu = g_build_filename(world->dir, "qemu", NULL);
    world->image = g_build_filename(world->dir, "image", NULL);
    g_autofree char *script = g_strdup_printf("#!/bin/sh\necho x >>%s/count\necho '%s'\n",
                                              world->dir, (const char *)words);
    g_assert_true(g_file_set_contents(world->qemu, script, -1, NULL));
    g_assert_true(g_file_set_contents(world->image, "", 0, NULL));
    chmod(world->qemu, 0700);
    world->conf.accel = (char *)"auto";
    world->conf.qemu = world->qemu;
    world->conf.state_dir = world->dir;
    world->loop = g_main_loop_new(NULL, FALSE);
}

static void world_tear_down(World *world, gconstpointer words)
{
    const char *const files[] = {"qemu", "image", "count", "kvm"};

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(world->dir, files[i], NULL);
        g_unlink(path);
    }
    g_rmdir(world->dir);
    g_main_loop_unref(world->loop);
    g_free(world->accel);
    g_free(world->why);
    g_free(world->dir);
    g_free(world->qemu);
    g_free(world->image);
}

static void on_done(const char *accel, const char *why, gpointer user)
{
    World *world = user;

    g_free(world->accel);
    g_free(world->why);
    world->accel = g_strdup(accel);
    world->why = g_strdup(why);
    g_main_loop_quit(world->loop);
}

static void probe(World *world, const char *digest)
{
    kvm_probe(&world->conf, world->image, world->image, digest, on_done, world);
    g_main_loop_run(world->loop);
}

static gsize trials(World *world)
{
    g_autofree char *path = g_build_filename(world->dir, "count", NULL), *text = NULL;
    gsize length = 0;

    g_file_get_contents(path, &text, &length, NULL);
    return length / 2;
}

/* Only where /dev/kvm allows the question; elsewhere it is decided without any trial. */
static gboolean can_try(World *world)
{
    KvmFacts facts;

    kvm_facts(&world->conf, &facts);
    return facts.opened && facts.api_version == KVM_API_VERSION && !facts.missing;
}

static void test_remembered(World *world, gconstpointer words)
{
    gboolean try = can_try(world), passes = strstr(words, "passed") != NULL;
    const char *accel = try && passes ? "kvm" : "tcg";

    probe(world, "aaaa");
    g_assert_cmpstr(world->accel, ==, accel);
    g_assert_cmpuint(trials(world), ==, try ? 1 : 0);
    probe(world, "aaaa");
    g_assert_cmpstr(world->accel, ==, accel);
    g_assert_cmpuint(trials(world), ==, try ? 1 : 0);
    probe(world, "bbbb"); /* another image must prove itself */
    g_assert_cmpuint(trials(world), ==, try ? 2 : 0);

    g_autofree char *path = g_build_filename(world->dir, "kvm", NULL);
    g_assert_true(g_file_set_contents(path, "another-boot bbbb passed\n", -1, NULL));
    probe(world, "bbbb");
    g_assert_cmpuint(trials(world), ==, try ? 3 : 0);
    g_assert_cmpstr(world->accel, ==, accel);
}

static void test_no_image(World *world, gconstpointer words)
{
    probe(world, NULL);
    g_assert_cmpstr(world->accel, ==, "tcg");
    g_assert_cmpuint(trials(world), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kvm/obstacles", test_obstacles);
    g_test_add_func("/kvm/trial", test_trial);
    g_test_add_func("/kvm/wanted", test_wanted);
    g_test_add_func("/kvm/ruled-out", test_ruled_out);
    g_test_add("/kvm/remembered/passed", World, "sojourn: trial passed", world_set_up,
               test_remembered, world_tear_down);
    g_test_add("/kvm/remembered/failed", World, "Kernel panic", world_set_up, test_remembered,
               world_tear_down);
    g_test_add("/kvm/no-image", World, "sojourn: trial passed", world_set_up, test_no_image,
               world_tear_down);
    return g_test_run();
}
