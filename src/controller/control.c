/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.c - the control socket: who is asking, and which part answers
 *
 * A connection's user is what the kernel says of it (SO_PEERCRED). root, the controller's own user and members of the group
 * sojourn-admin command every job and the node; others see and command their own jobs.
 */
#include "control.h"

#include "admin.h"
#include "commands.h"
#include "common/error.h"
#include "common/log.h"
#include "deputies.h"
#include "jobs.h"
#include "web.h"

#include <errno.h>
#include <glib-unix.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADMIN_GROUP "sojourn-admin"
#define CLIENTS_MAX 4096

struct Control {
    Node *node;
    int listener;
    guint watch;
    GList *clients; /* Client * */
};

typedef struct {
    Control *control;
    Rpc *rpc;
    char *user;
    uid_t uid;
    gboolean admin;
    gboolean inner;    /* made by control_connect */
    gboolean watching; /* a job.migrate is under way on it: progress is of interest */
} Client;

static gboolean is_admin(uid_t uid, gid_t gid, const char *name)
{
    struct group *group = getgrnam(ADMIN_GROUP);

    if (uid == 0 || uid == geteuid() || (group && group->gr_gid == gid))
        return TRUE;
    for (char **member = group ? group->gr_mem : NULL; member && *member; member++)
        if (g_strcmp0(*member, name) == 0)
            return TRUE;
    return FALSE;
}

static void client_called(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user)
{
    Client *client = user;
    Node *node = client->control->node;

    if (!client->inner && deputies_called(node, rpc, call, method, params, fd))
        return;
    if (fd >= 0)
        close(fd);
    if (g_str_has_prefix(method, "job.")) {
        client->watching = client->watching || g_str_equal(method, "job.migrate");
        commands_run(node, method, params, client->admin ? NULL : client->user, call);
    } else if (g_str_has_prefix(method, "web.") && !client->inner) {
        web_called(node->web, method, client->uid, call);
    } else {
        admin_run(node, method, params, client->admin, call);
    }
}

static void client_closed(Rpc *rpc, gpointer user)
{
    Client *client = user;

    client->control->clients = g_list_remove(client->control->clients, client);
    deputies_closed(client->control->node, rpc);
    rpc_unref(client->rpc);
    g_free(client->user);
    g_free(client);
}

static Client *client_new(Control *control, int fd)
{
    static const RpcEvents events = {client_called, client_closed};
    Client *client = g_new0(Client, 1);

    client->control = control;
    client->rpc = rpc_new(fd, &events, client);
    control->clients = g_list_prepend(control->clients, client);
    return client;
}

/* What an account is called (g_free), and its group. */
static char *account(uid_t uid, gid_t *ret_gid)
{
    struct passwd *entry = getpwuid(uid);

    *ret_gid = entry ? entry->pw_gid : (gid_t)-1;
    return entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)uid);
}

/* gid is the process's own, which need not be the account's. */
static void client_is(Client *client, uid_t uid, gid_t gid)
{
    gid_t unused;

    client->uid = uid;
    client->user = account(uid, &unused);
    client->admin = is_admin(uid, gid, client->user);
}

static void client_is_peer(Client *client)
{
    uid_t uid = -1;
    gid_t gid = -1;
    pid_t pid;

    rpc_peer(client->rpc, &uid, &gid, &pid);
    client_is(client, uid, gid);
}

static gboolean control_connected(gint listener, GIOCondition condition, gpointer user)
{
    Control *control = user;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && g_list_length(control->clients) >= CLIENTS_MAX) {
        log_warning("more than %d connections at the control socket: one was refused", CLIENTS_MAX);
        close(fd);
    } else if (fd >= 0) {
        client_is_peer(client_new(control, fd));
    }
    return G_SOURCE_CONTINUE;
}

Control *control_new(Node *node, GError **error)
{
    g_autofree char *path = g_build_filename(node->conf->run_dir, "control", NULL);
    int listener = rpc_listen(path, 0666, error);
    Control *control;

    if (listener < 0)
        return NULL;
    control = g_new0(Control, 1);
    control->node = node;
    control->listener = listener;
    control->watch = g_unix_fd_add(listener, G_IO_IN, control_connected, control);
    return control;
}

void control_free(Control *control)
{
    if (!control)
        return;
    g_source_remove(control->watch);
    close(control->listener);
    for (GList *i = control->clients; i; i = i->next)
        rpc_close(((Client *)i->data)->rpc);
    g_free(control);
}

int control_connect(Control *control, uid_t uid, char **ret_user, gboolean *ret_admin, GError **error)
{
    g_autofree char *name = NULL;
    int ends[2];
    gid_t gid;
    Client *client;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "Cannot connect to the control socket: %s", g_strerror(errno));
        return -1;
    }
    client = client_new(control, ends[0]);
    client->inner = TRUE;
    if (uid == (uid_t)-1) {
        client->uid = uid;
        client->user = g_strdup("(nobody)"); /* no user can be called so */
    } else {
        name = account(uid, &gid);
        client_is(client, uid, gid);
    }
    *ret_user = g_strdup(client->user);
    *ret_admin = client->admin;
    return ends[1];
}

static const Client *client_of(Node *node, RpcCall *call)
{
    for (GList *i = node->control->clients; i; i = i->next) {
        const Client *client = i->data;

        if (client->rpc == rpc_call_connection(call))
            return client;
    }
    return NULL;
}

char *control_user(Node *node, RpcCall *call)
{
    const Client *client = client_of(node, call);

    return g_strdup(client ? client->user : "");
}

gboolean control_is_admin(Node *node, RpcCall *call)
{
    const Client *client = client_of(node, call);

    return client && client->admin;
}

gboolean control_still(uid_t uid, const char *user, gboolean admin)
{
    gid_t gid;
    g_autofree char *name = account(uid, &gid);

    return g_str_equal(name, user) && is_admin(uid, gid, name) == admin;
}

void control_progress(Control *control, Json *params)
{
    Job *job = job_find(control->node, json_get_string(params, "job", ""));

    for (GList *i = control->clients; i; i = i->next) {
        Client *client = i->data;

        if (client->watching && job && (client->admin || g_str_equal(client->user, job->user)))
            rpc_notify(client->rpc, "progress", json_copy(params));
    }
}
