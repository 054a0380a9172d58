/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.c - a node's settings: defaults, configuration file, command line, in this order */
#include "conf.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum { TEXT, COUNT, NUMBER, SIZE } SettingKind; /* char *, guint, guint64, guint64 in bytes */

typedef struct {
    const char *name;
    SettingKind kind;
    size_t offset;
    const char *argument, *help;
} Setting;

#define AT(member) G_STRUCT_OFFSET(Conf, member)

static const Setting settings[] = {
    {"name", TEXT, AT(name), "NODE", "the node's name (the host's)"},
    {"run-dir", TEXT, AT(run_dir), "DIR", "sockets and logs"},
    {"state-dir", TEXT, AT(state_dir), "DIR", "keys, members, history"},
    {"image-dir", TEXT, AT(image_dir), "DIR", "guest images"},
    {"libexec-dir", TEXT, AT(libexec_dir), "DIR", "where sojournd is"},
    {"listen", TEXT, AT(listen), "ADDRESS", "address of the TLS port (all)"},
    {"address", TEXT, AT(address), "ADDRESS", "address told to other nodes (that of --listen)"},
    {"port", COUNT, AT(port), "N", "the TLS port (7227)"},
    {"cpus", COUNT, AT(cpus), "N", "declared CPUs (all)"},
    {"speed", COUNT, AT(speed), "N", "declared speed (10000)"},
    {"memory", SIZE, AT(memory_bytes), "SIZE", "declared memory (all)"},
    {"tsc-khz", NUMBER, AT(tsc_khz), "N", "rate of the time stamp counter (measured)"},
    {"accel", TEXT, AT(accel), "auto|kvm|tcg", "what accelerates guests (auto)"},
    {"machine", TEXT, AT(machine), "microvm|pc", "the guests' machine (microvm)"},
    {"cpu-model", TEXT, AT(cpu_model), "MODEL", "the guests' CPU (by acceleration)"},
    {"qemu", TEXT, AT(qemu), "PATH", "the QEMU to use"},
    {"libvirtd", TEXT, AT(libvirtd), "PATH", "the libvirtd to use"},
    {"serf", TEXT, AT(serf), "PATH|none", "the serf to use, to watch the nodes"},
    {"discovery", TEXT, AT(discovery), "on|off", "see nodes that wait to be let in, by Avahi (on)"},
    {"orders", TEXT, AT(orders), "members|here", "at the authority's node: who lets nodes in and throws them out (members)"},
    {"orphan-suspend", COUNT, AT(orphan_suspend_s), "S", "freeze a guest whose home is silent after (600)"},
    {"orphan-end", COUNT, AT(orphan_end_s), "S", "end a guest whose home is silent after (86400)"},
    {"spare-guests", COUNT, AT(spare_guests), "0|1", "guests started ahead, for jobs to come (1)"},
    {"template", TEXT, AT(template), "on|off", "begin other guests from a snapshot, under TCG (on)"},
    {"balance", TEXT, AT(balance), "on|off", "send jobs where they run better (on)"},
    {"balance-stay", COUNT, AT(balance_stay_s), "S", "leave a job alone for so long after it came (5)"},
    {"memory-reserve", COUNT, AT(memory_reserve), "PERCENT", "memory to keep free by sending jobs away (5)"},
    {"migrations", COUNT, AT(migrations), "N", "migrations at a time, in and out (4)"},
    {"link-migrations", COUNT, AT(link_migrations), "N", "of these, to or from one other node (as many)"},
    {"host-down", COUNT, AT(host_down_s), "S", "give up a job whose host is down after (30)"},
    {"web-port", TEXT, AT(web_port), "N|auto|off", "local port of the HTTP view (auto: when asked for)"},
};

guint64 conf_parse_size(const char *text, GError **error)
{
    static const char units[] = "KMGT";
    char *end;
    guint64 value;
    const char *unit;

    errno = 0;
    value = g_ascii_strtoull(text, &end, 10);
    unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    if (unit) {
        guint shift = 10 * (unit - units + 1);

        end++;
        if (g_str_equal(end, "iB") || g_str_equal(end, "B"))
            end = strchr(end, 0);
        if (value > (G_MAXUINT64 >> shift))
            errno = ERANGE;
        value <<= shift;
    }
    if (g_ascii_isdigit(*text) && !*end && !errno && value)
        return value;
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "\"%s\" is no size: say bytes, or a number with K, M, G or T", text);
    return 0;
}

static gboolean parse_number(const char *text, guint64 max, guint64 *ret_value, GError **error)
{
    if (g_ascii_string_to_unsigned(text, 10, 0, max, ret_value, NULL))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "\"%s\" is no number from 0 to %" G_GUINT64_FORMAT, text, max);
    return FALSE;
}

static gboolean setting_set(const Setting *setting, Conf *conf, const char *text, GError **error)
{
    void *at = G_STRUCT_MEMBER_P(conf, setting->offset);
    guint64 value = 0;

    switch (setting->kind) {
    case TEXT:
        g_free(*(char **)at);
        *(char **)at = g_strdup(text);
        return TRUE;
    case COUNT:
        if (!parse_number(text, 1000000, &value, error))
            return FALSE;
        *(guint *)at = value;
        return TRUE;
    case NUMBER:
        return parse_number(text, G_MAXINT64, at, error);
    case SIZE:
        value = conf_parse_size(text, error);
        if (value)
            *(guint64 *)at = value;
        return value != 0;
    }
    g_assert_not_reached();
}

static gboolean conf_set(Conf *conf, const char *name, const char *text, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        if (!g_str_equal(settings[i].name, name))
            continue;
        if (setting_set(&settings[i], conf, text, error))
            return TRUE;
        g_prefix_error(error, "%s: ", name);
        return FALSE;
    }
    g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "There is no setting \"%s\"; sojournd --help lists them", name);
    return FALSE;
}

gboolean conf_parse(Conf *conf, const char *text, const char *origin, GError **error)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *line = g_strstrip(lines[i]), *value = strchr(line, '=');

        if (!*line || *line == '#')
            continue;
        if (!value) {
            g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "%s:%u: a line must read \"setting = value\"", origin, i + 1);
            return FALSE;
        }
        *value = 0;
        if (!conf_set(conf, g_strchomp(line), g_strchug(value + 1), error)) {
            g_prefix_error(error, "%s:%u: ", origin, i + 1);
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean conf_load(Conf *conf, const char *path, GError **error)
{
    g_autofree char *text = NULL;

    return g_file_get_contents(path, &text, NULL, error) && conf_parse(conf, text, path, error);
}

/* Takes "--name VALUE" and "--name=VALUE" out of argv; a word without dashes, "--" and after stay. */
static gboolean conf_options(Conf *conf, int *argc, char **argv, GError **error)
{
    int kept = 1, i;

    for (i = 1; i < *argc && !g_str_equal(argv[i], "--"); i++) {
        g_autofree char *name = NULL;
        const char *value;

        if (!g_str_has_prefix(argv[i], "--") || g_str_equal(argv[i], "--help") || g_str_equal(argv[i], "--version") ||
            g_str_equal(argv[i], "--libvirtd") || g_str_equal(argv[i], "--gossip")) {
            argv[kept++] = argv[i];
            continue;
        }
        value = strchr(argv[i], '=');
        name = value ? g_strndup(argv[i] + 2, value - argv[i] - 2) : g_strdup(argv[i] + 2);
        if (value) {
            value++;
        } else if (!(value = argv[++i])) {
            g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "--%s wants a value", name);
            return FALSE;
        }
        if (g_str_equal(name, "config") ? !conf_load(conf, value, error) : !conf_set(conf, name, value, error))
            return FALSE;
    }
    while (i < *argc)
        argv[kept++] = argv[i++];
    argv[kept] = NULL;
    *argc = kept;
    return TRUE;
}

static void default_text(char **text, const char *value)
{
    if (!*text)
        *text = g_strdup(value);
}

static void conf_defaults(Conf *conf)
{
    g_autofree char *run_dir = geteuid() == 0 ? g_strdup("/run/sojourn") : conf_private_run_dir();
    g_autofree char *state_dir = geteuid() == 0 ? g_strdup("/var/lib/sojourn") : conf_private_state_dir();

    default_text(&conf->name, g_get_host_name());
    default_text(&conf->run_dir, run_dir);
    default_text(&conf->state_dir, state_dir);
    default_text(&conf->image_dir, g_getenv("SOJOURN_IMAGES") ? g_getenv("SOJOURN_IMAGES") : PKGDATADIR "/images");
    default_text(&conf->libexec_dir, g_getenv("SOJOURN_LIBEXEC") ? g_getenv("SOJOURN_LIBEXEC") : PKGLIBEXECDIR);
    default_text(&conf->listen, "");
    default_text(&conf->address, conf->listen);
    default_text(&conf->accel, "auto");
    default_text(&conf->machine, "microvm");
    default_text(&conf->balance, "on");
    default_text(&conf->web_port, "auto");
    default_text(&conf->template, "on");
    default_text(&conf->cpu_model, "");
    default_text(&conf->qemu, QEMU_PATH);
    default_text(&conf->libvirtd, LIBVIRTD_PATH);
    default_text(&conf->serf, SERF_PATH);
    default_text(&conf->discovery, "on");
    default_text(&conf->orders, "members");
    if (!conf->cpus)
        conf->cpus = g_get_num_processors();
    if (!conf->memory_bytes)
        conf->memory_bytes = (guint64)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
}

int conf_web_port(const Conf *conf)
{
    guint64 port;

    if (g_str_equal(conf->web_port, "auto"))
        return 0;
    if (g_str_equal(conf->web_port, "off"))
        return -1;
    return g_ascii_string_to_unsigned(conf->web_port, 10, 1, 65535, &port, NULL) ? (int)port : -2;
}

static gboolean is_switch(const char *text)
{
    return g_str_equal(text, "on") || g_str_equal(text, "off");
}

static gboolean conf_check(const Conf *conf, GError **error)
{
    static const char *const accels[] = {"auto", "kvm", "tcg", NULL}, *const machines[] = {"microvm", "pc", NULL};
    gsize odd = strspn(conf->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");

    if (!*conf->name || conf->name[odd] || strlen(conf->name) > 64 || g_str_equal(conf->name, "home") ||
        g_str_equal(conf->name, "best"))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE,
                    "\"%s\" cannot be a node's name: use up to 64 letters, digits, dots and dashes", conf->name);
    else if (!g_strv_contains(accels, conf->accel))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "accel is auto, kvm or tcg, not \"%s\"", conf->accel);
    else if (!g_strv_contains(machines, conf->machine))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "machine is microvm or pc, not \"%s\"", conf->machine);
    else if (conf->spare_guests > 1)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "spare-guests is 0 or 1, not %u", conf->spare_guests);
    else if (!is_switch(conf->template))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "template is on or off, not \"%s\"", conf->template);
    else if (!is_switch(conf->balance))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "balance is on or off, not \"%s\"", conf->balance);
    else if (!g_str_equal(conf->discovery, "on") && !g_str_equal(conf->discovery, "off"))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "discovery is on or off, not \"%s\"", conf->discovery);
    else if (!g_str_equal(conf->orders, "members") && !g_str_equal(conf->orders, "here"))
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "orders is members or here, not \"%s\"", conf->orders);
    else if (conf->memory_reserve > 90)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "memory-reserve is from 0 to 90 per cent, not %u", conf->memory_reserve);
    else if (conf->migrations == 0)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "migrations is 1 at least");
    else if (conf_web_port(conf) < -1)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "web-port is auto, off or a TCP port, not \"%s\"", conf->web_port);
    else if (conf->port == 0 || conf->port > 65535)
        g_set_error(error, SJ_ERROR, SJ_ERROR_USAGE, "%u is no TCP port", conf->port);
    else
        return TRUE;
    return FALSE;
}

Conf *conf_new(int *argc, char ***argv, GError **error)
{
    g_autoptr(Conf) conf = g_new0(Conf, 1);
    const char *file = SYSCONFDIR "/sojourn/sojournd.conf";

    conf->port = 7227;
    conf->speed = 10000;
    conf->orphan_suspend_s = 600;
    conf->orphan_end_s = 86400;
    conf->host_down_s = 30;
    conf->spare_guests = 1;
    conf->balance_stay_s = 5;
    conf->memory_reserve = 5;
    conf->migrations = 4;
    if (g_file_test(file, G_FILE_TEST_EXISTS) && !conf_load(conf, file, error))
        return NULL;
    if (!conf_options(conf, argc, *argv, error))
        return NULL;
    conf_defaults(conf);
    return conf_check(conf, error) ? g_steal_pointer(&conf) : NULL;
}

gboolean conf_has_template(const Conf *conf)
{
    return g_str_equal(conf->template, "on");
}

gboolean conf_balances(const Conf *conf)
{
    return g_str_equal(conf->balance, "on");
}

void conf_free(Conf *conf)
{
    if (!conf)
        return;
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
        if (settings[i].kind == TEXT)
            g_free(*(char **)G_STRUCT_MEMBER_P(conf, settings[i].offset));
    g_free(conf);
}

const char *conf_help(void)
{
    static char *help;

    if (!help) {
        GString *text = g_string_new(NULL);

        for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
            g_autofree char *option = g_strdup_printf("--%s %s", settings[i].name, settings[i].argument);

            g_string_append_printf(text, "  %-26s %s\n", option, settings[i].help);
        }
        g_string_append_printf(text, "  %-26s %s\n", "--config FILE", "read settings, one \"setting = value\" a line");
        help = g_string_free(text, FALSE);
    }
    return help;
}

char *conf_private_run_dir(void)
{
    return g_strdup_printf("/tmp/sojourn-%u", (guint)getuid());
}

char *conf_private_state_dir(void)
{
    return g_build_filename(g_get_user_state_dir(), "sojourn", NULL);
}

char *conf_socket(void)
{
    const char *given = g_getenv("SOJOURN_SOCKET");
    g_autofree char *run_dir = conf_private_run_dir();

    if (given && *given)
        return g_strdup(given);
    if (access("/run/sojourn/control", F_OK) == 0 || getuid() == 0)
        return g_strdup("/run/sojourn/control");
    return g_build_filename(run_dir, "control", NULL);
}
