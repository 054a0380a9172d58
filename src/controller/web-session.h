/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-session.h - who is logged in at the HTTP view: tokens from the command line, and what they become
 *
 * Theory of operation. A *token* is made for a user whom the control socket knows (SO_PEERCRED), is good once and for a few
 * minutes, and becomes a *session*. A session has two secrets: the *cookie*, which no script can read, and the *key*, which
 * the page keeps and sends in a header of its own. A request counts as the user's only with both: browsers give a
 * cookie of 127.0.0.1 to every port of 127.0.0.1, so to servers of other users too, but keep what a page has stored to its own
 * port. Secrets are 256 random bits; tokens are kept as digests. Everything is in memory: a controller that is started again
 * knows nobody.
 *
 * Limits: a user has at most 8 tokens and 16 sessions, the oldest goes first. Times are g_get_monotonic_time's.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

#define WEB_TOKEN_S 300           /* a token is good for */
#define WEB_IDLE_S 3600           /* a session ends when nothing was asked for */
#define WEB_SESSION_S (12 * 3600) /* and at the latest */

typedef struct WebSessions WebSessions;

typedef struct {
    char *cookie, *key;
    uid_t uid;
    gint64 born_us, used_us;
    gpointer data; /* the owner's */
} WebSession;

/* ended is called for each session that ends, before it is freed. */
WebSessions *web_sessions_new(void (*ended)(WebSession *session));
void web_sessions_free(WebSessions *sessions);

/* A token for a user (g_free). */
char *web_sessions_token(WebSessions *sessions, uid_t uid, gint64 now_us);

/* Turns a token into a session (not owned by the caller); NULL: there is no such token, or no more. */
WebSession *web_sessions_login(WebSessions *sessions, const char *token, gint64 now_us);

/* The session of these two secrets (either may be NULL), now used; NULL. */
WebSession *web_sessions_find(WebSessions *sessions, const char *cookie, const char *key, gint64 now_us);

/* Ends one; ends all of a user, with the tokens, and returns how many sessions; ends those whose time is over. */
void web_sessions_end(WebSessions *sessions, WebSession *session);
guint web_sessions_end_of(WebSessions *sessions, uid_t uid);
void web_sessions_sweep(WebSessions *sessions, gint64 now_us);

/* Ends those of which is_out says so. */
void web_sessions_end_if(WebSessions *sessions, gboolean (*is_out)(const WebSession *session));

/* Calls back for each session, which may not be ended from there. */
void web_sessions_each(WebSessions *sessions, void (*each)(WebSession *session, gpointer user), gpointer user);

/* How many sessions there are; how many tokens. */
guint web_sessions_count(const WebSessions *sessions);
guint web_sessions_tokens(const WebSessions *sessions);
