/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-guest-xml.c - domain XML against golden files; SOJOURN_GOLDEN=write makes them anew */
#include "common/error.h"
#include "hypervisor/guest-xml.h"

#include <string.h>

static const GuestSpec base = {
    .id = "6f1d2c3b-0a9e-4c5d-8b7a-112233445566",
    .epoch = 3,
    .arch = "x86_64",
    .memory_bytes = 256 << 20,
    .cpus = 1,
    .accel = "tcg",
    .cpu_model = "Nehalem",
    .machine = "microvm",
    .kernel = "/usr/share/sojourn/images/x86_64/vmlinux",
    .initramfs = "/usr/share/sojourn/images/x86_64/initramfs",
    .cmdline = "quiet",
    .tsc_khz = 2100000,
    .channel_path = "/run/sojourn/ch/6f1d2c3b.3",
    .console_path = "/run/sojourn/log/6f1d2c3b-0a9e-4c5d-8b7a-112233445566.console",
    .description = "{\"name\":\"a<b>&'c'\",\"command\":[\"sh\",\"-c\",\"echo \\\"x\\\"\"]}",
};

static void compare(const char *file, const GuestSpec *spec)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "tests", "data", file, NULL);
    g_autofree char *xml = guest_xml(spec, &error), *golden = NULL;

    g_assert_no_error(error);
    if (g_getenv("SOJOURN_GOLDEN"))
        g_assert_true(g_file_set_contents(path, xml, -1, NULL));
    g_assert_true(g_file_get_contents(path, &golden, NULL, &error));
    g_assert_cmpstr(xml, ==, golden);
}

static void test_golden(void)
{
    GuestSpec spec = base;

    compare("guest-microvm-tcg.xml", &spec);
    spec.accel = "kvm";
    spec.cpus = 4;
    spec.memory_bytes = ((guint64)8 << 30) + 1;
    compare("guest-microvm-kvm.xml", &spec);
    spec.machine = "pc";
    spec.accel = "tcg";
    spec.cpu_model = "";
    spec.cmdline = spec.description = NULL;
    spec.tsc_khz = 0;
    compare("guest-pc-tcg.xml", &spec);
    spec.arch = "i686";
    compare("guest-pc-i686.xml", &spec);
}

/* The same machine as one that boots, or its state would not fit. */
static void test_snapshot(void)
{
    static const char wait[] = "    <qemu:arg value=\"-incoming\"/>\n    <qemu:arg value=\"defer\"/>\n";
    GuestSpec spec = base;
    g_autofree char *boots = guest_xml(&spec, NULL);

    spec.snapshot = (Snapshot *)&spec; /* only whether there is one matters */
    g_autofree char *waits = guest_xml(&spec, NULL);
    char *at = strstr(waits, wait);
    g_assert_nonnull(at);
    memmove(at, at + strlen(wait), strlen(at + strlen(wait)) + 1);
    g_assert_cmpstr(waits, ==, boots);
}

static void test_refused(void)
{
    static const struct {
        gsize offset;
        const char *value;
    } texts[] = {
        {G_STRUCT_OFFSET(GuestSpec, id), "not-a-uuid"},
        {G_STRUCT_OFFSET(GuestSpec, id), NULL},
        {G_STRUCT_OFFSET(GuestSpec, machine), "q35"},
        {G_STRUCT_OFFSET(GuestSpec, accel), "xen"},
        {G_STRUCT_OFFSET(GuestSpec, arch), "riscv64"},
        {G_STRUCT_OFFSET(GuestSpec, kernel), "vmlinux"},
        {G_STRUCT_OFFSET(GuestSpec, initramfs), NULL},
        {G_STRUCT_OFFSET(GuestSpec, console_path), ""},
        {G_STRUCT_OFFSET(GuestSpec, channel_path),
         "/a/path/that/is/much/too/long/for/the/hundred/and/eight/bytes/which/the/address/of/a"
         "/unix/socket/has/on/linux"},
    };
    static const guint cpus[] = {0, 65};

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        GuestSpec spec = base;
        g_autoptr(GError) error = NULL;

        *(const char **)G_STRUCT_MEMBER_P(&spec, texts[i].offset) = texts[i].value;
        g_assert_null(guest_xml(&spec, &error));
        g_assert_error(error, SJ_ERROR, SJ_ERROR_FAILED);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(cpus); i++) {
        GuestSpec spec = base;

        spec.cpus = cpus[i];
        g_assert_null(guest_xml(&spec, NULL));
    }
    GuestSpec small = base;
    small.memory_bytes = 1 << 20;
    g_assert_null(guest_xml(&small, NULL));
}

/* Whatever a job is called, it comes back, or at least does no harm. */
static void test_metadata(void)
{
    static const char *const same[] = {"{}", "{\"a\":\"<x/>]]>&amp;\\u0001\"}",
                                       "{\"name\":\"ä€😀\"}", "line\nline\ttab"};
    static const char *const odd[] = {"\xff\xfe{", "a\x01\x02z", "\xef\xbf\xbf"};
    guint64 epoch;
    char *text;

    for (gsize i = 0; i < G_N_ELEMENTS(same); i++) {
        g_autofree char *xml = guest_xml_metadata(G_MAXUINT64 - i, same[i]);
        g_assert_true(guest_xml_read_metadata(xml, &epoch, &text));
        g_assert_cmpuint(epoch, ==, G_MAXUINT64 - i);
        g_assert_cmpstr(text, ==, same[i]);
        g_free(text);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(odd); i++) {
        GuestSpec spec = base;
        g_autoptr(GError) error = NULL;
        spec.description = odd[i];
        g_autofree char *xml = guest_xml(&spec, &error);
        g_assert_no_error(error);
        g_assert_true(g_utf8_validate(xml, -1, NULL));
    }
    g_autofree char *empty = guest_xml_metadata(7, NULL);
    g_assert_true(guest_xml_read_metadata(empty, &epoch, &text));
    g_assert_cmpuint(epoch, ==, 7);
    g_assert_null(text);
}

static void test_metadata_of_others(void)
{
    static const char *const bad[] = {"",
                                      "<guest>",
                                      "<guest/>",
                                      "<guest epoch='x'/>",
                                      "<other epoch='1'/>",
                                      "text",
                                      "<guest epoch='-1'/>"};
    guint64 epoch;
    char *text;

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(guest_xml_read_metadata(bad[i], &epoch, &text));
}

static void test_channel(void)
{
    g_autofree char *xml = guest_xml(&base, NULL);
    g_autofree char *path = guest_xml_channel(xml);

    g_assert_cmpstr(path, ==, base.channel_path);
    g_assert_null(guest_xml_channel("<domain><source path='/x'/></domain>"));
    g_assert_null(guest_xml_channel("<channel><source path='/x'/>"));
}

static void test_name(void)
{
    g_autofree char *name = guest_name(base.id);

    g_assert_cmpstr(guest_name_id(name), ==, base.id);
    g_assert_null(guest_name_id("other"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/guest-xml/golden", test_golden);
    g_test_add_func("/guest-xml/snapshot", test_snapshot);
    g_test_add_func("/guest-xml/refused", test_refused);
    g_test_add_func("/guest-xml/metadata", test_metadata);
    g_test_add_func("/guest-xml/metadata-of-others", test_metadata_of_others);
    g_test_add_func("/guest-xml/channel", test_channel);
    g_test_add_func("/guest-xml/name", test_name);
    return g_test_run();
}
