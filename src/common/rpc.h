/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rpc.h - JSON-RPC 2.0 over a local stream socket on a GLib main context, with descriptors
 *
 * One message is one line of JSON. Both sides may call. A descriptor rides on the first byte of its message (UNIX
 * sockets only). Everything runs on the main context that was the thread default when the connection was made.
 */
#pragma once

#include "json.h"

typedef struct Rpc Rpc;         /* a connection, reference counted */
typedef struct RpcCall RpcCall; /* a call that came in and waits for its answer */

typedef struct {
    /* A call or (rpc_call_is_notification) notification came in. The handler owns the call until it
     * answers with rpc_reply or rpc_fail, at once or later; fd is -1 or the callee's to close. */
    void (*called)(Rpc *rpc, RpcCall *call, const char *method, Json *params, int fd, gpointer user);
    /* The connection ended, by either side; calls under way have failed with SJ_ERROR_GONE. */
    void (*closed)(Rpc *rpc, gpointer user);
} RpcEvents;

/* The answer to a call: result (not owned) or error, and fd -1 or the callee's to close. */
typedef void (*RpcAnswer)(Rpc *rpc, Json *result, int fd, const GError *error, gpointer user);

/* Takes over fd. events may be NULL for a pure client. */
Rpc *rpc_new(int fd, const RpcEvents *events, gpointer user);
Rpc *rpc_ref(Rpc *rpc);
void rpc_unref(Rpc *rpc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rpc, rpc_unref)
void rpc_close(Rpc *rpc);                /* idempotent; closed() follows from the main loop */
gboolean rpc_is_open(Rpc *rpc);

/* Who is at the other end of a UNIX socket; FALSE where it cannot be told. */
gboolean rpc_peer(Rpc *rpc, uid_t *ret_uid, gid_t *ret_gid, pid_t *ret_pid);

/* Calls; params is taken over (NULL: {}); fd (or -1) is duplicated, still the caller's. answer is called exactly
 * once, also when timeout_ms (0: none) is over or the connection ends. answer may be NULL. */
void rpc_call(Rpc *rpc, const char *method, Json *params, int fd, guint timeout_ms,
              RpcAnswer answer, gpointer user);
void rpc_notify(Rpc *rpc, const char *method, Json *params);

/* Answers; result is taken over (NULL: {}); each frees the call. For a notification they only free it. */
void rpc_reply(RpcCall *call, Json *result);
void rpc_reply_fd(RpcCall *call, Json *result, int fd);
void rpc_fail(RpcCall *call, const GError *error);
void rpc_fail_new(RpcCall *call, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
gboolean rpc_call_is_notification(RpcCall *call);
Rpc *rpc_call_connection(RpcCall *call);
gboolean rpc_call_gone(RpcCall *call);   /* the caller has closed its connection meanwhile */

/* A call that blocks, for commands: on a connection of its own, running a private main context.
 * notified (may be NULL) is called for notifications meanwhile. Returns a new reference or NULL:
 * SJ_ERROR_CUT where the connection ended before the answer. */
Json *rpc_call_sync(const char *socket_path, const char *method, Json *params, guint timeout_ms,
                    void (*notified)(const char *method, Json *params, gpointer user), gpointer user,
                    GError **error);

/* The same over a connection that is there (fd is taken over), asked each 0.1 s whether to give up waiting (may be NULL):
 * then SJ_ERROR_CUT. */
Json *rpc_call_fd(int fd, const char *method, Json *params, guint timeout_ms, gboolean (*gives_up)(gpointer user),
                  gpointer user, GError **error);

/* Several calls at once over a connection (fd and each of the n params are taken over): answered for each as its answer comes,
 * with the result (not owned) or the error; returns after the last. notified may be NULL. */
void rpc_call_many(int fd, const char *method, Json **params, guint n,
                   void (*notified)(const char *method, Json *params, gpointer user),
                   void (*answered)(guint index, Json *result, const GError *error, gpointer user), gpointer user);

/* Connects to a UNIX stream socket (close-on-exec); -1 and a sentence on failure. */
int rpc_connect(const char *path, GError **error);

/* The same for a main loop: fails where it would have to wait, because whoever listens has not taken earlier connections. */
int rpc_connect_at_once(const char *path, GError **error);

/* Listens on a UNIX stream socket with these permissions, replacing a dead one; -1 on failure. */
int rpc_listen(const char *path, int mode, GError **error);

/* Parses one line of the protocol the way a connection does, without one: for tests and fuzzing.
 * Returns FALSE with an error where the line would close the connection. */
gboolean rpc_check_line(const char *line, gsize length, GError **error);
