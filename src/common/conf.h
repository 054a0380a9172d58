/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf.h - a node's settings: defaults, configuration file, command line, in this order */
#pragma once

#include <glib.h>

typedef struct {
    char *name;          /* the node's name; default: the host's */
    char *run_dir;
    char *state_dir;
    char *image_dir;     /* holds x86_64/ and i686/ */
    char *libexec_dir;   /* where sojournd and sojourn-supervisor are */
    char *listen;        /* address of the TLS port, default: all addresses */
    char *address;       /* what other nodes are told; default: listen, or the first address that is not loopback */
    guint port;          /* 7227 */
    guint cpus;          /* declared CPUs */
    guint speed;         /* declared speed, 10000 = the reference */
    guint64 memory_bytes;
    guint64 tsc_khz;     /* 0: measured */
    char *accel;         /* "auto", "kvm", "tcg" */
    char *machine;       /* "microvm" or "pc" */
    char *cpu_model;     /* "": by acceleration and cluster */
    char *qemu;          /* path of QEMU */
    char *libvirtd;      /* path of libvirtd */
    char *serf;          /* path of serf; "none": nodes are watched without */
    char *discovery;     /* "on" or "off": whether Avahi is asked for nodes that wait to be let in */
    char *orders;        /* "members" or "here": whose administrators let nodes in and throw them out, at the authority's node */
    guint orphan_suspend_s, orphan_end_s;  /* 600, 86400 */
    guint host_down_s;   /* 30 */
    guint spare_guests;  /* 0 or 1 */
    char *template;      /* "on" or "off": whether guests that do not wait already begin from a snapshot, where they can */
    char *balance;       /* "on" or "off": whether the node sends jobs where they run better */
    guint balance_stay_s;   /* 5: minimum stay of a job that has not moved yet */
    guint memory_reserve;   /* 5: per cent of the memory that are to stay free */
    guint migrations;       /* 4: at a time, into the node and out of it */
    guint link_migrations;  /* of these, from or to one other node; 0: as many */
    char *web_port;      /* "auto", "off" or the port of the HTTP view */
} Conf;

/* Parses argv (options as --name VALUE, --config FILE) over a configuration file over the defaults. The file is
 * SYSCONFDIR/sojourn/sojournd.conf if there, then --config's. Unknown keys and options are errors (SJ_ERROR_USAGE).
 * Removes what it understood from argc/argv. */
Conf *conf_new(int *argc, char ***argv, GError **error);
void conf_free(Conf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Conf, conf_free)

/* Whether the node keeps a template. */
gboolean conf_has_template(const Conf *conf);

/* Whether the node balances. */
gboolean conf_balances(const Conf *conf);

/* The port of the HTTP view: 0 any, when it is asked for; -1 none. */
int conf_web_port(const Conf *conf);

/* Applies "key = value" lines to conf; for the file, tests and fuzzing. */
gboolean conf_parse(Conf *conf, const char *text, const char *origin, GError **error);

/* Bytes of "64M", "1G", "512MiB", "4096"; 0 and an error for anything else. */
guint64 conf_parse_size(const char *text, GError **error);

/* The option table's text for --help and the manual (static). */
const char *conf_help(void);

/* The control socket a program of this user should use: $SOJOURN_SOCKET, the service's, the private one's (g_free).
 * conf_private_run_dir and conf_private_state_dir are the folders of a private controller (g_free). */
char *conf_socket(void);
char *conf_private_run_dir(void);
char *conf_private_state_dir(void);
