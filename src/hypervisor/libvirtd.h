/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirtd.h - the node's private libvirtd: its configuration, its environment, its cage */
#pragma once

#include "common/conf.h"

/* Writes libvirtd's configuration, restricts the process with Landlock and executes libvirtd.
 * Returns only on failure: the exit status to use, and a sentence. */
int libvirtd_exec(const Conf *conf, GError **error);

/* Path of its socket, and of the folder of sockets that QEMU makes (g_free). */
char *libvirtd_socket(const Conf *conf);
char *libvirtd_channel_dir(const Conf *conf);

/* The texts of libvirtd.conf and qemu.conf for this node (g_free); pure. host_uuid identifies the
 * node to libvirt. */
char *libvirtd_conf_text(const Conf *conf, const char *host_uuid);
char *libvirtd_qemu_conf_text(void);

/* A UUID from machine id and run directory (g_free): unique among the nodes of a cluster and of one
 * machine. */
char *libvirtd_host_uuid(const char *machine_id, const char *run_dir);
