/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-view.h - what a session of the HTTP view sees and commands, and the pages that follow it
 *
 * Theory of operation. A view is a connection to this node's own control socket with the rights of the session's user
 * (control_connect): it asks what `sojourn list` and `sojourn nodes` ask, so it sees and commands what they would and no rule
 * is written twice. One view without a user serves all who are not logged in: nodes and counts.
 *
 * While pages follow, the view asks each second, and after each command, and keeps a table of rows as text; a page is sent the
 * rows that differ from what it was sent before. A page that does not take what it was sent gets nothing more until it has: it
 * costs one message of memory, and what it then gets brings it up to date.
 *
 * What is sent are server-sent events: hello {self,user,admin,version}, past (web-past.h), nodes and jobs
 * {set:[row],gone:[key]}, news (an event of job.events), progress (of a migration).
 */
#pragma once

#include "node.h"
#include "web-past.h"

#define WEB_VIEW_STREAMS 8 /* a session may have */

typedef struct WebView WebView;
typedef struct WebStream WebStream;

/* How a page is written to: text is to be sent, and web_stream_taken called when it has been; or nothing more is to come. */
typedef struct {
    void (*write)(const char *text, gsize length, gpointer user);
    void (*end)(gpointer user);
} WebStreamOut;

/* result (not owned) or error. */
typedef void (*WebViewAnswer)(Json *result, const GError *error, gpointer user);

/* The view of a user; uid (uid_t)-1: of those who are not logged in. NULL and a sentence. */
WebView *web_view_new(Node *node, WebPast *past, uid_t uid, GError **error);

/* Whether the user of a view, with this uid, has other rights now than when it was made. */
gboolean web_view_is_out(const WebView *view, uid_t uid);

/* Ends the pages that follow; calls under way fail soon. */
void web_view_free(WebView *view);

/* Who it is: {user,admin} (new reference); user null where nobody is logged in. */
Json *web_view_who(const WebView *view);

/* Calls a method as the user would; params are taken over. done is called once, later. */
void web_view_call(WebView *view, const char *method, Json *params, WebViewAnswer done, gpointer user);

/* Of a view; how many calls are under way, how many pages follow. */
guint web_view_calls(const WebView *view);
guint web_view_streams(const WebView *view);

/* A page begins to follow: its first text is written before this returns. */
WebStream *web_stream_new(WebView *view, const WebStreamOut *out, gpointer user);

/* What was written has gone out. */
void web_stream_taken(WebStream *stream);

/* The page is gone, or was told the end. */
void web_stream_free(WebStream *stream);
