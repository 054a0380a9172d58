/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted-start.c - guests are started here, from the node's snapshot if it has one of that shape */
#include "hosted-private.h"

#include "common/error.h"
#include "template.h"

gboolean hosted_spec(Node *node, Json *description, guint64 epoch, HostedSpec *ret_spec, GError **error)
{
    const char *id = json_get_string(description, "id", "");
    const char *arch = json_get_string(description, "arch", "x86_64");
    const Image *image = node_image(node, arch, error);
    HostedSpec spec = {0};

    if (!image)
        return FALSE;
    spec.channel_path = hosted_channel_path(node, id, epoch);
    spec.console_path = g_strdup_printf("%s/log/%s.console", node->conf->run_dir, id);
    spec.text = json_print(description);
    spec.spec = (GuestSpec){
        .id = id,
        .epoch = epoch,
        .arch = arch,
        .memory_bytes = json_get_int(description, "memory_bytes", 0),
        .cpus = json_get_int(description, "cpus", 1),
        .accel = json_get_string(description, "accel", "tcg"),
        .cpu_model = json_get_string(description, "cpu_model", ""),
        .machine = json_get_string(description, "machine", "microvm"),
        .kernel = image->kernel,
        .initramfs = image->initramfs,
        .cmdline = image->cmdline,
        .tsc_khz = node->facts.tsc_khz,
        .channel_path = spec.channel_path,
        .console_path = spec.console_path,
        .description = spec.text,
    };
    *ret_spec = spec;
    return TRUE;
}

void hosted_spec_clear(HostedSpec *spec)
{
    g_free(spec->channel_path);
    g_free(spec->console_path);
    g_free(spec->text);
}

typedef struct {
    Ticket *ticket;
    gboolean boots; /* it has no template, or not any more */
    void (*done)(const GError *error, gpointer user);
    gpointer user;
} Starting;

static void starting_end(Starting *starting, const GError *error)
{
    starting->done(error, starting->user);
    ticket_free(starting->ticket);
    g_free(starting);
}

static void starting_begin(Starting *starting, HostedSpec *spec);

/* Once more, by a boot. FALSE: it cannot be. */
static gboolean starting_again(Starting *starting, Hosted *hosted)
{
    HostedSpec spec;

    if (starting->boots || hosted->doomed || !hosted_spec(hosted->owner, hosted->description, hosted->epoch, &spec, NULL))
        return FALSE;
    template_drop(hosted->owner);
    starting_begin(starting, &spec);
    return TRUE;
}

static void hosted_started(GObject *source, GAsyncResult *result, gpointer user)
{
    Starting *starting = user;
    g_autoptr(GError) error = NULL;
    Hosted *hosted = ticket_hosted(starting->ticket);
    gboolean there = guest_finish(result, &error);

    if (!there && hosted && starting_again(starting, hosted))
        return;
    if (hosted)
        hosted->starting = FALSE;
    if (there && hosted) {
        hosted->state = GUEST_RUNNING;
    } else if (hosted) {
        hosted_remove(starting->ticket->node, hosted->id);
    } else if (!error) { /* the deputy went away meanwhile */
        guest_destroy(starting->ticket->node->hv, starting->ticket->id, NULL, NULL);
        error = g_error_new(SJ_ERROR, SJ_ERROR_GONE, "The job ended while its guest was started");
    }
    if (hosted && !error && hosted->doomed) /* the order came too early for libvirt */
        hosted_destroy(hosted);
    starting_end(starting, error);
}

/* Takes over what the spec holds. */
static void starting_begin(Starting *starting, HostedSpec *spec)
{
    Node *node = starting->ticket->node;

    spec->spec.snapshot = template_for(node, hosted_find(node, starting->ticket->id)->description);
    starting->boots = !spec->spec.snapshot;
    guest_start(node->hv, &spec->spec, hosted_started, starting);
    hosted_spec_clear(spec);
}

void hosted_start(Node *node, Json *description, guint64 epoch, void (*done)(const GError *error, gpointer user),
                  gpointer user)
{
    g_autoptr(GError) error = NULL;
    Starting *starting;
    HostedSpec spec;

    if (!hosted_spec(node, description, epoch, &spec, &error)) {
        done(error, user);
        return;
    }
    starting = g_new0(Starting, 1);
    starting->ticket = ticket_new(hosted_new(node, spec.spec.id, epoch, description, spec.channel_path));
    hosted_find(node, spec.spec.id)->starting = TRUE;
    starting->done = done;
    starting->user = user;
    starting_begin(starting, &spec);
}
