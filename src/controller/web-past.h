/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web-past.h - load and memory of the nodes in the last half hour, for the HTTP view's curves */
#pragma once

#include "common/json.h"

#define WEB_PAST_STEP_S 10
#define WEB_PAST_STEPS 180

typedef struct WebPast WebPast;

WebPast *web_past_new(void);
void web_past_free(WebPast *past);

/* Notes what rows of node.list say; to be called each WEB_PAST_STEP_S seconds. */
void web_past_add(WebPast *past, Json *rows);

/* {"step_s":10,"nodes":{NAME:{"load":[per cent],"used":[MiB of memory]}}}, oldest first, null where a node was not there (new
 * reference). */
Json *web_past_json(const WebPast *past);
