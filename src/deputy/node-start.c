/* SPDX-License-Identifier: GPL-2.0-or-later */
/* node-start.c - a controller for who has none: the private one that `sojourn run` starts
 *
 * The supervisor takes a lock on its run directory, so two `sojourn run` at once start one
 * controller. It must outlive the one that starts it: a session of its own, none of its
 * descriptors, re-parented at once.
 */
#include "node-start.h"

#include "common/conf.h"
#include "common/error.h"
#include "common/rpc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_US (20 * G_USEC_PER_SEC)   /* the first start of libvirtd on a slow machine */
#define LOOK_US 5000

static gboolean listens(const char *path)
{
    int fd = rpc_connect(path, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void supervisor_exec(const char *program)
{
    int null = open("/dev/null", O_RDWR);

    setsid();
    for (int fd = 0; fd <= 2; fd++)
        dup2(null, fd);
    close_range(3, ~0u, 0);
    if (chdir("/") == 0)
        execl(program, program, (char *) NULL);
    _exit(127);
}

static gboolean supervisor_start(GError **error)
{
    const char *folder = g_getenv("SOJOURN_LIBEXEC") ?: PKGLIBEXECDIR;
    g_autofree char *program = g_build_filename(folder, "sojourn-supervisor", NULL);
    pid_t child;

    if (access(program, X_OK) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_NOT_FOUND,
                    "no controller is running, and %s cannot be started: %s", program,
                    g_strerror(errno));
        return FALSE;
    }
    child = fork();
    if (child == 0) {
        if (fork() == 0)
            supervisor_exec(program);
        _exit(0);
    }
    if (child > 0)
        waitpid(child, NULL, 0);
    return child > 0;
}

char *node_start(GError **error)
{
    const char *given = g_getenv("SOJOURN_SOCKET");
    g_autofree char *socket = conf_socket();
    gint64 deadline = g_get_monotonic_time() + PATIENCE_US;

    if (listens(socket))
        return g_steal_pointer(&socket);
    if (given && *given) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE,
                    "no controller listens at %s ($SOJOURN_SOCKET): start its node", socket);
        return NULL;
    }
    if (!supervisor_start(error))
        return NULL;
    while (g_get_monotonic_time() < deadline) {
        if (listens(socket))
            return g_steal_pointer(&socket);
        g_usleep(LOOK_US);
    }
    g_autofree char *log = g_build_filename(socket, "..", "log", "sojournd.log", NULL);
    g_autofree char *plain = g_canonicalize_filename(log, NULL);
    g_set_error(error, SJ_ERROR, SJ_ERROR_TIMEOUT, "the controller does not start: see %s", plain);
    return NULL;
}
