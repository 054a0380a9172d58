/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt-rpc.h - libvirt's RPC on the wire: packets on a stream, and the few bodies of a migration
 *
 * Both halves of the gate need the protocol itself, not the library: what is not decoded here is
 * not admitted.
 */
#pragma once

#include "xdr.h"

#define LV_HEADER_SIZE 28         /* with the length word */
#define LV_PROGRAM 0x20008086u
#define LV_KEEPALIVE 0x6b656570u
#define LV_VERSION 1

enum { LV_CALL, LV_REPLY, LV_MESSAGE };            /* type */
enum { LV_OK, LV_ERROR };                          /* status */
enum { LV_PING = 1, LV_PONG = 2 };                 /* procedures of LV_KEEPALIVE */
enum {                                             /* procedures of LV_PROGRAM */
    LV_CONNECT_OPEN = 1,
    LV_CONNECT_CLOSE = 2,
    LV_SUPPORTS_FEATURE = 60,
    LV_AUTH_LIST = 66,
    LV_PREPARE3_PARAMS = 303,
    LV_FINISH3_PARAMS = 306
};
enum { LV_MIGRATE_LIVE = 1, LV_MIGRATE_PAUSED = 32 };

#define LV_COOKIE_MAX (256u << 10)
#define LV_STRING_MAX (1u << 20)
#define LV_PARAMS_MAX 64

typedef struct {
    guint32 program, version, procedure, type, serial, status;
} LvHeader;

/* A whole packet (g_byte_array_unref); body may be NULL. */
GByteArray *lv_packet(const LvHeader *header, const GByteArray *body);

/* The header that answers call, with this status. */
LvHeader lv_reply_to(const LvHeader *call, guint32 status);

/* A connection: takes the stream apart into packets, on the thread-default main context. */
typedef struct LvConn LvConn;
typedef struct {
    void (*packet)(LvConn *conn, const LvHeader *header, const guint8 *body, gsize size,
                   gpointer user);
    /* The last callback. bad: the other side broke the framing or does not read; why is a
     * sentence's end. */
    void (*closed)(LvConn *conn, const char *why, gboolean bad, gpointer user);
} LvEvents;

/* Takes over fd and makes it non-blocking. max: longest packet admitted, in bytes. */
LvConn *lv_conn_new(int fd, gsize max, const LvEvents *events, gpointer user);
void lv_conn_set_max(LvConn *conn, gsize max);
void lv_conn_send(LvConn *conn, const LvHeader *header, const GByteArray *body);

/* Writes what can be written at once and closes; allowed within its callbacks, after which there
 * are no more. NULL is fine. */
void lv_conn_free(LvConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LvConn, lv_conn_free)

/* A typed parameter; string is set for strings only. */
typedef struct {
    char *field;
    guint32 type;
    char *string;
    guint64 number;
} LvParam;
enum {
    LV_PARAM_INT = 1,
    LV_PARAM_UINT,
    LV_PARAM_LLONG,
    LV_PARAM_ULLONG,
    LV_PARAM_DOUBLE,
    LV_PARAM_BOOLEAN,
    LV_PARAM_STRING
};

/* Arguments of PREPARE3 and (with cancelled) FINISH3. */
typedef struct {
    GPtrArray *params;    /* of LvParam * */
    GBytes *cookie;       /* may be empty */
    guint32 flags;
    guint32 cancelled;
} LvMigrateArgs;

void lv_migrate_args_clear(LvMigrateArgs *args);
void lv_migrate_args_init(LvMigrateArgs *ret_args);
void lv_migrate_args_add(LvMigrateArgs *args, const char *field, const char *string);
GByteArray *lv_migrate_args_encode(const LvMigrateArgs *args, gboolean finish);
gboolean lv_migrate_args_decode(const guint8 *body, gsize size, gboolean finish,
                                LvMigrateArgs *ret_args);

/* Answers. A domain is a name and a UUID (16 bytes). */
typedef struct {
    GBytes *cookie;
    char *uri;            /* PREPARE3: may be NULL */
    char *name;           /* FINISH3 */
    guint8 uuid[16];
    guint32 id;
} LvMigrateAnswer;

void lv_migrate_answer_clear(LvMigrateAnswer *answer);
GByteArray *lv_migrate_answer_encode(const LvMigrateAnswer *answer, gboolean finish);
gboolean lv_migrate_answer_decode(const guint8 *body, gsize size, gboolean finish,
                                  LvMigrateAnswer *ret_answer);

/* libvirt's error structure: the code, and the sentence (g_free; at most 1 KiB, printable). */
enum { LV_CODE_OPERATION_FAILED = 9, LV_CODE_FINISH_OK = 93 };
GByteArray *lv_error_encode(guint32 code, const char *text);
gboolean lv_error_decode(const guint8 *body, gsize size, guint32 *ret_code, char **ret_text);
