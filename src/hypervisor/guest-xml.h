/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-xml.h - the domain XML of a guest, as a pure function of what the job asked for */
#pragma once

#include "snapshot.h"

#define GUEST_NAME_PREFIX "sojourn-"
#define GUEST_XML_NAMESPACE "urn:sojourn:guest:1"
/* Name of the virtio-serial port: a link in the guest's /dev/virtio-ports. */
#define GUEST_PORT "sojourn.link"

typedef struct {
    const char *id;        /* UUID in lower case: the job's id and the domain's UUID */
    guint64 epoch;         /* of this incarnation, kept in the metadata */
    const char *arch;      /* "x86_64" or "i686": only decides what may be NULL below */
    guint64 memory_bytes;  /* rounded up to MiB; at least 16 MiB */
    guint cpus;            /* 1 to 64 */
    const char *accel;     /* "kvm" or "tcg" */
    const char *cpu_model; /* a named model; NULL or "": the lowest of the architecture */
    const char *machine;   /* "microvm" or "pc" */
    const char *kernel;    /* absolute paths */
    const char *initramfs;
    const char *cmdline; /* the kernel's command line after what the machine needs; may be NULL */
    guint64 tsc_khz;     /* of this node, for TCG; 0: not known */
    const char *channel_path; /* UNIX socket where QEMU listens for the link; at most 107 bytes */
    const char *console_path; /* the serial console's log file, cut when it is long */
    const char *description;  /* JSON text of the job, kept as it is in the metadata; may be NULL */
    Snapshot *snapshot;       /* what it begins from (TCG only); NULL: it boots */
} GuestSpec;

/* XML for virDomainCreateXML and for PREPARE3 (g_free); equal specs give equal text. NULL and a
 * sentence where the spec holds something that cannot be. */
char *guest_xml(const GuestSpec *spec, GError **error);

/* The content of our <metadata> element alone: for guest_set_description (g_free). */
char *guest_xml_metadata(guint64 epoch, const char *description);

/* Reads epoch and description (g_free) back from our metadata; FALSE where it is not ours. */
gboolean guest_xml_read_metadata(const char *xml, guint64 *ret_epoch, char **ret_description);

/* Where QEMU listens for the link, from a running domain's XML (g_free); NULL: nowhere. */
char *guest_xml_channel(const char *xml);

/* The domain's name for a job id (g_free), and back: NULL where the name is not a guest's. */
char *guest_name(const char *id);
const char *guest_name_id(const char *name);
