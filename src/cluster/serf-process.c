/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serf-process.c - how a process becomes serf: bound to its settings, the network and nothing else */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/landlock.h"
#include "common/log.h"
#include "gossip.h"

/* serf reads its settings, libraries and the system's names of machines, and writes nothing. What
 * is not there need not be allowed. */
static gboolean enter_cage(const char *serf, const char *settings, GError **error)
{
    static const char *const readable[] = {"/etc", "/usr/share/zoneinfo", "/proc/sys", "/sys/kernel/mm",
                                           "/dev/urandom", NULL};
    static const char *const executable[] = {"/lib", "/lib64", "/usr/lib", NULL};
    g_autoptr(Landlock) rules = landlock_new(LANDLOCK_NO_ABSTRACT | LANDLOCK_NO_SIGNALS, error);

    if (!rules || !landlock_allow(rules, serf, LANDLOCK_READ | LANDLOCK_EXECUTE, error) ||
        !landlock_allow(rules, settings, LANDLOCK_READ, error) ||
        !landlock_allow(rules, "/dev/null", LANDLOCK_READ | LANDLOCK_WRITE, error))
        return FALSE;
    for (guint i = 0; readable[i]; i++)
        landlock_allow(rules, readable[i], LANDLOCK_READ, NULL);
    for (guint i = 0; executable[i]; i++)
        landlock_allow(rules, executable[i], LANDLOCK_READ | LANDLOCK_EXECUTE, NULL);
    return landlock_enforce(rules, error);
}

int gossip_exec(const Conf *conf, GError **error)
{
    g_autofree char *settings = gossip_settings(conf->run_dir);
    g_autofree char *option = g_strdup_printf("-config-file=%s", settings);
    char *const argv[] = {(char *)"serf", (char *)"agent", option, NULL};
    char *const env[] = {(char *)"PATH=/usr/bin:/bin", (char *)"GOMAXPROCS=1", (char *)"LC_ALL=C", NULL};

    umask(0077);
    if (landlock_abi() > 0 && !enter_cage(conf->serf, settings, error))
        return 1;
    execve(conf->serf, argv, env);
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot execute %s: %s", conf->serf, g_strerror(errno));
    return 127;
}
