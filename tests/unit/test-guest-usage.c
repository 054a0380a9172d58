/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-guest-usage.c - what a process uses that looks like a guest's QEMU: its pid file, its words, its CPU's thread */
#include "hypervisor/guest-usage.h"
#include "common/conf.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "test-guest-usage" /* is in this program's words, and so in its child's */
#define MS 1000000u

static char *run_dir, *pid_file;
static Hypervisor *hv;

/* A process that computes, or sleeps. */
static pid_t begin(const char *name, gboolean computes)
{
    g_autofree char *text = NULL;
    pid_t child = fork();

    if (child == 0) {
        prctl(PR_SET_NAME, name);
        while (computes)
            ;
        for (;;)
            pause();
    }
    text = g_strdup_printf("%d", child);
    g_assert_true(g_file_set_contents(pid_file, text, -1, NULL));
    g_usleep(20000); /* until it has its name */
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void test_grows(void)
{
    pid_t child = begin("CPU 0/TCG", TRUE);
    GuestUsage first, last;

    g_assert_true(guest_usage(hv, ID, &first));
    g_assert_cmpint(first.pid, ==, child);
    g_assert_cmpuint(first.rss_bytes, >, 4096);
    g_usleep(100000);
    for (int i = 0; i < 200; i++) /* more than what is found lasts */
        g_assert_true(guest_usage(hv, ID, &last));
    g_assert_cmpuint(last.cpu_ns - first.cpu_ns, >, MS);
    g_assert_cmpuint(last.vcpu_run_ns + last.vcpu_wait_ns - first.vcpu_run_ns - first.vcpu_wait_ns, >, 50 * MS);
    end(child);
    g_assert_false(guest_usage(hv, ID, &last));
}

/* Another process by the same id: the first one's files are not believed. */
static void test_next(void)
{
    pid_t child = begin("CPU 0/KVM", FALSE), other;
    GuestUsage usage;

    for (int i = 0; i < 5; i++)
        g_assert_true(guest_usage(hv, ID, &usage));
    end(child);
    other = begin("worker", TRUE);
    g_assert_true(guest_usage(hv, ID, &usage));
    g_assert_cmpint(usage.pid, ==, other);
    g_assert_cmpuint(usage.vcpu_run_ns, ==, 0);
    end(other);
}

static void test_nobody(void)
{
    GuestUsage usage;

    g_assert_false(guest_usage(hv, "11111111-2222-3333-4444-555555555555", &usage));
}

int main(int argc, char **argv)
{
    g_autofree char *folder = NULL;
    int count = 3, status;
    char *words[] = {argv[0], (char *)"--run-dir", NULL, NULL}, **rest = words;
    HypervisorEvents events = {0};
    Conf *conf;

    g_test_init(&argc, &argv, NULL);
    words[2] = run_dir = g_dir_make_tmp("sojourn-usage.XXXXXX", NULL);
    folder = g_strdup_printf("%s/lv/libvirt/qemu/run", run_dir);
    g_assert_cmpint(g_mkdir_with_parents(folder, 0700), ==, 0);
    pid_file = g_strdup_printf("%s/sojourn-" ID ".pid", folder);
    conf = conf_new(&count, &rest, NULL);
    g_assert_nonnull(conf);
    hv = hypervisor_new(conf, &events, NULL);
    g_test_add_func("/guest-usage/grows", test_grows);
    g_test_add_func("/guest-usage/next", test_next);
    g_test_add_func("/guest-usage/nobody", test_nobody);
    status = g_test_run();
    hypervisor_free(hv);
    conf_free(conf);
    g_unlink(pid_file);
    for (const char *const *sub = (const char *const[]){"lv/libvirt/qemu/run", "lv/libvirt/qemu", "lv/libvirt", "lv", "", NULL}; *sub; sub++) {
        g_autofree char *path = g_build_filename(run_dir, *sub, NULL);

        g_rmdir(path);
    }
    g_free(pid_file);
    g_free(run_dir);
    return status;
}
