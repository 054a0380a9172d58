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
    gboolean admin;
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

    if (deputies_called(node, rpc, call, method, params, fd))
        return;
    if (fd >= 0)
        close(fd);
    if (g_str_has_prefix(method, "job.")) {
        client->watching = client->watching || g_str_equal(method, "job.migrate");
        commands_run(node, method, params, client->admin ? NULL : client->user, call);
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

static void client_new(Control *control, int fd)
{
    static const RpcEvents events = {client_called, client_closed};
    Client *client = g_new0(Client, 1);
    struct passwd *entry;
    uid_t uid = -1;
    gid_t gid = -1;
    pid_t pid;

    client->control = control;
    client->rpc = rpc_new(fd, &events, client);
    rpc_peer(client->rpc, &uid, &gid, &pid);
    entry = getpwuid(uid);
    client->user = entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", (guint)uid);
    client->admin = is_admin(uid, gid, client->user);
    control->clients = g_list_prepend(control->clients, client);
}

static gboolean control_connected(gint listener, GIOCondition condition, gpointer user)
{
    Control *control = user;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && g_list_length(control->clients) >= CLIENTS_MAX) {
        log_warning("more than %d connections at the control socket: one was refused", CLIENTS_MAX);
        close(fd);
    } else if (fd >= 0) {
        client_new(control, fd);
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

void control_progress(Control *control, Json *params)
{
    for (GList *i = control->clients; i; i = i->next) {
        Client *client = i->data;

        if (client->watching)
            rpc_notify(client->rpc, "progress", json_copy(params));
    }
}
