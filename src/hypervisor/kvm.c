/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm.c - whether KVM really works here: proved by booting the guest, or not used
 *
 * There are machines whose /dev/kvm opens, answers the right API version and creates a virtual
 * machine, in which no kernel boots. So the answer is a proof: one boot of the guest image, whose
 * agent says that it has come up. The proof is remembered for this boot of the host and this image
 * (state_dir/kvm); it is made in the background, and until it is there, jobs start under TCG.
 */
#include "kvm.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define TRIAL_S 10
#define TRIAL_WORD "sojourn: trial passed"
#define TRIAL_CMDLINE "console=ttyS0 panic=-1 reboot=t acpi=off sojourn.trial"

static const struct {
    int number;
    const char *name;
} needed[] = {
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_DESTROY_MEMORY_REGION_WORKS, "KVM_CAP_DESTROY_MEMORY_REGION_WORKS"},
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK"},
};

void kvm_verdict_clear(KvmVerdict *verdict)
{
    g_clear_pointer(&verdict->why, g_free);
}

static KvmVerdict verdict(gboolean kvm, gboolean final, char *why)
{
    return (KvmVerdict){.kvm = kvm, .final = final, .why = why};
}

/* Why /dev/kvm cannot even be tried; NULL: it can. */
static char *obstacle(const KvmFacts *facts)
{
    if (!facts->present)
        return g_strdup(
            "there is no /dev/kvm: the CPU lacks virtualisation, or the firmware has it turned off");
    if (!facts->opened && facts->open_errno == EACCES)
        return g_strdup("/dev/kvm may not be used by this user: add the user to the group kvm");
    if (!facts->opened)
        return g_strdup_printf("/dev/kvm cannot be opened: %s", g_strerror(facts->open_errno));
    if (facts->api_version != KVM_API_VERSION)
        return g_strdup_printf("/dev/kvm speaks version %d of its interface, not %d",
                               facts->api_version, KVM_API_VERSION);
    if (facts->missing)
        return g_strdup_printf("/dev/kvm lacks %s", facts->missing);
    return NULL;
}

KvmVerdict kvm_decide(const KvmFacts *facts)
{
    if (g_str_equal(facts->wanted, "tcg"))
        return verdict(FALSE, TRUE, g_strdup("TCG was asked for in the configuration"));
    char *why = obstacle(facts);
    if (why)
        return verdict(FALSE, TRUE, why);
    if (g_str_equal(facts->wanted, "kvm"))
        return verdict(TRUE, TRUE, g_strdup("KVM was asked for in the configuration"));
    if (!facts->image)
        return verdict(FALSE, FALSE,
                       g_strdup("KVM cannot be tried without a guest image: install or build one"));

    switch (facts->trial) {
    case KVM_TRIAL_PASSED:
        return verdict(TRUE, TRUE, g_strdup("the guest image boots under KVM"));
    case KVM_TRIAL_FAILED:
        return verdict(FALSE, TRUE,
                       g_strdup("/dev/kvm is there, but the guest image does not boot in it"));
    case KVM_TRIAL_TIMEOUT:
        return verdict(
            FALSE, TRUE,
            g_strdup_printf("/dev/kvm is there, but the guest image did not boot in it within %d s",
                            TRIAL_S));
    default:
        return verdict(FALSE, FALSE,
                       g_strdup("KVM is being tried; until it is proved, guests run under TCG"));
    }
}

void kvm_facts(const Conf *conf, KvmFacts *ret_facts)
{
    KvmFacts facts = {.wanted = conf->accel, .present = access("/dev/kvm", F_OK) == 0};
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    facts.open_errno = fd < 0 ? errno : 0;
    facts.opened = fd >= 0;
    if (fd >= 0) {
        facts.api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
        for (gsize i = 0; i < G_N_ELEMENTS(needed) && !facts.missing; i++)
            if (ioctl(fd, KVM_CHECK_EXTENSION, needed[i].number) <= 0)
                facts.missing = needed[i].name;
        close(fd);
    }
    *ret_facts = facts;
}

gboolean kvm_ruled_out(const Conf *conf)
{
    KvmFacts facts;
    KvmVerdict decided;
    gboolean ruled_out;

    kvm_facts(conf, &facts);
    facts.image = TRUE;
    decided = kvm_decide(&facts);
    ruled_out = decided.final && !decided.kvm;
    kvm_verdict_clear(&decided);
    return ruled_out;
}

/* The remembered trial: "BOOT-ID DIGEST passed|failed|timeout". */

static char *boot_id(void)
{
    char *text = NULL;

    return g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL)
               ? g_strstrip(text)
               : g_strdup("");
}

static char *memory_path(const Conf *conf)
{
    return g_build_filename(conf->state_dir, "kvm", NULL);
}

static char *memory_key(const char *digest)
{
    g_autofree char *boot = boot_id();

    return g_strdup_printf("%s %s", boot, digest);
}

static const char *const trial_names[] = {[KVM_TRIAL_NONE] = "none",
                                          [KVM_TRIAL_PASSED] = "passed",
                                          [KVM_TRIAL_FAILED] = "failed",
                                          [KVM_TRIAL_TIMEOUT] = "timeout"};

static int remembered(const Conf *conf, const char *digest)
{
    g_autofree char *path = memory_path(conf), *key = memory_key(digest), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL) || !g_str_has_prefix(g_strstrip(text), key))
        return KVM_TRIAL_NONE;
    for (guint i = KVM_TRIAL_PASSED; i < G_N_ELEMENTS(trial_names); i++)
        if (g_str_has_suffix(text, trial_names[i]) && text[strlen(key)] == ' ')
            return i;
    return KVM_TRIAL_NONE;
}

static void remember(const Conf *conf, const char *digest, int trial)
{
    g_autofree char *path = memory_path(conf), *key = memory_key(digest);
    g_autofree char *line = g_strdup_printf("%s %s\n", key, trial_names[trial]);

    if (!g_file_set_contents(path, line, -1, NULL))
        log_warning("cannot write %s: KVM will be tried again at the next start", path);
}

/* The trial: QEMU by itself, as little as boots the image. */

typedef struct {
    const Conf *conf;
    KvmFacts facts;
    char *digest;
    GSubprocess *process;
    guint timer;
    gboolean late;
    KvmDone done;
    gpointer user;
} Trial;

static void trial_end(Trial *trial)
{
    KvmVerdict decided = kvm_decide(&trial->facts);

    trial->done(decided.kvm ? "kvm" : "tcg", decided.why, trial->user);
    kvm_verdict_clear(&decided);
    g_clear_handle_id(&trial->timer, g_source_remove);
    g_clear_object(&trial->process);
    g_free(trial->digest);
    g_free(trial);
}

static void on_trial_over(GObject *source, GAsyncResult *result, gpointer user)
{
    Trial *trial = user;
    g_autoptr(GBytes) bytes = NULL;
    gsize size = 0;

    g_subprocess_communicate_finish(trial->process, result, &bytes, NULL, NULL);
    const char *out = bytes ? g_bytes_get_data(bytes, &size) : NULL;
    if (out && g_strstr_len(out, size, TRIAL_WORD))
        trial->facts.trial = KVM_TRIAL_PASSED;
    else
        trial->facts.trial = trial->late ? KVM_TRIAL_TIMEOUT : KVM_TRIAL_FAILED;
    remember(trial->conf, trial->digest, trial->facts.trial);
    trial_end(trial);
}

static gboolean on_trial_late(gpointer user)
{
    Trial *trial = user;

    trial->timer = 0;
    trial->late = TRUE;
    g_subprocess_force_exit(trial->process);
    return G_SOURCE_REMOVE;
}

/* A KVM that does not work spins: it must not disturb others, nor outlive us. */
static void trial_child(gpointer user)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (nice(15) < 0)
        return;
}

static void trial_start(Trial *trial, const char *kernel, const char *initramfs)
{
    g_autoptr(GError) error = NULL;

    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE);
    g_subprocess_launcher_set_child_setup(launcher, trial_child, NULL, NULL);
    trial->process = g_subprocess_launcher_spawn(
        launcher, &error, trial->conf->qemu, "-machine", "microvm,acpi=off", "-accel", "kvm",
        "-cpu", "qemu64", "-m", "64", "-nodefaults", "-no-user-config", "-no-reboot", "-display",
        "none", "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-serial",
        "stdio", "-kernel", kernel, "-initrd", initramfs, "-append", TRIAL_CMDLINE, NULL);
    if (!trial->process) {
        log_warning("cannot try KVM: %s", error->message);
        trial->facts.trial = KVM_TRIAL_FAILED;
        trial_end(trial);
        return;
    }
    trial->timer = g_timeout_add_seconds(TRIAL_S, on_trial_late, trial);
    g_subprocess_communicate_async(trial->process, NULL, NULL, on_trial_over, trial);
}

static gboolean on_no_trial(gpointer user)
{
    trial_end(user);
    return G_SOURCE_REMOVE;
}

void kvm_probe(const Conf *conf, const char *kernel, const char *initramfs, const char *digest,
               KvmDone done, gpointer user)
{
    Trial *trial = g_new0(Trial, 1);

    trial->conf = conf;
    trial->digest = g_strdup(digest ? digest : "");
    trial->done = done;
    trial->user = user;
    kvm_facts(conf, &trial->facts);
    trial->facts.image = digest && access(kernel, R_OK) == 0 && access(initramfs, R_OK) == 0;
    if (trial->facts.image)
        trial->facts.trial = remembered(conf, digest);

    KvmVerdict decided = kvm_decide(&trial->facts);
    if (decided.final || !trial->facts.image)
        g_idle_add(on_no_trial, trial);
    else
        trial_start(trial, kernel, initramfs);
    kvm_verdict_clear(&decided);
}
