/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest-process.c - the QEMU that is a guest: which process it is, and its quick end
 *
 * When its connection to QEMU's monitor ends libvirtd asks the process to end and, if there is one still, looks again 200 ms
 * later with the guest locked; a migration would wait for that. A killed process closes its descriptors some microseconds
 * before it is gone, and libvirtd is mostly quicker. So copies of QEMU's sockets are held here until the process is gone:
 * only then does libvirtd hear of it, and finds nothing to wait for. Where the system does not let us have the copies (a
 * Yama that restricts ptrace) the end takes those 200 ms.
 */
#include "guest-process.h"

#include "guest.h"
#include "hypervisor-internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define GONE_LOOK_US 500
#define GONE_LOOKS 200

struct GuestEnd {
    int pid;       /* 0: there is none */
    GArray *held;  /* copies of its sockets */
};

/* libvirt keeps pids in files of the domain's name. */
int guest_pid(Hypervisor *hv, const char *id)
{
    g_autofree char *path = g_strdup_printf("%s/lv/libvirt/qemu/run/" GUEST_NAME_PREFIX "%s.pid",
                                            hypervisor_conf(hv)->run_dir, id);
    g_autofree char *text = NULL, *words = NULL;
    gsize length = 0;
    int pid = g_file_get_contents(path, &text, NULL, NULL) ? atoi(text) : 0;

    if (pid <= 1)
        return 0;
    g_autofree char *cmdline = g_strdup_printf("/proc/%d/cmdline", pid);
    if (!g_file_get_contents(cmdline, &words, &length, NULL))
        return 0;
    return memmem(words, length, id, strlen(id)) ? pid : 0;
}

gboolean guest_kill(Hypervisor *hv, const char *id)
{
    int pid = guest_pid(hv, id);

    hypervisor_note_kill(hv, id);
    return pid && kill(pid, SIGKILL) == 0;
}

static void hold(GuestEnd *end, int process, const char *folder, const char *number)
{
    g_autofree char *path = g_build_filename(folder, number, NULL);
    g_autofree char *target = g_file_read_link(path, NULL);
    int copy;

    if (!target || !g_str_has_prefix(target, "socket:"))
        return;
    copy = pidfd_getfd(process, atoi(number), 0);
    if (copy >= 0)
        g_array_append_val(end->held, copy);
}

static void hold_sockets(GuestEnd *end)
{
    g_autofree char *folder = g_strdup_printf("/proc/%d/fd", end->pid);
    int process = pidfd_open(end->pid, 0);
    g_autoptr(GDir) dir = process < 0 ? NULL : g_dir_open(folder, 0, NULL);
    const char *number;

    while (dir && (number = g_dir_read_name(dir)))
        hold(end, process, folder, number);
    if (process >= 0)
        close(process);
}

GuestEnd *guest_end_begin(Hypervisor *hv, const char *id)
{
    GuestEnd *end = g_new0(GuestEnd, 1);

    end->held = g_array_new(FALSE, FALSE, sizeof(int));
    end->pid = guest_pid(hv, id);
    if (end->pid)
        hold_sockets(end);
    hypervisor_note_kill(hv, id);
    if (end->pid)
        kill(end->pid, SIGKILL);
    return end;
}

static void let_go(GuestEnd *end)
{
    for (guint i = 0; i < end->held->len; i++)
        close(g_array_index(end->held, int, i));
    g_array_set_size(end->held, 0);
}

void guest_end_wait(GuestEnd *end)
{
    for (int i = 0; end->pid && i < GONE_LOOKS && kill(end->pid, 0) == 0; i++)
        g_usleep(GONE_LOOK_US);
    let_go(end);
}

void guest_end_free(GuestEnd *end)
{
    if (!end)
        return;
    let_go(end);
    g_array_unref(end->held);
    g_free(end);
}
