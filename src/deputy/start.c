/* SPDX-License-Identifier: GPL-2.0-or-later */
/* start.c - START: all that the program inherits from the process that stands for it at home */
#include "start.h"

#include "common/error.h"
#include "common/link.h"
#include "home-network.h"
#include "nat-network.h"
#include "signals.h"
#include "streams.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

G_STATIC_ASSERT(RLIM_NLIMITS == WIRE_RLIMITS);

extern char **environ;

const char *start_below(const char *cwd, const char *root)
{
    gsize length = root ? strlen(root) : 0;

    if (length <= 1)
        return cwd;
    if (!g_str_has_prefix(cwd, root) || (cwd[length] && cwd[length] != '/'))
        return "/";
    return cwd[length] ? cwd + length : "/";
}

static void collect_limits(WireStart *start)
{
    struct rlimit limit;

    for (guint i = 0; i < WIRE_RLIMITS; i++) {
        if (getrlimit((__rlimit_resource_t) i, &limit) < 0)
            limit = (struct rlimit) { RLIM_INFINITY, RLIM_INFINITY };
        start->rlimits[i].current = limit.rlim_cur;
        start->rlimits[i].maximum = limit.rlim_max;
    }
    start->umask = umask(0);
    umask((mode_t) start->umask);
    errno = 0;
    start->nice = getpriority(PRIO_PROCESS, 0);
}

static void collect_identity(WireStart *start, guint32 **groups)
{
    int count = getgroups(0, NULL);

    *groups = g_new0(guint32, (gsize) MAX(count, 0) + 1);
    G_STATIC_ASSERT(sizeof(gid_t) == sizeof(guint32));
    count = getgroups(MAX(count, 0), *groups);
    start->groups = *groups;
    start->group_count = (guint32) MAX(count, 0);
    start->uid = getuid();
    start->gid = getgid();
    start->pid = getpid();
    start->ppid = getppid();
    start->pgid = getpgrp();
    start->sid = getsid(0);
}

/* A device number as FUSE and the kernel have it in 32 bits. */
static guint32 root_device(const char *root)
{
    struct stat st;

    if (stat(root ? root : "/", &st) < 0)
        return 0;
    return (minor(st.st_dev) & 0xff) | major(st.st_dev) << 8 | (minor(st.st_dev) & ~0xffu) << 12;
}

char *start_program(const char *name, const char *path)
{
    g_auto(GStrv) folders = g_strsplit(path ? path : "", ":", -1);

    for (char **folder = folders; *folder && **folder == '/' && *name && !strchr(name, '/'); folder++) {
        g_autofree char *candidate = g_build_filename(*folder, name, NULL);
        struct stat st;

        if (stat(candidate, &st) == 0 && S_ISREG(st.st_mode) && eaccess(candidate, X_OK) == 0)
            return g_steal_pointer(&candidate);
    }
    return g_strdup("");
}

static WireStrings strings(char **items)
{
    return (WireStrings) { g_strv_length(items), items };
}

static char **network_addresses(const RunOptions *options)
{
    switch (options->network) {
    case NETWORK_HOME:
        return home_network();
    case NETWORK_NAT:
        return nat_network_choose(options->root);
    default:
        return NULL;
    }
}

GBytes *start_new(const RunOptions *options, const Terminal *terminal, const guint8 kinds[3],
                  GError **error)
{
    g_autofree guint32 *groups = NULL;
    g_auto(GStrv) addresses = network_addresses(options);
    g_autofree char *cwd = getcwd(NULL, 0) ?: strdup("/");
    char hostname[256] = "", domainname[256] = "";
    WireMessage message = { .type = WIRE_START };
    WireStart *start = &message.start;
    gsize size;

    gethostname(hostname, sizeof hostname - 1);
    if (getdomainname(domainname, sizeof domainname - 1) < 0)
        domainname[0] = '\0';
    start->version = WIRE_VERSION;
    start->argv = strings(options->command);
    start->env = strings(environ);
    start->cwd =
        cwd[0] == '/' ? start_below(cwd, options->root) : "/"; /* else "(unreachable)..." */
    start->hostname = hostname;
    start->domainname = domainname;
    collect_identity(start, &groups);
    collect_limits(start);
    memcpy(start->stdio, kinds, 3);
    start->merged = kinds[1] == WIRE_PIPE && kinds[2] == WIRE_PIPE && streams_merged();
    terminal_size(terminal, &start->winsize);
    terminal_modes(terminal, &start->modes);
    start->realtime_ns = (guint64) g_get_real_time() * 1000;
    start->flags = (options->linger ? WIRE_LINGER : 0) | (options->read_only ? WIRE_READ_ONLY : 0) |
                   (options->network == NETWORK_HOME ? WIRE_SOCKETS : 0) |
                   (options->network == NETWORK_NAT ? WIRE_NAT : 0);
    start->memory_bytes = options->memory_bytes;
    g_autofree char *program =
        start_program(options->root ? "" : options->command[0], g_getenv("PATH"));
    start->program = program;
    if (addresses)
        start->addresses = strings(addresses);
    start->root_dev = root_device(options->root);
    signals_inherited(&start->ignored, &start->blocked);

    void *bytes = wire_encode_new(&message, &size);
    if (bytes && size <= LINK_MESSAGE_MAX)
        return g_bytes_new_with_free_func(bytes, size, free, bytes);
    free(bytes);
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED,
                "arguments and environment of %s are too long (%" G_GSIZE_FORMAT
                " bytes, at most %u)",
                options->command[0], size, LINK_MESSAGE_MAX);
    return NULL;
}
