/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc-sync.c - JSON-RPC for commands: connect, listen, one call that blocks */
#include "rpc.h"

#include "error.h"
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static gboolean address_of(const char *path, struct sockaddr_un *ret_address, GError **error)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) < sizeof ret_address->sun_path) {
        strcpy(ret_address->sun_path, path);
        return TRUE;
    }
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "The socket path %s is too long (at most %zu bytes)", path,
                sizeof ret_address->sun_path - 1);
    return FALSE;
}

/* A socket, connected; -1 with errno set, or, where the path is too long, a sentence. */
static int connected(const char *path, int flags, GError **error)
{
    struct sockaddr_un address;
    int fd, why;

    if (!address_of(path, &address, error))
        return -1;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    why = errno;
    close(fd);
    errno = why;
    return -1;
}

int rpc_connect(const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    int fd = connected(path, 0, &reason);

    if (reason)
        g_propagate_error(error, g_steal_pointer(&reason));
    else if (fd < 0)
        g_set_error(error, SJ_ERROR, errno == EACCES ? SJ_ERROR_DENIED : SJ_ERROR_GONE,
                    "No controller answers at %s (%s); start one with \"sojourn-supervisor\" or as a service", path,
                    g_strerror(errno));
    return fd;
}

int rpc_connect_at_once(const char *path, GError **error)
{
    g_autoptr(GError) reason = NULL;
    int fd = connected(path, SOCK_NONBLOCK, &reason);

    if (reason)
        g_propagate_error(error, g_steal_pointer(&reason));
    else if (fd < 0)
        g_set_error(error, SJ_ERROR, SJ_ERROR_GONE, "The socket %s takes no connection: %s", path, g_strerror(errno));
    else
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

int rpc_listen(const char *path, int mode, GError **error)
{
    struct sockaddr_un address;
    int fd, probe;

    if (!address_of(path, &address, error))
        return -1;
    probe = rpc_connect(path, NULL);
    if (probe >= 0) {
        close(probe);
        g_set_error(error, SJ_ERROR, SJ_ERROR_BUSY, "Somebody answers at %s already", path);
        return -1;
    }
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && chmod(path, mode) == 0 &&
        listen(fd, 128) == 0)
        return fd;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "Cannot listen at %s: %s", path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

#define LOOK_MS 100

typedef struct {
    gboolean done, given_up;
    gboolean (*gives_up)(gpointer user);
    Json *result;
    GError *error;
    void (*notified)(const char *method, Json *params, gpointer user);
    gpointer user;
} Sync;

static void sync_answer(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Sync *sync = user;

    if (fd >= 0)
        close(fd);
    sync->result = json_ref(result);
    if (error && error->code == SJ_ERROR_GONE && !rpc_is_open(rpc))
        sync->error = g_error_new(SJ_ERROR, SJ_ERROR_CUT, "The controller went away before it answered");
    else if (error)
        sync->error = g_error_copy(error);
    sync->done = TRUE;
}

static void sync_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    Sync *sync = user;

    if (fd >= 0)
        close(fd);
    if (sync->notified)
        sync->notified(method, params, sync->user);
    rpc_reply(call, NULL);
}

static gboolean sync_look(gpointer user)
{
    Sync *sync = user;

    if (!sync->done && sync->gives_up(sync->user)) {
        sync->given_up = TRUE;
        sync->done = TRUE;
    }
    return G_SOURCE_CONTINUE;
}

/* fd and params are taken over. */
static Json *call(int fd, const char *method, Json *params, guint timeout_ms, Sync *sync, GError **error)
{
    static const RpcEvents events = {.called = sync_called};
    GMainContext *context = g_main_context_new();
    GSource *look = NULL;
    Rpc *rpc;

    if (sync->gives_up)
        look = source_add(g_timeout_source_new(LOOK_MS), context, sync_look, sync);
    g_main_context_push_thread_default(context);
    rpc = rpc_new(fd, &events, sync);
    rpc_call(rpc, method, params, -1, timeout_ms, sync_answer, sync);
    while (!sync->done)
        g_main_context_iteration(context, TRUE);
    source_clear(&look);
    rpc_close(rpc);
    while (g_main_context_iteration(context, FALSE))
        ;
    rpc_unref(rpc);
    g_main_context_pop_thread_default(context);
    g_main_context_unref(context);
    if (sync->given_up) {
        g_clear_pointer(&sync->result, json_unref);
        g_clear_error(&sync->error);
        g_set_error(error, SJ_ERROR, SJ_ERROR_CUT, "Nobody waits for the controller's answer any more");
    } else if (sync->error) {
        g_propagate_error(error, sync->error);
    }
    return sync->result;
}

Json *rpc_call_sync(const char *socket_path, const char *method, Json *params, guint timeout_ms,
                    void (*notified)(const char *method, Json *params, gpointer user), gpointer user,
                    GError **error)
{
    Sync sync = {.notified = notified, .user = user};
    int fd = rpc_connect(socket_path, error);

    if (fd >= 0)
        return call(fd, method, params, timeout_ms, &sync, error);
    json_unref(params);
    return NULL;
}

Json *rpc_call_fd(int fd, const char *method, Json *params, guint timeout_ms, gboolean (*gives_up)(gpointer user),
                  gpointer user, GError **error)
{
    Sync sync = {.gives_up = gives_up, .user = user};

    return call(fd, method, params, timeout_ms, &sync, error);
}

/* Several at once */

typedef struct {
    Sync sync;
    void (*answered)(guint index, Json *result, const GError *error, gpointer user);
    guint left;
} Many;

typedef struct {
    Many *many;
    guint index;
} Asked;

static void many_answer(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user)
{
    Asked *asked = user;

    if (fd >= 0)
        close(fd);
    asked->many->left--;
    asked->many->answered(asked->index, result, error, asked->many->sync.user);
    g_free(asked);
}

void rpc_call_many(int fd, const char *method, Json **params, guint n,
                   void (*notified)(const char *method, Json *params, gpointer user),
                   void (*answered)(guint index, Json *result, const GError *error, gpointer user), gpointer user)
{
    static const RpcEvents events = {.called = sync_called};
    Many many = {.sync = {.notified = notified, .user = user}, .answered = answered, .left = n};
    Rpc *rpc = rpc_new(fd, &events, &many.sync);

    for (guint i = 0; i < n; i++) {
        Asked *asked = g_new(Asked, 1);

        *asked = (Asked){&many, i};
        rpc_call(rpc, method, g_steal_pointer(&params[i]), -1, 0, many_answer, asked);
    }
    while (many.left)
        g_main_context_iteration(NULL, TRUE);
    rpc_close(rpc);
    rpc_unref(rpc);
}
