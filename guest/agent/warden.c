/* SPDX-License-Identifier: GPL-2.0-or-later */
/* warden.c - process 1 of the job's own process and mount namespaces: everything that may have to wait for home
 *
 * The agent must never wait for a forwarded file, because it is what forwards. So this process, its child, mounts the
 * home's files, starts the program, sends it signals, collects orphans, ends what is left and writes back what is
 * dirty. It is forked before the agent takes its buffers, so that it shares none of them.
 *
 * The namespace makes the program's process number free whatever the guest's kernel has taken, hides the agent from the
 * job, and lets kill(-1) reach exactly the job.
 */
#include "warden.h"

#include "clock.h"
#include "console.h"
#include "ends.h"
#include "kernel.h"
#include "loop.h"
#include "mounts.h"
#include "network.h"
#include "program.h"
#include "random.h"
#include "rehearse.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MS 2000
#define CHILDREN "self/task/1/children"

typedef enum {
    IDLE,       /* no START yet */
    STARTING,   /* the leader was forked, the program not yet */
    RUNNING,
    OVER,       /* the program has ended, others may be left */
    DONE        /* the last was told: FAILED or EXITED */
} Phase;

typedef struct {
    int agent, start_fd, fuse, signals, reports, proc;
    Phase phase;
    WireMessage start;
    bool linger, left;          /* left: home knows that the program has ended and others have not */
    pid_t leader;               /* -1: has ended */
    pid_t program, group;       /* while RUNNING */
    bool ending;                /* all were told to end */
    uint64_t kill_ms;           /* when who did not is killed; 0: never */
    WireMessage exited;
} Job;

static void tell(const Job *job, const WireMessage *message)
{
    uint8_t bytes[1024];
    size_t size = wire_encode(message, bytes, sizeof bytes);

    if (send(job->agent, bytes, size, 0) < 0)
        say("the agent does not listen, errno %d", errno);
}

/* Tells home why the program could not be started: a sentence, to which the reason is added. */
static void fail(const Job *job, WireStage stage, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void fail(const Job *job, WireStage stage, int error, const char *format, ...)
{
    char text[600];
    va_list arguments;
    int used;

    va_start(arguments, format);
    used = vsnprintf(text, sizeof text - 64, format, arguments);
    va_end(arguments);
    if (used > (int)sizeof text - 65)
        used = sizeof text - 65;
    snprintf(text + used, sizeof text - (size_t)used, ": %s", strerror(error));
    tell(job, &(WireMessage) { .type = WIRE_FAILED, .failed = { error, (uint8_t)stage, text } });
}

/* START's bytes stay mapped: its strings lie there. */
static int read_start(Job *job)
{
    struct stat status;
    void *bytes;

    if (fstat(job->start_fd, &status) < 0 || status.st_size <= 0)
        return -1;
    bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, job->start_fd, 0);
    close(job->start_fd);
    if (bytes == MAP_FAILED || wire_decode(&job->start, bytes, (size_t)status.st_size) < 0)
        return -1;
    return job->start.type == WIRE_START && job->start.start.version == WIRE_VERSION ? 0 : -1;
}

static int close_all(Program *program)
{
    for (int i = 0; i < 3; i++)
        if (program->stdio[i] >= 0)
            close(program->stdio[i]);
    if (program->terminal >= 0)
        close(program->terminal);
    return close(program->report);
}

/* Carries START out as far as forking the session's leader. 0, or -1 when home was told why not. */
static int job_start(Job *job)
{
    const WireStart *start = &job->start.start;
    Program program = { .start = start, .terminal = -1, .proc = job->proc };
    Ends ends = { 0 };
    int reports[2];

    if (read_start(job) < 0) {
        fail(job, WIRE_STAGE_IDENTITY, EPROTO, "the guest does not understand START");
        return -1;
    }
    job->linger = start->flags & WIRE_LINGER;
    clock_set(start->realtime_ns);
    random_seed(start->seed, sizeof start->seed);
    if (sethostname(start->hostname, strlen(start->hostname)) < 0
        || setdomainname(start->domainname, strlen(start->domainname)) < 0)
        say("the host name could not be set, errno %d", errno);
    if (start->flags & WIRE_SOCKETS)
        network_mirror(&start->addresses);
    if (start->flags & WIRE_NAT && ends_network(start, &ends) < 0) {
        fail(job, WIRE_STAGE_IDENTITY, errno, "--network nat: this guest image cannot make a network device of its own; "
             "rebuild it, or use --network home or none");
        return -1;
    }
    if (ends_streams(&program, &ends) < 0 || pipe2(reports, O_CLOEXEC) < 0
        || fcntl(reports[0], F_SETFL, O_NONBLOCK) < 0) {
        fail(job, WIRE_STAGE_IDENTITY, errno, "the guest cannot make the program's streams");
        return -1;
    }
    job->reports = reports[0];
    program.report = reports[1];
    if (mounts_home(job->fuse, start->root_dev, start->flags & WIRE_READ_ONLY) < 0) {
        fail(job, WIRE_STAGE_FILES, errno, "the guest cannot mount the home's files");
        return -1;
    }
    close(job->fuse);
    ends_hand_over(&ends, job->agent);
    if (mounts_enter() < 0) {
        fail(job, WIRE_STAGE_FILES, errno, "the guest cannot enter the home's files");
        return -1;
    }
    job->leader = program_start(&program);
    if (job->leader < 0)
        fail(job, WIRE_STAGE_IDENTITY, errno, "the guest cannot fork");
    close_all(&program);
    return job->leader < 0 ? -1 : 0;
}

static void report_failure(const Job *job, const Report *report)
{
    const WireStart *start = &job->start.start;

    if (report->stage == WIRE_STAGE_DIRECTORY)
        fail(job, report->stage, report->value, "cannot change to the working directory '%s'", start->cwd);
    else if (report->stage == WIRE_STAGE_EXECUTE)
        fail(job, report->stage, report->value, "cannot execute '%s'", start->argv.items[0]);
    else
        fail(job, report->stage, report->value, "cannot give the program its identity and limits");
}

/* Everything in the job but this process and those that block all signals. */
static void end_all(int sig)
{
    kill(-1, sig);
    if (sig != SIGKILL)
        kill(-1, SIGCONT);
}

static void report_take(Job *job, const Report *report)
{
    switch (report->kind) {
    case REPORT_BORN:
        job->phase = RUNNING;
        job->program = report->value;
        job->group = report->group;
        break;
    case REPORT_STARTED:
        tell(job, &(WireMessage) { .type = WIRE_STARTED, .pid = report->value });
        break;
    case REPORT_FAILED:
        report_failure(job, report);
        job->phase = DONE;
        break;
    case REPORT_STOPPED:
        tell(job, &(WireMessage) { .type = WIRE_STOPPED, .stop_signal = report->value });
        break;
    case REPORT_CONTINUED:
        tell(job, &(WireMessage) { .type = WIRE_CONTINUED });
        break;
    case REPORT_EXITED:
        job->exited.exited.status = report->value;
        job->exited.exited.usage = report->usage;
        job->phase = OVER;
        break;
    }
}

static void reports_read(Job *job)
{
    Report report;
    ssize_t size = -1;

    while (job->reports >= 0 && (size = read(job->reports, &report, sizeof report)) == sizeof report)
        report_take(job, &report);
    if (job->reports >= 0 && size == 0) {
        close(job->reports);
        job->reports = -1;
    }
}

static void job_signal(const Job *job, const WireMessage *message)
{
    int sig = message->signal.sig;

    if (job->phase != RUNNING && !job->left)
        return;
    if (message->signal.scope == WIRE_GROUP) {
        kill(-job->group, sig);
    } else if (job->left) {
        kill(-1, sig);
    } else if (message->signal.has_value) {
        siginfo_t info = { .si_signo = sig, .si_code = SI_QUEUE };

        info.si_value.sival_ptr = (void *)(intptr_t)message->signal.value;
        syscall(SYS_rt_sigqueueinfo, job->program, sig, &info);
    } else {
        kill(job->program, sig);
    }
}

static void job_end(Job *job, uint32_t grace_ms)
{
    job->linger = false;
    job->ending = true;
    job->kill_ms = now_ms() + grace_ms;
    end_all(SIGTERM);
}

static void agent_read(Job *job)
{
    WireMessage message;
    uint8_t bytes[256];
    ssize_t size = recv(job->agent, bytes, sizeof bytes, 0);

    if (size <= 0)
        die("the agent is gone");
    if (size == 1 && bytes[0] == WIRE_START && job->phase == IDLE) {
        job->phase = job_start(job) == 0 ? STARTING : DONE;
        return;
    }
    if (size == 1 && bytes[0] == WARDEN_REHEARSE) {
        if (job->phase == IDLE)
            rehearse();
        return;
    }
    if (wire_decode(&message, bytes, (size_t)size) < 0)
        return;
    if (message.type == WIRE_SIGNAL)
        job_signal(job, &message);
    else if (message.type == WIRE_CONTINUE && (job->phase == RUNNING || job->left))
        kill(-job->group, SIGCONT);
    else if (message.type == WIRE_END)
        job_end(job, message.grace_ms);
}

/* Collects who ended. True if nobody is left. */
static bool reap(Job *job)
{
    pid_t pid;

    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        if (pid == job->leader)
            job->leader = -1;
    return pid < 0;
}

/* True if the session's leader is this process's only child: nothing lingers. */
static bool only_leader_left(const Job *job)
{
    char text[32];
    int fd = openat(job->proc, CHILDREN, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    char *rest;

    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = 0;
    return strtol(text, &rest, 10) == job->leader && rest[strspn(rest, " \n")] == 0;
}

static void job_tell_left(Job *job)
{
    job->left = true;
    tell(job, &(WireMessage) { .type = WIRE_LEFT, .left_status = job->exited.exited.status });
}

/* All processes are gone: writes back what they left dirty, and says so. */
static void job_finish(Job *job)
{
    sync();
    tell(job, &job->exited);
    job->phase = DONE;
    job->kill_ms = 0;
}

/* Who did not end in time is killed: the program first and alone, so that its parent can report. */
static void job_kill(Job *job)
{
    if (job->phase == RUNNING)
        kill(job->program, SIGKILL);
    else
        end_all(SIGKILL);
    job->kill_ms = job->phase == RUNNING ? now_ms() + 50 : 0;
}

/* Ends the job when its time has come. */
static void job_check(Job *job)
{
    bool nobody;

    if (job->phase == IDLE)
        return;
    nobody = reap(job);
    reports_read(job);      /* whoever reports does so before it ends */
    if (nobody && job->phase != DONE)
        job_finish(job);
    else if (job->phase == OVER && job->linger && only_leader_left(job))
        kill(job->leader, SIGKILL);
    else if (job->phase == OVER && job->linger && !job->left)
        job_tell_left(job);
    else if (job->phase == OVER && !job->linger && !job->ending && job->leader < 0)
        job_end(job, GRACE_MS);
    if (job->kill_ms && now_ms() >= job->kill_ms)
        job_kill(job);
}

static int timeout(const Job *job)
{
    uint64_t now = now_ms(), next = job->kill_ms;

    if (!next)
        return -1;
    return next > now ? (int)(next - now) : 0;
}

static void warden_run(Job *job) __attribute__((noreturn));
static void warden_run(Job *job)
{
    for (;;) {
        struct pollfd fds[] = {
            { .fd = job->signals, .events = POLLIN },
            { .fd = job->reports, .events = POLLIN },
            /* what is for the program waits until there is one */
            { .fd = job->phase == STARTING ? -1 : job->agent, .events = POLLIN },
        };
        struct signalfd_siginfo dead;

        poll(fds, 3, timeout(job));
        if (fds[0].revents && read(job->signals, &dead, sizeof dead) < 0)
            die("signalfd");
        if (fds[1].revents)
            reports_read(job);
        if (fds[2].revents)
            agent_read(job);
        job_check(job);
    }
}

/* A guest in which nothing happens is not to wake its node: compaction ahead of need would twice a second. */
static void let_idle(void)
{
    kernel_set("/proc/sys/vm/compaction_proactiveness", "0");
}

/* The program's number and limits are those of its front at home, which may be higher than a small machine gives. */
static void allow_high_numbers(void)
{
    char most[24];

    if (sizeof(long) > 4)   /* else the kernel has fewer, and cannot have more */
        kernel_set("/proc/sys/kernel/pid_max", "4194304");
    snprintf(most, sizeof most, "%u", PROGRAM_OPEN_MAX);
    kernel_set("/proc/sys/fs/nr_open", most);
}

static void warden_main(int socket, int start, int fuse) __attribute__((noreturn));
static void warden_main(int socket, int start, int fuse)
{
    Job job = {
        .agent = socket, .start_fd = start, .fuse = fuse, .reports = -1,
        /* what home is told if nobody lives to report the program's end: killed */
        .exited = { .type = WIRE_EXITED, .exited = { .status = SIGKILL } },
    };
    sigset_t all, child;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    job.signals = signalfd(-1, &child, SFD_CLOEXEC);
    prctl(PR_SET_NAME, "sojourn");
    mounts_prepare();
    network_up();
    allow_high_numbers();
    let_idle();
    job.proc = open(JOB_PROC, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job.signals < 0 || job.proc < 0)
        die("the warden cannot begin");
    warden_run(&job);
}

Warden warden_spawn(int fuse)
{
    struct clone_args arguments = { .flags = CLONE_NEWPID | CLONE_NEWNS, .exit_signal = SIGCHLD };
    int start = memfd_create("start", MFD_CLOEXEC);
    int pair[2];
    long pid;

    if (start < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        die("cannot make the warden's socket");
    pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0)
        die("cannot fork the warden");
    if (pid == 0) {
        close(pair[0]);
        warden_main(pair[1], start, fuse);
    }
    close(pair[1]);
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
        die("fcntl");
    return (Warden) { pair[0], start };
}
