/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.h - the messages between deputy and agent (and between front and back): one encoder and decoder, no GLib
 *
 * docs/protocol.md says message by message what each means, who sends it and on which channel. A message is one type
 * byte and its fields, little-endian, without padding. Decoding checks every length and range; what it accepts encodes
 * to the same bytes again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION 3u

/* Bytes that the sender of a stream may have under way: sent, but not yet reported back by TAKEN. */
#define WIRE_WINDOW (128u << 10)

typedef enum {
    /* home to guest */
    WIRE_START = 1,
    WIRE_SIGNAL,
    WIRE_WINSIZE,
    WIRE_INPUT,
    WIRE_INPUT_END,
    WIRE_OUTPUT_BROKEN,
    WIRE_CONTINUE,
    WIRE_CLOCK,
    WIRE_END,
    /* guest to home */
    WIRE_READY,
    WIRE_STARTED,
    WIRE_FAILED,
    WIRE_OUTPUT,
    WIRE_OUTPUT_END,
    WIRE_INPUT_BROKEN,
    WIRE_STOPPED,
    WIRE_CONTINUED,
    WIRE_MODES,
    WIRE_EXITED,
    WIRE_USAGE,
    /* both ways */
    WIRE_TAKEN,
    /* to home: ASK, DEPARTED; to the guest: ANSWER, DEPART */
    WIRE_ASK,
    WIRE_ANSWER,
    WIRE_DEPART,
    WIRE_DEPARTED,
    /* to home */
    WIRE_LEFT,
    WIRE_TYPES
} WireType;

/* The streams of a job. Only STDIN and TTY carry INPUT, only STDOUT, STDERR and TTY carry OUTPUT. */
typedef enum { WIRE_STDIN, WIRE_STDOUT, WIRE_STDERR, WIRE_TTY, WIRE_STREAMS } WireStream;

/* What a standard descriptor of the program is. */
typedef enum {
    WIRE_CLOSED,
    WIRE_NULL,      /* /dev/null */
    WIRE_PIPE,      /* its stream */
    WIRE_TERMINAL,  /* the pseudo-terminal */
    WIRE_KINDS
} WireKind;

/* Who gets a SIGNAL. */
typedef enum {
    WIRE_PROCESS,   /* the program */
    WIRE_GROUP,     /* the terminal's foreground process group; without a terminal, the program's group */
    WIRE_SCOPES
} WireScope;

/* Which step of starting the program FAILED. */
typedef enum {
    WIRE_STAGE_FILES,       /* mounting the home's files */
    WIRE_STAGE_IDENTITY,    /* ids, limits, terminal */
    WIRE_STAGE_DIRECTORY,   /* the working directory */
    WIRE_STAGE_EXECUTE,     /* execve: ENOENT is a shell's 127, the rest 126 */
    WIRE_STAGES
} WireStage;

typedef enum {
    WIRE_LINGER = 1 << 0,       /* the job ends with its last process, not with the program */
    WIRE_READ_ONLY = 1 << 1,    /* mount the home's files read-only */
    WIRE_SOCKETS = 1 << 2,      /* sockets live at home */
    WIRE_NAT = 1 << 3,          /* packets of the guest's own network come home; the addresses are that network's */
    WIRE_FLAGS = WIRE_LINGER | WIRE_READ_ONLY | WIRE_SOCKETS | WIRE_NAT
} WireFlags;

/* A vector of strings; items[count] is NULL, so that it can be handed to execve. */
typedef struct {
    uint32_t count;
    char **items;
} WireStrings;

typedef struct {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[32];
    uint32_t ispeed, ospeed;    /* bits per second */
} WireModes;

typedef struct {
    uint16_t rows, columns, xpixel, ypixel;
} WireWinsize;

#define WIRE_RLIMITS 16u
#define WIRE_GROUPS 65536u
#define WIRE_SEED 4u

typedef struct {
    uint32_t version;           /* WIRE_VERSION */
    WireStrings argv;           /* at least one */
    WireStrings env;
    const char *cwd, *hostname, *domainname;
    uint32_t uid, gid, group_count;
    uint32_t *groups;
    uint32_t umask;
    struct {
        uint64_t current, maximum;
    } rlimits[WIRE_RLIMITS];    /* by RLIMIT_ number */
    int32_t pid, ppid, pgid, sid;   /* the front's at home; 0: any */
    uint8_t stdio[3];           /* WireKind */
    bool merged;                /* descriptor 2 is the same as 1 */
    WireWinsize winsize;        /* these two only if some stdio is WIRE_TERMINAL */
    WireModes modes;
    uint64_t realtime_ns;
    uint32_t flags;             /* WireFlags */
    int32_t nice;
    uint64_t ignored, blocked;  /* signals, bit n - 1 for signal n */
    uint64_t memory_bytes;      /* what was promised to the job; 0: not said */
    const char *program;        /* where home finds argv[0]; "": the guest looks for it itself */
    WireStrings addresses;      /* of home's network devices, as "eth0 2 192.0.2.1/24"; a device may come several times;
                                 * and default routes, as "eth0 2 via 192.0.2.254" */
    uint32_t root_dev;          /* st_dev of the home's root, as the kernel encodes it in 32 bits; 0: not said */
    uint64_t seed[WIRE_SEED];   /* randomness of home's, for the guest's kernel */
} WireStart;

typedef struct {
    uint64_t user_us, system_us, max_rss_kib, minor_faults, major_faults, blocks_in, blocks_out, switches,
        preemptions;
} WireRusage;

/* What a control file's answer has at most, and an order. */
#define WIRE_ANSWER_MAX 2048u
#define WIRE_ORDER_MAX 255u
#define WIRE_ERRNO_MAX 4095u

/* A decoded message. Strings, data and vectors' strings point into the bytes decoded from; groups, argv.items and
 * env.items are allocated by wire_decode and freed by wire_clear. */
typedef struct {
    WireType type;
    union {
        WireStart start;
        struct {
            int32_t sig;        /* 1 to 64 */
            uint8_t scope;      /* WireScope */
            bool has_value;     /* sigqueue's value; PROCESS only */
            int64_t value;
        } signal;
        WireWinsize winsize;
        struct {
            uint8_t stream;     /* WireStream */
            const void *data;
            size_t size;
        } data;                 /* INPUT, OUTPUT */
        uint8_t stream;         /* INPUT_END, OUTPUT_BROKEN, OUTPUT_END, INPUT_BROKEN */
        uint64_t realtime_ns;   /* CLOCK */
        uint32_t grace_ms;      /* END */
        struct {
            uint32_t version;
            const char *release, *arch;
            uint64_t boot_ms;
        } ready;
        int32_t pid;            /* STARTED */
        struct {
            int32_t error;      /* errno */
            uint8_t stage;      /* WireStage */
            const char *text;
        } failed;
        int32_t stop_signal;    /* STOPPED */
        WireModes modes;        /* MODES */
        struct {
            int32_t status;     /* as from wait */
            WireRusage usage;
        } exited;
        int32_t left_status;    /* LEFT, as from wait */
        struct {
            uint64_t cpu_ns, memory_bytes;
        } usage;
        struct {
            uint8_t stream;
            uint32_t bytes;
        } taken;
        struct {
            uint64_t id;
            bool order;         /* the text was written to the file; else the file is read */
            const char *file;   /* below /proc/PID */
            const char *text;
        } ask;
        struct {
            uint64_t id;
            uint32_t error;     /* errno, 0: none */
            const char *text;
        } answer;
    };
} WireMessage;

/* Decodes data; 0, or -EPROTO (not a message) or -ENOMEM, when *ret_message holds nothing to clear. The message refers
 * to data. */
int wire_decode(WireMessage *ret_message, const void *data, size_t size);
/* Frees what wire_decode allocated, not the message itself. */
void wire_clear(WireMessage *message);

/* Encodes into at most size bytes of buffer and returns how many the message has; more than size: nothing useful was
 * written. So wire_encode(message, NULL, 0) measures. The message must be one that wire_decode would accept. */
size_t wire_encode(const WireMessage *message, void *buffer, size_t size);
/* The same into malloc'ed memory; NULL when there is none. */
void *wire_encode_new(const WireMessage *message, size_t *ret_size);

/* The bytes that precede the data in an INPUT or OUTPUT, for link_send2. */
#define WIRE_DATA_HEAD 2u
void wire_data_head(uint8_t head[WIRE_DATA_HEAD], WireType type, WireStream stream);

/* A type's name in docs/protocol.md, "?" when it has none. */
const char *wire_name(WireType type);
