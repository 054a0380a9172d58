/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c - what this node can do and, for each thing that it cannot, the remedy */
#include "doctor.h"

#include "common/landlock.h"

#include <unistd.h>

static void G_GNUC_PRINTF(5, 6) finding(Json *findings, const char *check, gboolean ok, const char *remedy,
                                        const char *format, ...)
{
    Json *row = json_set_string(json_object(), "check", check);
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    json_set_bool(row, "ok", ok);
    json_set_string(row, "text", text);
    json_append(findings, json_set_string(row, "remedy", ok ? "" : remedy));
}

static void examine_image(Json *findings, Node *node, const char *arch, const char *check)
{
    g_autoptr(GError) error = NULL;
    const Image *image = node_image(node, arch, &error);

    if (image)
        finding(findings, check, TRUE, "", "guest image for %s, digest %.12s", arch, image->digest);
    else
        finding(findings, check, FALSE, "run scripts/guest, or install the package with the guest images", "%s", error->message);
}

static void examine_cluster(Json *findings, Node *node)
{
    g_autoptr(Json) rows = cluster_rows(node->cluster);
    guint alive = 0;

    if (!cluster_exists(node->cluster)) {
        finding(findings, "cluster", FALSE, "\"sojourn cluster init\" here, or \"sojourn cluster join TOKEN\"",
                "this node is in no cluster: jobs can run, but have nowhere to go");
        return;
    }
    for (guint i = 0; i < json_length(rows); i++)
        alive += g_str_equal(json_get_string(json_at(rows, i), "state", ""), "alive");
    finding(findings, "cluster", alive == json_length(rows),
            alive ? "start their controllers, or take them out of the cluster"
                  : "start their controllers; if this node was thrown out of the cluster: \"sojourn cluster leave --force\" with its own name",
            "%u of %u other nodes answer", alive, json_length(rows));
}

static void examine_watch(Json *findings, Node *node)
{
    g_autofree char *text = NULL;
    const char *remedy;
    gboolean ok = cluster_gossips(node->cluster, &text, &remedy);

    if (cluster_exists(node->cluster))
        finding(findings, "gossip", ok, remedy, "%s", text);
    g_free(text);
    ok = cluster_discovers(node->cluster, &text, &remedy);
    if (text)
        finding(findings, "discovery", ok, remedy, "%s", text);
}

Json *doctor_examine(Node *node)
{
    Json *findings = json_array();
    gboolean kvm = g_str_equal(node->accel, "kvm");
    guint64 free_mib = node_memory_free(node) >> 20;

    finding(findings, "accel", kvm, "a machine with hardware virtualisation, and the right to use /dev/kvm", "%s",
            node->accel_why);
    finding(findings, "qemu", *node->facts.qemu_version != 0, "install qemu-system-x86", "QEMU %s", node->facts.qemu_version);
    finding(findings, "libvirtd", hypervisor_is_ready(node->hv), "see log/libvirtd.log in the run directory, install libvirt-daemon",
            "the private libvirtd %s", hypervisor_is_ready(node->hv) ? "answers" : "does not answer");
    examine_image(findings, node, "x86_64", "image");
    examine_image(findings, node, "i686", "image-i686");
    finding(findings, "landlock", landlock_abi() > 0, "a kernel with Landlock (5.19 or newer) that lists it in lsm=",
            "Landlock ABI %d", landlock_abi());
    finding(findings, "tsc", node->facts.tsc_khz != 0 || kvm, "set tsc-khz in sojournd.conf, or machine = pc",
            "time stamp counter at %" G_GUINT64_FORMAT " kHz", node->facts.tsc_khz);
    finding(findings, "memory", free_mib >= 256, "end programs, or add memory", "%" G_GUINT64_FORMAT " MiB free for guests", free_mib);
    finding(findings, "root", geteuid() != 0, "start it by sojourn-supervisor, which gives up root", "runs as user id %u",
            (guint)geteuid());
    examine_cluster(findings, node);
    examine_watch(findings, node);
    return findings;
}
