/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirtd.c - the node's private libvirtd: its configuration, its environment, its cage
 *
 * Goals. libvirtd and its QEMUs see this node's folders and nothing else of the machine: no D-Bus,
 * no network, no other driver than QEMU's, no other emulator than conf's. Whoever gets hold of the
 * daemon cannot execute another program, read the node's keys or write outside of lv/, ch/, log/
 * and the cache.
 *
 * How. Everything libvirt derives its paths from is in the environment (XDG_*, HOME, PATH,
 * LIBVIRT_DRIVER_DIR), which is made anew. PATH holds one folder with one symbolic link, so that
 * libvirt finds and probes one emulator; the driver folder holds one link too, so that storage,
 * network, node device and other drivers are not even loaded. What libvirt learned about the
 * emulator is kept in the state directory: probing takes a quarter of a second.
 *
 * libvirt writes a guest's status to disk, and waits for the disk, several times while a migration
 * has the guest stopped: on an ordinary file system that trebles the freeze. If the run directory
 * is not in memory, its status folder is put into /dev/shm; the supervisor clears it away.
 *
 * Limits. Landlock does not stop a process from connecting to UNIX sockets by name, and what it
 * stops depends on the kernel (TCP only from 6.7 on). The dynamic loader may be executed, as every
 * program needs it; libvirt and QEMU always give it options first that it refuses. Domains are told
 * apart by their owner: LANDLOCK_NO_SIGNALS cannot be used, because a restarted libvirtd must still
 * be able to end the QEMUs of the one before.
 */
#include "libvirtd.h"

#include "common/error.h"
#include "common/landlock.h"
#include "common/log.h"
#include "kvm.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* libvirt's monitor socket: "/lv/libvirt/qemu/lib/domain-NNNNN-sojourn-xxxxxxxx-xxx/monitor.sock"
 * below the run directory must fit into 107 bytes. */
#define MONITOR_TAIL 74
#define SUN_PATH_MAX 107

char *libvirtd_socket(const Conf *conf)
{
    return g_build_filename(conf->run_dir, "lv", "libvirt-sock", NULL);
}

char *libvirtd_channel_dir(const Conf *conf)
{
    return g_build_filename(conf->run_dir, "ch", NULL);
}

char *libvirtd_host_uuid(const char *machine_id, const char *run_dir)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize size = sizeof digest;

    g_checksum_update(checksum, (const guchar *)machine_id, -1);
    g_checksum_update(checksum, (const guchar *)"\n", 1);
    g_checksum_update(checksum, (const guchar *)run_dir, -1);
    g_checksum_get_digest(checksum, digest, &size);
    digest[6] = (digest[6] & 0x0f) | 0x80; /* version 8: made by a rule of one's own */
    digest[8] = (digest[8] & 0x3f) | 0x80;
    return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                           digest[0], digest[1], digest[2], digest[3], digest[4], digest[5],
                           digest[6], digest[7], digest[8], digest[9], digest[10], digest[11],
                           digest[12], digest[13], digest[14], digest[15]);
}

/* Workers are held for as long as a migration lasts, hence many; requests of one connection are
 * never queued. */
char *libvirtd_conf_text(const Conf *conf, const char *host_uuid)
{
    return g_strdup_printf("# written by sojournd at each start\n"
                           "unix_sock_dir = \"%s/lv\"\n"
                           "unix_sock_ro_perms = \"0700\"\n"
                           "unix_sock_rw_perms = \"0700\"\n"
                           "unix_sock_admin_perms = \"0700\"\n"
                           "auth_unix_ro = \"none\"\n"
                           "auth_unix_rw = \"none\"\n"
                           "listen_tls = 0\n"
                           "listen_tcp = 0\n"
                           "host_uuid = \"%s\"\n"
                           "max_clients = 1024\n"
                           "max_anonymous_clients = 64\n"
                           "min_workers = 8\n"
                           "max_workers = 256\n"
                           "prio_workers = 8\n"
                           "max_client_requests = 64\n"
                           "keepalive_interval = 5\n"
                           "keepalive_count = 5\n"
                           "audit_level = 0\n"
                           "log_level = 3\n"
                           "log_outputs = \"3:stderr\"\n",
                           conf->run_dir, host_uuid);
}

/* The filter makes libvirt ask for the CPU's features in two questions instead of four hundred,
 * each time a QEMU is started or waits for a migration. keepalive is for peer-to-peer migrations
 * only. */
char *libvirtd_qemu_conf_text(void)
{
    return g_strdup("# written by sojournd at each start\n"
                    "security_driver = \"none\"\n"
                    "security_default_confined = 0\n"
                    "namespaces = []\n"
                    "cgroup_controllers = []\n"
                    "stdio_handler = \"file\"\n"
                    "seccomp_sandbox = 1\n"
                    "remember_owner = 0\n"
                    "max_core = 0\n"
                    "dump_guest_core = 0\n"
                    "auto_start_bypass_cache = 0\n"
                    "capability_filters = [ \"cpu-unavailable-features\" ]\n"
                    "keepalive_interval = 2\n"
                    "keepalive_count = 3\n");
}

static gboolean make_dir(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0700) == 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot make %s: %s", path, g_strerror(errno));
    return FALSE;
}

static gboolean write_file(const char *dir, const char *name, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GError) why = NULL;

    if (g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &why))
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot write libvirtd's configuration: %s",
                why->message);
    return FALSE;
}

/* Puts a symbolic link where perhaps an older one is. */
static gboolean make_link(const char *target, const char *dir, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    if (unlink(path) < 0 && errno != ENOENT)
        goto failed;
    if (symlink(target, path) == 0)
        return TRUE;
failed:
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot make the link %s: %s", path,
                g_strerror(errno));
    return FALSE;
}

/* libvirt's QEMU driver, a module libvirtd loads; NULL where it is not in a usual place (then
 * libvirtd looks itself). */
static char *find_driver(void)
{
    static const char *const dirs[] = {LIBVIRT_LIBDIR, "/usr/lib64", "/usr/lib/x86_64-linux-gnu",
                                       "/usr/lib"};

    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *path =
            g_build_filename(dirs[i], "libvirt/connection-driver/libvirt_driver_qemu.so", NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    return NULL;
}

static char *machine_id(void)
{
    static const char *const files[] = {"/etc/machine-id", "/var/lib/dbus/machine-id",
                                        "/proc/sys/kernel/random/boot_id"};
    char *text = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        if (g_file_get_contents(files[i], &text, NULL, NULL) && *g_strstrip(text))
            return text;
        g_clear_pointer(&text, g_free);
    }
    return g_strdup(g_get_host_name());
}

/* Folders and files that libvirtd must find. */
static gboolean write_folders(const Conf *conf, const char *lv, GError **error)
{
    g_autofree char *id = machine_id();
    g_autofree char *uuid = libvirtd_host_uuid(id, conf->run_dir);
    g_autofree char *daemon_text = libvirtd_conf_text(conf, uuid);
    g_autofree char *qemu_text = libvirtd_qemu_conf_text();
    g_autofree char *driver = find_driver();
    const char *const dirs[] = {"bin", "drivers", "libvirt", "tmp", "home"};

    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *dir = g_build_filename(lv, dirs[i], NULL);
        if (!make_dir(dir, error))
            return FALSE;
    }
    g_autofree char *channels = libvirtd_channel_dir(conf);
    g_autofree char *log = g_build_filename(conf->run_dir, "log", NULL);
    g_autofree char *cache = g_build_filename(conf->state_dir, "cache", NULL);
    g_autofree char *bin = g_build_filename(lv, "bin", NULL);
    g_autofree char *drivers = g_build_filename(lv, "drivers", NULL);
    g_autofree char *config = g_build_filename(lv, "libvirt", NULL);
    return make_dir(channels, error) && make_dir(log, error) && make_dir(cache, error) &&
           write_file(lv, "libvirtd.conf", daemon_text, error) &&
           write_file(config, "qemu.conf", qemu_text, error) &&
           make_link(conf->qemu, bin, "qemu-system-x86_64", error) &&
           (!driver || make_link(driver, drivers, "libvirt_driver_qemu.so", error));
}

static gboolean in_memory(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* A folder of this user's alone, also where everybody may make one. */
static gboolean make_own_dir(const char *path)
{
    struct stat st;

    return (mkdir(path, 0700) == 0 || errno == EEXIST) && lstat(path, &st) == 0 &&
           S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

/* Where libvirt keeps the status of running guests: a link into memory unless it is there already
 * (g_free). */
static char *place_status(const Conf *conf, const char *lv, GError **error)
{
    g_autofree char *dir = g_build_filename(lv, "libvirt", "qemu", NULL);
    g_autofree char *status = g_build_filename(dir, "run", NULL);
    g_autofree char *uuid = libvirtd_host_uuid("", conf->run_dir);
    g_autofree char *memory = g_strdup_printf("/dev/shm/sojourn-%u-%.8s", (guint)geteuid(), uuid);
    struct stat st;

    if (!make_dir(dir, error))
        return NULL;
    gboolean there = lstat(status, &st) == 0;
    if ((there && S_ISDIR(st.st_mode)) || in_memory(lv) || !in_memory("/dev/shm"))
        return g_steal_pointer(&status);
    if (!make_own_dir(memory)) {
        log_warning("%s cannot be used: migrations will freeze a guest for longer", memory);
        return g_steal_pointer(&status);
    }
    return make_link(memory, dir, "run", error) ? g_steal_pointer(&memory) : NULL;
}

/* The whole environment of libvirtd (g_strfreev): nothing of ours but what helps to debug libvirt.
 */
static char **environment(const Conf *conf, const char *lv)
{
    static const char *const kept[] = {"LIBVIRT_DEBUG", "LIBVIRT_LOG_FILTERS",
                                       "LIBVIRT_LOG_OUTPUTS", "TZ"};
    static const char *const below_lv[][2] = {
        {"PATH", "bin"},         {"HOME", "home"},        {"TMPDIR", "tmp"},
        {"XDG_CONFIG_HOME", ""}, {"XDG_RUNTIME_DIR", ""}, {"XDG_DATA_HOME", "home"},
    };
    g_autofree char *cache = g_build_filename(conf->state_dir, "cache", NULL);
    g_autofree char *drivers = g_build_filename(lv, "drivers", NULL);
    g_autofree char *driver = g_build_filename(drivers, "libvirt_driver_qemu.so", NULL);
    char **env = NULL;

    env = g_environ_setenv(env, "LC_ALL", "C", TRUE);
    env = g_environ_setenv(env, "RES_OPTIONS", "timeout:1 attempts:1",
                           TRUE); /* libvirt asks for the host's full name */
    env = g_environ_setenv(env, "XDG_CACHE_HOME", cache, TRUE);
    env = g_environ_setenv(env, "DBUS_SESSION_BUS_ADDRESS", "disabled:", TRUE);
    env = g_environ_setenv(env, "DBUS_SYSTEM_BUS_ADDRESS", "disabled:", TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(below_lv); i++) {
        g_autofree char *path =
            *below_lv[i][1] ? g_build_filename(lv, below_lv[i][1], NULL) : g_strdup(lv);
        env = g_environ_setenv(env, below_lv[i][0], path, TRUE);
    }
    if (g_file_test(driver, G_FILE_TEST_EXISTS))
        env = g_environ_setenv(env, "LIBVIRT_DRIVER_DIR", drivers, TRUE);
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        if (g_getenv(kept[i]))
            env = g_environ_setenv(env, kept[i], g_getenv(kept[i]), TRUE);
    return env;
}

/* Rules for paths that may be missing on this machine. */
static gboolean allow_those(Landlock *rules, const char *const *paths, LandlockRights rights,
                            GError **error)
{
    for (; *paths; paths++)
        if (g_file_test(*paths, G_FILE_TEST_EXISTS) &&
            !landlock_allow(rules, *paths, rights, error))
            return FALSE;
    return TRUE;
}

/* The dynamic loader of this very program, which is that of libvirtd and QEMU too. */
static const char *loader(void)
{
    Dl_info info;
    unsigned long base = getauxval(AT_BASE);

    return base && dladdr((void *)base, &info) ? info.dli_fname : NULL;
}

static gboolean enter_cage(const Conf *conf, const char *lv, const char *status, GError **error)
{
    g_autofree char *channels = libvirtd_channel_dir(conf);
    g_autofree char *log = g_build_filename(conf->run_dir, "log", NULL);
    g_autofree char *cache = g_build_filename(conf->state_dir, "cache", NULL);
    const char *const execute[] = {conf->qemu,
                                   conf->libvirtd,
                                   "/usr/lib/libvirt/libvirt_iohelper",
                                   "/usr/libexec/libvirt_iohelper",
                                   loader(),
                                   NULL};
    const char *const read[] = {"/usr",
                                "/lib",
                                "/lib64",
                                "/lib32",
                                "/proc",
                                "/sys",
                                "/etc", /* not its files: passwd is another file after each useradd */
                                conf->image_dir,
                                NULL};
    const char *const write[] = {
        lv,          status,        channels,       log,        cache, "/dev/null", "/dev/zero",
        "/dev/full", "/dev/random", "/dev/urandom", "/dev/kvm", NULL};

    g_autoptr(Landlock) rules = landlock_new(LANDLOCK_NO_TCP, error);
    return rules && allow_those(rules, execute, LANDLOCK_READ | LANDLOCK_EXECUTE, error) &&
           allow_those(rules, read, LANDLOCK_READ, error) &&
           allow_those(rules, write, LANDLOCK_READ | LANDLOCK_WRITE, error) &&
           landlock_enforce(rules, error);
}

/* A file needed from elsewhere: a sentence that says which and what to install. */
static gboolean check_program(const char *path, const char *package, GError **error)
{
    if (access(path, X_OK) == 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND,
                "%s cannot be executed (%s): install the package %s", path, g_strerror(errno),
                package);
    return FALSE;
}

static gboolean check_place(const Conf *conf, GError **error)
{
    if (geteuid() == 0) {
        g_set_error(
            error, SJ_ERROR, SJ_ERROR_DENIED,
            "libvirtd must not run as root: start it with sojourn-supervisor, "
                    "which becomes another user");
        return FALSE;
    }
    if (strlen(conf->run_dir) + MONITOR_TAIL > SUN_PATH_MAX) {
        g_set_error(
            error, SJ_ERROR, SJ_ERROR_USAGE,
            "the run directory %s is too long a path for QEMU's sockets: choose one "
                    "of at most %d bytes",
            conf->run_dir, SUN_PATH_MAX - MONITOR_TAIL);
        return FALSE;
    }
    return check_program(conf->qemu, "qemu-system-x86", error) &&
           check_program(conf->libvirtd, "libvirt-daemon-system and libvirt-daemon-driver-qemu",
                         error);
}

/* A guest under TCG gains little from huge pages, for QEMU's own tables map its memory page by page. They cost it, when it
 * starts and above all when it arrives: for each page that comes the kernel clears two megabytes while the guest stands still,
 * and an idle guest holds more memory than it uses. QEMU asks for them anyway; libvirtd's QEMUs inherit that they get none. */
static void avoid_huge_pages(const Conf *conf)
{
    if (kvm_ruled_out(conf))
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

int libvirtd_exec(const Conf *conf, GError **error)
{
    g_autofree char *lv = g_build_filename(conf->run_dir, "lv", NULL);
    g_autofree char *config = g_build_filename(lv, "libvirtd.conf", NULL);
    g_autofree char *pidfile = g_build_filename(lv, "libvirtd.pid", NULL);
    char *const argv[] = {
        (char *)"libvirtd", (char *)"--config", config, (char *)"--pid-file", pidfile, NULL};

    umask(0077);
    if (!check_place(conf, error) || !write_folders(conf, lv, error))
        return 1;
    g_auto(GStrv) env = environment(conf, lv);
    g_autofree char *status = place_status(conf, lv, error);
    if (!status || !enter_cage(conf, lv, status, error))
        return 1;
    avoid_huge_pages(conf);
    execve(conf->libvirtd, argv, env);
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot execute %s: %s", conf->libvirtd,
                g_strerror(errno));
    return 1;
}
