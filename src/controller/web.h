/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web.h - the HTTP view of a node: its page, live, commands from it, and metrics
 *
 * Theory of operation. A small HTTP server on 127.0.0.1, on the controller's main loop; nothing of it waits. There are a few
 * exact paths and nothing behind them but what was compiled in:
 *
 *   GET  /, *.js, *.css, *.svg   the page
 *   GET  /events                 server-sent events (web-view.h)
 *   GET  /metrics                Prometheus' text (web-metrics.h)
 *   POST /login                  {token} → {key,user,admin} and the cookie
 *   POST /call                   {method,params} → {result} or {error:{text,kind}}
 *   POST /logout
 *
 * Who is not logged in sees nodes and counts. A session (web-session.h) sees and commands what its user would at the control
 * socket, because that is what is asked (web-view.h); only the methods in the table of web.c can be called from here.
 *
 * A request is refused before its body is read if its Host is not this machine (web-guard.h), if another site's page made
 * it, if its method, type or length is not what the path takes. Each connection carries one request; there is a limit for
 * everything.
 */
#pragma once

#include "node.h"

typedef struct Web Web;

/* The view of a node; opens its port at once if the settings name one, else when a token is asked for. */
Web *web_new(Node *node);

/* web.* on the control socket, from a user: web.token → {address,valid_s}, web.logout → {sessions}. Answers call. */
void web_called(Web *web, const char *method, uid_t uid, RpcCall *call);
