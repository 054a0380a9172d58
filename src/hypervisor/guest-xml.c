/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-xml.c - the domain XML of a guest, as a pure function of what the job asked for
 *
 * What is the same for every guest of a machine type stands below as XML; libvirt-gconfig fills in
 * the rest. The text is the guest's ABI: both sides of a migration make it from here, so a change
 * is a change of the image's digest too.
 *
 * microvm: no ACPI (with it one boot in eight hangs under TCG), every device at virtio-mmio, no
 * USB, no PCI. pc: the versioned ABI, with PCI, ACPI and its PM timer. Both: one virtio-serial
 * port, entropy, a balloon that only reports free pages, a serial console, no disk and no network
 * card. The balloon's free pages neither cost memory nor travel.
 */
#include "guest-xml.h"

#include "common/error.h"
#include "monitor.h"

#include <libvirt-gconfig/libvirt-gconfig.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GVirConfigDomain, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GVirConfigDomainClock, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GVirConfigDomainCpu, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GVirConfigDomainOs, g_object_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GVirConfigObject, g_object_unref)

#define MIB (1 << 20)
#define MEMORY_MIN (16 * (guint64)MIB)
#define SUN_PATH_MAX 107

/* QEMU would reserve 1 GiB for translated code; it is host memory and does not travel. */
#define TCG_FEATURE "<tcg><tb-cache unit='MiB'>128</tb-cache></tcg>"

typedef struct {
    const char *name;
    const char *machine;  /* as QEMU calls it */
    const char *features; /* besides TCG's */
    const char *address;  /* of virtio devices: on pc libvirt gives them PCI slots */
    const char *cmdline;  /* what the kernel must be told */
} Machine;

/* reboot=t: a triple fault is the only way out of a microvm. acpi=off: do not even look for tables.
 * Under TCG the guest sees the host's own TSC and would have to measure its rate against the PIT,
 * which goes wrong on a busy machine: it is told. */
static const Machine machines[] = {
    {"microvm", "microvm", "", "<address type='virtio-mmio'/>",
     "console=ttyS0 panic=-1 reboot=t acpi=off"},
    {"pc", "pc-i440fx-7.2", "<acpi/><apic/>", "",
     "console=ttyS0 panic=-1 reboot=t clocksource=acpi_pm"},
};

/* Arguments: features, address three times. */
static const char skeleton[] =
    "<domain>"
    "<features>%s%s</features>"
    "<on_crash>destroy</on_crash>"
    "<devices>"
    "<controller type='usb' model='none'/>"
    "<controller type='virtio-serial' index='0' ports='2'>%s</controller>"
    "<rng model='virtio'><backend model='random'>/dev/urandom</backend>%s</rng>"
    "<memballoon model='virtio' freePageReporting='on'>%s</memballoon>"
    "</devices>"
    "</domain>";

char *guest_name(const char *id)
{
    return g_strconcat(GUEST_NAME_PREFIX, id, NULL);
}

const char *guest_name_id(const char *name)
{
    return g_str_has_prefix(name, GUEST_NAME_PREFIX) ? name + strlen(GUEST_NAME_PREFIX) : NULL;
}

static const Machine *machine_find(const char *name)
{
    for (gsize i = 0; name && i < G_N_ELEMENTS(machines); i++)
        if (g_str_equal(machines[i].name, name))
            return &machines[i];
    return NULL;
}

/* XML cannot hold every character that JSON text can; a description is for people and for adoption,
 * so what does not fit is replaced. */
static char *xml_text(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);

    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        gboolean odd = (c < 0x20 && c != '\n' && c != '\t') || c == 0xfffe || c == 0xffff;
        g_string_append_unichar(out, odd ? '?' : c);
    }
    return g_string_free(out, FALSE);
}

char *guest_xml_metadata(guint64 epoch, const char *description)
{
    g_autofree char *text = xml_text(description ? description : "");
    g_autofree char *escaped = g_markup_escape_text(text, -1);

    return g_strdup_printf("<guest epoch=\"%" G_GUINT64_FORMAT "\">%s</guest>", epoch, escaped);
}

typedef struct {
    guint depth;
    gboolean ours;
    guint64 epoch;
    GString *text;
} Reading;

static void read_start(GMarkupParseContext *context, const char *element, const char **names,
                       const char **values, gpointer user, GError **error)
{
    Reading *reading = user;

    if (reading->depth++ || !(g_str_equal(element, "guest") || g_str_has_suffix(element, ":guest")))
        return;
    for (; *names; names++, values++)
        if (g_str_equal(*names, "epoch"))
            reading->ours =
                g_ascii_string_to_unsigned(*values, 10, 0, G_MAXUINT64, &reading->epoch, NULL);
}

static void read_end(GMarkupParseContext *context, const char *element, gpointer user,
                     GError **error)
{
    ((Reading *)user)->depth--;
}

static void read_text(GMarkupParseContext *context, const char *text, gsize length, gpointer user,
                      GError **error)
{
    Reading *reading = user;

    if (reading->depth == 1)
        g_string_append_len(reading->text, text, length);
}

gboolean guest_xml_read_metadata(const char *xml, guint64 *ret_epoch, char **ret_description)
{
    static const GMarkupParser parser = {
        .start_element = read_start, .end_element = read_end, .text = read_text};
    Reading reading = {.text = g_string_new(NULL)};
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, &reading, NULL);
    gboolean good = g_markup_parse_context_parse(context, xml, -1, NULL) &&
                    g_markup_parse_context_end_parse(context, NULL) && reading.ours;

    if (good) {
        *ret_epoch = reading.epoch;
        *ret_description = reading.text->len ? g_strdup(reading.text->str) : NULL;
    }
    g_string_free(reading.text, TRUE);
    return good;
}

static void channel_start(GMarkupParseContext *context, const char *element, const char **names,
                          const char **values, gpointer user, GError **error)
{
    const GSList *stack = g_markup_parse_context_get_element_stack(context);
    char **path = user;

    if (!stack->next || !g_str_equal(stack->next->data, "channel") ||
        !g_str_equal(element, "source"))
        return;
    for (; *names; names++, values++)
        if (g_str_equal(*names, "path") && !*path)
            *path = g_strdup(*values);
}

char *guest_xml_channel(const char *xml)
{
    static const GMarkupParser parser = {.start_element = channel_start};
    char *path = NULL;
    g_autoptr(GMarkupParseContext) context = g_markup_parse_context_new(&parser, 0, &path, NULL);

    if (!g_markup_parse_context_parse(context, xml, -1, NULL) ||
        !g_markup_parse_context_end_parse(context, NULL))
        g_clear_pointer(&path, g_free);
    return path;
}

static gboolean wrong(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean wrong(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error)
        *error = g_error_new_valist(SJ_ERROR, SJ_ERROR_FAILED, format, args);
    va_end(args);
    return FALSE;
}

static gboolean check_path(const char *what, const char *path, GError **error)
{
    return path && g_path_is_absolute(path) && g_utf8_validate(path, -1, NULL)
               ? TRUE
               : wrong(error, "the %s of a guest must be an absolute path, not \"%s\"", what,
                       path ? path : "");
}

static gboolean spec_check(const GuestSpec *spec, GError **error)
{
    static const char *const accels[] = {"kvm", "tcg", NULL}, *const archs[] = {"x86_64", "i686",
                                                                                NULL};

    if (!spec->id || !g_uuid_string_is_valid(spec->id))
        return wrong(error, "\"%s\" is no UUID, so no guest can have it as its id",
                     spec->id ? spec->id : "");
    if (!machine_find(spec->machine))
        return wrong(error, "there is no machine \"%s\": use microvm or pc",
                     spec->machine ? spec->machine : "");
    if (!spec->accel || !g_strv_contains(accels, spec->accel))
        return wrong(error, "guests are accelerated by kvm or tcg, not \"%s\"",
                     spec->accel ? spec->accel : "");
    if (!spec->arch || !g_strv_contains(archs, spec->arch))
        return wrong(error, "there is no guest for \"%s\": use x86_64 or i686",
                     spec->arch ? spec->arch : "");
    if (spec->memory_bytes < MEMORY_MIN || spec->memory_bytes > G_MAXINT64)
        return wrong(
            error, "a guest cannot have %" G_GUINT64_FORMAT " bytes of memory: give it 16M or more",
            spec->memory_bytes);
    if (spec->cpus < 1 || spec->cpus > 64)
        return wrong(error, "a guest cannot have %u CPUs: give it 1 to 64", spec->cpus);
    if (spec->channel_path && strlen(spec->channel_path) > SUN_PATH_MAX - 4) /* with .qmp */
        return wrong(error, "the socket path %s is too long: choose a shorter run directory",
                     spec->channel_path);
    return check_path("kernel", spec->kernel, error) &&
           check_path("initramfs", spec->initramfs, error) &&
           check_path("channel", spec->channel_path, error) &&
           check_path("console", spec->console_path, error);
}

/* Any device, from XML: libvirt-gconfig has no setters for what they hold. */
static gboolean add_device(GVirConfigDomain *domain, GType type, const char *element,
                           const char *xml, GError **error)
{
    g_autoptr(GVirConfigObject) device =
        gvir_config_object_new_from_xml(type, element, NULL, xml, error);

    if (device)
        gvir_config_domain_add_device(domain, GVIR_CONFIG_DOMAIN_DEVICE(device));
    return device != NULL;
}

/* The link: QEMU listens, so that a controller that was restarted can connect again. */
static gboolean add_devices(GVirConfigDomain *domain, const GuestSpec *spec, GError **error)
{
    g_autofree char *channel = g_markup_printf_escaped(
        "<channel type='unix'><source mode='bind' path='%s'/>"
        "<target type='virtio' name='" GUEST_PORT "'/>"
        "<address type='virtio-serial' controller='0' bus='0' port='1'/></channel>",
        spec->channel_path);
    g_autofree char *serial = g_markup_printf_escaped(
        "<serial type='file'><source path='%s' append='on'/><target type='isa-serial' port='0'/>"
        "</serial>",
        spec->console_path);

    return add_device(domain, GVIR_CONFIG_TYPE_DOMAIN_CHANNEL, "channel", channel, error) &&
           add_device(domain, GVIR_CONFIG_TYPE_DOMAIN_SERIAL, "serial", serial, error);
}

static void set_os(GVirConfigDomain *domain, const GuestSpec *spec, const Machine *machine)
{
    g_autoptr(GVirConfigDomainOs) os = gvir_config_domain_os_new();
    g_autofree char *extra = g_utf8_make_valid(spec->cmdline ? spec->cmdline : "", -1);
    gboolean known = spec->tsc_khz && g_str_equal(spec->accel, "tcg");
    g_autofree char *tsc =
        known ? g_strdup_printf(" tsc_early_khz=%" G_GUINT64_FORMAT, spec->tsc_khz) : g_strdup("");
    g_autofree char *cmdline =
        g_strdup_printf("%s%s%s%s", machine->cmdline, tsc, *extra ? " " : "", extra);

    gvir_config_domain_os_set_os_type(os, GVIR_CONFIG_DOMAIN_OS_TYPE_HVM);
    gvir_config_domain_os_set_arch(os, "x86_64"); /* one QEMU runs both kernels */
    gvir_config_domain_os_set_machine(os, machine->machine);
    gvir_config_domain_os_set_kernel(os, spec->kernel);
    gvir_config_domain_os_set_ramdisk(os, spec->initramfs);
    gvir_config_domain_os_set_cmdline(os, cmdline);
    gvir_config_domain_set_os(domain, os);
}

/* No check: the model was chosen so that each node of the cluster has it, and comparing it takes
 * time at each start. */
static gboolean set_cpu(GVirConfigDomain *domain, const GuestSpec *spec, GError **error)
{
    const char *lowest = g_str_equal(spec->arch, "i686") ? "pentium3" : "qemu64";
    g_autofree char *xml = g_markup_printf_escaped(
        "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>%s</model></cpu>",
        spec->cpu_model && *spec->cpu_model ? spec->cpu_model : lowest);
    g_autoptr(GVirConfigDomainCpu) cpu = gvir_config_domain_cpu_new_from_xml(xml, error);

    if (cpu)
        gvir_config_domain_set_cpu(domain, cpu);
    return cpu != NULL;
}

static gboolean set_metadata(GVirConfigDomain *domain, const GuestSpec *spec, GError **error)
{
    g_autofree char *metadata = guest_xml_metadata(spec->epoch, spec->description);

    return gvir_config_domain_set_custom_xml(domain, metadata, "sojourn", GUEST_XML_NAMESPACE,
                                             error);
}

static void set_life(GVirConfigDomain *domain)
{
    g_autoptr(GVirConfigDomainClock) clock = gvir_config_domain_clock_new();

    gvir_config_domain_clock_set_offset(clock, GVIR_CONFIG_DOMAIN_CLOCK_UTC);
    gvir_config_domain_set_clock(domain, clock);
    gvir_config_domain_set_lifecycle(domain, GVIR_CONFIG_DOMAIN_LIFECYCLE_ON_POWEROFF,
                                     GVIR_CONFIG_DOMAIN_LIFECYCLE_DESTROY);
    gvir_config_domain_set_lifecycle(domain, GVIR_CONFIG_DOMAIN_LIFECYCLE_ON_REBOOT,
                                     GVIR_CONFIG_DOMAIN_LIFECYCLE_DESTROY);
}

/* What libvirt-gconfig has no words for; under TCG only.
 *
 * A second monitor: see monitor.h.
 *
 * No event_idx: with it, guest and device tell each other up to which index they have looked, and each needs a full memory
 * barrier between its own store and its load of the other's. The TCG of one vCPU emits none (it takes itself to be alone, and
 * a locked instruction for a plain one), though QEMU's main loop works beside it: once in very many times both miss the
 * other's step, and the port stands still for good. Without it each side tells the other always.
 *
 * And a guest that begins from a snapshot waits for it as for a migration. */
#define WAIT_FOR_SNAPSHOT "    <qemu:arg value=\"-incoming\"/>\n    <qemu:arg value=\"defer\"/>\n"
static char *with_arguments(const char *xml, const GuestSpec *spec)
{
    g_autofree char *path = monitor_path(spec->channel_path);
    g_autofree char *args =
        g_markup_printf_escaped("  <qemu:commandline>\n    <qemu:arg value=\"-qmp\"/>\n"
                                "    <qemu:arg value=\"unix:%s,server=on,wait=off\"/>\n"
                                "    <qemu:arg value=\"-global\"/>\n"
                                "    <qemu:arg value=\"virtio-device.event_idx=off\"/>\n",
                                path);
    const char *end = g_strrstr(xml, "</domain>"), *type = strstr(xml, "<domain ");

    g_return_val_if_fail(end && type, NULL);
    type += strlen("<domain ");
    return g_strdup_printf("%.*sxmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\" %.*s%s%s  </qemu:commandline>\n%s",
                           (int)(type - xml), xml, (int)(end - type), type, args,
                           spec->snapshot ? WAIT_FOR_SNAPSHOT : "", end);
}

char *guest_xml(const GuestSpec *spec, GError **error)
{
    if (!spec_check(spec, error))
        return NULL;

    const Machine *machine = machine_find(spec->machine);
    gboolean kvm = g_str_equal(spec->accel, "kvm");
    g_autofree char *name = guest_name(spec->id);
    g_autofree char *base = g_strdup_printf(skeleton, machine->features, kvm ? "" : TCG_FEATURE,
                                            machine->address, machine->address, machine->address);
    g_autoptr(GVirConfigDomain) domain = gvir_config_domain_new_from_xml(base, error);
    if (!domain)
        return NULL;

    gvir_config_domain_set_virt_type(domain, kvm ? GVIR_CONFIG_DOMAIN_VIRT_KVM
                                                 : GVIR_CONFIG_DOMAIN_VIRT_QEMU);
    gvir_config_domain_set_name(domain, name);
    gvir_config_domain_set_uuid(domain, spec->id);
    gvir_config_domain_set_memory(domain, (spec->memory_bytes + MIB - 1) / MIB * (MIB / 1024));
    gvir_config_domain_set_vcpus(domain, spec->cpus);
    set_os(domain, spec, machine);
    set_life(domain);
    if (!set_cpu(domain, spec, error) || !set_metadata(domain, spec, error) ||
        !add_devices(domain, spec, error))
        return NULL;

    char *plain = gvir_config_object_to_xml(GVIR_CONFIG_OBJECT(domain));
    if (kvm)
        return plain;
    char *xml = with_arguments(plain, spec);
    g_free(plain);
    return xml;
}
