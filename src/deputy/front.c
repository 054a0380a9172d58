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
#include "front-private.h"

#include "back.h"
#include "common/error.h"
#include "common/log.h"
#include "detach.h"
#include "kept.h"
#include "signals.h"
#include "start.h"

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

static void end(Front *front, int status)
{
    front->status = status;
    front->done = TRUE;
}

void front_say(Front *front, const char *sentence)
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
        front_say(front, sentence);
}

void front_tell(Front *front, const WireMessage *message)
{
    if (!pair_send_message(front->pair, message))
        log_debug("the back does not listen any more: %s", g_strerror(errno));
}

static void take_started(Front *front)
{
    front->started = TRUE;
    terminal_raw(&front->terminal);
    for (int sig = 1; sig <= 64; sig++)
        if (front->early & front_bit(sig))
            front_signal_guest(front, sig, WIRE_PROCESS, NULL);
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
        front_take_output(front, message);
        break;
    case WIRE_OUTPUT_END:
        front->outputs[message->stream].ending = TRUE;
        front_write_out(front, message->stream);
        break;
    case WIRE_INPUT_BROKEN:
        stream_input_close(&front->input);
        front->leaving |= 1u << WIRE_STDIN;
        break;
    case WIRE_TAKEN:
        front->input.window = MIN(front->input.window + message->taken.bytes, WIRE_WINDOW);
        break;
    case WIRE_STOPPED:
        front_stop(front, message->stop_signal);
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

static void loop_once(Front *front)
{
    struct pollfd fds[3 + WIRE_STREAMS] = { { .fd = front->left ? -1 : front->pair, .events = POLLIN },
                                            { .fd = front->signals, .events = POLLIN },
                                            { .fd = -1, .events = POLLIN } };
    gboolean again = front->started && front->terminal.fd >= 0 && !front->terminal.shared &&
                     !front->terminal.retired && !front->terminal.raw;

    if (again)
        terminal_raw(&front->terminal);
    if (front_input_wanted(front, &again))
        fds[2].fd = front->input.fd;
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        fds[3 + stream] = (struct pollfd) { .fd = stream_output_pending(&front->outputs[stream])
                                                      ? front->outputs[stream].fd : -1,
                                            .events = POLLOUT };
    int patience = front->leaving ? LET_GO_MS : again ? LOOK_AGAIN_MS : -1;
    int ready = poll(fds, G_N_ELEMENTS(fds), patience);
    if (ready == 0)
        front_let_go(front);
    if (ready <= 0)
        return;

    if (fds[1].revents)
        front_take_signals(front);
    if (fds[2].revents)
        front_take_input(front, (fds[2].revents & POLLHUP) != 0);
    for (int stream = 0; stream < WIRE_STREAMS; stream++)
        if (fds[3 + stream].revents)
            front_write_out(front, (WireStream) stream);
    if (fds[0].revents && !front->done)
        take_packets(front);
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
        front_die(front, WTERMSIG(front->wait_status), front_key_killed(front, WTERMSIG(front->wait_status)));
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
    front_fill_closed(front.kinds);
    terminal_open(&front.terminal, front.kinds);
    signals_inherited(&ignored, &front.inherited_blocked);
    front.pair = fork_back(&front, &error);
    front.signals = front.pair < 0 ? -1 : signals_open();
    if (front.signals < 0) {
        fail(&front, 1, error ? error->message : g_strerror(errno));
        return 1;
    }
    timings_mark(&front.timings, PAIR_FORKED);
    front_open_streams(&front);
    while (!front.done && !(front.exited && front_all_written(&front))) {
        loop_once(&front);
        if (front.left && front_all_written(&front) && hand_over(&front))
            break;
    }
    return finish(&front);
}
