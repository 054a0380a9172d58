/* SPDX-License-Identifier: GPL-2.0-or-later */
/* back-fetched.c - what the guest reads from home in the seconds after a migration, because it did not bring it along
 *
 * All that the files' server answers counts, also what the program would have read anyway: an upper bound of what leaving
 * file pages behind costs.
 */
#include "back-private.h"

#define AFTER_S 10

/* The controller notes it with the migration, which it knows by now. */
static void fetched_tell(Back *back)
{
    Json *params = json_set_int(json_object(), "bytes", (gint64) (replies_bytes(back->replies) - back->fetched_base));

    if (back->rpc)
        rpc_notify(back->rpc, "deputy.fetched", params);
    else
        json_unref(params);
}

static gboolean fetched_late(gpointer user)
{
    Back *back = user;

    back->fetched_timer = 0;
    fetched_tell(back);
    return G_SOURCE_REMOVE;
}

void back_fetched_begin(Back *back)
{
    if (back->fetched_timer) {
        g_source_remove(back->fetched_timer);
        fetched_tell(back);
    }
    back->fetched_base = replies_bytes(back->replies);
    back->fetched_timer = g_timeout_add_seconds(AFTER_S, fetched_late, back);
}
