/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gossip-serf.c - gossip by serf: its settings, and the conversation with it
 *
 * The controller writes the settings, RUN_DIR/serf.json, and tells the supervisor to look; the
 * supervisor runs serf while they are there, and again when they have changed (serf-process.c).
 * Both outlive a controller: a restarted one writes the same settings and talks to the serf that is
 * there. serf cannot change its key by itself without telling the one who is not to have it (that
 * goes by gossip), so a new key is new settings.
 *
 * A node's name in serf is NAME@ADDRESS: serf knows a name by one address for ever, nodes move.
 *
 * serf's RPC has a TCP port of the loopback device, which any user of the machine can take while serf
 * is not there, and serf tells the gossip's key to whoever has the RPC's. So that one is sent only
 * when the kernel says that a process of this node's user is at the other end.
 */
#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"
#include "common/json.h"
#include "common/log.h"
#include "common/source.h"
#include "gossip.h"
#include "serf.h"

enum { FIRST_MS = 100, LAST_MS = 2000, SYNC_S = 30, PATIENCE = 8 };

struct Gossip {
    char *serf, *run_dir, *listen;
    GossipEvents events;
    gpointer user;
    GMainContext *context;
    Json *settings; /* NULL: this node takes no part */
    int fd;         /* -1: no conversation */
    SerfReader *reader;
    GSource *watch, *timer;
    guint pause_ms, failures;
    gboolean ready, meeting;
    char *trouble; /* why it is not ready */
};

guint gossip_port(guint port)
{
    return port <= 55535 ? port + 10000 : port - 10000;
}

char *gossip_settings(const char *run_dir)
{
    return g_build_filename(run_dir, "serf.json", NULL);
}

/* At most one thing is waited for: the next attempt, or the next time everything is asked for. */
static void later(Gossip *gossip, guint ms, GSourceFunc function)
{
    source_clear(&gossip->timer);
    gossip->timer = source_add(g_timeout_source_new(ms), gossip->context, function, gossip);
}

static void set_ready(Gossip *gossip, gboolean ready)
{
    if (gossip->ready == ready)
        return;
    gossip->ready = ready;
    gossip->events.ready(ready, gossip->user);
}

static void G_GNUC_PRINTF(2, 3) set_trouble(Gossip *gossip, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_free(gossip->trouble);
    gossip->trouble = g_strdup_vprintf(format, args);
    va_end(args);
}

Gossip *gossip_new(const Conf *conf, const GossipEvents *events, gpointer user)
{
    Gossip *gossip = g_new0(Gossip, 1);

    gossip->serf = g_strdup(conf->serf && !g_str_equal(conf->serf, "none") ? conf->serf : "");
    gossip->run_dir = g_strdup(conf->run_dir);
    gossip->listen = g_strdup(conf->listen);
    gossip->events = *events;
    gossip->user = user;
    gossip->context = g_main_context_ref_thread_default();
    gossip->fd = -1;
    gossip->trouble = g_strdup("this node is in no cluster");
    return gossip;
}

static void hang_up(Gossip *gossip)
{
    source_clear(&gossip->watch);
    source_clear(&gossip->timer);
    g_clear_pointer(&gossip->reader, serf_reader_free);
    if (gossip->fd >= 0)
        close(gossip->fd);
    gossip->fd = -1;
    gossip->meeting = FALSE;
}

void gossip_free(Gossip *gossip)
{
    if (!gossip)
        return;
    hang_up(gossip);
    json_unref(gossip->settings);
    g_main_context_unref(gossip->context);
    g_free(gossip->serf);
    g_free(gossip->run_dir);
    g_free(gossip->listen);
    g_free(gossip->trouble);
    g_free(gossip);
}

/* ---- Settings ---- */

/* A port of the loopback device that nobody has now; 0 if there is none. */
static guint free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &length) < 0)
        at.sin_port = 0;
    close(fd);
    return ntohs(at.sin_port);
}

static char *place(const char *address, guint port)
{
    return g_strdup_printf(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, port);
}

/* How the controller reaches serf: as it did before a restart, unless that did not work. */
static void set_entrance(Gossip *gossip, Json *settings, gboolean anew)
{
    g_autofree char *file = gossip_settings(gossip->run_dir);
    g_autoptr(Json) old = anew ? NULL : json_load(file, NULL);
    const char *address = json_get_string(old, "rpc_addr", ""), *key = json_get_string(old, "rpc_auth", "");
    g_autofree char *new_key = *address && *key ? g_strdup(key) : gossip_key_next(NULL, NULL);
    g_autofree char *new_address = *address && *key ? g_strdup(address) : place("127.0.0.1", free_port());

    json_set_string(settings, "rpc_addr", new_address);
    json_set_string(settings, "rpc_auth", new_key ? new_key : "");
}

static Json *make_settings(Gossip *gossip, const char *node, const char *address, guint port,
                           const char *key, gboolean anew)
{
    Json *settings = json_object();
    gboolean any = !gossip->listen || !*gossip->listen || g_str_equal(gossip->listen, "*");
    g_autofree char *name = g_strdup_printf("%s@%s", node, address);
    g_autofree char *bind = place(any ? "0.0.0.0" : gossip->listen, gossip_port(port));
    g_autofree char *own = place(address, gossip_port(port));

    json_set_string(settings, "node_name", name);
    json_set_string(settings, "bind", bind);
    if (g_hostname_is_ip_address(address))
        json_set_string(settings, "advertise", own);
    json_set_string(settings, "encrypt_key", strchr(key, ' ') + 1);
    json_set_string(settings, "log_level", "warn");
    json_set_bool(settings, "disable_coordinates", TRUE);
    set_entrance(gossip, settings, anew);
    return settings;
}

/* Whether two settings are the same, but for how the controller reaches serf. */
static gboolean same_settings(Json *a, Json *b)
{
    static const char *const names[] = {"node_name", "bind", "advertise", "encrypt_key"};

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_strcmp0(json_get_string(a, names[i], NULL), json_get_string(b, names[i], NULL)) != 0)
            return FALSE;
    return TRUE;
}

/* Puts settings (taken over) into force. */
static gboolean apply(Gossip *gossip, Json *settings)
{
    g_autofree char *file = gossip_settings(gossip->run_dir);
    g_autoptr(Json) old = json_load(file, NULL);
    g_autoptr(GError) error = NULL;
    gboolean same = old && same_settings(old, settings) &&
                    g_strcmp0(json_get_string(old, "rpc_addr", ""), json_get_string(settings, "rpc_addr", "")) == 0;

    json_unref(gossip->settings);
    gossip->settings = settings;
    if (!same && !json_save(settings, file, 0600, &error)) {
        set_trouble(gossip, "%s", error->message);
        log_warning("nodes are watched without gossip: %s", error->message);
        return FALSE;
    }
    if (gossip->events.look)
        gossip->events.look(gossip->user);
    return TRUE;
}

/* ---- The conversation ---- */

static gboolean attempt(gpointer user);

static void say(Gossip *gossip, SerfRequest request, const char *text)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    serf_request(bytes, request, text);
    /* a conversation in which it does not fit into the socket's buffer is over: see `heard` */
    if (send(gossip->fd, bytes->data, bytes->len, MSG_NOSIGNAL) != (gssize)bytes->len)
        shutdown(gossip->fd, SHUT_RDWR);
}

/* There is no conversation now: another one is tried, later and later. */
static void broken(Gossip *gossip, const char *why)
{
    gboolean was_ready = gossip->ready;

    hang_up(gossip);
    set_ready(gossip, FALSE);
    if (!gossip->settings)
        return;
    set_trouble(gossip, "serf does not answer: %s", why);
    if (was_ready)
        log_warning("nodes are watched without gossip for now: serf does not answer: %s", why);
    gossip->pause_ms = was_ready ? FIRST_MS : MIN(gossip->pause_ms * 2, LAST_MS);
    later(gossip, gossip->pause_ms, attempt);
}

static gboolean sync_all(gpointer user)
{
    Gossip *gossip = user;

    say(gossip, SERF_MEMBERS, NULL);
    later(gossip, SYNC_S * 1000, sync_all);
    return G_SOURCE_REMOVE;
}

static void answered(SerfRequest request, const char *error, gpointer user)
{
    Gossip *gossip = user;

    if (request == SERF_JOIN) {
        gossip->meeting = FALSE;
        if (*error)
            log_debug("serf cannot reach a node: %s", error);
    } else if (*error) {
        log_warning("serf refuses what this node asks: %s", error);
        shutdown(gossip->fd, SHUT_RDWR);
    } else if (request == SERF_STREAM) {
        if (gossip->failures)
            log_info("serf answers");
        gossip->failures = 0;
        gossip->pause_ms = FIRST_MS;
        set_ready(gossip, TRUE);
    }
}

static void member(const char *name, const char *status, gpointer user)
{
    Gossip *gossip = user;
    const char *at = strrchr(name, '@');
    g_autofree char *node = at ? g_strndup(name, at - name) : NULL;
    GossipNews news = g_str_equal(status, "alive")                                       ? GOSSIP_ALIVE
                      : g_str_equal(status, "left") || g_str_equal(status, "leaving") ? GOSSIP_LEFT
                      : g_str_equal(status, "failed")                                    ? GOSSIP_FAILED
                                                                                         : GOSSIP_NOTHING;

    if (node && gossip->ready)
        gossip->events.heard(node, at + 1, news, gossip->user);
}

static gboolean heard(int fd, GIOCondition condition, gpointer user)
{
    Gossip *gossip = user;
    g_autoptr(GError) error = NULL;
    guint8 data[16384];
    gssize length = recv(fd, data, sizeof data, MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (length <= 0)
        broken(gossip, length < 0 ? g_strerror(errno) : "it ended the conversation");
    else if (!serf_reader_take(gossip->reader, data, length, &error))
        broken(gossip, error->message);
    else
        return G_SOURCE_CONTINUE;
    return G_SOURCE_REMOVE;
}

static void watch(Gossip *gossip, GIOCondition condition, GUnixFDSourceFunc function)
{
    source_clear(&gossip->watch);
    gossip->watch = source_add(g_unix_fd_source_new(gossip->fd, condition | G_IO_HUP | G_IO_ERR), gossip->context,
                               G_SOURCE_FUNC(function), gossip);
}

/* Whether a process of ours is at the other end of a connection to the loopback device: it listens, and has the
 * connection, or has not taken it yet (then the kernel says 0). */
static gboolean is_ours(int fd)
{
    struct sockaddr_in here, there;
    socklen_t here_length = sizeof here, there_length = sizeof there;
    g_autofree char *text = NULL, *listens = NULL, *has = NULL;
    g_auto(GStrv) lines = NULL;
    gboolean listening = FALSE, taken = FALSE;
    guint uid;

    if (getsockname(fd, (struct sockaddr *)&here, &here_length) < 0 ||
        getpeername(fd, (struct sockaddr *)&there, &there_length) < 0 ||
        !g_file_get_contents("/proc/self/net/tcp", &text, NULL, NULL))
        return FALSE;
    listens = g_strdup_printf(" %08X:%04X 00000000:0000 0A ", there.sin_addr.s_addr, ntohs(there.sin_port));
    has = g_strdup_printf(" %08X:%04X %08X:%04X ", there.sin_addr.s_addr, ntohs(there.sin_port), here.sin_addr.s_addr,
                          ntohs(here.sin_port));
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (sscanf(lines[i], "%*s %*s %*s %*s %*s %*s %*s %u", &uid) != 1)
            continue;
        listening = listening || (strstr(lines[i], listens) && uid == geteuid());
        taken = taken || (strstr(lines[i], has) && (uid == geteuid() || uid == 0));
    }
    return listening && taken;
}

/* The connection is there, or not. */
static gboolean greet(int fd, GIOCondition condition, gpointer user)
{
    static const SerfEvents events = {answered, member};
    Gossip *gossip = user;
    int failure = 0;
    socklen_t length = sizeof failure;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0 || failure) {
        broken(gossip, g_strerror(failure));
        return G_SOURCE_REMOVE;
    }
    if (!is_ours(fd)) {
        gossip->failures = PATIENCE; /* with the next attempt there is another port, and another key */
        broken(gossip, "another user's process has its port");
        return G_SOURCE_REMOVE;
    }
    gossip->reader = serf_reader_new(&events, gossip);
    watch(gossip, G_IO_IN, heard);
    say(gossip, SERF_HANDSHAKE, NULL);
    say(gossip, SERF_AUTH, json_get_string(gossip->settings, "rpc_auth", ""));
    say(gossip, SERF_STREAM, NULL);
    sync_all(gossip);
    return G_SOURCE_REMOVE;
}

/* Begins to connect to where serf's RPC listens, as the settings say. */
static gboolean dial(Gossip *gossip)
{
    const char *colon = strrchr(json_get_string(gossip->settings, "rpc_addr", ""), ':');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    to.sin_port = htons(colon ? atoi(colon + 1) : 0);
    gossip->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return gossip->fd >= 0 && (connect(gossip->fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
}

/* serf's RPC has a port that somebody else has taken, or its key is not the one we know. */
static void change_entrance(Gossip *gossip)
{
    Json *settings = json_copy(gossip->settings);

    set_entrance(gossip, settings, TRUE);
    apply(gossip, settings);
}

static gboolean attempt(gpointer user)
{
    Gossip *gossip = user;

    source_clear(&gossip->timer);
    if (gossip->failures && gossip->failures % PATIENCE == 0)
        change_entrance(gossip);
    gossip->failures++;
    if (dial(gossip))
        watch(gossip, G_IO_OUT, greet);
    else
        broken(gossip, g_strerror(errno));
    return G_SOURCE_REMOVE;
}

/* ---- Taking part ---- */

void gossip_start(Gossip *gossip, const char *node, const char *address, guint port,
                  const char *key)
{
    Json *settings;

    if (!*gossip->serf || access(gossip->serf, X_OK) < 0)
        gossip_stop(gossip); /* the one that ran here before it was to be used no more, or was taken away */
    if (!*gossip->serf || gossip_key_number(key) < 0)
        return;
    if (access(gossip->serf, X_OK) < 0) {
        set_trouble(gossip, "serf is not installed (%s: %s)", gossip->serf, g_strerror(errno));
        return;
    }
    settings = make_settings(gossip, node, address, port, key, FALSE);
    if (gossip->settings && same_settings(gossip->settings, settings)) {
        json_unref(settings);
        return;
    }
    hang_up(gossip);
    set_ready(gossip, FALSE);
    set_trouble(gossip, "serf is being started");
    gossip->failures = 0;
    gossip->pause_ms = FIRST_MS;
    if (apply(gossip, settings))
        later(gossip, FIRST_MS, attempt);
}

void gossip_stop(Gossip *gossip)
{
    g_autofree char *file = gossip->run_dir ? gossip_settings(gossip->run_dir) : NULL;

    hang_up(gossip);
    g_clear_pointer(&gossip->settings, json_unref);
    set_ready(gossip, FALSE);
    set_trouble(gossip, "this node is in no cluster");
    if (file && g_unlink(file) == 0 && gossip->events.look)
        gossip->events.look(gossip->user);
}

void gossip_meet(Gossip *gossip, const char *address, guint port)
{
    g_autofree char *there = place(address, gossip_port(port));

    if (!gossip->ready || gossip->meeting)
        return;
    gossip->meeting = TRUE;
    say(gossip, SERF_JOIN, there);
}

gboolean gossip_is_ready(Gossip *gossip)
{
    return gossip->ready;
}

char *gossip_state(Gossip *gossip, const char **ret_remedy)
{
    *ret_remedy = gossip->ready ? "" : "see log/serf.log in the run directory";
    if (gossip->ready)
        return g_strdup("serf watches the nodes");
    if (!*gossip->serf)
        *ret_remedy = "take \"serf = none\" out of sojournd.conf";
    else if (access(gossip->serf, X_OK) < 0)
        *ret_remedy = "install the package serf";
    return g_strdup_printf("nodes are watched without gossip, by asking each: %s",
                           *gossip->serf ? gossip->trouble : "serf is not to be used");
}
