/* SPDX-License-Identifier: GPL-2.0-or-later */
/* supervisor.c - parent of a node's processes: becomes the right user, starts them, restarts them,
 * reaps every orphan
 *
 * Goals. sojournd and libvirtd may die at any time without harm to the guests. A dead QEMU is
 * reaped at once: libvirt waits for that, and a migration takes four times as long without (QEMU
 * daemonises, so it is the subreaper's child).
 *
 * serf runs while its settings, RUN_DIR/serf.json, are there: sojournd writes them when the node is
 * in a cluster, changes them with the cluster's key, removes them when it leaves.
 *
 * Invariants. Nothing here runs as root after become_user. One supervisor a run directory (a lock
 * on supervisor.pid). A child that dies is started again, at once the first time and ever later if
 * it keeps dying (at most each 10 s). Children die with the supervisor (PR_SET_PDEATHSIG); QEMUs do
 * not: they belong to jobs.
 *
 * Signals. SIGTERM, SIGINT: sojournd, then libvirtd end; guests go on and are adopted by the next
 * supervisor's libvirtd. SIGUSR1: the same, then every QEMU of this node is ended too. SIGHUP:
 * sojournd is ended, and started again. SIGUSR2: serf's settings are looked at again.
 */
#include "common/conf.h"
#include "common/error.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_MAX (8 << 20) /* a longer log is put aside at start */
#define LOG_TOO_LONG (4 * LOG_MAX) /* and one that grows so long meanwhile is cut to its end */
#define LOG_LOOK 30000 /* ms */
#define BACK_OFF_MIN 100  /* ms until a child that died is started again */
#define BACK_OFF_MAX 10000
#define STEADY 30000  /* ms after which a child's death counts as the first again */
#define PATIENCE 5000 /* ms between SIGTERM and SIGKILL */

typedef struct {
    const char *name; /* of its log and pid file */
    char **argv;
    void (*before)(void); /* to be done before each start; may be NULL */
    char *settings;       /* it runs while this file is there; NULL: always */
    struct timespec seen; /* when the file had been changed as it was started */
    pid_t pid;            /* 0: not running */
    gint64 started, due;  /* ms, monotonic */
    guint back_off;       /* ms */
} Child;

static char *run_dir;

static gint64 now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

G_GNUC_NORETURN static void die(const GError *error)
{
    log_error("%s", error->message);
    exit(sj_error_exit(error));
}

G_GNUC_NORETURN G_GNUC_PRINTF(1, 2) static void fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    log_error("%s", text);
    exit(1);
}

/* Takes "--user NAME" out of argv, where conf does not know it; returns the name. */
static const char *take_user(int *argc, char **argv)
{
    const char *user = NULL;
    int kept = 1;

    for (int i = 1; i < *argc; i++) {
        if (g_str_equal(argv[i], "--user") && argv[i + 1])
            user = argv[++i];
        else if (g_str_has_prefix(argv[i], "--user="))
            user = argv[i] + strlen("--user=");
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return user;
}

static char *absolute(const char *path)
{
    return g_canonicalize_filename(path, NULL);
}

static void make_dir(const char *path, int mode, const struct passwd *owner)
{
    if (g_mkdir_with_parents(path, mode) < 0)
        fail("cannot make the folder %s: %s", path, g_strerror(errno));
    if (owner && (chown(path, owner->pw_uid, owner->pw_gid) < 0 || chmod(path, mode) < 0))
        fail("cannot give the folder %s to %s: %s", path, owner->pw_name, g_strerror(errno));
}

/* Started by root: makes the node's folders and becomes the user they belong to, without any
 * capability. */
static void become_user(const char *name, const Conf *conf)
{
    const struct passwd *user = getpwnam(name);

    if (!user || user->pw_uid == 0)
        fail(
            "the user %s %s: make one (adduser --system --group sojourn) or name another "
             "with --user",
            name, user ? "is root" : "does not exist");
    make_dir(conf->run_dir, 0755, user);
    make_dir(conf->state_dir, 0700, user);
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability) >= 0; capability++)
        prctl(PR_CAPBSET_DROP, capability);
    if (initgroups(user->pw_name, user->pw_gid) < 0 || setgid(user->pw_gid) < 0 ||
        setuid(user->pw_uid) < 0 || setuid(0) == 0)
        fail("cannot become the user %s: %s", name, g_strerror(errno));
    g_setenv("HOME", user->pw_dir, TRUE);
    g_setenv("USER", user->pw_name, TRUE);
    g_setenv("LOGNAME", user->pw_name, TRUE);
}

/* Writes a pid file; with lock it stays open and locked, and a second holder is told of. */
static void write_pid(const char *name, pid_t pid, gboolean lock)
{
    g_autofree char *path = g_strdup_printf("%s/%s.pid", run_dir, name);
    g_autofree char *text = g_strdup_printf("%d\n", (int)pid);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        fail("cannot write %s: %s", path, g_strerror(errno));
    if (lock && flock(fd, LOCK_EX | LOCK_NB) < 0)
        fail("a supervisor runs in %s already: end it first, or choose another --run-dir", run_dir);
    if (ftruncate(fd, 0) < 0 || write(fd, text, strlen(text)) < 0)
        fail("cannot write %s: %s", path, g_strerror(errno));
    if (!lock)
        close(fd);
}

static void remove_pid(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s.pid", run_dir, name);

    unlink(path);
}

static int open_log(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/log/%s.log", run_dir, name);
    g_autofree char *old = g_strconcat(path, ".old", NULL);
    struct stat st;

    if (stat(path, &st) == 0 && st.st_size > LOG_MAX)
        rename(path, old);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* What serf says is in others' hands: it tells of each packet that it cannot read. The end of the log is put aside, and
 * the log, which the child has open for appending, is empty. */
static void cut_log(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/log/%s.log", run_dir, name), *end = NULL;
    g_autofree char *old = g_strconcat(path, ".old", NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    gssize length;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > LOG_TOO_LONG) {
        end = g_malloc(LOG_MAX);
        length = pread(fd, end, LOG_MAX, st.st_size - LOG_MAX);
        if (ftruncate(fd, 0) == 0 && length > 0)
            g_file_set_contents_full(old, end, length, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
        log_warning("%s was too long: its end is in %s", path, old);
    }
    if (fd >= 0)
        close(fd);
}

static gboolean runs_with(pid_t pid, const char *text)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", (int)pid), *words = NULL;
    gsize length = 0;

    return g_file_get_contents(path, &words, &length, NULL) &&
           memmem(words, length, text, strlen(text));
}

/* Sends a signal to each QEMU of this node whose command line names a file of libvirt's that begins
 * so, also to those of an earlier supervisor; returns how many there are. */
static guint signal_qemus(const char *begin, int number)
{
    g_autofree char *mark = g_build_filename(run_dir, "lv/libvirt/qemu/lib", begin, NULL);
    g_autoptr(GDir) list = g_dir_open("/proc", 0, NULL);
    const char *name;
    guint count = 0;

    while (list && (name = g_dir_read_name(list)))
        if (g_ascii_isdigit(*name) && runs_with(atoi(name), mark))
            count += kill(atoi(name), number) == 0;
    return count;
}

/* A libvirtd that is killed while it asks QEMU what it can do leaves that QEMU, which would wait
 * for ever. */
static void end_probes(void)
{
    signal_qemus("qmp-", SIGKILL);
}

/* The child's side of fork. */
G_GNUC_NORETURN static void child_exec(const Child *child, pid_t parent)
{
    sigset_t none;
    int log = open_log(child->name), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null, STDIN_FILENO);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    execv(child->argv[0], child->argv);
    log_error("cannot start %s: %s", child->argv[0], g_strerror(errno));
    _exit(127);
}

/* Whether the child is to run; ret_changed: with what is in its settings now. */
static gboolean child_wanted(const Child *child, struct timespec *ret_changed)
{
    struct stat st;

    if (!child->settings)
        return TRUE;
    if (stat(child->settings, &st) < 0)
        return FALSE;
    *ret_changed = st.st_mtim;
    return TRUE;
}

/* The child's settings may be others, or gone. Serf takes SIGINT as the order to tell the others that
 * it leaves; after SIGTERM it is back in a moment, and they never miss it. */
static void child_look(Child *child)
{
    struct timespec changed;
    gboolean wanted = child_wanted(child, &changed);

    if (!child->settings)
        return;
    child->back_off = 0;
    child->due = MIN(child->due, now_ms());
    if (child->pid && (!wanted || changed.tv_sec != child->seen.tv_sec || changed.tv_nsec != child->seen.tv_nsec))
        kill(child->pid, wanted ? SIGTERM : SIGINT);
}

static void child_start(Child *child)
{
    if (child->before)
        child->before();
    child_wanted(child, &child->seen);

    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        child_exec(child, parent);
    child->started = now_ms();
    if (pid < 0) {
        log_warning("cannot fork for %s: %s", child->name, g_strerror(errno));
        child->due = now_ms() + BACK_OFF_MAX;
        return;
    }
    child->pid = pid;
    write_pid(child->name, pid, FALSE);
}

static void child_died(Child *child, int status)
{
    if (now_ms() - child->started > STEADY)
        child->back_off = 0;
    child->pid = 0;
    child->due = now_ms() + child->back_off;
    if (child->settings)
        remove_pid(child->name);
    if (!child_wanted(child, &child->seen)) {
        log_info("%s ended", child->name);
        return;
    }
    log_warning("%s ended (%s %d); it is started again in %u ms", child->name,
                WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), child->back_off);
    child->back_off = CLAMP(child->back_off * 2, BACK_OFF_MIN, BACK_OFF_MAX);
}

/* Waits for whatever has ended: ours, or the orphans that QEMUs are. */
static void reap(Child *children, guint count)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (guint i = 0; i < count; i++)
            if (children[i].pid == pid)
                child_died(&children[i], status);
}

/* Ends a process that need not be a child: SIGTERM, and after PATIENCE SIGKILL. */
static void end_process(pid_t pid)
{
    for (int tried = 0; tried < PATIENCE / 20 + 5; tried++) {
        if (kill(pid, tried < PATIENCE / 20 ? (tried ? 0 : SIGTERM) : SIGKILL) < 0)
            return;
        g_usleep(20000);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}

/* libvirtd has ended before: what it remembers of its guests would stay. */
static void forget_guests(void)
{
    g_autofree char *dir = g_build_filename(run_dir, "lv/libvirt/qemu/run", NULL);
    g_autoptr(GDir) list = g_dir_open(dir, 0, NULL);
    const char *file;

    while (list && (file = g_dir_read_name(list))) {
        g_autofree char *path = g_build_filename(dir, file, NULL);
        if (g_str_has_prefix(file, "sojourn-"))
            unlink(path);
    }
}

/* Until there is none, also of those that are only just being started. */
static void end_guests(void)
{
    for (int tried = 0; tried < PATIENCE / 50; tried++) {
        guint count = signal_qemus("domain-", tried < PATIENCE / 100 ? SIGTERM : SIGKILL);

        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (!count && tried > 1)
            break;
        g_usleep(50000);
    }
    forget_guests();
}

static gboolean has_guests(const char *status)
{
    g_autoptr(GDir) list = g_dir_open(status, 0, NULL);
    const char *file;

    while (list && (file = g_dir_read_name(list)))
        if (g_str_has_prefix(file, "sojourn-"))
            return TRUE;
    return FALSE;
}

/* A folder of plain files and folders. */
static void remove_tree(const char *path)
{
    g_autoptr(GDir) list = g_dir_open(path, 0, NULL);
    const char *file;

    while (list && (file = g_dir_read_name(list))) {
        g_autofree char *member = g_build_filename(path, file, NULL);
        if (unlink(member) < 0 && errno == EISDIR)
            remove_tree(member);
    }
    rmdir(path);
}

/* The part of libvirt's status that libvirtd.c has put into memory goes with the last guest. */
static void clear_status(void)
{
    g_autofree char *link = g_build_filename(run_dir, "lv/libvirt/qemu/run", NULL);
    g_autofree char *status = g_file_read_link(link, NULL);

    if (!status || !g_str_has_prefix(status, "/dev/shm/sojourn-") || has_guests(status))
        return;
    remove_tree(status);
    unlink(link);
}

/* The signal that ended the loop. */
static int supervise(Child *children, guint count, int signals)
{
    for (;;) {
        struct signalfd_siginfo info;
        int wait = LOG_LOOK;

        for (guint i = 0; i < count; i++) {
            struct timespec changed;
            cut_log(children[i].name);
            if (children[i].pid || !child_wanted(&children[i], &changed))
                continue;
            if (children[i].due <= now_ms())
                child_start(&children[i]);
            if (!children[i].pid)
                wait = CLAMP(children[i].due - now_ms(), 0, wait);
        }
        poll(&(struct pollfd){.fd = signals, .events = POLLIN}, 1, wait);
        while (read(signals, &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGHUP && children[0].pid)
                kill(children[0].pid, SIGTERM);
            for (guint i = 0; info.ssi_signo == SIGUSR2 && i < count; i++)
                child_look(&children[i]);
            if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGHUP && info.ssi_signo != SIGUSR2)
                return info.ssi_signo;
        }
        reap(children, count);
    }
}

static int block_signals(void)
{
    static const int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;

    sigemptyset(&set);
    for (guint i = 0; i < G_N_ELEMENTS(handled); i++)
        sigaddset(&set, handled[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* A child's arguments: the supervisor's own, then the folders as they are for this user. */
static char **child_argv(const Conf *conf, const char *state_dir, const char *mode, char **words)
{
    g_autoptr(GStrvBuilder) argv = g_strv_builder_new();
    g_autofree char *program = g_build_filename(conf->libexec_dir, "sojournd", NULL);

    g_strv_builder_add(argv, program);
    if (mode)
        g_strv_builder_add(argv, mode);
    g_strv_builder_addv(argv, (const char **)words + 1);
    g_strv_builder_add_many(argv, "--run-dir", run_dir, "--state-dir", state_dir, NULL);
    return g_strv_builder_end(argv);
}

static void usage(const char *word)
{
    if (g_str_equal(word, "--version"))
        printf("sojourn-supervisor %s\n", PACKAGE_VERSION);
    else if (g_str_equal(word, "--help"))
        printf("usage: sojourn-supervisor [--user NAME] [SETTING]...\n"
               "Starts a node's sojournd and libvirtd and keeps them running; started by root it\n"
               "becomes the user sojourn, or NAME.\n%s",
               conf_help());
    else
        log_error("\"%s\" is not understood: see sojourn-supervisor --help", word);
    exit(word[0] == '-' && (word[2] == 'h' || word[2] == 'v') ? 0 : 2);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    log_init("sojourn-supervisor");
    const char *user = take_user(&argc, argv);
    g_auto(GStrv) words = g_strdupv(argv);
    g_autoptr(Conf) conf = conf_new(&argc, &argv, &error);
    if (!conf)
        die(error);
    if (argc > 1)
        usage(argv[1]);
    if (geteuid() == 0)
        become_user(user ? user : "sojourn", conf);

    run_dir = absolute(conf->run_dir);
    g_autofree char *state_dir = absolute(conf->state_dir);
    g_autofree char *log_dir = g_build_filename(run_dir, "log", NULL);
    make_dir(run_dir, 0700, NULL);
    make_dir(state_dir, 0700, NULL);
    make_dir(log_dir, 0700, NULL);
    setsid();
    write_pid("supervisor", getpid(), TRUE);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    int signals = block_signals();

    Child children[] = {
        {.name = "sojournd", .argv = child_argv(conf, state_dir, NULL, words)},
        {.name = "libvirtd",
         .argv = child_argv(conf, state_dir, "--libvirtd", words),
         .before = end_probes},
        {.name = "serf",
         .argv = child_argv(conf, state_dir, "--gossip", words),
         .settings = g_build_filename(run_dir, "serf.json", NULL)},
    };
    int how = supervise(children, G_N_ELEMENTS(children), signals);
    for (guint i = 0; i < G_N_ELEMENTS(children); i++) {
        if (children[i].pid)
            end_process(children[i].pid);
        remove_pid(children[i].name);
        g_strfreev(children[i].argv);
        g_free(children[i].settings);
    }
    end_probes();
    if (how == SIGUSR1)
        end_guests();
    clear_status();
    remove_pid("supervisor");
    g_free(run_dir);
    return 0;
}
