/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front.c - the process that stands for the job at home: its PID, terminal, signals and exit status
 *
 * One thread, one poll loop, nothing in it waits: what the front does is to pass things on between
 * the user's descriptors, terminal and signals on one side and the back on the other (pair.h). To
 * the shell it must look like the program itself, so it stops when the program was stopped, by the
 * same signal, and ends as the program ended.
 *
 * The terminal belongs to the program only while it is its turn: in the background nothing is read
 * and no mode changed; that it has become our turn (fg of a running job sends no signal) is looked
 * for a few times a second.
 */
#include "front.h"

#include "back.h"
#include "common/error.h"
#include "common/log.h"
#include "detach.h"
#include "kept.h"
#include "pair.h"
#include "signals.h"
#include "start.h"
#include "streams.h"
#include "timings.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 150       /* whose turn is it at the terminal? */
#define LET_GO_MS 50
#define LOST_STATUS (128 + SIGKILL)

static const char other_half_lost[] = "the deputy's other half ended unexpectedly: the job is lost";

typedef struct {
    const RunOptions *options;
    int pair, signals;
    pid_t back;
    guint8 kinds[3];
    Terminal terminal;
    StreamInput input;
    WireStream input_stream;
    StreamOutput outputs[WIRE_STREAMS];
    guint64 inherited_blocked;  /* signals, as in START */
    guint64 passed_on;          /* signals that the guest got from us */
    guint64 early;              /* signals that wait for STARTED */
    guint leaving;              /* streams whose descriptors are to be let go of, by 1 << stream */
    guint8 key;                 /* the last INTR or QUIT character typed, 0: none */
    int detached;               /* where the parent waits for the job's id; -1: nobody does */
    int output;                 /* what is to be kept of a detached job's output; -1: nothing */
    gboolean started, exited, done;
    gboolean left;              /* the program has ended, others of the job (--linger) have not */
    gboolean heir;              /* we are who stays with them */
    int wait_status;            /* of the program, once exited */
    int status;                 /* what to end with, where there is no wait status */
    int output_status;          /* 1 if output was lost at home */
    Timings timings;
} Front;

static guint64 bit(int sig)
{
    return 1ULL << (sig - 1);
}

static void end(Front *front, int status)
{
    front->status = status;
    front->done = TRUE;
}

static void say(Front *front, const char *sentence)
{
    gboolean raw = front->terminal.raw;

    terminal_restore(&front->terminal);
    log_error("%s", sentence);
    if (raw && !front->done)
        terminal_raw(&front->terminal);
}

/* There is no program, or none any more. */
static void fail(Front *front, int status, const char *sentence)
{
    end(front, status);
    if (front->detached >= 0)
        detach_fail(front->detached, status, sentence);
    else
        say(front, sentence);
}

/* A back that is gone is noticed by take_packets, when all that it had said has been read. */
static void to_guest(Front *front, const WireMessage *message)
{
    if (!pair_send_message(front->pair, message))
        log_debug("the back does not listen any more: %s", g_strerror(errno));
}

static void send_size(Front *front)
{
    WireMessage message = { .type = WIRE_WINSIZE };

    if (front->terminal.fd < 0)
        return;
    terminal_size(&front->terminal, &message.winsize);
    to_guest(front, &message);
}

static void send_signal(Front *front, int sig, WireScope scope, const gint64 *value)
{
    WireMessage message = { .type = WIRE_SIGNAL,
                            .signal = { sig, (guint8) scope, value != NULL, value ? *value : 0 } };

    front->passed_on |= bit(sig);
    to_guest(front, &message);
}

/* The front goes on, after whatever stopped it. */
static void go_on(Front *front)
{
    terminal_forget(&front->terminal);
    if (!front->started)
        return;
    terminal_raw(&front->terminal);
    send_size(front);
    to_guest(front, &(WireMessage) { .type = WIRE_CONTINUE });
}

static void stop(Front *front, int sig)
{
    gboolean group = front->terminal.raw && sig != SIGSTOP && !(front->passed_on & bit(sig));

    front->passed_on &= ~bit(sig);
    terminal_restore(&front->terminal);
    if (!signals_stop_self(sig, group))
        go_on(front);
}

static void die(Front *front, int sig, gboolean group)
{
    terminal_restore(&front->terminal);
    close(front->pair);
    signals_die(sig, group);
}

/* Before the program runs, and when it has ended, a signal meets the front alone. */
static void take_alone(Front *front, int sig)
{
    if (!front->exited && front->inherited_blocked & bit(sig))
        front->early |= bit(sig);
    else if (signals_ignored(sig))
        return;
    else if (signals_kill(sig))
        die(front, sig, FALSE);
    else if (signals_stop(sig))
        signals_stop_self(sig, FALSE);
}

static void take_signal(Front *front, const struct signalfd_siginfo *info)
{
    int sig = (int) info->ssi_signo;
    gint64 value = (gint64) info->ssi_ptr;
    gboolean kernel = info->ssi_code > 0;

    if (sig == SIGCHLD && kernel)
        waitpid(front->back, NULL, WNOHANG);
    else if (sig == SIGPIPE && info->ssi_pid == (guint32) getpid())
        return; /* a write of ours: its errno has said it */
    else if (sig == SIGCONT)
        go_on(front);
    else if (sig == SIGWINCH && kernel && front->terminal.fd >= 0)
        send_size(front);
    else if (!front->started || front->exited)
        take_alone(front, sig);
    else
        send_signal(front, sig, kernel ? WIRE_GROUP : WIRE_PROCESS,
                    info->ssi_code == SI_QUEUE ? &value : NULL);
}

static void take_signals(Front *front)
{
    struct signalfd_siginfo info;

    while (!front->done && signals_next(front->signals, &info))
        take_signal(front, &info);
}

static void report_taken(Front *front, WireStream stream)
{
    gsize taken = stream_output_report(&front->outputs[stream]);

    if (taken)
        to_guest(front, &(WireMessage){ .type = WIRE_TAKEN,
                                        .taken = { (guint8) stream, (guint32) taken } });
}

/* The front's own descriptor of a stream that has ended for the program must not keep a pipe open
 * either; but not at once: mostly the program has ended altogether, and the front may have
 * something to say. */
static void let_go(Front *front, WireStream stream)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0)
        return;
    dup2(null, (int) stream);
    if (stream == WIRE_STDOUT && front->kinds[2] == WIRE_PIPE && front->outputs[WIRE_STDERR].fd < 0)
        dup2(null, STDERR_FILENO);
    close(null);
}

static void let_all_go(Front *front)
{
    for (int stream = 0; stream < WIRE_TTY; stream++)
        if (front->leaving & (1u << stream))
            let_go(front, (WireStream) stream);
    front->leaving = 0;
}

/* The program can only be told EPIPE; that its output was lost must not look like success. */
static void output_lost(Front *front, int error)
{
    g_autofree char *sentence =
        g_strdup_printf("cannot write what the program says: %s", g_strerror(error));

    say(front, sentence);
    front->output_status = 1;
}

static void write_out(Front *front, WireStream stream)
{
    StreamOutput *output = &front->outputs[stream];

    if (output->fd < 0) {
        report_taken(front, stream);
        return;
    }
    if (stream == WIRE_TTY && stream_output_pending(output) &&
        terminal_stops_output(&front->terminal)) {
        signals_stop_self(SIGTTOU, TRUE);
        return;
    }
    if (!stream_output_flush(output)) {
        if (output->failed != EPIPE && stream != WIRE_TTY)
            output_lost(front, output->failed);
        to_guest(front, &(WireMessage) { .type = WIRE_OUTPUT_BROKEN, .stream = (guint8) stream });
    }
    if (output->fd < 0 && output->ending)
        front->leaving |= 1u << stream;
    report_taken(front, stream);
}

static void take_output(Front *front, const WireMessage *message)
{
    StreamOutput *output = &front->outputs[message->data.stream];
    gsize size = message->data.size;

    timings_mark(&front->timings, PAIR_OUTPUT);
    if (message->data.stream == WIRE_TTY)
        /* in take_packets' own buffer */
        size = terminal_plain(&front->terminal, (guint8 *) message->data.data, size);
    stream_output_add(output, message->data.data, size);
    output->taken += message->data.size - size;
    write_out(front, message->data.stream);
}

static void take_started(Front *front)
{
    front->started = TRUE;
    terminal_raw(&front->terminal);
    for (int sig = 1; sig <= 64; sig++)
        if (front->early & bit(sig))
            send_signal(front, sig, WIRE_PROCESS, NULL);
    if (front->detached >= 0)
        detach_started(front->detached);
    front->detached = -1;
}

static void take_failed(Front *front, const WireMessage *message)
{
    gboolean execute = message->failed.stage == WIRE_STAGE_EXECUTE;
    gboolean missing = execute && message->failed.error == ENOENT;
    const char *why = missing ? "not found" : g_strerror(message->failed.error);
    g_autofree char *sentence = execute
        ? g_strdup_printf("%s: %s", front->options->command[0], why)
        : g_strdup(message->failed.text);

    fail(front, missing ? 127 : 126, sentence);
}

static void take_message(Front *front, const WireMessage *message)
{
    switch (message->type) {
    case WIRE_STARTED:
        take_started(front);
        break;
    case WIRE_FAILED:
        take_failed(front, message);
        break;
    case WIRE_OUTPUT:
        take_output(front, message);
        break;
    case WIRE_OUTPUT_END:
        front->outputs[message->stream].ending = TRUE;
        write_out(front, message->stream);
        break;
    case WIRE_INPUT_BROKEN:
        stream_input_close(&front->input);
        front->leaving |= 1u << WIRE_STDIN;
        break;
    case WIRE_TAKEN:
        front->input.window = MIN(front->input.window + message->taken.bytes, WIRE_WINDOW);
        break;
    case WIRE_STOPPED:
        stop(front, message->stop_signal);
        break;
    case WIRE_MODES:
        terminal_follow(&front->terminal, &message->modes);
        break;
    case WIRE_LEFT:
        front->left = !front->options->detach;  /* who has detached waits for the job */
        front->wait_status = message->left_status;
        break;
    case WIRE_EXITED:
        front->exited = TRUE;
        front->wait_status = message->exited.status;
        break;
    default:
        break;
    }
}

/* What only home's two halves say to each other. */
static void take_own(Front *front, const guint8 *packet, gsize size)
{
    g_autofree char *text = g_strndup((const char *) packet + 1, size - 1);

    switch (packet[0]) {
    case PAIR_FAIL:
        if (size < 2)
            return;
        fail(front, packet[1], text + 1);
        break;
    case PAIR_NOTICE:
        if (isatty(STDERR_FILENO) && !front->terminal.raw && front->detached < 0)
            log_info("%s", text);
        break;
    case PAIR_JOB:
        if (front->detached >= 0)
            detach_job(front->detached, text);
        if (front->output >= 0)
            kept_start(text, front->output);
        front->output = -1;
        break;
    case PAIR_MARK:
        timings_take(&front->timings, packet + 1, size - 1);
        break;
    }
}

static void take_packet(Front *front, const guint8 *packet, gsize size)
{
    WireMessage message;

    if (packet[0] >= PAIR_FAIL)
        take_own(front, packet, size);
    else if (wire_decode(&message, packet, size) == 0) {
        take_message(front, &message);
        wire_clear(&message);
    }
}

/* As many as are there, but not for ever: signals and the terminal have their turn too. */
static void take_packets(Front *front)
{
    static guint8 packet[PAIR_PACKET];

    for (int i = 0; i < 16 && !front->done && !front->left; i++) {
        gssize size = recv(front->pair, packet, sizeof packet, MSG_DONTWAIT);
        if (size < 0 && errno == ECONNRESET)
            continue; /* it ended without having read everything of ours; what it said is still there */
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size > 0) {
            take_packet(front, packet, (gsize) size);
            continue;
        }
        if (!front->exited)
            fail(front, LOST_STATUS, other_half_lost);
        close(front->pair);
        front->pair = -1;
        return;
    }
}

/* A line's end-of-file key, where home's terminal does the lines: the guest's has to see the key
 * itself. */
static void input_ended(Front *front, gboolean hung_up)
{
    guint8 key = front->terminal.modes.c_cc[VEOF];
    guint8 head[WIRE_DATA_HEAD];

    if (front->input.terminal && front->terminal.shared && !hung_up) {
        wire_data_head(head, WIRE_INPUT, front->input_stream);
        pair_send(front->pair, head, sizeof head, &key, 1);
        return;
    }
    stream_input_close(&front->input);
    to_guest(front,
             &(WireMessage){ .type = WIRE_INPUT_END, .stream = (guint8) front->input_stream });
}

static void note_keys(Front *front, const guint8 *bytes, gsize size)
{
    const guint8 *keys = front->terminal.modes.c_cc;

    for (gsize i = 0; front->terminal.raw && i < size; i++)
        if (bytes[i] == keys[VINTR] || bytes[i] == keys[VQUIT])
            front->key = bytes[i];
}

static void take_input(Front *front, gboolean hung_up)
{
    static guint8 buffer[32 << 10];
    guint8 head[WIRE_DATA_HEAD];
    gssize size = stream_input_read(&front->input, buffer, sizeof buffer);

    if (size < 0 && (errno == EAGAIN ||
                     (errno == EIO && front->input.terminal && !terminal_ours(&front->terminal))))
        return;
    if (size <= 0) {
        input_ended(front, hung_up);
        return;
    }
    note_keys(front, buffer, (gsize) size);
    wire_data_head(head, WIRE_INPUT, front->input_stream);
    pair_send(front->pair, head, sizeof head, buffer, (gsize) size);
}

/* Whether the keyboard is to be read, and (ret_again) whether that may change without notice. */
static gboolean input_wanted(Front *front, gboolean *ret_again)
{
    if (!front->started || front->exited || !stream_input_wanted(&front->input))
        return FALSE;
    if (!front->input.terminal || terminal_readable(&front->terminal))
        return TRUE;
    *ret_again = TRUE;
    return FALSE;
}

static gboolean all_written(const Front *front)
{
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        if (stream_output_pending(&front->outputs[stream]))
            return FALSE;
    return TRUE;
}

static void loop_once(Front *front)
{
    struct pollfd fds[3 + WIRE_STREAMS] = { { .fd = front->left ? -1 : front->pair, .events = POLLIN },
                                            { .fd = front->signals, .events = POLLIN },
                                            { .fd = -1, .events = POLLIN } };
    gboolean again = front->started && front->terminal.fd >= 0 && !front->terminal.shared &&
                     !front->terminal.retired && !front->terminal.raw;

    if (again)
        terminal_raw(&front->terminal);
    if (input_wanted(front, &again))
        fds[2].fd = front->input.fd;
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        fds[3 + stream] = (struct pollfd) { .fd = stream_output_pending(&front->outputs[stream])
                                                      ? front->outputs[stream].fd : -1,
                                            .events = POLLOUT };
    int patience = front->leaving ? LET_GO_MS : again ? LOOK_AGAIN_MS : -1;
    int ready = poll(fds, G_N_ELEMENTS(fds), patience);
    if (ready == 0)
        let_all_go(front);
    if (ready <= 0)
        return;

    if (fds[1].revents)
        take_signals(front);
    if (fds[2].revents)
        take_input(front, (fds[2].revents & POLLHUP) != 0);
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        if (fds[3 + stream].revents)
            write_out(front, (WireStream) stream);
    if (fds[0].revents && !front->done)
        take_packets(front);
}

/* No descriptor of our own may become 0, 1 or 2. */
static void fill_closed(const guint8 kinds[3])
{
    for (int fd = 0; fd < 3; fd++)
        if (kinds[fd] == WIRE_CLOSED)
            open("/dev/null", O_RDWR | O_CLOEXEC);
}

static void open_streams(Front *front)
{
    gboolean merged =
        front->kinds[1] == WIRE_PIPE && front->kinds[2] == WIRE_PIPE && streams_merged();

    front->input.fd = -1;
    front->input_stream = front->kinds[0] == WIRE_TERMINAL ? WIRE_TTY : WIRE_STDIN;
    if (front->kinds[0] == WIRE_PIPE)
        stream_input_init(&front->input, STDIN_FILENO, FALSE);
    else if (front->kinds[0] == WIRE_TERMINAL)
        stream_input_init(&front->input, front->terminal.fd, TRUE);
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        front->outputs[stream].fd = -1;
    for (int fd = 1; fd <= 2; fd++)
        if (front->kinds[fd] == WIRE_PIPE && !(fd == 2 && merged))
            stream_output_init(&front->outputs[fd], fd, FALSE);
    if (front->terminal.fd >= 0)
        stream_output_init(&front->outputs[WIRE_TTY], front->terminal.fd, TRUE);
}

/* Forks the back; the parent returns its end of the pair, -1 and an error on failure. */
static int fork_back(Front *front, GError **error)
{
    g_autoptr(GBytes) start = start_new(front->options, &front->terminal, front->kinds, error);
    int ends[2];

    if (!start || !pair_new(ends, error))
        return -1;
    BackSetup setup = { .options = front->options,
                        .start = start,
                        .pair = ends[1],
                        .front = getpid(),
                        .terminal = front->terminal.shared ? -1 : front->terminal.fd,
                        .modes = front->terminal.modes,
                        .raw = front->terminal.modes };
    cfmakeraw(&setup.raw);
    front->back = fork();
    if (front->back == 0) {
        close(ends[0]);
        _exit(back_run(&setup));
    }
    close(ends[1]);
    if (front->back < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "cannot fork: %s", g_strerror(errno));
        close(ends[0]);
        return -1;
    }
    return ends[0];
}

/* Ctrl-C at the terminal reaches the whole process group: a script must notice that its command was
 * interrupted. */
static gboolean key_killed(const Front *front, int sig)
{
    const guint8 *keys = front->terminal.modes.c_cc;

    return front->key && !(front->passed_on & bit(sig)) &&
           ((sig == SIGINT && front->key == keys[VINTR]) ||
            (sig == SIGQUIT && front->key == keys[VQUIT]));
}

static int finish(Front *front)
{
    terminal_restore(&front->terminal);
    timings_mark(&front->timings, PAIR_END);
    if (front->heir)
        return 0;   /* to nobody */
    if (front->options->timings)
        timings_print(&front->timings);
    if (!front->exited)
        return front->status;
    if (WIFSIGNALED(front->wait_status))
        die(front, WTERMSIG(front->wait_status), key_killed(front, WTERMSIG(front->wait_status)));
    return WEXITSTATUS(front->wait_status) ?: front->output_status;
}

/* With --linger the program has ended, and the shell is to have its status; others of the job may still write. So a child
 * goes on with the user's descriptors, as they would have them at home. It leaves the terminal's modes and keys alone. TRUE in
 * the parent, which is to end. */
static gboolean hand_over(Front *front)
{
    guint8 packet[1 + sizeof(gint32)] = { PAIR_HEIR };
    gint32 pid;

    terminal_restore(&front->terminal);
    front->left = FALSE;
    if (fork() != 0) {
        front->exited = TRUE;
        return TRUE;
    }
    front->heir = TRUE;
    front->terminal.retired = TRUE;
    if (front->input.terminal)
        stream_input_close(&front->input);
    pid = getpid();
    memcpy(packet + 1, &pid, sizeof pid);
    pair_send(front->pair, packet, sizeof packet, NULL, 0);
    return FALSE;
}

int front_run(const RunOptions *options)
{
    g_autoptr(GError) error = NULL;
    Front front = { .options = options, .detached = -1, .output = -1 };
    guint64 ignored;

    timings_mark(&front.timings, PAIR_BEGIN);
    if (options->detach && !detach(&front.detached, &front.output, &front.status))
        return front.status;
    streams_kinds(front.kinds);
    fill_closed(front.kinds);
    terminal_open(&front.terminal, front.kinds);
    signals_inherited(&ignored, &front.inherited_blocked);
    front.pair = fork_back(&front, &error);
    front.signals = front.pair < 0 ? -1 : signals_open();
    if (front.signals < 0) {
        fail(&front, 1, error ? error->message : g_strerror(errno));
        return 1;
    }
    timings_mark(&front.timings, PAIR_FORKED);
    open_streams(&front);
    while (!front.done && !(front.exited && all_written(&front))) {
        loop_once(&front);
        if (front.left && all_written(&front) && hand_over(&front))
            break;
    }
    return finish(&front);
}
