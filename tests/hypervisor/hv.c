/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hv.c - a node without a controller: takes sojournd's place under the supervisor, and does one
 * thing to a guest
 *
 * hv [SETTING]... ACTION [ARG]...: a line of JSON-like words on stdout says what became of it.
 *   serve                         print events until killed (also what it does without an action)
 *   start ID EPOCH MEMORY CMDLINE [MACHINE [CPU]]
 *   destroy|suspend|resume ID     set ID EPOCH TEXT     list     usage ID
 *   migrate ID GATE STREAM XML [ABORT_MS [MIBPS]]    straight to another libvirtd's socket, without
 * a gate; XML from xml xml ID EPOCH MEMORY CMDLINE [MACHINE [CPU]] kvm DIGEST facts
 */
#include "common/conf.h"
#include "common/log.h"
#include "hypervisor/guest.h"
#include "hypervisor/host.h"
#include "hypervisor/kvm.h"
#include "hypervisor/libvirtd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static GMainLoop *loop;
static GCancellable *cancellable;
static const Conf *settings;
static char **words;
static int status;
static guint queries;
static gint64 begun;

static double ms(void)
{
    return (g_get_monotonic_time() - begun) / 1000.0;
}

static void finish(const GError *error)
{
    if (error)
        printf("failed %s\n", error->message);
    status = error ? 1 : 0;
    g_main_loop_quit(loop);
}

static void on_done(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;

    if (guest_finish(result, &error))
        printf("done %.1f ms\n", ms());
    finish(error);
}

static void on_query(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GuestInfo) info = guest_query_finish(result, &error);

    if (info)
        printf("%s %s pause=%d busy=%d epoch=%" G_GUINT64_FORMAT " description=%s channel=%s\n", info->id,
               guest_state_name(info->state), info->pause, info->busy, info->epoch, info->description, info->channel_path);
    if (error || !--queries)
        finish(error);
}

static void on_list(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) guests = guest_list_finish(result, &error);

    for (guint i = 0; guests && i < guests->len; i++) {
        const GuestInfo *info = g_ptr_array_index(guests, i);
        queries++;
        guest_query(user, info->id, on_query, NULL);
    }
    if (!queries)
        finish(error);
}

static void on_progress(const char *id, guint64 total, guint64 remaining, gpointer user)
{
    printf("progress %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", total, remaining);
}

static void on_migrated(GObject *source, GAsyncResult *result, gpointer user)
{
    g_autoptr(GError) error = NULL;
    GuestMigrated done;

    guest_migrate_finish(result, &done, &error);
    printf("migrated total_ms=%" G_GUINT64_FORMAT " downtime_ms=%" G_GINT64_FORMAT
           " bytes=%" G_GUINT64_FORMAT " state=%s pause=%d settled=%.1f\n",
           done.total_ms, done.downtime_ms, done.bytes, guest_state_name(done.state), done.pause,
           ms());
    finish(error);
}

static gboolean on_abort(gpointer user)
{
    g_cancellable_cancel(cancellable);
    return G_SOURCE_REMOVE;
}

static void migrate(Hypervisor *hv)
{
    g_autofree char *xml = NULL;
    GuestMigration migration = {
        .gate_socket = words[2], .stream_path = words[3], .progress = on_progress};

    if (g_file_get_contents(words[4], &xml, NULL, NULL))
        migration.destination_xml = xml;
    if (words[5])
        g_timeout_add(atoi(words[5]), on_abort, NULL);
    if (words[5] && words[6])
        migration.bandwidth_mib = atoi(words[6]);
    guest_migrate(hv, words[1], &migration, cancellable, on_migrated, NULL);
}

static void start(Hypervisor *hv)
{
    g_autofree char *kernel = g_build_filename(settings->image_dir, "x86_64", "vmlinux", NULL);
    g_autofree char *initramfs = g_build_filename(settings->image_dir, "x86_64", "initramfs", NULL);
    g_autofree char *channel =
        g_strdup_printf("%s/ch/%.8s.%s", settings->run_dir, words[1], words[2]);
    g_autofree char *console = g_strdup_printf("%s/log/%s.console", settings->run_dir, words[1]);
    GuestSpec spec = {
        .id = words[1],
        .epoch = g_ascii_strtoull(words[2], NULL, 10),
        .arch = "x86_64",
        .memory_bytes = conf_parse_size(words[3], NULL),
        .cpus = 1,
        .accel = "tcg",
        .machine = words[5] ? words[5] : "microvm",
        .cpu_model = words[5] && words[6] ? words[6] : "Nehalem",
        .kernel = kernel,
        .initramfs = initramfs,
        .cmdline = words[4],
        .channel_path = channel,
        .console_path = console,
        .description = "{\"name\":\"test\"}",
    };

    if (hv) {
        guest_start(hv, &spec, on_done, NULL);
    } else {
        g_autofree char *xml = guest_xml(&spec, NULL);
        printf("%s\n", xml);
    }
}

static void usage(Hypervisor *hv)
{
    GuestUsage usage = {0};
    gboolean known = guest_usage(hv, words[1], &usage);

    printf("usage known=%d pid=%d cpu_ns=%" G_GUINT64_FORMAT " vcpu_ns=%" G_GUINT64_FORMAT
           " rss=%" G_GUINT64_FORMAT "\n",
           known, usage.pid, usage.cpu_ns, usage.vcpu_run_ns, usage.rss_bytes);
    finish(NULL);
}

static void on_ready(Hypervisor *hv, gpointer user)
{
    const char *action = words[0];

    printf("ready %.1f ms\n", ms());
    begun = g_get_monotonic_time();
    if (!action || g_str_equal(action, "serve"))
        return;
    if (g_str_equal(action, "start"))
        start(hv);
    else if (g_str_equal(action, "destroy"))
        guest_destroy(hv, words[1], on_done, NULL);
    else if (g_str_equal(action, "suspend"))
        guest_suspend(hv, words[1], on_done, NULL);
    else if (g_str_equal(action, "resume"))
        guest_resume(hv, words[1], on_done, NULL);
    else if (g_str_equal(action, "set"))
        guest_set_description(hv, words[1], g_ascii_strtoull(words[2], NULL, 10), words[3], on_done,
                              NULL);
    else if (g_str_equal(action, "list"))
        guest_list(hv, on_list, hv);
    else if (g_str_equal(action, "usage"))
        usage(hv);
    else if (g_str_equal(action, "migrate"))
        migrate(hv);
    else
        finish(NULL);
}

static void on_lost(Hypervisor *hv, gpointer user)
{
    printf("lost\n");
    begun = g_get_monotonic_time();
}

static void on_guest_ended(Hypervisor *hv, const char *id, const char *reason, gpointer user)
{
    printf("ended %s %s\n", id, reason);
}

static void on_guest_changed(Hypervisor *hv, const char *id, GuestState state, gpointer user)
{
    printf("changed %s %s\n", id, guest_state_name(state));
}

static void on_kvm(const char *accel, const char *why, gpointer user)
{
    printf("kvm accel=%s why=%s ms=%.0f\n", accel, why, ms());
    finish(NULL);
}

static void probe_kvm(void)
{
    g_autofree char *kernel = g_build_filename(settings->image_dir, "x86_64", "vmlinux", NULL);
    g_autofree char *initramfs = g_build_filename(settings->image_dir, "x86_64", "initramfs", NULL);

    kvm_probe(settings, kernel, initramfs, words[1], on_kvm, NULL);
}

static void show_facts(void)
{
    HostFacts facts;

    host_facts(settings, &facts);
    printf("facts qemu=%s tsc_khz=%" G_GUINT64_FORMAT " memory=%" G_GUINT64_FORMAT
           " available=%" G_GUINT64_FORMAT " cpus=%u level=%u model=%s ms=%.1f\n",
           facts.qemu_version, facts.tsc_khz, facts.memory_total, host_memory_available(settings),
           facts.cpus, facts.cpu_level, host_cpu_model(facts.cpu_level), ms());
    host_facts_clear(&facts);
}

int main(int argc, char **argv)
{
    static const HypervisorEvents events = {on_ready, on_lost, on_guest_ended, on_guest_changed};
    g_autoptr(GError) error = NULL;

    log_init("hv");
    setvbuf(stdout, NULL, _IOLBF, 0);
    begun = g_get_monotonic_time();
    g_autoptr(Conf) conf = conf_new(&argc, &argv, &error);
    if (conf && argc > 1 && g_str_equal(argv[1], "--libvirtd"))
        libvirtd_exec(conf, &error);
    if (error) {
        log_error("%s", error->message);
        return 1;
    }
    settings = conf;
    words = argv + 1;
    loop = g_main_loop_new(NULL, FALSE);
    cancellable = g_cancellable_new();
    if (argc > 1 && g_str_equal(argv[1], "xml")) {
        start(NULL);
        return 0;
    }
    if (argc > 1 && g_str_equal(argv[1], "facts")) {
        show_facts();
        return 0;
    }
    Hypervisor *hv = NULL;
    if (argc > 1 && g_str_equal(argv[1], "kvm"))
        probe_kvm();
    else
        hv = hypervisor_new(conf, &events, NULL);
    g_main_loop_run(loop);
    if (hv)
        hypervisor_free(hv);
    g_main_loop_unref(loop);
    g_object_unref(cancellable);
    return status;
}
