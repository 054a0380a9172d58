/* SPDX-License-Identifier: GPL-2.0-or-later */
/* control.h - the job's control files: what its processes ask and order through /proc/PID */
#pragma once

#include "common/json.h"
#include "common/wire.h"

typedef struct Control Control;

/* Where answers go: messages for the guest. */
typedef void (*ControlAnswer)(const WireMessage *message, gpointer user);
/* A call to the controller: params is taken over; done is called exactly once, with result (not owned) or error. */
typedef void (*ControlDone)(Json *result, const GError *error, gpointer user);
typedef void (*ControlCall)(const char *method, Json *params, guint timeout_ms, ControlDone done, gpointer done_user,
                            gpointer user);

/* For the job with this id (copied). */
Control *control_new(const char *id, ControlAnswer answer, ControlCall call, gpointer user);
/* Only when nothing is asked any more: each call has a done to come. */
void control_free(Control *control);
/* An ASK from the guest. FALSE: it asks more at once than its kernel lets it. */
gboolean control_ask(Control *control, const WireMessage *message);
