/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - sojournd: options, start-up order, main loop */
#include "adoption.h"
#include "balancer.h"
#include "calls.h"
#include "cluster/gossip.h"
#include "common/error.h"
#include "common/fault.h"
#include "common/log.h"
#include "control.h"
#include "events.h"
#include "hosted.h"
#include "hosts.h"
#include "hypervisor/kvm.h"
#include "hypervisor/libvirtd.h"
#include "spare.h"
#include "template.h"
#include "web.h"

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define REFRESH_MS 2000

static void guests_ready(Hypervisor *hv, gpointer user)
{
    adoption_look(user);
}

static void guests_lost(Hypervisor *hv, gpointer user)
{
    log_warning("libvirtd went away; guests go on, and it is waited for");
}

static void guest_ended(Hypervisor *hv, const char *id, const char *reason, gpointer user)
{
    unowned_ended(user, id);
    calls_guest_ended(user, id, reason);
}

static void guest_changed(Hypervisor *hv, const char *id, GuestState state, gpointer user)
{
    Hosted *hosted = hosted_find(user, id);

    if (hosted)
        hosted->state = state;
}

static void cluster_changed(Cluster *cluster, const char *name, gpointer user)
{
    log_debug("the cluster changed: %s", name ? name : "this node");
    events_member(user, name);
}

static void cluster_pending_news(Cluster *cluster, const char *name, const char *text, gpointer user)
{
    events_node(user, name, "node", "%s", text);
}

/* The supervisor runs the gossip's process as its settings say. */
static void gossip_look(Cluster *cluster, gpointer user)
{
    if (((Node *)user)->supervised)
        kill(getppid(), SIGUSR2);
}

static gboolean refresh(gpointer user)
{
    adoption_look(user);
    hosts_watch(user);
    spare_look(user);
    template_look(user);
    return G_SOURCE_CONTINUE;
}

static void accel_known(const char *accel, const char *why, gpointer user)
{
    Node *node = user;

    g_free(node->accel);
    g_free(node->accel_why);
    node->accel = g_strdup(accel);
    node->accel_why = g_strdup(why);
    node->accel_known = TRUE;
    log_info("guests run under %s: %s", accel, why);
}

static void stop_told(gpointer user)
{
    g_main_loop_quit(user);
}

static gboolean stop(gpointer user)
{
    Node *node = user;

    node->stops = TRUE;
    spare_drop(node);
    template_drop(node);
    hosts_tell_stop(node, stop_told, node->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean make_folder(const char *dir, const char *sub, int mode, GError **error)
{
    g_autofree char *path = g_build_filename(dir, sub, NULL);

    if (g_mkdir_with_parents(path, mode) == 0)
        return TRUE;
    g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "Cannot make the folder %s: %s", path, g_strerror(errno));
    return FALSE;
}

static gboolean make_folders(const Conf *conf, GError **error)
{
    return make_folder(conf->run_dir, "ch", 0700, error) && make_folder(conf->run_dir, "log", 0700, error) &&
           make_folder(conf->state_dir, "cluster", 0700, error);
}

/* Whether the parent is this node's supervisor, which signals mean something to. */
static gboolean is_supervised(const Conf *conf)
{
    g_autofree char *path = g_build_filename(conf->run_dir, "supervisor.pid", NULL), *pid = NULL;

    return g_file_get_contents(path, &pid, NULL, NULL) && atoi(pid) == getppid();
}

static int serve(Conf *conf)
{
    static const HypervisorEvents hypervisor_events = {guests_ready, guests_lost, guest_ended, guest_changed};
    static const ClusterEvents cluster_events = {calls_called, calls_opened, cluster_changed, gossip_look, cluster_pending_news};
    g_autoptr(GError) error = NULL;
    Node *node;

    if (!make_folders(conf, &error)) {
        log_error("%s", error->message);
        return 1;
    }
    fault_init(conf->run_dir);
    node = node_new(conf);
    node->loop = g_main_loop_new(NULL, FALSE);
    node->supervised = is_supervised(conf);
    node->hv = hypervisor_new(conf, &hypervisor_events, node);
    node->cluster = cluster_new(conf, &cluster_events, node);
    if (!cluster_start(node->cluster, &error))
        log_error(cluster_exists(node->cluster) ? "other nodes cannot reach this one yet; the port is tried again every few seconds: %s"
                                                : "this node stays alone: %s",
                  error->message);
    g_clear_error(&error);
    node->claim = claim_new(conf->run_dir);
    node->control = control_new(node, &error);
    if (!node->control) {
        log_error("%s", error->message);
        return 1;
    }
    kvm_probe(conf, node->images[0] ? node->images[0]->kernel : NULL, node->images[0] ? node->images[0]->initramfs : NULL,
              node->images[0] ? node->images[0]->digest : NULL, accel_known, node);
    g_timeout_add(REFRESH_MS, refresh, node);
    node->balancer = balancer_new(node);
    node->web = web_new(node);
    g_unix_signal_add(SIGTERM, stop, node);
    g_unix_signal_add(SIGINT, stop, node);
    log_info("node %s is up", node_name(node));
    g_main_loop_run(node->loop);
    log_info("node %s goes down; its guests go on", node_name(node));
    return 0;
}

static int usage(int status)
{
    fprintf(status ? stderr : stdout,
            "usage: sojournd [OPTION]...\n\nThe controller of a node; started by sojourn-supervisor.\n\n%s"
            "  --libvirtd                 become the node's private libvirtd instead\n"
            "  --gossip                   become the node's serf instead\n",
            conf_help());
    return status;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Conf *conf;

    setlocale(LC_ALL, "");
    log_init("sojournd");
    signal(SIGPIPE, SIG_IGN);
    conf = conf_new(&argc, &argv, &error);
    if (!conf) {
        log_error("%s", error->message);
        return sj_error_exit(error);
    }
    if (argc > 1 && g_str_equal(argv[1], "--help"))
        return usage(0);
    if (argc > 1 && g_str_equal(argv[1], "--version"))
        return puts("sojournd " PACKAGE_VERSION) < 0;
    if (argc > 1 && !g_str_equal(argv[1], "--libvirtd") && !g_str_equal(argv[1], "--gossip"))
        return usage(2);
    if (geteuid() == 0) {
        log_error("sojournd does not run as root; start sojourn-supervisor, which gives up root");
        return 1;
    }
    if (argc == 1)
        return serve(conf);
    if (g_str_equal(argv[1], "--gossip"))
        gossip_exec(conf, &error);
    else
        libvirtd_exec(conf, &error);
    log_error("%s", error->message);
    return 1;
}
