/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back-link.c - the back between guest and front: every message of either, on its way to the other
 *
 * The back keeps no stream's bytes for long: a stream's window (WIRE_WINDOW) is between agent and
 * front, so what waits here is bounded, and the link's credit goes back at once. What the guest
 * says is checked before the front sees it.
 */
#include "back-private.h"

#include "common/error.h"
#include "common/log.h"
#include "common/source.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 500         /* whether the front was stopped by SIGSTOP */
#define LOOK_QUIET_MS 2000
#define PATIENCE_FIRST_S 4  /* with a guest that does not answer HELLO; twice as long each time */
#define PATIENCE_LONGEST_S 30
#define ANSWERS_WAITING 256 /* for a guest that asks and does not take the answers */
#define CLOCK_S 10          /* between CLOCKs */
#define NAT_UNDER_WAY (160u << 10)   /* bytes; the guest says at least at each 128 KiB that it has them */
#define NAT_SPARE (512u << 10)   /* of the channel's window; packets are dropped when no more is left */
#define FLUSH_MS 3000       /* for the guest to bring home what --cache writeback holds */

/* To the front */

static gboolean front_writable(int fd, GIOCondition condition, gpointer user)
{
    Back *back = user;
    GBytes *packet;

    while ((packet = g_queue_peek_head(&back->to_front))) {
        gsize size;
        const void *bytes = g_bytes_get_data(packet, &size);
        if (!back->front_gone && !pair_send(fd, bytes, size, NULL, 0) && errno == EAGAIN)
            return G_SOURCE_CONTINUE;
        g_bytes_unref(g_queue_pop_head(&back->to_front));
    }
    g_clear_pointer(&back->pair_out, g_source_unref);
    if (back->told)
        back_leave(back);
    return G_SOURCE_REMOVE;
}

void back_to_front(Back *back, const void *head, gsize head_size, const void *data, gsize size)
{
    int fd = back->setup->pair;

    if (back->front_gone || (back->to_front.length == 0 &&
                             (pair_send(fd, head, head_size, data, size) || errno != EAGAIN)))
        return;

    GByteArray *packet = g_byte_array_sized_new((guint) (head_size + size));
    g_byte_array_append(packet, head, (guint) head_size);
    g_byte_array_append(packet, data, (guint) size);
    g_queue_push_tail(&back->to_front, g_byte_array_free_to_bytes(packet));
    if (back->pair_out)
        return;
    back->pair_out = source_add(g_unix_fd_source_new(fd, G_IO_OUT), NULL, G_SOURCE_FUNC(front_writable), back);
}

/* To the guest */

/* What the guest hears next may speak of what home has just done to its files. */
static void catch_up(Back *back)
{
    if (!back->files)
        return;
    files_catch_up(back->files);
    if (replies_some(back->replies))
        replies_flush(back->replies);
}

static void flush_to_guest(Back *back, LinkChannel channel)
{
    GBytes *message;

    while ((message = g_queue_peek_head(&back->to_guest[channel]))) {
        gsize size;
        const void *bytes = g_bytes_get_data(message, &size);
        if (link_send(back->link, channel, bytes, size) == -EAGAIN)
            return;
        g_bytes_unref(g_queue_pop_head(&back->to_guest[channel]));
    }
}

void back_to_guest(Back *back, LinkChannel channel, const void *bytes, gsize size)
{
    if (!back->link)
        return;
    catch_up(back);
    if (back->to_guest[channel].length == 0 &&
        link_send(back->link, channel, bytes, size) != -EAGAIN) {
        port_flush(back->port);
        return;
    }
    g_queue_push_tail(&back->to_guest[channel], g_bytes_new(bytes, size));
    flush_to_guest(back, channel);
}

void back_message_to_guest(Back *back, LinkChannel channel, const WireMessage *message)
{
    guint8 buffer[WIRE_ANSWER_MAX + 256];
    gsize size = wire_encode(message, buffer, sizeof buffer);

    g_return_if_fail(size <= sizeof buffer);
    back_to_guest(back, channel, buffer, size);
}

static void send_clock(Back *back)
{
    back_message_to_guest(back, LINK_CONTROL, &(WireMessage) {
        .type = WIRE_CLOCK, .realtime_ns = (guint64) g_get_real_time() * 1000 });
}

/* A CLOCK is late by what it was under way, on a busy machine much; the guest goes by those that were late least. So there
 * are several soon after each migration, and now and then one later. None is sent while the last one waits: they would all
 * come at once, and late. */
static gboolean clock_again(gpointer user)
{
    static const guint after_ms[] = { 100, 200, 400, 800, 2000 };
    Back *back = user;
    LinkCounters counters;

    if (!back->link) {
        back->clock_timer = 0;
        return G_SOURCE_REMOVE;
    }
    link_counters(back->link, &counters);
    if (!back->clock_pending || counters.unacknowledged_bytes < back->clock_pending)
        send_clock(back);
    link_counters(back->link, &counters);
    back->clock_pending = counters.unacknowledged_bytes;
    back->clock_timer = back->clock_step < G_N_ELEMENTS(after_ms)
        ? g_timeout_add(after_ms[back->clock_step++], clock_again, back)
        : g_timeout_add_seconds(CLOCK_S, clock_again, back);
    return G_SOURCE_REMOVE;
}

static void clock_begin(Back *back)
{
    if (back->clock_timer)
        g_source_remove(back->clock_timer);
    back->clock_step = 0;
    back->clock_pending = 0;
    clock_again(back);
}

/* START was made when the front began; its time is told anew, and the seed never kept. */
static void send_start(Back *back)
{
    gsize size;
    const void *bytes = g_bytes_get_data(back->setup->start, &size);
    WireMessage message;

    if (wire_decode(&message, bytes, size) < 0)
        return;
    message.start.realtime_ns = (guint64) g_get_real_time() * 1000;
    if (getrandom(message.start.seed, sizeof message.start.seed, 0) != sizeof message.start.seed)
        log_warning("home has no randomness for the guest: %s", g_strerror(errno));
    void *fresh = wire_encode_new(&message, &size);
    wire_clear(&message);
    if (fresh)
        back_to_guest(back, LINK_BULK, fresh, size);
    free(fresh);
}

/* The front's state, from the third field of its stat; it begins after the last ')'. */
static char front_process_state(const Back *back)
{
    char text[512];
    gssize size = pread(back->front_stat, text, sizeof text - 1, 0);

    if (size <= 0)
        return '?';
    text[size] = '\0';
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' ? end[2] : '?';
}

/* Whether nothing has come from the guest since it was asked last: it sleeps. */
static gboolean guest_is_quiet(Back *back)
{
    LinkCounters counters = { 0 };
    guint64 before = back->looked_frames;

    if (back->link)
        link_counters(back->link, &counters);
    back->looked_frames = counters.received_frames;
    return counters.received_frames == before;
}

/* SIGSTOP cannot be caught: the front cannot say that it was stopped, so it is looked at; seldom while there is little to stop.
 * */
static gboolean look_at_front(gpointer user)
{
    Back *back = user;

    if (back->ending || back->left)
        return G_SOURCE_REMOVE;
    if (back->state == BACK_RUNNING && !back->halted && front_process_state(back) == 'T') {
        back->halted = TRUE;
        back_message_to_guest(back, LINK_CONTROL,
                              &(WireMessage){ .type = WIRE_SIGNAL, .signal = { .sig = SIGSTOP } });
    }
    g_timeout_add(guest_is_quiet(back) ? LOOK_QUIET_MS : LOOK_MS, look_at_front, back);
    return G_SOURCE_REMOVE;
}

/* From the guest */

static void take_exited(Back *back, const WireMessage *message)
{
    back_mark(back, PAIR_EXITED);
    back->status = message->exited.status;
}

/* Whether the front is to be told as well. */
static gboolean take_message(Back *back, const WireMessage *message)
{
    switch (message->type) {
    case WIRE_READY:
        back_mark(back, PAIR_READY);
        if (message->ready.version == WIRE_VERSION)
            send_start(back);
        else
            back_fail(back, 1,
                      "the guest image speaks version %u of the protocol, this sojourn version %u: "
                      "install an image of this version",
                      message->ready.version, WIRE_VERSION);
        return FALSE;
    case WIRE_STARTED:
        back_mark(back, PAIR_STARTED);
        if (back->state == BACK_STARTING) /* a guest may say it as often as it likes */
            g_timeout_add(LOOK_MS, look_at_front, back);
        back_set_state(back, BACK_RUNNING);
        return TRUE;
    case WIRE_STOPPED:
        back_set_state(back, BACK_STOPPED);
        return !back->halted;
    case WIRE_CONTINUED:
        back_set_state(back, BACK_RUNNING);
        return TRUE;
    case WIRE_LEFT:
        back->left = back->setup->options->linger; /* else the program's end is the job's */
        return back->left;
    case WIRE_EXITED:
        take_exited(back, message);
        return TRUE;
    case WIRE_ASK:
        if (back->to_guest[LINK_CONTROL].length > ANSWERS_WAITING || !control_ask(back->control, message))
            back_fail(back, 128 + SIGKILL, "the guest asks too much at once: the job was ended");
        return FALSE;
    case WIRE_DEPARTED:
        back_departed(back);
        return FALSE;
    case WIRE_FAILED:
    case WIRE_OUTPUT:
    case WIRE_OUTPUT_END:
    case WIRE_INPUT_BROKEN:
    case WIRE_MODES:
    case WIRE_TAKEN:
        return TRUE;
    default:
        return FALSE;
    }
}

/* An OUTPUT may be longer than a packet. */
static void output_to_front(Back *back, const WireMessage *message)
{
    const guint8 *data = message->data.data;
    guint8 head[WIRE_DATA_HEAD];

    wire_data_head(head, WIRE_OUTPUT, message->data.stream);
    for (gsize done = 0; done < message->data.size;) {
        gsize size = MIN(message->data.size - done, PAIR_PACKET - WIRE_DATA_HEAD);
        back_to_front(back, head, sizeof head, data + done, size);
        done += size;
    }
}

static void from_guest(Back *back, const void *data, gsize size)
{
    WireMessage message;

    if (wire_decode(&message, data, size) < 0) {
        back_fail(back, 128 + SIGKILL,
                  "the guest said something that cannot be: the job was ended");
        return;
    }
    log_debug("the guest says %s", wire_name(message.type));
    if (take_message(back, &message)) {
        if (message.type == WIRE_OUTPUT)
            output_to_front(back, &message);
        else
            back_to_front(back, data, size, NULL, 0);
    }
    if (message.type == WIRE_EXITED)
        back_end(back, message.exited.status);
    else if (message.type == WIRE_FAILED)
        back_end(back, W_EXITCODE(127, 0));
    wire_clear(&message);
}

/* A request lies anywhere in what was read; the structures in it want to be aligned. */
static void take_request(Back *back, const void *data, size_t size)
{
    static guint64 aligned[LINK_MESSAGE_MAX / sizeof(guint64)];

    if (GPOINTER_TO_SIZE(data) % sizeof(guint64) != 0)
        data = memcpy(aligned, data, size);
    files_request(back->files, data, size);
}

/* The credit goes back in sockets_consumed. */
static void take_record(Back *back, const void *data, gsize size)
{
    if (back->nat) {
        nat_packet(back->nat, data, size);
        link_consumed(back->link, LINK_SOCKETS, size);
    } else if (!back->sockets || back->ending)
        link_consumed(back->link, LINK_SOCKETS, size);
    else if (!sockets_message(back->sockets, data, size))
        back_fail(back, 128 + SIGKILL,
                  "the guest said of a socket what cannot be: the job was ended");
}

static void on_message(void *user, LinkChannel channel, const void *data, size_t size)
{
    Back *back = user;

    if (channel == LINK_SOCKETS) {
        take_record(back, data, size);
        return;
    }
    if (channel == LINK_FILES || channel == LINK_BULK)
        take_request(back, data, size);
    else if (!back->ending)
        from_guest(back, data, size);
    link_consumed(back->link, channel, size);
}

static void on_writable(void *user, LinkChannel channel)
{
    Back *back = user;

    replies_writable(back->replies, channel);
    if (channel == LINK_SOCKETS && back->sockets)
        sockets_writable(back->sockets);
    flush_to_guest(back, channel);
}

static void on_established(void *user, uint64_t epoch)
{
    Back *back = user;

    back_mark(back, PAIR_ESTABLISHED);
    if (back->patience)
        g_source_remove(back->patience);
    back->patience = back->patience_s = 0;
    if (back->clocked_epoch != epoch)
        clock_begin(back);
    back->clocked_epoch = epoch;
}

static void on_refused(void *user, const char *why)
{
    back_fail(user, 128 + SIGKILL, "the guest cannot be gone on with: %s", why);
}

static void on_reply(const struct iovec *parts, int count, void *user)
{
    replies_add(((Back *) user)->replies, parts, count);
}

/* From the front */

static gboolean flushed_enough(gpointer user)
{
    back_end(user, SIGKILL);
    return G_SOURCE_REMOVE;
}

/* The agent brings home what it holds and says EXITED; without such a cache there is nothing to
 * wait for. */
static void front_killed(Back *back)
{
    const BackSetup *setup = back->setup;

    if (setup->terminal >= 0)
        terminal_rescue(setup->terminal, &setup->raw, &setup->modes);
    if (g_strcmp0(setup->options->cache, "writeback") != 0 || back->state == BACK_STARTING) {
        back_end(back, SIGKILL);
        return;
    }
    back_message_to_guest(back, LINK_CONTROL, &(WireMessage) { .type = WIRE_END });
    g_timeout_add(FLUSH_MS, flushed_enough, back);
}

static void from_front(Back *back, const guint8 *packet, gsize size)
{
    gint32 pid;

    switch (packet[0]) {
    case PAIR_HEIR:
        if (size == 1 + sizeof pid) {
            memcpy(&pid, packet + 1, sizeof pid);
            back_set_front(back, pid);
        }
        break;
    case WIRE_INPUT:
    case WIRE_INPUT_END:
        back_to_guest(back, LINK_STREAM, packet, size);
        break;
    case WIRE_CONTINUE:
        back->halted = FALSE;
        back_set_state(back, BACK_RUNNING);
        back_to_guest(back, LINK_CONTROL, packet, size);
        break;
    default:
        back_to_guest(back, LINK_CONTROL, packet, size);
        break;
    }
}

static gboolean front_readable(int fd, GIOCondition condition, gpointer user)
{
    static guint8 packet[PAIR_PACKET];
    Back *back = user;

    for (int i = 0; i < 16; i++) {
        gssize size = recv(fd, packet, sizeof packet, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return G_SOURCE_CONTINUE;
        if (size <= 0) {
            back->front_gone = TRUE;
            if (!back->ending)
                front_killed(back);
            return G_SOURCE_REMOVE;
        }
        from_front(back, packet, (gsize) size);
    }
    return G_SOURCE_CONTINUE;
}

void back_front_watch(Back *back)
{
    g_unix_set_fd_nonblocking(back->setup->pair, TRUE, NULL);
    back->pair_in = source_add(g_unix_fd_source_new(back->setup->pair, G_IO_IN), NULL, G_SOURCE_FUNC(front_readable), back);
}

/* Set-up */

/* A guest elsewhere is linked again by its host; for one at home the controller must be told. */
static void ask_for_link(Back *back)
{
    if (back->rpc && !back->ending)
        rpc_notify(back->rpc, "deputy.relink", NULL);
}

static void port_closed(Port *port, gpointer user)
{
    log_debug("the connection to the guest ended");
    ask_for_link(user);
}

static gboolean out_of_patience(gpointer user)
{
    Back *back = user;

    back->patience = 0;
    if (!port_is_open(back->port))
        return G_SOURCE_REMOVE;
    log_debug("the guest does not answer on this connection: another is tried");
    port_close(back->port);
    ask_for_link(back);
    return G_SOURCE_REMOVE;
}

void back_connect_link(Back *back, int fd, guint64 epoch)
{
    port_open(back->port, fd, epoch);
    if (back->patience)
        g_source_remove(back->patience);
    back->patience_s = CLAMP(back->patience_s * 2, PATIENCE_FIRST_S, PATIENCE_LONGEST_S);
    back->patience = g_timeout_add_seconds(back->patience_s, out_of_patience, back);
}

static FilesCache cache_mode(const char *word)
{
    if (g_strcmp0(word, "none") == 0)
        return FILES_CACHE_NONE;
    return g_strcmp0(word, "writeback") == 0 ? FILES_CACHE_WRITEBACK : FILES_CACHE_THROUGH;
}

static int sockets_send_record(const void *head, gsize head_size, const void *data, gsize size,
                               gpointer user)
{
    catch_up(user);
    return link_send2(((Back *) user)->link, LINK_SOCKETS, head, head_size, data, size);
}

static void sockets_consumed(gsize size, gpointer user)
{
    link_consumed(((Back *) user)->link, LINK_SOCKETS, size);
}

static gboolean sockets_busy(gpointer user)
{
    return port_is_full(((Back *) user)->port);
}

static void sockets_flush(gpointer user)
{
    port_flush(((Back *) user)->port);
}

/* A packet that cannot be on its way soon had better be lost: TCP would send it again before it arrives. */
static gboolean nat_send(const void *packet, gsize size, gpointer user)
{
    Link *link = ((Back *) user)->link;

    return link_room(link, LINK_SOCKETS) >= NAT_SPARE && link_send(link, LINK_SOCKETS, packet, size) == 0;
}

/* Also while much is under way, of files as well: what a file request is answered with comes behind it. */
static gboolean nat_busy(gpointer user)
{
    const Back *back = user;
    LinkCounters counters;

    link_counters(back->link, &counters);
    return !port_is_open(back->port) || port_is_full(back->port) || link_queued(back->link, LINK_SOCKETS) ||
           counters.unacknowledged_bytes > NAT_UNDER_WAY;
}

static gboolean nat_alive(gpointer user)
{
    Back *back = user;
    LinkCounters counters;
    gboolean alive;

    link_counters(back->link, &counters);
    alive = counters.unacknowledged_bytes == 0 || counters.received_frames != back->nat_heard;
    back->nat_heard = counters.received_frames;
    return alive;
}

/* START says which network it is. */
static gboolean open_nat(Back *back, GError **error)
{
    static const NatEvents events = { .send = nat_send, .busy = nat_busy, .flush = sockets_flush, .alive = nat_alive };
    gsize size;
    const void *bytes = g_bytes_get_data(back->setup->start, &size);
    WireMessage message;

    if (wire_decode(&message, bytes, size) < 0) {
        g_set_error(error, SJ_ERROR, SJ_ERROR_FAILED, "START cannot be read");
        return FALSE;
    }
    back->nat = nat_new(&message.start.addresses, &events, back, error);
    wire_clear(&message);
    return back->nat != NULL;
}

gboolean back_link_open(Back *back, GError **error)
{
    static const SocketsEvents sockets = { .send = sockets_send_record,
                                           .consumed = sockets_consumed,
                                           .busy = sockets_busy,
                                           .flush = sockets_flush };
    static const LinkEvents events = { .message = on_message, .writable = on_writable,
                                       .established = on_established, .refused = on_refused };
    const RunOptions *options = back->setup->options;
    const FilesOptions files = { .root = options->root ?: "/",
                                 .read_only = options->read_only,
                                 .cache = cache_mode(options->cache),
                                 .switch_ids = geteuid() == 0 };

    back_control_open(back);
    back->link = link_new(LINK_HOME, &events, back);
    back->port = port_new(back->link, port_closed, back);
    back->replies = replies_new(back->link, back->port);
    back->files = files_new(&files, on_reply, back, error);
    if (back->files && options->network == NETWORK_HOME)
        back->sockets = sockets_new(back->files, &sockets, back, error);
    if (!back->files || (options->network == NETWORK_HOME && !back->sockets))
        return FALSE;
    return options->network != NETWORK_NAT || open_nat(back, error);
}
