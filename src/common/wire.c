/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - the messages between deputy and agent: each described once, for encoding and decoding alike
 *
 * A Coder walks over the fields of a message in their order on the wire and either writes them out or fills them in:
 * code_start() is both the encoder and the decoder of START, so the two cannot disagree. A coder that has met something
 * wrong (too short, out of range) goes bad and stays it: the walkers need no error paths of their own.
 */
#include "common/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    bool decoding;
    bool bad;
    bool no_memory;
    uint8_t *bytes;
    size_t size;
    size_t used;    /* encoding: may go beyond size, then nothing more is written */
} Coder;

static const char *const names[] = {
    [WIRE_START] = "START",
    [WIRE_SIGNAL] = "SIGNAL",
    [WIRE_WINSIZE] = "WINSIZE",
    [WIRE_INPUT] = "INPUT",
    [WIRE_INPUT_END] = "INPUT_END",
    [WIRE_OUTPUT_BROKEN] = "OUTPUT_BROKEN",
    [WIRE_CONTINUE] = "CONTINUE",
    [WIRE_CLOCK] = "CLOCK",
    [WIRE_END] = "END",
    [WIRE_READY] = "READY",
    [WIRE_STARTED] = "STARTED",
    [WIRE_FAILED] = "FAILED",
    [WIRE_OUTPUT] = "OUTPUT",
    [WIRE_OUTPUT_END] = "OUTPUT_END",
    [WIRE_INPUT_BROKEN] = "INPUT_BROKEN",
    [WIRE_STOPPED] = "STOPPED",
    [WIRE_CONTINUED] = "CONTINUED",
    [WIRE_MODES] = "MODES",
    [WIRE_EXITED] = "EXITED",
    [WIRE_USAGE] = "USAGE",
    [WIRE_TAKEN] = "TAKEN",
    [WIRE_ASK] = "ASK",
    [WIRE_ANSWER] = "ANSWER",
    [WIRE_DEPART] = "DEPART",
    [WIRE_DEPARTED] = "DEPARTED",
    [WIRE_LEFT] = "LEFT",
};
static_assert(sizeof names / sizeof names[0] == WIRE_TYPES, "every message has a name");

const char *wire_name(WireType type)
{
    return (unsigned)type < WIRE_TYPES && names[type] ? names[type] : "?";
}

static size_t coder_left(const Coder *coder)
{
    return coder->used < coder->size ? coder->size - coder->used : 0;
}

static void check(Coder *coder, bool good)
{
    if (!good)
        coder->bad = true;
}

/* The next n bytes when decoding, NULL when they are not there. */
static uint8_t *take(Coder *coder, size_t n)
{
    check(coder, n <= coder_left(coder));
    if (coder->bad)
        return NULL;
    coder->used += n;
    return coder->bytes + coder->used - n;
}

static void put(Coder *coder, const void *bytes, size_t n)
{
    if (n && n <= coder_left(coder))
        memcpy(coder->bytes + coder->used, bytes, n);
    coder->used += n;
}

/* An unsigned number of n bytes. */
static uint64_t code_number(Coder *coder, uint64_t value, size_t n)
{
    uint8_t bytes[8];
    const uint8_t *in = bytes;

    if (coder->decoding) {
        in = take(coder, n);
        value = 0;
        for (size_t i = 0; in && i < n; i++)
            value |= (uint64_t)in[i] << 8 * i;
        return value;
    }
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    put(coder, bytes, n);
    return value;
}

static void code_u8(Coder *coder, uint8_t *value)
{
    *value = (uint8_t)code_number(coder, *value, 1);
}

static void code_u16(Coder *coder, uint16_t *value)
{
    *value = (uint16_t)code_number(coder, *value, 2);
}

static void code_u32(Coder *coder, uint32_t *value)
{
    *value = (uint32_t)code_number(coder, *value, 4);
}

static void code_i32(Coder *coder, int32_t *value)
{
    *value = (int32_t)(uint32_t)code_number(coder, (uint32_t)*value, 4);
}

static void code_u64(Coder *coder, uint64_t *value)
{
    *value = code_number(coder, *value, 8);
}

static void code_i64(Coder *coder, int64_t *value)
{
    *value = (int64_t)code_number(coder, (uint64_t)*value, 8);
}

static void code_bool(Coder *coder, bool *value)
{
    uint64_t byte = code_number(coder, *value, 1);

    check(coder, byte <= 1);
    *value = byte == 1;
}

/* One of n values. */
static void code_choice(Coder *coder, uint8_t *value, unsigned n)
{
    code_u8(coder, value);
    check(coder, *value < n);
}

static void code_bytes(Coder *coder, void *bytes, size_t n)
{
    const uint8_t *in;

    if (!coder->decoding)
        put(coder, bytes, n);
    else if ((in = take(coder, n)))
        memcpy(bytes, in, n);
}

/* Length, bytes, and a zero that is not counted: what is decoded is a C string where it lies. */
static void code_string(Coder *coder, const char **string)
{
    uint32_t length = coder->decoding ? 0 : (uint32_t)strlen(*string);
    const uint8_t *in;

    code_u32(coder, &length);
    if (!coder->decoding) {
        put(coder, *string, (size_t)length + 1);
        return;
    }
    check(coder, length < coder_left(coder));
    *string = "";
    if (coder->bad || !(in = take(coder, (size_t)length + 1)))
        return;
    check(coder, memchr(in, 0, (size_t)length + 1) == in + length);
    *string = (const char *)in;
}

/* Room for count things of size bytes, each of which takes at least wire bytes of what is left. */
static void *code_allocate(Coder *coder, uint32_t count, size_t size, size_t wire)
{
    void *memory;

    check(coder, count <= coder_left(coder) / wire);
    if (coder->bad)
        return NULL;
    memory = calloc((size_t)count + 1, size);
    if (!memory) {
        coder->no_memory = true;
        coder->bad = true;
    }
    return memory;
}

static void code_strings(Coder *coder, WireStrings *strings)
{
    code_u32(coder, &strings->count);
    if (coder->decoding)
        strings->items = code_allocate(coder, strings->count, sizeof *strings->items, 5);
    for (uint32_t i = 0; i < strings->count && !coder->bad; i++) {
        const char *item = strings->items[i];

        code_string(coder, &item);
        strings->items[i] = (char *)item;
    }
}

static void code_groups(Coder *coder, WireStart *start)
{
    code_u32(coder, &start->group_count);
    check(coder, start->group_count <= WIRE_GROUPS);
    if (coder->decoding)
        start->groups = code_allocate(coder, start->group_count, sizeof *start->groups, 4);
    for (uint32_t i = 0; i < start->group_count && !coder->bad; i++)
        code_u32(coder, &start->groups[i]);
}

static void code_winsize(Coder *coder, WireWinsize *size)
{
    code_u16(coder, &size->rows);
    code_u16(coder, &size->columns);
    code_u16(coder, &size->xpixel);
    code_u16(coder, &size->ypixel);
}

static void code_modes(Coder *coder, WireModes *modes)
{
    code_u32(coder, &modes->iflag);
    code_u32(coder, &modes->oflag);
    code_u32(coder, &modes->cflag);
    code_u32(coder, &modes->lflag);
    code_u8(coder, &modes->line);
    code_bytes(coder, modes->cc, sizeof modes->cc);
    code_u32(coder, &modes->ispeed);
    code_u32(coder, &modes->ospeed);
}

static void code_start(Coder *coder, WireStart *start)
{
    code_u32(coder, &start->version);
    code_strings(coder, &start->argv);
    check(coder, start->argv.count > 0);
    code_strings(coder, &start->env);
    code_string(coder, &start->cwd);
    code_string(coder, &start->hostname);
    code_string(coder, &start->domainname);
    code_u32(coder, &start->uid);
    code_u32(coder, &start->gid);
    code_groups(coder, start);
    code_u32(coder, &start->umask);
    for (unsigned i = 0; i < WIRE_RLIMITS; i++) {
        code_u64(coder, &start->rlimits[i].current);
        code_u64(coder, &start->rlimits[i].maximum);
    }
    code_i32(coder, &start->pid);
    code_i32(coder, &start->ppid);
    code_i32(coder, &start->pgid);
    code_i32(coder, &start->sid);
    check(coder, start->pid >= 0 && start->ppid >= 0 && start->pgid >= 0 && start->sid >= 0);
    for (unsigned i = 0; i < 3; i++)
        code_choice(coder, &start->stdio[i], WIRE_KINDS);
    code_bool(coder, &start->merged);
    code_winsize(coder, &start->winsize);
    code_modes(coder, &start->modes);
    code_u64(coder, &start->realtime_ns);
    code_u32(coder, &start->flags);
    check(coder, !(start->flags & ~(uint32_t)WIRE_FLAGS));
    code_i32(coder, &start->nice);
    check(coder, start->nice >= -20 && start->nice <= 19);
    code_u64(coder, &start->ignored);
    code_u64(coder, &start->blocked);
    code_u64(coder, &start->memory_bytes);
    code_strings(coder, &start->addresses);
    code_u32(coder, &start->root_dev);
    for (unsigned i = 0; i < WIRE_SEED; i++)
        code_u64(coder, &start->seed[i]);
    code_string(coder, &start->program);
}

static void code_sig(Coder *coder, int32_t *sig)
{
    code_i32(coder, sig);
    check(coder, *sig >= 1 && *sig <= 64);
}

static void code_signal(Coder *coder, WireMessage *message)
{
    code_sig(coder, &message->signal.sig);
    code_choice(coder, &message->signal.scope, WIRE_SCOPES);
    code_bool(coder, &message->signal.has_value);
    code_i64(coder, &message->signal.value);
}

/* INPUT and OUTPUT: the data is the rest of the message. */
static void code_data(Coder *coder, WireMessage *message)
{
    bool input = message->type == WIRE_INPUT;
    uint8_t stream;

    code_choice(coder, &message->data.stream, WIRE_STREAMS);
    stream = message->data.stream;
    check(coder, stream == WIRE_TTY || (stream == WIRE_STDIN) == input);
    if (coder->decoding) {
        message->data.size = coder_left(coder);
        message->data.data = take(coder, message->data.size);
        check(coder, message->data.size > 0);
    } else {
        put(coder, message->data.data, message->data.size);
    }
}

static void code_ready(Coder *coder, WireMessage *message)
{
    code_u32(coder, &message->ready.version);
    code_string(coder, &message->ready.release);
    code_string(coder, &message->ready.arch);
    code_u64(coder, &message->ready.boot_ms);
}

static void code_failed(Coder *coder, WireMessage *message)
{
    code_i32(coder, &message->failed.error);
    code_choice(coder, &message->failed.stage, WIRE_STAGES);
    code_string(coder, &message->failed.text);
}

static void code_rusage(Coder *coder, WireRusage *usage)
{
    code_u64(coder, &usage->user_us);
    code_u64(coder, &usage->system_us);
    code_u64(coder, &usage->max_rss_kib);
    code_u64(coder, &usage->minor_faults);
    code_u64(coder, &usage->major_faults);
    code_u64(coder, &usage->blocks_in);
    code_u64(coder, &usage->blocks_out);
    code_u64(coder, &usage->switches);
    code_u64(coder, &usage->preemptions);
}

static void code_ask(Coder *coder, WireMessage *message)
{
    code_u64(coder, &message->ask.id);
    code_bool(coder, &message->ask.order);
    code_string(coder, &message->ask.file);
    code_string(coder, &message->ask.text);
    check(coder, coder->bad || strlen(message->ask.text) <= WIRE_ORDER_MAX);
}

static void code_answer(Coder *coder, WireMessage *message)
{
    code_u64(coder, &message->answer.id);
    code_u32(coder, &message->answer.error);
    check(coder, message->answer.error <= WIRE_ERRNO_MAX);
    code_string(coder, &message->answer.text);
    check(coder, coder->bad || strlen(message->answer.text) <= WIRE_ANSWER_MAX);
}

/* The fields of any message after its type. */
static void code_message(Coder *coder, WireMessage *message)
{
    switch (message->type) {
    case WIRE_START:
        code_start(coder, &message->start);
        break;
    case WIRE_SIGNAL:
        code_signal(coder, message);
        break;
    case WIRE_WINSIZE:
        code_winsize(coder, &message->winsize);
        break;
    case WIRE_INPUT:
    case WIRE_OUTPUT:
        code_data(coder, message);
        break;
    case WIRE_INPUT_END:
    case WIRE_INPUT_BROKEN:
    case WIRE_OUTPUT_END:
    case WIRE_OUTPUT_BROKEN:
        code_choice(coder, &message->stream, WIRE_STREAMS);
        break;
    case WIRE_CONTINUE:
    case WIRE_CONTINUED:
    case WIRE_DEPART:
    case WIRE_DEPARTED:
        break;
    case WIRE_CLOCK:
        code_u64(coder, &message->realtime_ns);
        break;
    case WIRE_END:
        code_u32(coder, &message->grace_ms);
        break;
    case WIRE_READY:
        code_ready(coder, message);
        break;
    case WIRE_STARTED:
        code_i32(coder, &message->pid);
        break;
    case WIRE_FAILED:
        code_failed(coder, message);
        break;
    case WIRE_STOPPED:
        code_sig(coder, &message->stop_signal);
        break;
    case WIRE_MODES:
        code_modes(coder, &message->modes);
        break;
    case WIRE_EXITED:
        code_i32(coder, &message->exited.status);
        code_rusage(coder, &message->exited.usage);
        break;
    case WIRE_LEFT:
        code_i32(coder, &message->left_status);
        break;
    case WIRE_USAGE:
        code_u64(coder, &message->usage.cpu_ns);
        code_u64(coder, &message->usage.memory_bytes);
        break;
    case WIRE_TAKEN:
        code_choice(coder, &message->taken.stream, WIRE_STREAMS);
        code_u32(coder, &message->taken.bytes);
        break;
    case WIRE_ASK:
        code_ask(coder, message);
        break;
    case WIRE_ANSWER:
        code_answer(coder, message);
        break;
    case WIRE_TYPES:
    default:
        check(coder, false);
    }
}

int wire_decode(WireMessage *ret_message, const void *data, size_t size)
{
    Coder coder = { .decoding = true, .bytes = (uint8_t *)data, .size = size };
    uint8_t type = 0;

    memset(ret_message, 0, sizeof *ret_message);
    code_u8(&coder, &type);
    ret_message->type = type;
    if (!coder.bad)
        code_message(&coder, ret_message);
    check(&coder, coder.used == size);
    if (!coder.bad)
        return 0;
    wire_clear(ret_message);
    return coder.no_memory ? -ENOMEM : -EPROTO;
}

void wire_clear(WireMessage *message)
{
    if (message->type != WIRE_START)
        return;
    free(message->start.argv.items);
    free(message->start.env.items);
    free(message->start.addresses.items);
    free(message->start.groups);
    memset(message, 0, sizeof *message);
}

size_t wire_encode(const WireMessage *message, void *buffer, size_t size)
{
    Coder coder = { .bytes = buffer, .size = size };
    WireMessage copy = *message;    /* the walkers take pointers to what they only read here */
    uint8_t type = (uint8_t)message->type;

    code_u8(&coder, &type);
    code_message(&coder, &copy);
    return coder.used;
}

void *wire_encode_new(const WireMessage *message, size_t *ret_size)
{
    size_t size = wire_encode(message, NULL, 0);
    void *bytes = malloc(size);

    if (bytes)
        *ret_size = wire_encode(message, bytes, size);
    return bytes;
}

void wire_data_head(uint8_t head[WIRE_DATA_HEAD], WireType type, WireStream stream)
{
    head[0] = (uint8_t)type;
    head[1] = (uint8_t)stream;
}
