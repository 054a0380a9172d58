/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-libvirtd.c - the private libvirtd's identity and settings, and where it refuses to run */
#include "common/error.h"
#include "hypervisor/libvirtd.h"

#include <string.h>
#include <unistd.h>

static void test_uuid(void)
{
    g_autofree char *one = libvirtd_host_uuid("0123", "/run/sojourn"),
                    *same = libvirtd_host_uuid("0123", "/run/sojourn");
    g_autofree char *other_machine = libvirtd_host_uuid("0124", "/run/sojourn");
    g_autofree char *other_node = libvirtd_host_uuid("0123", "/tmp/rig/node2");

    g_assert_true(g_uuid_string_is_valid(one));
    g_assert_cmpstr(one, ==, same);
    g_assert_cmpstr(one, !=, other_machine);
    g_assert_cmpstr(one, !=, other_node);
}

static void test_settings(void)
{
    Conf conf = {.run_dir = (char *)"/run/x"};
    g_autofree char *daemon = libvirtd_conf_text(&conf, "the-uuid"),
                    *qemu = libvirtd_qemu_conf_text();

    g_assert_nonnull(strstr(daemon, "host_uuid = \"the-uuid\"\n"));
    g_assert_nonnull(strstr(daemon, "unix_sock_dir = \"/run/x/lv\"\n"));
    g_assert_nonnull(strstr(daemon, "listen_tcp = 0\n"));
    g_assert_nonnull(strstr(daemon, "listen_tls = 0\n"));
    g_assert_nonnull(strstr(qemu, "seccomp_sandbox = 1\n"));
}

/* Before anything is written or given up. */
static void test_refused(void)
{
    g_autofree char *long_dir = g_strnfill(90, 'x');
    g_autofree char *run_dir = g_strconcat("/tmp/", long_dir, NULL);
    Conf conf = {.run_dir = run_dir,
                 .state_dir = run_dir,
                 .image_dir = run_dir,
                 .qemu = (char *)"/nonexistent",
                 .libvirtd = (char *)"/nonexistent"};
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(libvirtd_exec(&conf, &error), !=, 0);
    g_assert_nonnull(error);
    g_assert_nonnull(strstr(error->message, geteuid() == 0 ? "must not run as root" : "too long"));
    if (geteuid() == 0)
        return;
    g_clear_error(&error);
    conf.run_dir = (char *)"/tmp/x";
    g_assert_cmpint(libvirtd_exec(&conf, &error), !=, 0);
    g_assert_nonnull(strstr(error->message, "install"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/libvirtd/uuid", test_uuid);
    g_test_add_func("/libvirtd/settings", test_settings);
    g_test_add_func("/libvirtd/refused", test_refused);
    return g_test_run();
}
