/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosted-private.h - what the parts of hosted.h share */
#pragma once

#include "hosted.h"

#define HOSTED_RETRY_FIRST_MS 50 /* the pause before a broken link is dialled again */

/* A guest that an answer is for, looked up again when the answer comes: it may be gone, or be another incarnation. */
typedef struct {
    Node *node;
    char *id;
    guint64 epoch;
    gint64 asked_us;
} Ticket;

Ticket *ticket_new(Hosted *hosted);
void ticket_free(Ticket *ticket);

/* The guest of the ticket, if it is here still; else NULL. */
Hosted *ticket_hosted(Ticket *ticket);
